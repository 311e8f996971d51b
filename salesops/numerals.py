"""Numbers as people write them, and as they arrive: the same in reasons, quotes, messages and on pages. Pure."""

from __future__ import annotations

from math import isfinite


def plain_number(value: float) -> str:
    """A number in digits: 12, 0.5, 12500000. Up to six figures that say something, and never an exponent."""
    short = f"{value:g}"
    if "e" not in short:
        return short
    return f"{value:.0f}" if abs(value) >= 1 else f"{value:.12f}".rstrip("0").rstrip(".")


def number_in(value: object) -> float | None:
    """The finite number that a value is, or writes out as text; None for anything else, yes and no among it."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None
