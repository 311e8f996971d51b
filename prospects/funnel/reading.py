"""The funnel as questions: how many came into each stage, what became of them, and how long it took.

Two modes, never mixed in one answer: *cohort* follows those who first entered a stage in the period; *period* counts
what happened in the period, whoever it happened to. A prospect counts once per stage, at its first entry; stages may be
skipped, so rates are counted, never multiplied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from playbooks.models import Playbook
from playbooks.rules import stages
from prospects.funnel.combined import Combined, combined_counts
from prospects.funnel.filters import COHORT, FunnelFilters, matured
from prospects.funnel.stored import Counted, stored_counts
from prospects.models import FunnelMark, Outcome, Stage
from prospects.rules.statistics import (
    HALF,
    NINE_IN_TEN,
    Proportion,
    WaitingGroup,
    WaitingTime,
    proportion,
    waiting_times,
)
from salesops.sql import fetch

_SIDE = (*stages.WAITING, *stages.LOST)


@dataclass(frozen=True, slots=True)
class StageRow:
    """One stage: first entries and what became of them. In a windowed cohort ``open`` means "not by then".

    ``next_step`` is the share that moved on: of those who entered (cohort), or of those whose outcome came in the
    period (period). ``reached`` is the share of everyone who came in that ever got to this stage (cohort only).
    """

    stage: str
    is_side: bool
    entered: int
    on: int
    aside: int
    lost: int
    open: int
    next_step: Proportion
    reached: Proportion | None
    median: WaitingTime
    p90: WaitingTime

    @property
    def label(self) -> str:
        """The stage's name for people."""
        return str(Stage(self.stage).label)


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """One segment: prospects per main stage, and the share that was qualified (cohort only)."""

    segment: str
    counts: dict[str, int]
    qualified: Proportion | None


@dataclass(frozen=True, slots=True)
class Funnel:
    """The whole answer. ``as_of`` is None when nothing was ever counted; ``is_behind``: a new count is due."""

    filters: FunnelFilters
    as_of: datetime | None
    rows: list[StageRow]
    segments: list[SegmentRow]
    choices: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    is_behind: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no prospect is in this answer at all."""
        return not any(row.entered or row.on or row.aside or row.lost or row.open for row in self.rows)


def read_funnel(playbook: Playbook, filters: FunnelFilters, *, at_any_cost: bool = False) -> Funnel:
    """The funnel of one playbook, in a constant number of queries.

    Several dimensions narrowed at once may need a long count: it is made here ``at_any_cost`` alone. Otherwise the
    answer is the last one kept, with its own ``as_of``, and ``is_behind`` asks for another.
    """
    mark = FunnelMark.objects.for_client(playbook.client_id).filter(playbook=playbook).first()
    if mark is None:
        return Funnel(filters, None, [], [])
    filters = matured(filters, client=playbook.client, as_of=mark.as_of)
    if len(filters.dimensions) > 1:
        found = combined_counts(playbook, filters, mark, at_any_cost=at_any_cost)
    else:
        found = Combined(stored_counts(playbook, filters, mark.as_of), is_behind=False)
    choices = _choices(playbook)
    if found.counts is None:
        return Funnel(filters, None, [], [], choices, is_behind=True)
    tally = _Tally(filters)
    for counted in found.counts.stages:
        tally.add(counted)
    rows = [tally.row(stage) for stage in (*stages.MAIN_LINE, *_SIDE)]
    segments = _segment_rows(found.counts.segments, filters)
    return Funnel(filters, found.counts.as_of, rows, segments, choices, found.is_behind)


class _Tally:
    """Adds counts up to one row per stage."""

    def __init__(self, filters: FunnelFilters) -> None:
        self.filters = filters
        self.entered: dict[str, int] = defaultdict(int)
        self.reached: dict[str, int] = defaultdict(int)
        self.outcomes: dict[tuple[str, str], int] = defaultdict(int)
        self.waits: dict[str, dict[tuple[int, bool], list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))

    def add(self, counted: Counted) -> None:
        if counted.reached:
            self.reached[counted.stage] += counted.n
        if counted.entered:
            self.entered[counted.stage] += counted.n
        if counted.became:
            is_late = self.filters.within is not None and not counted.in_time
            self.outcomes[counted.stage, Outcome.OPEN if is_late else counted.outcome] += counted.n
            wait = self.waits[counted.stage][counted.bucket, counted.ended]
            wait[0] += counted.n
            wait[1] += counted.seconds

    def row(self, stage: str) -> StageRow:
        on, aside, lost, still = (
            self.outcomes[stage, outcome] for outcome in (Outcome.ON, Outcome.ASIDE, Outcome.LOST, Outcome.OPEN)
        )
        is_cohort = self.filters.mode == COHORT
        came_in = self.reached[stages.SOURCED]
        waits = [WaitingGroup(seconds / n, n, ended) for (_, ended), (n, seconds) in self.waits[stage].items()]
        median, p90 = waiting_times(waits, (HALF, NINE_IN_TEN))
        return StageRow(
            stage=stage,
            is_side=stage in _SIDE,
            entered=self.entered[stage],
            on=on,
            aside=aside,
            lost=lost,
            open=still,
            next_step=proportion(on, self.entered[stage] if is_cohort else on + aside + lost),
            reached=proportion(self.reached[stage], came_in) if is_cohort else None,
            median=median,
            p90=p90,
        )


def _segment_rows(counted: Iterable[tuple[str, str, int]], filters: FunnelFilters) -> list[SegmentRow]:
    """Counts per segment and main stage, largest first. Cohort: ever reached; period: entered in the period."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(stages.MAIN_LINE, 0))
    for segment, stage, n in counted:
        counts[segment][stage] += n
    rows = [SegmentRow(segment, by_stage, _qualified(by_stage, filters)) for segment, by_stage in counts.items()]
    return sorted(rows, key=lambda row: (-sum(row.counts.values()), row.segment))


def _qualified(by_stage: dict[str, int], filters: FunnelFilters) -> Proportion | None:
    if filters.mode != COHORT:
        return None
    return proportion(by_stage[stages.QUALIFIED], by_stage[stages.SOURCED])


_CHOICES = """
    (SELECT DISTINCT grain, value, value FROM prospects_funnelcell
    WHERE playbook_id = %(playbook)s AND grain IN ('segment', 'source') AND basis = 'reached' AND span = 'month'
      AND stage = 'sourced' AND value <> ''
    ORDER BY grain, value)
    UNION ALL
    (SELECT 'version', id::text, 'v' || number FROM playbooks_playbookversion WHERE playbook_id = %(playbook)s
    ORDER BY number DESC)
"""


def _choices(playbook: Playbook) -> dict[str, list[tuple[str, str]]]:
    """What each dimension can be narrowed to: (value, label)."""
    choices: dict[str, list[tuple[str, str]]] = {"segment": [], "source": [], "version": []}
    for dimension, value, label in fetch(_CHOICES, {"playbook": playbook.pk}):
        choices[dimension].append((value, label))
    return choices
