"""Whether somebody outside could open an address of ours. Pure: nobody is asked."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

#: Names that lead nowhere outside a network or a machine (RFC 6761, 6762, 8375; .internal is ICANN's).
_INSIDE = ("localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa", "invalid", "test")


def why_unreachable(url: str) -> str:
    """What keeps the reader of a message from following this address; empty when nothing that can be seen here.

    Mail programs follow one-click links over TLS only (RFC 8058).
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return "it is no address"
    if not host:
        return "it is no address" if url else "it is empty"
    if _is_inside(host):
        return f"{host} leads nowhere outside this network"
    return "" if parts.scheme == "https" else "it does not begin with https"


def _is_inside(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or any(host.endswith(f".{name}") for name in _INSIDE)
