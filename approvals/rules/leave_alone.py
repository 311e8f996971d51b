"""Reading a list of people to leave alone: one address, domain, number or profile a line. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")
_PHONE = re.compile(r"\+[0-9][0-9 ()./-]{5,30}")
_PROFILE = re.compile(r"https?://([a-z]+\.)?linkedin\.com/\S+", re.IGNORECASE)
_DOMAIN = re.compile(r"@?([a-z0-9-]+\.)+[a-z]{2,}", re.IGNORECASE)


class BadLineError(ValueError):
    """A line that names nobody."""


def keys_in(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(scope, plain key) pairs as ``suppress.add`` takes them. Blank lines and lines that begin with # say nothing.

    Whoever is named by an address, number or profile is left alone on every channel. Raises BadLineError.
    """
    for number, line in enumerate(lines, 1):
        text = line.strip().strip(",;").strip('"').strip()
        if not text or text.startswith("#"):
            continue
        scope, key = _read(text, number)
        yield scope, key
        if scope != "domain":
            yield "person", key


def _read(text: str, number: int) -> tuple[str, str]:
    if _EMAIL.fullmatch(text):
        return "email", text.casefold()
    if _PHONE.fullmatch(text):
        return "phone", "+" + re.sub(r"\D", "", text)
    if _PROFILE.fullmatch(text):
        return "linkedin", text.rstrip("/")
    if _DOMAIN.fullmatch(text):
        return "domain", text.lstrip("@").casefold()
    raise BadLineError(
        f"Line {number}: expected an e-mail address, a domain, a number that begins with + or a LinkedIn address,"
        f" got “{text[:40]}”."
    )
