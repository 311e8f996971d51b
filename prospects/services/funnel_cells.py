"""Keep the funnel's cells level with the facts: follow what changed, or rebuild all of it.

Cells are counted again from StageTransition and Prospect for whole days, never adjusted by differences, so an error
cannot accumulate and a rebuild gives the same rows. Which days changed is read from FunnelChange, which triggers fill
in the transaction that made the change.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from psycopg import sql

from playbooks.models import Playbook
from prospects.funnel.sql import FILED, filed_arguments
from prospects.models import FunnelMark, Span
from salesops.sweeps import each

_LOCK_CLASS = 7_010
_NUDGE_SECONDS = 5
_NUDGE_KEY = "prospects:funnel:nudged"
_ASKED_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep of one playbook did. ``days`` counts the days whose cells were counted again."""

    playbook_id: int
    days: int
    as_of: datetime


def sweep_funnel() -> list[Swept]:
    """Bring the cells of every playbook level with what is committed; one transaction per playbook.

    A playbook that another process is sweeping right now is left to it.
    """
    playbooks = Playbook.objects.select_related("client").order_by("pk")
    results = each(
        playbooks, lambda one: _sweep(one, everything=False), sweep="funnel", name=lambda one: f"playbook {one.pk}"
    )
    return [swept for swept in results if swept is not None]


def rebuild_funnel(playbook: Playbook) -> Swept | None:
    """Count all cells of a playbook again from transitions and prospects; None when a sweep holds it right now."""
    return _sweep(playbook, everything=True)


def nudge_funnel() -> None:
    """Ask for a sweep once the caller's transaction has committed, at most one every few seconds.

    Only a nudge: the scheduler sweeps anyway, so a lost one costs seconds and nothing else.
    """
    transaction.on_commit(_enqueue_sweep, robust=True)


def _enqueue_sweep() -> None:
    if cache.add(_NUDGE_KEY, 1, timeout=_NUDGE_SECONDS):
        from prospects import tasks  # tasks import services

        tasks.sweep_funnel.apply_async(countdown=_NUDGE_SECONDS)


def ask_for_count(playbook: Playbook, query: dict[str, str]) -> None:
    """Ask a worker to count a funnel that several dimensions narrow; the same one at most once in a while."""
    asked = hashlib.sha256(json.dumps(query, sort_keys=True).encode()).hexdigest()
    if cache.add(f"prospects:funnel:asked:{playbook.pk}:{asked}", 1, timeout=_ASKED_SECONDS):
        from prospects import tasks  # tasks import services

        transaction.on_commit(lambda: tasks.count_funnel.delay(playbook.pk, query), robust=True)


def _sweep(playbook: Playbook, *, everything: bool) -> Swept | None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s), clock_timestamp()", [_LOCK_CLASS, playbook.pk])
        is_ours, as_of = cursor.fetchone()
        if not is_ours:
            return None
        zone = playbook.client.time_zone
        mark = FunnelMark.objects.filter(playbook=playbook).first()
        everything = everything or mark is None or mark.time_zone != zone
        days = _take_changes(cursor, playbook, zone)
        if everything:
            days = _recount_all(cursor, playbook, zone)
        elif days:
            _recount_days(cursor, playbook, zone, days)
        _move_mark(playbook, mark, as_of=as_of, zone=zone, changed=everything or bool(days))
        return Swept(playbook.pk, len(days), as_of)


def _move_mark(playbook: Playbook, mark: FunnelMark | None, *, as_of: datetime, zone: str, changed: bool) -> None:
    mark = mark or FunnelMark(client_id=playbook.client_id, playbook=playbook)
    mark.as_of, mark.time_zone = as_of, zone
    if changed:
        mark.changed_at = as_of
    mark.save()


def _take_changes(cursor: Any, playbook: Playbook, zone: str) -> list[date]:
    """Delete the noted changes and answer every day on which a changed prospect came in or moved."""
    cursor.execute(_TAKE_CHANGES, {"playbook": playbook.pk, "zone": zone})
    return [row[0] for row in cursor.fetchall()]


def _recount_all(cursor: Any, playbook: Playbook, zone: str) -> list[date]:
    cursor.execute("DELETE FROM prospects_funnelcell WHERE playbook_id = %s", [playbook.pk])
    everyone = sql.SQL("SELECT id FROM prospects_prospect WHERE playbook_id = %(playbook)s")
    cursor.execute(
        _COUNT_DAYS.format(filed=FILED.format(scope=everyone), wanted=sql.SQL("true")), _arguments(playbook, zone)
    )
    cursor.execute("SELECT DISTINCT day FROM prospects_funnelcell WHERE playbook_id = %s", [playbook.pk])
    days = [row[0] for row in cursor.fetchall()]
    cursor.execute(_COUNT_MONTHS, {"playbook": playbook.pk, "months": _months(days)})
    return days


def _recount_days(cursor: Any, playbook: Playbook, zone: str, days: list[date]) -> None:
    months = _months(days)
    drop = "DELETE FROM prospects_funnelcell WHERE playbook_id = %s AND span = %s AND day = ANY(%s)"
    cursor.execute(drop, [playbook.pk, Span.DAY, days])
    cursor.execute(drop, [playbook.pk, Span.MONTH, months])
    counted = _COUNT_DAYS.format(filed=FILED.format(scope=_MOVED_ON_DAYS), wanted=sql.SQL("day = ANY(%(days)s)"))
    cursor.execute(counted, {**_arguments(playbook, zone), "days": days})
    cursor.execute(_COUNT_MONTHS, {"playbook": playbook.pk, "months": months})


def _months(days: list[date]) -> list[date]:
    return sorted({day.replace(day=1) for day in days})


def _arguments(playbook: Playbook, zone: str) -> dict[str, Any]:
    return {**filed_arguments(playbook_id=playbook.pk, zone=zone), "client": playbook.client_id}


_TAKE_CHANGES = """
    WITH taken AS (
        DELETE FROM prospects_funnelchange WHERE playbook_id = %(playbook)s RETURNING prospect_ids, came_in_at
    ), changed AS (
        SELECT DISTINCT unnest(prospect_ids) AS id FROM taken
    ), moments AS (
        SELECT came_in_at AS at FROM taken WHERE came_in_at IS NOT NULL
        UNION ALL
        SELECT p.created_at FROM prospects_prospect p JOIN changed ON changed.id = p.id
        UNION ALL
        SELECT t.at FROM prospects_stagetransition t JOIN changed ON changed.id = t.prospect_id
        WHERE t.pipeline = 'prospect'
    )
    SELECT DISTINCT (at AT TIME ZONE %(zone)s)::date FROM moments ORDER BY 1
"""

_MOVED_ON_DAYS = sql.SQL("""
    SELECT p.id FROM unnest(%(days)s::date[]) AS wanted(day) JOIN prospects_prospect p
      ON p.playbook_id = %(playbook)s
     AND p.created_at >= wanted.day::timestamp AT TIME ZONE %(zone)s
     AND p.created_at < (wanted.day + 1)::timestamp AT TIME ZONE %(zone)s
    UNION
    SELECT t.prospect_id FROM unnest(%(days)s::date[]) AS wanted(day) JOIN prospects_stagetransition t
      ON t.client_id = %(client)s AND t.pipeline = 'prospect'
     AND t.at >= wanted.day::timestamp AT TIME ZONE %(zone)s
     AND t.at < (wanted.day + 1)::timestamp AT TIME ZONE %(zone)s
""")

#: Detailed cells of one dimension each, then counts of segments by one other dimension each.
_COUNT_DAYS = sql.SQL("""
    {filed}
    INSERT INTO prospects_funnelcell (client_id, playbook_id, grain, value, segment, basis, span, day, stage, outcome,
        stay_bucket, outcome_bucket, n, entered_sum, stay_sum)
    SELECT %(client)s, %(playbook)s,
        CASE GROUPING(segment, source, route, tier, version) WHEN 31 THEN 'all' WHEN 15 THEN 'segment'
            WHEN 23 THEN 'source' WHEN 27 THEN 'route' WHEN 29 THEN 'tier' ELSE 'version' END,
        CASE GROUPING(segment, source, route, tier, version) WHEN 31 THEN '' WHEN 15 THEN segment
            WHEN 23 THEN source WHEN 27 THEN route WHEN 29 THEN tier ELSE version END,
        '', basis, 'day', day, stage, outcome, stay_bucket, outcome_bucket, count(*), sum(entered), sum(stay)
    FROM filed WHERE {wanted}
    GROUP BY basis, day, stage, outcome, stay_bucket, outcome_bucket,
        GROUPING SETS ((), (segment), (source), (route), (tier), (version))
    UNION ALL
    SELECT %(client)s, %(playbook)s,
        CASE GROUPING(source, route, tier, version) WHEN 7 THEN 'segment+source' WHEN 11 THEN 'segment+route'
            WHEN 13 THEN 'segment+tier' ELSE 'segment+version' END,
        CASE GROUPING(source, route, tier, version) WHEN 7 THEN source WHEN 11 THEN route WHEN 13 THEN tier
            ELSE version END,
        segment, basis, 'day', day, stage, '', -1, -1, count(*), 0, 0
    FROM filed WHERE basis <> 'left' AND {wanted}
    GROUP BY basis, day, stage, segment, GROUPING SETS ((source), (route), (tier), (version))
""")

_COUNT_MONTHS = """
    INSERT INTO prospects_funnelcell (client_id, playbook_id, grain, value, segment, basis, span, day, stage, outcome,
        stay_bucket, outcome_bucket, n, entered_sum, stay_sum)
    SELECT client_id, playbook_id, grain, value, segment, basis, 'month', date_trunc('month', day)::date, stage,
        outcome, stay_bucket, outcome_bucket, sum(n), sum(entered_sum), sum(stay_sum)
    FROM unnest(%(months)s::date[]) AS wanted(month) JOIN prospects_funnelcell c
      ON c.playbook_id = %(playbook)s AND c.span = 'day' AND c.day >= month AND c.day < month + interval '1 month'
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
"""
