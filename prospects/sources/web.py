"""An address taken apart once, and an answer held whole. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import idna

from prospects.sources.addresses import DEFAULT_PORTS
from prospects.sources.troubles import BadAnswer, Refused

MAX_URL = 2000
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_META = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once: every later decision reads these parts and no text."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        shown = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{shown}{port}{self.path}"

    @property
    def place(self) -> str:
        """host:port, as ``SOURCES_ALLOW_HOSTS`` spells it."""
        return f"{self.host}:{self.port}"


def target_of(url: str) -> Target:
    """Take a URL apart. Raises Refused when it is none that we ask for."""
    if len(url) > MAX_URL or re.search(r"[\x00-\x20\x7f\\]", url):
        raise Refused("the address is too long or holds characters that no address has")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise Refused("the address cannot be read") from error
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise Refused(f"only http and https are read, not {scheme[:20] or 'this'}")
    if parts.username is not None or parts.password is not None:
        raise Refused("an address with a user name in it is not read")
    if not host or "%" in host:
        raise Refused("the address names no host")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise Refused("the address names no host") from error
    path = urlunsplit(("", "", quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._"), parts.query, ""))
    path = quote(path, safe="/%:@!$&'()*+,;=~-._?[]{}|^\"<>`") if not path.isascii() else path
    return Target(scheme, host.lower().rstrip("."), port or DEFAULT_PORTS[scheme], path)


def _no_number(_: str) -> None:
    """NaN and Infinity are no JSON, and no database takes them."""


@dataclass(frozen=True, slots=True)
class Page:
    """A whole answer. Header names are in lower case; ``url`` is where it came from after redirects."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """``text/html``, without parameters; empty when the server does not say."""
        return self.headers.get("content-type", "").split(";", 1)[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as the server, the page or UTF-8 spell it; bytes that fit nothing become replacement marks."""
        named = _CHARSET.search(self.headers.get("content-type", ""))
        charset = named[1] if named else ""
        if not charset and (found := _META.search(self.body[:2048])):
            charset = found[1].decode("ascii")
        try:
            return self.body.decode(charset or "utf-8", "replace").removeprefix("\ufeff")
        except (LookupError, ValueError):
            return self.body.decode("utf-8", "replace").removeprefix("\ufeff")

    def json(self) -> Any:
        """The body as JSON. Raises BadAnswer."""
        try:
            return json.loads(self.body, parse_constant=_no_number)
        except (ValueError, RecursionError) as error:
            raise BadAnswer("the answer is not valid JSON") from error
