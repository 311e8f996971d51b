"""Where the funnel's numbers are read: from stored cells, or counted now when several dimensions are narrowed at once.

Both ways give the same rows. Cells answer in a time that depends on the days asked for, not on the number of prospects;
counting now costs time in proportion to the prospects that pass the filters, so that answer is kept until the facts or
the day change (see ``fresh_counts``).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.core.cache import cache
from django.db import connection
from psycopg import sql

from playbooks.models import Playbook
from prospects import stages
from prospects.funnel_filters import COHORT, FunnelFilters
from prospects.funnel_sql import FILED, filed_arguments
from prospects.models import Basis, FunnelMark, Grain, Outcome
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


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything counted for one funnel; segments as (segment, stage, prospects ever there, in a period: come there)."""

    stages: list[Counted]
    segments: list[tuple[str, str, int]]
    as_of: datetime


def read_counts(playbook: Playbook, filters: FunnelFilters, mark: FunnelMark) -> Counts:
    """Cells answer when no dimension or one is narrowed; beyond that, what the filters let through is counted."""
    if len(filters.dimensions) <= 1:
        return _stored_counts(playbook, filters, mark.as_of)
    return fresh_counts(playbook, filters, mark)


def _stored_counts(playbook: Playbook, filters: FunnelFilters, as_of: datetime) -> Counts:
    """The answer from cells, in one query."""
    arguments = {
        "playbook": playbook.pk,
        "now": int(as_of.timestamp()),
        "limit": _outcome_limit(filters),
        "edges": list(DURATION_EDGES),
        "main_line": list(stages.MAIN_LINE),
        **_grains(filters),
        **_days(filters),
    }
    with connection.cursor() as cursor:
        cursor.execute(_STORED_COHORT if filters.mode == COHORT else _STORED_PERIOD, arguments)
        rows = cursor.fetchall()
    counts, segments = [], []
    for part, segment, stage, outcome, in_time, ended, bucket, n, seconds in rows:
        if part == "segment":
            segments.append((segment, stage, n))
        else:
            counts.append(Counted(stage, outcome, n, int(seconds), bucket, ended, in_time, **_PARTS[part]))
    return Counts(counts, segments, as_of)


_PARTS: dict[str, dict[str, bool]] = {
    "cohort": {"entered": True, "became": True},
    "reached": {"reached": True},
    "entered": {"entered": True},
    "became": {"became": True},
}


def _grains(filters: FunnelFilters) -> dict[str, str | None]:
    """Which cells tell of the stages, and which of the segments; None is any value."""
    grain, value = next(iter(filters.dimensions.items()), (Grain.ALL.value, ""))
    if grain == Grain.ALL:
        return {"grain": grain, "value": value, "segments": Grain.SEGMENT.value, "of": None}
    segments = grain if grain == Grain.SEGMENT else f"segment+{grain}"
    return {"grain": grain, "value": value, "segments": segments, "of": value}


def _days(filters: FunnelFilters) -> dict[str, date]:
    """Whole months by their sums, the days around them one by one. Nothing lies behind today, so its month is whole."""
    first, last = filters.first or date.min, filters.last or date.max
    behind = min(last, date.max - timedelta(days=1)) + timedelta(days=1)
    months_from = first if first.day == 1 else (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    months_to = behind if last >= filters.today else behind.replace(day=1)
    if months_from >= months_to:
        months_from = months_to = behind
    return {"first": first, "last": last, "months_from": months_from, "months_to": months_to}


def _outcome_limit(filters: FunnelFilters) -> int:
    return bucket_of_window(filters.within) if filters.within else len(DURATION_EDGES) + 1


_IN_DAYS = """(span = 'month' AND day >= %(months_from)s AND day < %(months_to)s
    OR span = 'day' AND (day >= %(first)s AND day < %(months_from)s OR day >= %(months_to)s AND day <= %(last)s))"""

#: Cells summed per stage, outcome and duration; open stays under the bucket and the sum of their ages.
_BY_DURATION = """
    SELECT '{part}', '', stage, outcome, outcome_bucket >= 0 AND outcome_bucket < %(limit)s, stay_bucket >= 0,
        CASE WHEN stay_bucket >= 0 THEN stay_bucket
             ELSE width_bucket(%(now)s::bigint - entered_sum / n, %(edges)s::bigint[]) END,
        sum(n), sum(CASE WHEN stay_bucket >= 0 THEN stay_sum ELSE %(now)s::bigint * n - entered_sum END)
    FROM prospects_funnelcell
    WHERE playbook_id = %(playbook)s AND grain = %(grain)s AND value = %(value)s AND {where}
    GROUP BY 1, 2, 3, 4, 5, 6, 7"""

_BY_STAGE = """
    SELECT '{part}', '', stage, '', false, false, 0, sum(n), 0 FROM prospects_funnelcell
    WHERE playbook_id = %(playbook)s AND grain = %(grain)s AND value = %(value)s AND {where} GROUP BY stage"""

_BY_SEGMENT = """
    SELECT 'segment', CASE WHEN grain = 'segment' THEN value ELSE segment END, stage, '', false, false, 0, sum(n), 0
    FROM prospects_funnelcell
    WHERE playbook_id = %(playbook)s AND grain = %(segments)s AND (%(of)s::text IS NULL OR value = %(of)s)
      AND stage = ANY(%(main_line)s) AND {where} GROUP BY 2, 3"""

_STORED_COHORT = " UNION ALL ".join(
    (
        _BY_DURATION.format(part="cohort", where=f"basis = 'entered' AND {_IN_DAYS}"),
        _BY_STAGE.format(part="reached", where=f"basis = 'reached' AND {_IN_DAYS}"),
        _BY_SEGMENT.format(where=f"basis = 'reached' AND {_IN_DAYS}"),
    )
)
_STORED_PERIOD = " UNION ALL ".join(
    (
        _BY_STAGE.format(part="entered", where=f"basis = 'entered' AND {_IN_DAYS}"),
        _BY_DURATION.format(part="became", where=f"basis = 'left' AND {_IN_DAYS}"),
        _BY_DURATION.format(part="became", where="basis = 'entered' AND outcome = 'open' AND span = 'month'"),
        _BY_SEGMENT.format(where=f"basis = 'entered' AND {_IN_DAYS}"),
    )
)


def fresh_counts(playbook: Playbook, filters: FunnelFilters, mark: FunnelMark) -> Counts:
    """Counted now for several dimensions at once, and kept until the cells change, the day or the filters do.

    A lost cache costs the time of one count and nothing else.
    """
    said = json.dumps([filters.as_query(), str(filters.first), str(filters.last), mark.changed_at.isoformat()])
    key = f"prospects:funnel:counts:{playbook.pk}:{hashlib.sha256(said.encode()).hexdigest()}"
    kept = cache.get(key)
    if not isinstance(kept, Counts):
        kept = _count_now(playbook, filters, mark)
        cache.set(key, kept, timeout=_KEPT_SECONDS)
    return kept


def _count_now(playbook: Playbook, filters: FunnelFilters, mark: FunnelMark) -> Counts:
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
    return Counts(counts, segments, mark.as_of)


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
