"""How long the rest of the queue takes one person, by how long their last decisions took them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

#: Seconds. What took less was decided together with others; after longer somebody had done something else.
SHORTEST, LONGEST = 1.0, 1800.0
#: So few say nothing.
LEAST = 3


def seconds_each(took: Sequence[float]) -> float | None:
    """The median of what single decisions took, in seconds; None where too few are known."""
    single = [seconds for seconds in took if SHORTEST <= seconds <= LONGEST]
    return median(single) if len(single) >= LEAST else None


def time_left(waiting: int, each: float | None) -> str:
    """How long that many take: "< 1 min", "12 min", "2 h 5 min", "9 h"; empty where nobody knows or nothing waits."""
    if each is None or not waiting:
        return ""
    minutes = round(waiting * each / 60)
    if minutes < 1:
        return "< 1 min"
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {rest} min" if rest and hours < 5 else f"{hours + (rest >= 30)} h"
