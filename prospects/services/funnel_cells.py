"""Keep the funnel's cells level with the facts: follow what changed, or rebuild all of it.

Cells are counted again from StageTransition and Prospect for whole days, never adjusted by differences, so an error
cannot accumulate and a rebuild gives the same rows. Which days changed is read from FunnelChange, which triggers fill
in the transaction that made the change.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from psycopg import sql

from playbooks.models import Playbook
from prospects import stages
from prospects.models import FunnelMark
from prospects.rules.statistics import DURATION_EDGES

_LOCK_CLASS = 7_010
_NUDGE_SECONDS = 5
_NUDGE_KEY = "prospects:funnel:nudged"


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep of one playbook did. ``days`` counts the days whose cells were counted again."""

    playbook_id: int
    days: int
    as_of: datetime


def onward_stages(stage: str) -> tuple[str, ...]:
    """The stages whose entry, after ``stage``, means that a prospect moved on.

    On the main line: any later stage of it (stages may be skipped). From a side track or an exit: back into qualifying
    or anything after it.
    """
    if stage in stages.MAIN_LINE:
        return stages.MAIN_LINE[stages.MAIN_LINE.index(stage) + 1 :]
    return stages.MAIN_LINE[stages.MAIN_LINE.index(stages.QUALIFYING) :]


def sweep_funnel() -> list[Swept]:
    """Bring the cells of every playbook level with what is committed; one transaction per playbook.

    A playbook that another process is sweeping right now is left to it.
    """
    playbooks = Playbook.objects.select_related("client").order_by("pk")
    results = [_sweep(playbook, everything=False) for playbook in playbooks]
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
    cursor.execute(_COUNT.format(scope=everyone, wanted=sql.SQL("true")), _arguments(playbook, zone))
    cursor.execute("SELECT DISTINCT day FROM prospects_funnelcell WHERE playbook_id = %s", [playbook.pk])
    return [row[0] for row in cursor.fetchall()]


def _recount_days(cursor: Any, playbook: Playbook, zone: str, days: list[date]) -> None:
    cursor.execute("DELETE FROM prospects_funnelcell WHERE playbook_id = %s AND day = ANY(%s)", [playbook.pk, days])
    counted = _COUNT.format(scope=_MOVED_ON_DAYS, wanted=sql.SQL("day = ANY(%(days)s)"))
    cursor.execute(counted, {**_arguments(playbook, zone), "days": days})


def _arguments(playbook: Playbook, zone: str) -> dict[str, Any]:
    return {
        "client": playbook.client_id,
        "playbook": playbook.pk,
        "zone": zone,
        "lost": list(stages.LOST),
        "edges": list(DURATION_EDGES),
        "onward": json.dumps({stage: onward_stages(stage) for stage in stages.PROSPECT_STAGES}),
    }


_TAKE_CHANGES = """
    WITH taken AS (
        DELETE FROM prospects_funnelchange WHERE playbook_id = %(playbook)s RETURNING prospect_id, came_in_at
    ), changed AS (
        SELECT DISTINCT prospect_id AS id FROM taken WHERE prospect_id IS NOT NULL
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

# One statement: moves → first stays per stage → their outcomes → cells. A birth is the move with seq 0, and seq has no
# gaps, so it is also the place in the path. Windows and arrays only: a self-join of a CTE would be planned blindly.
_COUNT = sql.SQL("""
    WITH scope AS ({scope}), moves AS (
        SELECT id, 0 AS seq, 'sourced'::text AS stage, created_at AS at, NULL::bigint AS version,
            created_at AS came_in, segment, source, route, tier
        FROM prospects_prospect WHERE id IN (SELECT id FROM scope) AND playbook_id = %(playbook)s
        UNION ALL
        SELECT p.id, t.seq, t.to_stage, t.at, t.playbook_version_id, p.created_at, segment, source, route, tier
        FROM prospects_prospect p JOIN prospects_stagetransition t ON t.prospect_id = p.id AND t.pipeline = 'prospect'
        WHERE p.id IN (SELECT id FROM scope) AND p.playbook_id = %(playbook)s
    ), stays AS (
        SELECT *, lead(at) OVER life AS left_at,
            coalesce(version, lead(version) OVER life) AS entry_version,
            row_number() OVER (PARTITION BY id, stage ORDER BY seq) AS visit,
            array_agg(stage) OVER whole AS path, array_agg(at) OVER whole AS times,
            nth_value(version, 2) OVER whole AS first_version
        FROM moves
        WINDOW life AS (PARTITION BY id ORDER BY seq),
            whole AS (PARTITION BY id ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    ), looked_ahead AS (
        SELECT s.*, path[cardinality(path)] AS now_stage, times[cardinality(times)] AS now_since,
            ahead.onward_at, ahead.last_left_at
        FROM stays s CROSS JOIN LATERAL (
            SELECT min(step.at) FILTER (WHERE (%(onward)s::jsonb -> s.stage) ? step.stage AND n > s.seq + 1)
                    AS onward_at,
                max(step.at) FILTER (WHERE n > 1 AND s.path[n - 1] = s.stage) AS last_left_at
            FROM unnest(s.path, s.times) WITH ORDINALITY AS step(stage, at, n)
        ) AS ahead WHERE s.visit = 1
    ), outcomes AS (
        SELECT *,
            CASE WHEN onward_at IS NOT NULL THEN 'on' WHEN now_stage = stage THEN 'open'
                 WHEN now_stage = ANY(%(lost)s) THEN 'lost' ELSE 'aside' END AS outcome,
            CASE WHEN onward_at IS NOT NULL THEN onward_at WHEN now_stage = stage THEN NULL
                 WHEN now_stage = ANY(%(lost)s) THEN now_since ELSE last_left_at END AS outcome_at
        FROM looked_ahead
    ), units AS MATERIALIZED (
        SELECT stage, outcome, segment, source, route, tier,
            coalesce(entry_version::text, '') AS version, coalesce(first_version::text, '') AS first_version,
            (at AT TIME ZONE %(zone)s)::date AS entered_day,
            (outcome_at AT TIME ZONE %(zone)s)::date AS outcome_day,
            (came_in AT TIME ZONE %(zone)s)::date AS came_day,
            floor(extract(epoch FROM at))::bigint AS entered,
            extract(epoch FROM greatest(left_at, CASE WHEN left_at IS NOT NULL THEN at END) - at) AS stay,
            extract(epoch FROM greatest(outcome_at, CASE WHEN outcome_at IS NOT NULL THEN at END) - at) AS wait
        FROM outcomes
    ), filed AS (
        SELECT 'entered' AS basis, entered_day AS day, stage, outcome, version, segment, source, route, tier,
            coalesce(width_bucket(stay, %(edges)s::numeric[]), -1) AS stay_bucket,
            coalesce(width_bucket(wait, %(edges)s::numeric[]), -1) AS outcome_bucket,
            entered, floor(coalesce(stay, 0))::bigint AS stay
        FROM units
        UNION ALL
        SELECT 'left', outcome_day, stage, outcome, version, segment, source, route, tier,
            width_bucket(wait, %(edges)s::numeric[]), width_bucket(wait, %(edges)s::numeric[]),
            entered, floor(wait)::bigint
        FROM units WHERE outcome_day IS NOT NULL
        UNION ALL
        SELECT 'reached', came_day, stage, '', first_version, segment, source, route, tier, -1, -1, 0, 0
        FROM units
    )
    INSERT INTO prospects_funnelcell (client_id, playbook_id, grain, value, basis, day, stage, outcome,
        segment, source, route, tier, version, stay_bucket, outcome_bucket, n, entered_sum, stay_sum)
    SELECT %(client)s, %(playbook)s,
        CASE GROUPING(segment, source, route, tier, version) WHEN 0 THEN 'each' WHEN 31 THEN 'all'
            WHEN 15 THEN 'segment' WHEN 23 THEN 'source' WHEN 27 THEN 'route' WHEN 29 THEN 'tier'
            ELSE 'version' END,
        CASE GROUPING(segment, source, route, tier, version) WHEN 15 THEN segment WHEN 23 THEN source
            WHEN 27 THEN route WHEN 29 THEN tier WHEN 30 THEN version ELSE '' END,
        basis, day, stage, outcome,
        CASE GROUPING(segment, source, route, tier, version) WHEN 0 THEN segment ELSE '' END,
        CASE GROUPING(segment, source, route, tier, version) WHEN 0 THEN source ELSE '' END,
        CASE GROUPING(segment, source, route, tier, version) WHEN 0 THEN route ELSE '' END,
        CASE GROUPING(segment, source, route, tier, version) WHEN 0 THEN tier ELSE '' END,
        CASE GROUPING(segment, source, route, tier, version) WHEN 0 THEN version ELSE '' END,
        stay_bucket, outcome_bucket, count(*), sum(entered), sum(stay)
    FROM filed WHERE {wanted}
    GROUP BY basis, day, stage, outcome, stay_bucket, outcome_bucket,
        GROUPING SETS ((), (segment), (source), (route), (tier), (version),
            (segment, source, route, tier, version))
""")
