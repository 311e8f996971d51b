"""What worked with similar prospects before: counts by channel and angle, with the honesty small numbers ask for. Pure.

Likeness is tried from the closest to the loosest: same segment, industry, size and route; then without the size; then
segment and industry; then the segment; then everybody of the playbook. The first that has five finished cases of any
channel speaks. A rate is drawn towards the playbook's own with the weight of twenty cases:

    rate = (positive + 20 · prior) / (n + 20)          bounds: Wilson, 95 %
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from prospects.rules.statistics import wilson_interval

LEAST = 5  # cases below which nothing is said
ENOUGH = 20  # cases from which a client's own rate replaces the playbook's
PRIOR_CASES = 20
#: Days in which a touch can still bring a positive reply; younger ones without one are no cases yet.
MATURE_DAYS = 14
#: Upper edges of the bands of company size: 1–10, 11–50, 51–200, 201–1000 and more.
SIZE_EDGES = (11, 51, 201, 1001)
_BANDS = ("up to 10 people", "11–50 people", "51–200 people", "201–1000 people", "over 1000 people")


class Kind(NamedTuple):
    """What makes prospects alike; "" or None where it is not known. ``size`` is a band's number."""

    segment: str
    industry: str
    size: int | None
    route: str


class Cell(NamedTuple):
    """Finished touches of one kind of prospect, by channel and angle."""

    kind: Kind
    channel: str
    angle: str
    n: int
    positive: int


_LIKENESS: tuple[tuple[str, ...], ...] = (
    ("segment", "industry", "size", "route"),
    ("segment", "industry", "route"),
    ("segment", "industry"),
    ("segment",),
    (),
)


@dataclass(frozen=True, slots=True)
class Record:
    """``positive`` of ``n`` cases on a channel (``angle`` "" is all of them), with the rate and its bounds, 0–1."""

    channel: str
    angle: str
    n: int
    positive: int
    prior: float
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of the prospects that are ``alike``; records with few cases are left out."""

    alike: tuple[str, ...]
    channels: tuple[Record, ...]
    angles: tuple[Record, ...]


def size_band(employees: int | None) -> int | None:
    """The number of the band of company size."""
    return None if employees is None else bisect_right(SIZE_EDGES, employees)


def past_of(kind: Kind, cells: Iterable[Cell], priors: Mapping[str, float]) -> Past | None:
    """What worked with those most like ``kind``; None where nobody is like it often enough.

    ``priors`` is the expected rate by channel.
    """
    every = list(cells)
    for fields in _LIKENESS:
        if not all(getattr(kind, field) not in ("", None) for field in fields):
            continue  # two prospects of whom nothing is known are not alike for it
        near = [c for c in every if all(getattr(c.kind, f) == getattr(kind, f) for f in fields)]
        channels = _records(near, priors, by_angle=False)
        if channels:
            return Past(tuple(_named(kind, f) for f in fields), channels, _records(near, priors, by_angle=True))
    return None


def _records(cells: Sequence[Cell], priors: Mapping[str, float], *, by_angle: bool) -> tuple[Record, ...]:
    counts: dict[tuple[str, str], list[int]] = {}
    for cell in cells:
        count = counts.setdefault((cell.channel, cell.angle if by_angle else ""), [0, 0])
        count[0] += cell.n
        count[1] += cell.positive
    found = [
        record(channel, angle, n, positive, priors.get(channel, 0.0))
        for (channel, angle), (n, positive) in counts.items()
        if n >= LEAST
    ]
    return tuple(sorted(found, key=lambda r: (-r.rate, r.channel, r.angle)))


def record(channel: str, angle: str, n: int, positive: int, prior: float) -> Record:
    """One record with its shrunk rate and its bounds. Raises ValueError unless 0 ≤ positive ≤ n and n > 0."""
    bounds = wilson_interval(positive, n)
    rate = (positive + PRIOR_CASES * prior) / (n + PRIOR_CASES)
    return Record(channel, angle, n, positive, prior, round(rate, 6), round(bounds.low, 6), round(bounds.high, 6))


def _named(kind: Kind, field: str) -> str:
    if field == "size" and kind.size is not None:
        return _BANDS[kind.size]
    return f"{field} {getattr(kind, field)}"


def lift(rate: float, prior: float) -> float:
    """How much better (or worse) than expected, kept within half and double: few cases decide nothing by themselves."""
    return min(2.0, max(0.5, rate / prior)) if prior > 0 else 1.0
