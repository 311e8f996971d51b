"""What somebody may have meant by a word that is not known, and how that is said. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """``; did you mean hot?`` for a word close to a known one, else nothing."""
    close = get_close_matches(given, list(known), n=1) if isinstance(given, str) else []
    return f"; did you mean {close[0]}?" if close else ""


def sentence(words: str) -> str:
    """What was expected as a sentence of its own."""
    return f"{words[:1].upper()}{words[1:]}{'' if words.endswith(('?', '.')) else '.'}"


def one_of(known: Iterable[str], given: object) -> str:
    """What was expected in place of a word that is not among those known."""
    listed = list(known)
    return f"expected one of {', '.join(listed)}; got {given!r}{did_you_mean(given, listed)}"
