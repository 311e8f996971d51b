"""Small exact statistics for counts and waiting times: Wilson intervals and Kaplan–Meier quantiles.

Everything here is a pure function of its arguments. Shares are fractions in [0, 1]; times are seconds.

Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927);
E. L. Kaplan and P. Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from math import sqrt

Z_95 = 1.959963984540054
"""The standard normal's 97.5 % point: two-sided 95 %."""

SMALLEST_SAMPLE = 10
"""Below this many cases a share says more about luck than about the process, so pages show counts only."""

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400

DURATION_EDGES: tuple[int, ...] = (
    *(minutes * _MINUTE for minutes in (1, 2, 5, 10, 20, 30)),
    *(hours * _HOUR for hours in (1, 2, 4, 8, 12)),
    *(days * _DAY for days in (1, 2, 3, 5, 7, 10, 14, 21, 30, 45, 60, 90, 120, 180, 365, 730)),
)
"""Upper edges (seconds, exclusive) of the roughly logarithmic duration buckets; bucket k holds
``DURATION_EDGES[k - 1] <= seconds < DURATION_EDGES[k]``, and the last one is open. Windows of 7, 14, 30 and 90 days
are edges, so "within D days" is exact. PostgreSQL's ``width_bucket(seconds, edges)`` gives the same number."""

WINDOWS: tuple[int, ...] = (7, 14, 30, 90)
"""Days a cohort can be given to move on."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval of shares."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Proportion:
    """``successes`` of ``n``, with its 95 % Wilson interval. ``share`` and ``interval`` are None when n is 0."""

    successes: int
    n: int
    share: float | None
    interval: Interval | None

    @property
    def is_large_enough(self) -> bool:
        """Whether the sample allows showing a percentage at all."""
        return self.n >= SMALLEST_SAMPLE


@dataclass(frozen=True, slots=True)
class WaitingGroup:
    """``n`` stays that lasted ``seconds``: ``ended`` ones were seen to end then, the others were still open then."""

    seconds: float
    n: int
    ended: bool


@dataclass(frozen=True, slots=True)
class SurvivalStep:
    """Just after ``seconds``, the share ``still_there`` of stays has not ended (Kaplan–Meier)."""

    seconds: float
    at_risk: int
    ended: int
    still_there: Fraction


@dataclass(frozen=True, slots=True)
class WaitingTime:
    """The time by which a share of stays has ended; ``seconds`` is None when that share was not reached.

    ``observed_seconds`` is the longest time anything was watched: "not reached" means "longer than that, or never".
    """

    seconds: float | None
    observed_seconds: float | None


def wilson_interval(successes: int, n: int, z: float = Z_95) -> Interval:
    """The Wilson score interval of a binomial share.

    Raises:
        ValueError: unless ``0 <= successes <= n`` and ``n > 0``.
    """
    if n <= 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a share")
    share = successes / n
    spread = z * z / n
    centre = share + spread / 2
    half = z * sqrt(share * (1 - share) / n + spread / (4 * n))
    low = 0.0 if successes == 0 else (centre - half) / (1 + spread)
    high = 1.0 if successes == n else (centre + half) / (1 + spread)
    return Interval(low, high)


def proportion(successes: int, n: int) -> Proportion:
    """``successes`` of ``n`` with its interval; ``n == 0`` is an answer ("no cases"), not an error."""
    if n == 0 and successes == 0:
        return Proportion(0, 0, None, None)
    return Proportion(successes, n, successes / n, wilson_interval(successes, n))


def survival_curve(groups: Iterable[WaitingGroup]) -> list[SurvivalStep]:
    """The Kaplan–Meier estimate from weighted, possibly bucketed stays; one step per time at which something ended.

    A stay still open at time t counts as at risk at t, and leaves afterwards (the usual convention for ties).
    Exact: shares are Fractions, so "half have ended" is never a matter of rounding. The cost grows with the number of
    distinct times, not of stays; feed buckets when there are many.
    """
    ordered = sorted((group for group in groups if group.n), key=lambda group: group.seconds)
    at_risk = sum(group.n for group in ordered)
    still_there = Fraction(1)
    steps: list[SurvivalStep] = []
    for seconds, tied in groupby(ordered, key=lambda group: group.seconds):
        counts = [(group.n, group.ended) for group in tied]
        ended = sum(n for n, did_end in counts if did_end)
        if ended:
            still_there *= Fraction(at_risk - ended, at_risk)
            steps.append(SurvivalStep(seconds, at_risk, ended, still_there))
        at_risk -= sum(n for n, _ in counts)
    return steps


HALF, NINE_IN_TEN = Fraction(1, 2), Fraction(9, 10)


def waiting_times(groups: Iterable[WaitingGroup], shares: Iterable[Fraction]) -> list[WaitingTime]:
    """For each share the first time by which at least so many stays have ended: Kaplan–Meier, open stays censored.

    Raises:
        ValueError: unless ``0 < share <= 1`` for every share.
    """
    known = [group for group in groups if group.n]
    observed = max((group.seconds for group in known), default=None)
    curve = survival_curve(known)
    times = []
    for share in shares:
        if not 0 < share <= 1:
            raise ValueError(f"{share} is not a share of stays")
        reached = next((step.seconds for step in curve if step.still_there <= 1 - share), None)
        times.append(WaitingTime(reached, observed))
    return times


def bucket_of_window(days: int) -> int:
    """The first bucket that lies wholly outside "within ``days`` days".

    Raises:
        ValueError: when that many days are not an edge, so that the buckets could not answer exactly.
    """
    seconds = days * _DAY
    if seconds not in DURATION_EDGES:
        raise ValueError(f"{days} days is not the edge of a duration bucket")
    return DURATION_EDGES.index(seconds) + 1
