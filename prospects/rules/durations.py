"""How long runs take, as a histogram that adds up: a few counters instead of every run's duration. Pure.

Two buckets to every doubling, from a microsecond to a quarter of an hour. A percentile, read as the
middle of its bucket, is within a fifth of the true one.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log2

BUCKETS = 60


def bucket_of(microseconds: int) -> int:
    """The bucket of one duration."""
    return min(BUCKETS - 1, floor(2 * log2(microseconds))) if microseconds > 1 else 0


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Seconds within which ``share`` (0 to 1) of what was counted was done; None when nothing was counted."""
    total = sum(counts)
    if not total:
        return None
    seen = 0
    for place, count in enumerate(counts):
        seen += count
        if count and seen >= share * total:
            middle: float = 2.0 ** ((place + 0.5) / 2)
            return middle / 1e6
    return None
