"""Reading whom to leave alone: an address, domain, number or profile, or a list of them, one a line. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from prospects.importing.identity import email_key, host_of

_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{5,30}")
_PROFILE = re.compile(r"https?://([a-z]+\.)?linkedin\.com/\S+", re.IGNORECASE)
_DOMAIN = re.compile(r"@?([\w-]+\.)+[^\W\d_][\w-]+")

Keys = list[tuple[str, str]]


class BadLineError(ValueError):
    """Words that name nobody."""


def keys_in(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(scope, plain key) pairs as ``suppress.add`` takes them. Blank lines and lines that begin with # say nothing.

    Raises BadLineError, which names the line.
    """
    for number, line in enumerate(lines, 1):
        text = line.strip().strip(",;").strip('"').strip()
        if not text or text.startswith("#"):
            continue
        try:
            yield from keys_of(text)
        except BadLineError as refused:
            raise BadLineError(f"Line {number}: {refused}") from refused


def keys_of(text: str) -> Keys:
    """The pairs that one name stands for: whoever has an address, number or profile is left alone on every channel.

    Raises BadLineError.
    """
    scope, key = _read(text.strip())
    return [(scope, key)] if scope == "domain" else [(scope, key), ("person", key)]


def domain_of(keys: Keys) -> str:
    """The domain of the address among these, or ""."""
    return next((key.rpartition("@")[2] for scope, key in keys if scope == "email"), "")


def _read(text: str) -> tuple[str, str]:
    if _EMAIL.fullmatch(text):
        return "email", email_key(text) or text.casefold()
    if _PHONE.fullmatch(text):
        return "phone", "+" + re.sub(r"\D", "", text)
    if _PROFILE.fullmatch(text):
        return "linkedin", text.rstrip("/")
    if _DOMAIN.fullmatch(text) and (host := host_of(text.lstrip("@"))[0]):
        return "domain", host
    raise BadLineError(
        f"expected an e-mail address, a domain, a number that begins with + or a LinkedIn address, got “{text[:40]}”."
    )
