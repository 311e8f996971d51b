"""How alike two values are, and what their likeness is worth as evidence.

Weights are bits: the base-2 logarithm of how much likelier it is to see two values agree (or differ) on records of one
company or person than on records of two (Fellegi and Sunter, *A Theory for Record Linkage*, JASA 64, 1969). Bits of
independent fields add up; :func:`probability` turns the sum into a score. A value that is missing weighs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import DamerauLevenshtein, JaroWinkler

from prospects.importing.identity import fold

SAME, NEARLY, DIFFERENT = "same", "nearly the same", "different"


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that was compared. ``weight`` in bits: above 0 it speaks for one identity, below 0 against it."""

    what: str
    weight: float
    words: str


@dataclass(frozen=True, slots=True)
class Field:
    """What a field is worth: bits when the values agree, bits (below 0) when they differ.

    ``floor`` is the likeness (0–1) from which two different spellings begin to count as the same value.
    """

    what: str
    agree: float
    differ: float
    floor: float = 0.86


def weigh(field: Field, likeness: float | None) -> Reason | None:
    """A reason out of a likeness: straight from *differ* below the floor to *agree* at 1; None when one is unknown."""
    if likeness is None:
        return None
    if likeness >= 1.0:
        return Reason(field.what, field.agree, SAME)
    if likeness < field.floor:
        return Reason(field.what, field.differ, DIFFERENT)
    share = (likeness - field.floor) / (1.0 - field.floor)
    # At the floor half of the agreement is left: two spellings this close are rarely two values.
    return Reason(field.what, round(field.agree * (0.5 + 0.45 * share), 2), NEARLY)


def probability(prior: float, reasons: Iterable[Reason]) -> float:
    """The chance (0–1) that two records are one, from the prior and the bits of evidence."""
    bits = max(-60.0, min(60.0, prior + sum(reason.weight for reason in reasons)))
    return float(1.0 / (1.0 + 2.0**-bits))


def words_alike(a: str, b: str) -> float | None:
    """Likeness of two words or phrases, 0–1; case and accents do not count. None when either is unknown."""
    if not a or not b:
        return None
    return _alike(*sorted((fold(a), fold(b))))


@lru_cache(maxsize=4096)
def _alike(one: str, other: str) -> float:
    if one == other:
        return 1.0
    squashed_one, squashed_other = _squashed(one), _squashed(other)
    if squashed_one == squashed_other:
        return 0.999 if squashed_one else 0.0
    edits = DamerauLevenshtein.normalized_similarity(squashed_one, squashed_other)
    # Jaro–Winkler forgives an ending that was cut off or added; edits forgive a slip anywhere.
    slips = DamerauLevenshtein.distance(squashed_one, squashed_other, score_cutoff=2)
    if slips == 1 and min(len(squashed_one), len(squashed_other)) >= 4:
        return max(0.9, edits)
    return float(max(edits, min(0.95, JaroWinkler.similarity(squashed_one, squashed_other))))


def digits_alike(a: str, b: str, *, least: int = 4) -> float | None:
    """Likeness of two numbers as written: one slip (a digit wrong, missing, or two swapped) still counts for most."""
    one, other = digits(a), digits(b)
    if not one or not other:
        return None
    if one == other:
        return 1.0
    if min(len(one), len(other)) < least:
        return 0.0
    slips = DamerauLevenshtein.distance(one, other, score_cutoff=2)
    return {1: 0.95, 2: 0.88}.get(slips, 0.0) if len(one) >= 2 * least - 1 or slips == 1 else 0.0


@lru_cache(maxsize=4096)
def digits(text: str) -> str:
    """Only the digits of a text."""
    return "".join(character for character in text if character.isdecimal())


def _squashed(text: str) -> str:
    return "".join(character for character in text if character.isalnum())
