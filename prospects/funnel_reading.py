"""Where the funnel's numbers are read: from stored cells, or counted now when several dimensions are narrowed at once.

Both ways give the same rows. Cells answer in a time that depends on the days asked for, not on the number of prospects;
counting now costs time in proportion to the prospects that pass the filters, so that answer is kept until the facts or
the day change (see ``fresh_counts``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.cache import cache
from django.db import connection
from django.db.models import BigIntegerField, BooleanField, Case, F, Func, IntegerField, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Cast
from psycopg import sql

from playbooks.models import Playbook
from prospects import stages
from prospects.funnel_filters import COHORT, FunnelFilters
from prospects.funnel_sql import FILED, filed_arguments
from prospects.models import Basis, FunnelCell, FunnelMark, Grain, Outcome, Span
from prospects.rules.statistics import DURATION_EDGES, bucket_of_window

_KEPT_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Counted:
    """``n`` first entries of one stage that share an outcome and a duration bucket; ``seconds`` is their summed time.

    ``entered``: they count as entered. ``became``: their outcome and time count. ``reached``: they only say that the
    prospects ever got to this stage.
    """

    stage: str
    outcome: str
    n: int
    seconds: int = 0
    bucket: int = 0
    ended: bool = False
    in_time: bool = False
    entered: bool = False
    became: bool = False
    reached: bool = False


def is_stored(filters: FunnelFilters) -> bool:
    """Whether cells can answer: no dimension or one is narrowed, or one beside the segment for counts alone."""
    return len(filters.dimensions) <= 1


def stored_stage_counts(playbook: Playbook, filters: FunnelFilters, as_of: datetime) -> Iterator[Counted]:
    """What ``Counted`` says, from cells: two queries for a cohort, three for a period."""
    cells = _cells(playbook, filters)
    days = _days(filters)
    if filters.mode == COHORT:
        for row in _sums(cells.filter(days, basis=Basis.ENTERED), filters, as_of):
            yield Counted(**row, entered=True, became=True)
        for stage, n in _totals(cells.filter(days, basis=Basis.REACHED)):
            yield Counted(stage, "", n, reached=True)
        return
    for stage, n in _totals(cells.filter(days, basis=Basis.ENTERED)):
        yield Counted(stage, "", n, entered=True)
    still = Q(basis=Basis.ENTERED, outcome=Outcome.OPEN, span=Span.MONTH)
    for row in _sums(cells.filter((Q(basis=Basis.LEFT) & days) | still), filters, as_of):
        yield Counted(**row, became=True)


def stored_segment_counts(playbook: Playbook, filters: FunnelFilters) -> Iterator[tuple[str, str, int]]:
    """(segment, stage, prospects): ever reached (cohort) or entered (period). One query."""
    basis = Basis.REACHED if filters.mode == COHORT else Basis.ENTERED
    cells = _mine(playbook).filter(_days(filters), basis=basis, stage__in=stages.MAIN_LINE)
    other = {name: value for name, value in filters.dimensions.items() if name != "segment"}
    if other:
        ((name, value),) = other.items()
        cells, column = cells.filter(grain=f"segment+{name}", value=value), "segment"
    else:
        cells, column = cells.filter(grain=Grain.SEGMENT), "value"
        if "segment" in filters.dimensions:
            cells = cells.filter(value=filters.dimensions["segment"])
    yield from cells.values_list(column, "stage").annotate(total=Sum("n")).order_by()


def _mine(playbook: Playbook) -> QuerySet[FunnelCell]:
    return FunnelCell.objects.for_client(playbook.client_id).filter(playbook=playbook)


def _cells(playbook: Playbook, filters: FunnelFilters) -> QuerySet[FunnelCell]:
    for name, value in filters.dimensions.items():
        return _mine(playbook).filter(grain=name, value=value)
    return _mine(playbook).filter(grain=Grain.ALL, value="")


def _days(filters: FunnelFilters) -> Q:
    """Whole months by their sums, the days around them one by one."""
    first, last = filters.first, filters.last or date.max
    start = first if first is None or first.day == 1 else _next_month(first)
    end = last if last == date.max or last >= filters.today else last + timedelta(days=1)
    end = end if end == date.max or last >= filters.today else end.replace(day=1)
    if start is not None and start >= end:
        return Q(span=Span.DAY, day__gte=first, day__lte=last)
    months = Q(span=Span.MONTH, day__lt=end) if last < filters.today else Q(span=Span.MONTH, day__lte=last)
    around = Q()
    if start is not None:
        months &= Q(day__gte=start)
        around |= Q(span=Span.DAY, day__gte=first, day__lt=start)
    if last < filters.today:
        around |= Q(span=Span.DAY, day__gte=end, day__lte=last)
    return months | around if around else months


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _totals(cells: QuerySet[FunnelCell]) -> Iterator[tuple[str, int]]:
    yield from cells.values_list("stage").annotate(total=Sum("n")).order_by()


def _sums(cells: QuerySet[FunnelCell], filters: FunnelFilters, as_of: datetime) -> Iterator[dict[str, Any]]:
    """Cells summed per stage, outcome and duration; open stays under the bucket and the sum of their ages."""
    limit = _outcome_limit(filters)
    now = Cast(Value(int(as_of.timestamp())), BigIntegerField())  # times n, seconds outgrow an integer
    has_ended = Q(stay_bucket__gte=0)
    age = Case(
        When(has_ended, then=F("stay_sum")),
        default=now * F("n") - F("entered_sum"),
        output_field=BigIntegerField(),
    )
    bucket = Case(
        When(has_ended, then=F("stay_bucket")),
        default=_WidthBucket(now - F("entered_sum") / F("n")),
        output_field=IntegerField(),
    )
    rows = (
        cells.annotate(
            in_time=_truth(Q(outcome_bucket__gte=0, outcome_bucket__lt=limit)),
            ended=_truth(has_ended),
            bucket=bucket,
        )
        .values("stage", "outcome", "in_time", "ended", "bucket")
        .annotate(seconds=Sum(age), n=Sum("n"))
        .order_by()
    )
    for row in rows:
        yield {**row}


def _outcome_limit(filters: FunnelFilters) -> int:
    return bucket_of_window(filters.within) if filters.within else len(DURATION_EDGES) + 1


def _truth(condition: Q) -> Case:
    return Case(When(condition, then=True), default=False, output_field=BooleanField())


class _WidthBucket(Func):
    """PostgreSQL's number of the duration bucket; the same as ``duration_bucket``."""

    function = "width_bucket"
    output_field = IntegerField()

    def __init__(self, seconds: Any) -> None:
        edges = Value(list(DURATION_EDGES), output_field=ArrayField(BigIntegerField()))
        super().__init__(Cast(seconds, BigIntegerField()), edges)


@dataclass(frozen=True, slots=True)
class Fresh:
    """An answer counted from the facts themselves."""

    counts: list[Counted]
    segments: list[tuple[str, str, int]]
    as_of: datetime


def fresh_counts(playbook: Playbook, filters: FunnelFilters, mark: FunnelMark) -> Fresh:
    """Counted now for several dimensions at once, and kept until the cells change, the day or the filters do.

    A lost cache costs the time of one count and nothing else.
    """
    said = json.dumps([filters.as_query(), str(filters.first), str(filters.last), mark.changed_at.isoformat()])
    key = f"prospects:funnel:{playbook.pk}:{hashlib.sha256(said.encode()).hexdigest()}"
    kept = cache.get(key)
    if not isinstance(kept, Fresh):
        kept = _count_now(playbook, filters, mark)
        cache.set(key, kept, timeout=_KEPT_SECONDS)
    return kept


def _count_now(playbook: Playbook, filters: FunnelFilters, mark: FunnelMark) -> Fresh:
    narrowed = {name: value for name, value in filters.dimensions.items() if name != "version"}
    conditions: list[sql.Composable] = [sql.SQL("playbook_id = %(playbook)s")]
    conditions += [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in narrowed]
    everyone = sql.SQL("SELECT id FROM prospects_prospect WHERE ") + sql.SQL(" AND ").join(conditions)
    arguments = {
        **filed_arguments(playbook_id=playbook.pk, zone=mark.time_zone),
        **narrowed,
        "version": filters.dimensions.get("version"),
        "first": filters.first,
        "last": filters.last,
        "now": int(mark.as_of.timestamp()),
        "limit": _outcome_limit(filters),
        "is_cohort": filters.mode == COHORT,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOW.format(filed=FILED.format(scope=everyone)), arguments)
        rows = cursor.fetchall()
    counts, segments = [], []
    for segment, basis, inside, stage, outcome, in_time, ended, bucket, n, seconds in rows:
        is_entry, is_cohort = basis == Basis.ENTERED, filters.mode == COHORT
        counts.append(
            Counted(
                stage,
                outcome,
                n,
                int(seconds),
                bucket,
                ended,
                in_time,
                entered=is_entry and inside,
                became=is_entry if is_cohort else not is_entry or outcome == Outcome.OPEN,
                reached=basis == Basis.REACHED,
            )
        )
        if inside and stage in stages.MAIN_LINE and basis == (Basis.REACHED if is_cohort else Basis.ENTERED):
            segments.append((segment, stage, n))
    return Fresh(counts, segments, mark.as_of)


_NOW = sql.SQL("""
    {filed}
    SELECT segment, basis, inside, stage, outcome, outcome_bucket >= 0 AND outcome_bucket < %(limit)s, stay_bucket >= 0,
        CASE WHEN stay_bucket >= 0 THEN stay_bucket
             ELSE width_bucket(%(now)s::bigint - entered, %(edges)s::bigint[]) END,
        count(*), sum(CASE WHEN stay_bucket >= 0 THEN stay ELSE %(now)s::bigint - entered END)
    FROM (SELECT *, (%(first)s::date IS NULL OR day >= %(first)s::date)
            AND (%(last)s::date IS NULL OR day <= %(last)s::date) AS inside FROM filed) AS dated
    WHERE (%(version)s::text IS NULL OR version = %(version)s::text)
      AND CASE WHEN %(is_cohort)s THEN basis IN ('entered', 'reached') AND inside
               ELSE basis IN ('entered', 'left') AND (inside OR (basis = 'entered' AND outcome = 'open')) END
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
""")
