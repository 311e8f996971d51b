"""Which addresses may be connected to: public ones only, judged after the name was resolved.

A name is resolved once, every address it has is judged, and the connection goes to a judged address: what a second
look-up would say does not matter.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from threading import Thread

from prospects.sources.troubles import NetworkTrouble, NoSuchHost, Refused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
#: (host, port) → addresses as text, in order of preference. Raises OSError.
Resolver = Callable[[str, int], Sequence[str]]

DEFAULT_PORTS = {"http": 80, "https": 443}
# IANA's special-purpose registries: nothing here is a company's public server.
_CLOSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",  # answers inside a large cloud only, though it looks public
    )
)  # fmt: skip
_OPEN_V6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
# What says that a name has no address, as far as a system tells the ways apart; anything else may pass.
_NO_NAME = frozenset(
    getattr(socket, name, socket.EAI_NONAME) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY")
)
_NUMERIC = re.compile(r"^(?:0x[0-9a-f]*|\d+)$", re.IGNORECASE)


def is_public(address: Address) -> bool:
    """Whether an address is one anybody may connect to. IPv4 inside IPv6 is judged as the IPv4 it is."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    if address in _MAPPED or address in _NAT64:
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _OPEN_V6 and not any(address in network for network in _CLOSED_V6)


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system. Raises OSError when the name does not exist."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def judged(host: str, port: int, *, resolver: Resolver, seconds: float, allowed: bool) -> Sequence[str]:
    """The addresses of ``host`` to connect to, one name look-up long.

    Raises Refused when any of them is private (unless ``allowed``), NoSuchHost, or NetworkTrouble when nobody knows.
    """
    if not allowed:
        _check_name(host)
    texts = _in_time(lambda: resolver(host, port), host, seconds)
    if not texts:
        raise NetworkTrouble(f"{host} has no address")
    for text in texts:
        try:
            address = ipaddress.ip_address(text)
        except ValueError as error:
            raise Refused(f"{host} resolves to something that is no address") from error
        if not allowed and not is_public(address):
            raise Refused(f"{host} is a private or reserved address")
    return texts


def _check_name(host: str) -> None:
    """Names that look like numbers are read differently by different programs: only plain addresses are taken."""
    bare = host.strip("[]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        labels = bare.rstrip(".").split(".")
        if _NUMERIC.match(labels[-1]):
            raise Refused(f"{host[:80]} is no host name") from None
        if len(labels) < 2:
            raise Refused(f"{host[:80]} is a name inside a network") from None
        return
    if not is_public(address):
        raise Refused(f"{host} is a private or reserved address")


def _in_time(look_up: Callable[[], Sequence[str]], host: str, seconds: float) -> Sequence[str]:
    """The system's resolver takes no time limit; a thread of its own can be left behind."""
    future: Future[Sequence[str]] = Future()

    def ask() -> None:
        try:
            future.set_result(look_up())
        except Exception as error:
            future.set_exception(error)

    Thread(target=ask, name="resolve", daemon=True).start()
    try:
        return future.result(timeout=max(seconds, 0.0))
    except FutureTimeoutError as error:
        raise NetworkTrouble(f"the name {host} was not resolved in time") from error
    except (OSError, UnicodeError) as error:
        if isinstance(error, UnicodeError) or (isinstance(error, socket.gaierror) and error.errno in _NO_NAME):
            raise NoSuchHost(f"the name {host} does not exist") from error
        raise NetworkTrouble(f"the name {host} could not be looked up") from error
