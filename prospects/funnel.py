"""The funnel as questions: how many came into each stage, what became of them, and how long it took.

Answers come from summary cells (see ``prospects.models.funnel``), so they cost the same whatever the number of
prospects. Two modes, never mixed in one answer: *cohort* follows those who first entered a stage in the period;
*period* counts what happened in the period, whoever it happened to. A prospect counts once per stage, at its first
entry; stages may be skipped, so rates are counted, never multiplied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal, cast
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, Case, F, Func, IntegerField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast
from django.utils import timezone

from playbooks.models import Client, Playbook, PlaybookVersion, Route, Tier
from prospects import stages
from prospects.models import Basis, FunnelCell, FunnelMark, Grain, Outcome, Stage
from prospects.rules.statistics import (
    DURATION_EDGES,
    WINDOWS,
    Proportion,
    WaitingGroup,
    WaitingTime,
    bucket_of_window,
    median_waiting_time,
    p90_waiting_time,
    proportion,
)

Mode = Literal["cohort", "period"]
COHORT: Mode = "cohort"
PERIOD: Mode = "period"
PERIODS = (7, 30, 90, 365)
"""Days a period can reach back from today; None is "from the beginning"."""
NONE = "(none)"
"""In a URL: the dimension's value is empty. An absent parameter means any value."""
DIMENSIONS = ("segment", "source", "route", "tier", "version")
_DEFAULT_PERIOD = "90"
_SIDE = (*stages.WAITING, *stages.LOST)


@dataclass(frozen=True, slots=True)
class FunnelFilters:
    """What one funnel is about. ``first`` and ``last`` are days in the client's time zone, both included."""

    mode: Mode = COHORT
    period: str = _DEFAULT_PERIOD
    first: date | None = None
    last: date | None = None
    within: int | None = None
    segment: str = ""
    source: str = ""
    route: str = ""
    tier: str = ""
    version: str = ""

    @property
    def dimensions(self) -> dict[str, str]:
        """The dimensions narrowed to one value each, as stored: "" is the value of those that have none."""
        return {name: "" if value == NONE else value for name, value in self._narrowed.items()}

    @property
    def _narrowed(self) -> dict[str, str]:
        return {name: value for name in DIMENSIONS if (value := getattr(self, name))}

    def as_query(self) -> dict[str, str]:
        """The URL parameters that say the same; defaults stay out of the URL."""
        given = {
            "mode": self.mode if self.mode != COHORT else "",
            "period": self.period if self.period != _DEFAULT_PERIOD else "",
            "from": self.first.isoformat() if self.period == "days" and self.first else "",
            "to": self.last.isoformat() if self.period == "days" and self.last else "",
            "within": str(self.within or ""),
            **self._narrowed,
        }
        return {name: value for name, value in given.items() if value}


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
    """The whole answer. ``as_of`` is None when nothing was ever counted."""

    filters: FunnelFilters
    as_of: datetime | None
    rows: list[StageRow]
    segments: list[SegmentRow]
    choices: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        """Whether no prospect is in this answer at all."""
        return not any(row.entered or row.on or row.aside or row.lost or row.open for row in self.rows)


def read_filters(params: Mapping[str, str], *, client: Client, now: datetime | None = None) -> FunnelFilters:
    """Filters from URL parameters; whatever cannot be read falls back to its default."""
    today = (now or timezone.now()).astimezone(ZoneInfo(client.time_zone)).date()
    period, first, last = _read_period(params, today)
    mode: Mode = PERIOD if params.get("mode") == PERIOD else COHORT
    within = params.get("within", "")
    return FunnelFilters(
        mode=mode,
        period=period,
        first=first,
        last=last,
        within=int(within) if mode == COHORT and within in map(str, WINDOWS) else None,
        segment=params.get("segment", "")[:120],
        source=params.get("source", "")[:120],
        route=_known(params.get("route", ""), (*Route.values, NONE)),
        tier=_known(params.get("tier", ""), (*Tier.values, NONE)),
        version=params.get("version", "") if params.get("version", "").isdecimal() else "",
    )


def _known(value: str, values: Iterable[str]) -> str:
    return value if value in values else ""


def _read_period(params: Mapping[str, str], today: date) -> tuple[str, date | None, date | None]:
    period = params.get("period", _DEFAULT_PERIOD)
    if period == "days":
        first, last = _read_day(params.get("from", "")), _read_day(params.get("to", ""))
        if first or last:
            return period, first, last or today
    if period == "all":
        return period, None, today
    days = int(period) if period in map(str, PERIODS) else int(_DEFAULT_PERIOD)
    return str(days), today - timedelta(days=days - 1), today


def _read_day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def matured(filters: FunnelFilters, *, client: Client, as_of: datetime) -> FunnelFilters:
    """The same filters with the last day moved back so that every entry is at least ``within`` days old."""
    if filters.within is None:
        return filters
    youngest = (as_of - timedelta(days=filters.within)).astimezone(ZoneInfo(client.time_zone)).date()
    newest = youngest - timedelta(days=1)
    return replace(filters, last=min(newest, filters.last) if filters.last else newest)


def read_funnel(playbook: Playbook, filters: FunnelFilters) -> Funnel:
    """The funnel of one playbook, in a constant number of queries."""
    mark = FunnelMark.objects.for_client(playbook.client_id).filter(playbook=playbook).first()
    if mark is None:
        return Funnel(filters, None, [], [])
    filters = matured(filters, client=playbook.client, as_of=mark.as_of)
    tally = _Tally(filters)
    for cell in _stage_cells(playbook, filters, mark.as_of):
        tally.add(cell)
    return Funnel(
        filters,
        mark.as_of,
        [tally.row(stage) for stage in (*stages.MAIN_LINE, *_SIDE)],
        _segments(playbook, filters),
        _choices(playbook),
    )


def _cells(playbook: Playbook, filters: FunnelFilters, *, split: str = "") -> QuerySet[FunnelCell]:
    """The cells of the coarsest grain that can answer, for any day."""
    cells = FunnelCell.objects.for_client(playbook.client_id).filter(playbook=playbook)
    named = filters.dimensions
    wanted = set(named) | ({split} if split else set())
    if not wanted:
        return cells.filter(grain=Grain.ALL, value="")
    if len(wanted) == 1:
        grain = wanted.pop()
        return cells.filter(grain=grain, **({"value": named[grain]} if grain in named else {}))
    return cells.filter(grain=Grain.EACH, value="", **named)


def _in_days(filters: FunnelFilters) -> Q:
    days = Q()
    if filters.first:
        days &= Q(day__gte=filters.first)
    if filters.last:
        days &= Q(day__lte=filters.last)
    return days


def _stage_cells(playbook: Playbook, filters: FunnelFilters, as_of: datetime) -> Iterable[dict[str, Any]]:
    """Cells summed per basis, stage, outcome and duration; open stays under the bucket and sum of their ages."""
    days = _in_days(filters)
    entered = Q(basis=Basis.ENTERED) & days
    if filters.mode == COHORT:
        wanted = entered | (Q(basis=Basis.REACHED) & days)
    else:
        wanted = entered | (Q(basis=Basis.LEFT) & days) | Q(basis=Basis.ENTERED, outcome=Outcome.OPEN)
    in_days: Any = Value(1) if days == Q() else Case(When(days, then=1), default=0, output_field=IntegerField())
    limit = bucket_of_window(filters.within) if filters.within else None
    in_time = Q(outcome_bucket__gte=0) if limit is None else Q(outcome_bucket__gte=0, outcome_bucket__lt=limit)
    now = Cast(Value(int(as_of.timestamp())), BigIntegerField())  # times n, seconds outgrow an integer
    return (
        _cells(playbook, filters)
        .filter(wanted)
        .annotate(
            in_days=in_days,
            in_time=Case(When(in_time, then=1), default=0, output_field=IntegerField()),
            ended=Case(When(stay_bucket__gte=0, then=1), default=0, output_field=IntegerField()),
            bucket=Case(
                When(stay_bucket__gte=0, then=F("stay_bucket")),
                default=_WidthBucket(now - F("entered_sum") / F("n")),
                output_field=IntegerField(),
            ),
        )
        .values("basis", "stage", "outcome", "in_days", "in_time", "ended", "bucket")
        .annotate(
            total=Sum("n"),
            seconds=Sum(
                Case(
                    When(stay_bucket__gte=0, then=F("stay_sum")),
                    default=now * F("n") - F("entered_sum"),
                    output_field=BigIntegerField(),
                )
            ),
        )
        .order_by()
    )


class _WidthBucket(Func):
    """PostgreSQL's number of the duration bucket; the same as ``duration_bucket``."""

    function = "width_bucket"
    output_field = IntegerField()

    def __init__(self, seconds: Any) -> None:
        edges = Value(list(DURATION_EDGES), output_field=ArrayField(BigIntegerField()))
        super().__init__(Cast(seconds, BigIntegerField()), edges)


class _Tally:
    """Adds summed cells up to one row per stage."""

    def __init__(self, filters: FunnelFilters) -> None:
        self.filters = filters
        self.entered: dict[str, int] = defaultdict(int)
        self.reached: dict[str, int] = defaultdict(int)
        self.outcomes: dict[tuple[str, str], int] = defaultdict(int)
        self.waits: dict[tuple[str, int, int], list[int]] = defaultdict(lambda: [0, 0])

    def add(self, cell: Mapping[str, Any]) -> None:
        stage, n = cell["stage"], cell["total"]
        if cell["basis"] == Basis.REACHED:
            self.reached[stage] += n
            return
        is_entry = cell["basis"] == Basis.ENTERED
        if is_entry and cell["in_days"]:
            self.entered[stage] += n
        if self._counts_as_outcome(cell):
            late = self.filters.within is not None and not cell["in_time"]
            self.outcomes[stage, Outcome.OPEN if late else cell["outcome"]] += n
            wait = self.waits[stage, cell["bucket"], cell["ended"]]
            wait[0] += n
            wait[1] += cell["seconds"]

    def _counts_as_outcome(self, cell: Mapping[str, Any]) -> bool:
        if self.filters.mode == COHORT:
            return True
        return bool(cell["basis"] == Basis.LEFT or cell["outcome"] == Outcome.OPEN)

    def row(self, stage: str) -> StageRow:
        on, aside, lost, still = (
            self.outcomes[stage, outcome] for outcome in (Outcome.ON, Outcome.ASIDE, Outcome.LOST, Outcome.OPEN)
        )
        is_cohort = self.filters.mode == COHORT
        came_in = self.reached[stages.SOURCED]
        waits = [
            WaitingGroup(seconds / n, n, bool(ended))
            for (of_stage, _, ended), (n, seconds) in self.waits.items()
            if of_stage == stage
        ]
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
            median=median_waiting_time(waits),
            p90=p90_waiting_time(waits),
        )


def _segments(playbook: Playbook, filters: FunnelFilters) -> list[SegmentRow]:
    """Counts per segment and main stage, largest first. Cohort: ever reached; period: entered in the period."""
    is_cohort = filters.mode == COHORT
    cells = _cells(playbook, filters, split="segment").filter(
        _in_days(filters), basis=Basis.REACHED if is_cohort else Basis.ENTERED, stage__in=stages.MAIN_LINE
    )
    name = "value" if len(set(filters.dimensions) | {"segment"}) == 1 else "segment"
    counts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(stages.MAIN_LINE, 0))
    for segment, stage, n in cells.values_list(name, "stage").annotate(total=Sum("n")).order_by():
        counts[segment][stage] = n
    rows = [
        SegmentRow(
            segment, reached, proportion(reached[stages.QUALIFIED], reached[stages.SOURCED]) if is_cohort else None
        )
        for segment, reached in counts.items()
    ]
    return sorted(rows, key=lambda row: (-sum(row.counts.values()), row.segment))


def _choices(playbook: Playbook) -> dict[str, list[tuple[str, str]]]:
    """What each dimension can be narrowed to: (value, label)."""
    known = (
        FunnelCell.objects.for_client(playbook.client_id)
        .filter(playbook=playbook, grain__in=[Grain.SEGMENT, Grain.SOURCE], basis=Basis.REACHED)
        .exclude(value="")
        .values_list("grain", "value")
        .distinct()
        .order_by("grain", "value")
    )
    choices: dict[str, list[tuple[str, str]]] = {"segment": [], "source": []}
    for grain, value in known:
        choices[grain].append((value, value))
    versions = PlaybookVersion.objects.for_client(playbook.client_id).filter(playbook=playbook).order_by("-number")
    choices["version"] = [(str(pk), f"v{number}") for pk, number in versions.values_list("pk", "number")]
    choices["route"] = cast("list[tuple[str, str]]", list(Route.choices))
    choices["tier"] = cast("list[tuple[str, str]]", list(Tier.choices))
    return choices
