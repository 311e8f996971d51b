"""Ids as forms and addresses send them: text that may be anything."""

from __future__ import annotations

_DIGITS = 18  # what surely fits into PostgreSQL's bigint


def id_in(text: str | None) -> int | None:
    """The id that a text names; None when it is no number, or a larger one than ids get."""
    given = (text or "").strip()
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= _DIGITS else None
