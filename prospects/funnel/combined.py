"""The funnel narrowed by several dimensions at once: no cell answers that, so the facts themselves are counted.

That costs time in proportion to the prospects counted. A page counts few of them while somebody waits; for more, it
shows the last answer, says as of when, and leaves the next count to a worker (``services.funnel_cells.ask_for_count``).
A lost cache costs one count and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.db import connection
from psycopg import sql

from playbooks.models import Playbook
from playbooks.rules import stages
from prospects.funnel.filters import COHORT, FunnelFilters
from prospects.funnel.sql import FILED, filed_arguments
from prospects.funnel.stored import Counted, Counts, outcome_limit
from prospects.models import Basis, FunnelMark, Outcome
from salesops.sql import fetch

COUNTED_WHILE_WAITING = 1_000
"""A page counts at most so many prospects itself: some tens of milliseconds."""
_KEPT_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Combined:
    """The newest answer there is; None when there is none yet. ``is_behind``: the cells have changed since."""

    counts: Counts | None
    is_behind: bool


def combined_counts(playbook: Playbook, filters: FunnelFilters, mark: FunnelMark, *, at_any_cost: bool) -> Combined:
    """The answer that was kept, else a count now when it is small or wanted ``at_any_cost``."""
    key = _key(playbook, filters)
    changed_at, as_of, rows = cache.get(key) or (None, None, None)
    if changed_at != mark.changed_at and (at_any_cost or _at_most(playbook, filters) <= COUNTED_WHILE_WAITING):
        changed_at, as_of, rows = mark.changed_at, mark.as_of, _count_now(playbook, filters, mark)
        cache.set(key, (changed_at, as_of, rows), timeout=_KEPT_SECONDS)  # plain values: they outlive an upgrade
    counts = _counts_of(rows, filters, as_of) if rows is not None and as_of is not None else None
    return Combined(counts, is_behind=changed_at != mark.changed_at)


def _key(playbook: Playbook, filters: FunnelFilters) -> str:
    said = json.dumps([filters.as_query(), str(filters.first), str(filters.last)])
    return f"prospects:funnel:combined:{playbook.pk}:{hashlib.sha256(said.encode()).hexdigest()}"


def _narrowed(filters: FunnelFilters) -> dict[str, str]:
    """The dimensions that are a prospect's own; its versions stand on its transitions."""
    return {name: value for name, value in filters.dimensions.items() if name != "version"}


_AT_MOST = """
    SELECT coalesce(min(coalesce(total, 0)), 0)
    FROM unnest(%(grains)s::text[], %(values)s::text[]) AS one (grain, value)
    LEFT JOIN LATERAL (
        SELECT sum(n) AS total FROM prospects_funnelcell c
        WHERE c.playbook_id = %(playbook)s AND c.grain = one.grain AND c.value = one.value
          AND c.basis = 'reached' AND c.span = 'month' AND c.stage = 'sourced'
    ) AS counted ON true
"""


def _at_most(playbook: Playbook, filters: FunnelFilters) -> int:
    """How many prospects a count would read at most: those of the narrowest dimension, from cells."""
    narrowed = _narrowed(filters)
    arguments: dict[str, Any] = {"playbook": playbook.pk, "grains": list(narrowed), "values": list(narrowed.values())}
    with connection.cursor() as cursor:
        cursor.execute(_AT_MOST, arguments)
        return int(cursor.fetchone()[0])


def _count_now(playbook: Playbook, filters: FunnelFilters, mark: FunnelMark) -> list[tuple[Any, ...]]:
    narrowed = _narrowed(filters)
    conditions: list[sql.Composable] = [sql.SQL("playbook_id = %(playbook)s AND merged_into_id IS NULL")]
    conditions += [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in narrowed]
    everyone = sql.SQL("SELECT id FROM prospects_prospect WHERE ") + sql.SQL(" AND ").join(conditions)
    arguments = {
        **filed_arguments(playbook_id=playbook.pk, zone=mark.time_zone),
        **narrowed,
        "version": filters.dimensions.get("version"),
        "first": filters.first,
        "last": filters.last,
        "now": int(mark.as_of.timestamp()),
        "limit": outcome_limit(filters),
        "is_cohort": filters.mode == COHORT,
    }
    return fetch(_NOW.format(filed=FILED.format(scope=everyone)), arguments)


def _counts_of(rows: list[tuple[Any, ...]], filters: FunnelFilters, as_of: datetime) -> Counts:
    is_cohort = filters.mode == COHORT
    counts, segments = [], []
    for segment, basis, inside, stage, outcome, in_time, ended, bucket, n, seconds in rows:
        is_entry = basis == Basis.ENTERED
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
    return Counts(counts, segments, as_of)


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
