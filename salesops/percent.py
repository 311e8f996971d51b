"""A share as people read it, the same wherever it is written: on pages, in reasons that rules give, on the terminal."""

from __future__ import annotations

from decimal import Decimal

NARROW = "\u202f"


def percent(share: float | Decimal, places: int = 0) -> str:
    """A share 0–1 as "42 %", with a narrow space that no line breaks at."""
    return f"{share * 100:,.{places}f}{NARROW}%"
