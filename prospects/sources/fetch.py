"""One HTTP request to a public server, and nothing else: bounded in time, size, kind and number of redirects.

The connection goes to an address that was judged (see ``addresses``); TLS checks the name that was asked for. No
cookies, no proxies from the environment, no second protocol; a key travels to its own host only.
"""

from __future__ import annotations

import json
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urljoin

import httpcore2

from prospects.sources.addresses import DEFAULT_PORTS, Resolver, judged, resolve
from prospects.sources.config import Credential, Reach
from prospects.sources.troubles import BadAnswer, NetworkTrouble, Refused
from prospects.sources.web import Page, Target, target_of

MAX_REDIRECTS = 5
_MOVED = frozenset({301, 302, 303, 307, 308})
_LISTS = frozenset({"link"})  # of the headers read here


class _Deadline:
    """The moment by which a whole request has to be over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, most: float | None = None) -> float:
        """Seconds left, at most ``most``. Raises what a time-out raises when there are none."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout("the whole request took too long")
        return left if most is None else min(left, most)


class _Stream(httpcore2.NetworkStream):
    """A socket on which no single wait outlasts the request's deadline, so bytes that drip cannot hold it up."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: _Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        secure = self._inner.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _Stream(secure, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    """Opens connections to judged addresses only."""

    def __init__(self, fetcher: Fetcher, deadline: _Deadline) -> None:
        self._fetcher, self._deadline = fetcher, deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception | None = None
        for address in self._fetcher.addresses(host, port, self._deadline.left(timeout)):
            try:
                stream = self._fetcher.network.connect_tcp(
                    address, port, self._deadline.left(timeout), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure or httpcore2.ConnectError(f"{host} has no address")


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """One context for all: reading the certificates is the slow part of a request."""
    return httpcore2.default_ssl_context()


class Fetcher:
    """Makes requests within one installation's reach. Safe to use from many threads.

    ``resolver`` finds addresses, ``network`` connects to one that was judged.
    """

    def __init__(
        self, reach: Reach, *, resolver: Resolver = resolve, network: httpcore2.NetworkBackend | None = None
    ) -> None:
        self.reach = reach
        self.network = network or httpcore2.SyncBackend()
        self._resolver = resolver

    def allowed(self, place: str) -> bool:
        """Whether this host:port was opened by the operator."""
        return place in self.reach.allow_hosts

    def addresses(self, host: str, port: int, seconds: float) -> Iterable[str]:
        """Judged addresses of a host."""
        place = f"{host}:{port}"
        return judged(host, port, resolver=self._resolver, seconds=seconds, allowed=self.allowed(place))

    def fetch(
        self,
        url: str,
        *,
        kinds: frozenset[str] = frozenset(),
        method: str = "GET",
        body: Any = None,
        credential: Credential | None = None,
        max_bytes: int | None = None,
        beginning: bool = False,
        follow: Callable[[str], object] | None = None,
    ) -> Page:
        """Ask and follow at most five redirects, each judged like the first.

        ``kinds`` are the content types that are read (any, when empty); of answers other than 2xx only the head is.
        ``body`` is sent as JSON. Of an answer beyond ``max_bytes`` the ``beginning`` may be enough. ``follow`` is told
        where each redirect leads, and raises when that is not to be read. Raises Refused, NetworkTrouble or BadAnswer;
        a status is for the caller to judge.
        """
        deadline = _Deadline(self.reach.request_seconds)
        most = min(max_bytes or self.reach.max_bytes, self.reach.max_bytes)
        target = target_of(url)
        for _ in range(MAX_REDIRECTS + 1):
            page = self._once(target, method, body, credential, kinds, most, deadline, beginning=beginning)
            location = page.headers.get("location", "")
            if page.status not in _MOVED or not location:
                return page
            if page.status == 303 or (page.status in (301, 302) and method == "POST"):
                method, body = "GET", None
            target = target_of(urljoin(target.url, location.strip().replace(" ", "%20")))
            if follow is not None:
                follow(target.url)
        raise BadAnswer(f"more than {MAX_REDIRECTS} redirects")

    def _once(
        self,
        target: Target,
        method: str,
        body: Any,
        credential: Credential | None,
        kinds: frozenset[str],
        max_bytes: int,
        deadline: _Deadline,
        *,
        beginning: bool,
    ) -> Page:
        if target.port != DEFAULT_PORTS[target.scheme] and not self.allowed(target.place):
            raise Refused(f"port {target.port} is not read")
        content = json.dumps(body, ensure_ascii=False).encode() if body is not None else None
        headers = self._headers(target, content, credential, kinds)
        reach = self.reach
        waits = {"connect": reach.connect_seconds, "read": reach.read_seconds, "write": reach.read_seconds}
        try:
            with (
                httpcore2.ConnectionPool(ssl_context=_tls(), network_backend=_Backend(self, deadline)) as pool,
                pool.stream(
                    method, target.url, headers=headers, content=content, extensions={"timeout": waits}
                ) as answer,
            ):
                said = _headers_said(answer.headers)
                page = Page(target.url, answer.status, said, b"")
                if not 200 <= answer.status < 300:
                    return page  # its status says it all: what an error page holds is not waited for and breaks nothing
                _check_kind(page, kinds)
                read = _beginning if beginning else _read
                return Page(target.url, answer.status, said, read(answer.iter_stream(), said, max_bytes))
        except httpcore2.TimeoutException as error:
            raise NetworkTrouble(f"{target.host} did not answer in time") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise NetworkTrouble(f"{target.host} could not be read ({type(error).__name__})") from error

    def _headers(
        self, target: Target, content: bytes | None, credential: Credential | None, kinds: frozenset[str]
    ) -> list[tuple[str, str]]:
        headers = [
            ("User-Agent", self.reach.user_agent),
            ("Accept", ", ".join([*sorted(kinds), "*/*;q=0.1"]) if kinds else "*/*"),
            ("Accept-Encoding", "gzip"),
            ("Connection", "close"),
        ]
        if content is not None:
            headers.append(("Content-Type", "application/json"))
        if credential is not None and self._may_see(target, credential):
            headers.append((credential.header, credential.value))
        return headers

    def _may_see(self, target: Target, credential: Credential) -> bool:
        """A key goes to its own host, and over TLS unless the operator opened that very place."""
        named = credential.host in (target.host, target.place)
        return named and (target.scheme == "https" or self.allowed(target.place))


def _headers_said(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name in lower case; what stands in several lines is one list (RFC 9110, 5.3)."""
    said: dict[str, str] = {}
    for raw_name, raw in headers:
        name = raw_name.decode("latin-1").lower()
        try:
            value = raw.decode()  # addresses are written in UTF-8, whatever the standard says
        except UnicodeDecodeError:
            value = raw.decode("latin-1")
        said[name] = f"{said[name]}, {value}" if name in _LISTS and name in said else value
    return said


def _check_kind(page: Page, kinds: frozenset[str]) -> None:
    if not kinds or not page.content_type:
        return
    # Many interfaces name their own dialect of JSON: application/vnd.acme.v2+json.
    dialect = page.content_type.endswith("+json") and "application/json" in kinds
    if page.content_type not in kinds and not dialect:
        raise BadAnswer(f"an answer of the kind {page.content_type[:60]} is not read here")


def _read(stream: Iterable[bytes], headers: Mapping[str, str], most: int) -> bytes:
    """The whole body, unpacked, never holding more than ``most`` bytes of it. Raises BadAnswer."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > most:
        raise BadAnswer(f"the answer is larger than {most:,} bytes")
    body, whole = _unpack(stream, headers, most)
    if not whole:
        raise BadAnswer(f"the answer is larger than {most:,} bytes")
    return body


def _beginning(stream: Iterable[bytes], headers: Mapping[str, str], most: int) -> bytes:
    """The body's first ``most`` bytes, unpacked. Raises BadAnswer."""
    return _unpack(stream, headers, most)[0][:most]


def _unpack(stream: Iterable[bytes], headers: Mapping[str, str], most: int) -> tuple[bytes, bool]:
    """The body as far as ``most`` bytes go, and whether that is all of it."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise BadAnswer(f"the answer is packed with {encoding[:20]}, which was not asked for")
    packed = encoding not in ("", "identity")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32) if packed else None
    parts, size, came = [], 0, 0
    for chunk in stream:
        came += len(chunk)
        piece = _unpacked(unpacker, chunk, most - size + 1) if unpacker else chunk
        size += len(piece)
        parts.append(piece)
        if size > most or came > most:
            return b"".join(parts), False
    if unpacker is not None and came and not unpacker.eof:
        raise BadAnswer("the answer is cut off")
    return b"".join(parts), True


def _unpacked(unpacker: Any, chunk: bytes, most: int) -> bytes:
    try:
        piece: bytes = unpacker.decompress(chunk, most)
    except zlib.error as error:
        raise BadAnswer("the answer cannot be unpacked") from error
    return piece
