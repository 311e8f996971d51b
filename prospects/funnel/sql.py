"""The one statement that turns moves between stages into what the funnel counts.

Moves → first stays per stage → their outcomes → ``filed``: one row per prospect, stage and basis. The service stores
sums of it; the funnel itself reads it directly when no stored sum can answer. Birth is the move with seq 0, and seq has
no gaps, so it is also the place in the path. Windows and arrays only: a self-join of a CTE would be planned blindly.
"""

from __future__ import annotations

import json
from typing import Any

from psycopg import sql

from playbooks.rules import stages
from prospects.rules.statistics import DURATION_EDGES


def onward_stages(stage: str) -> tuple[str, ...]:
    """The stages whose entry, after ``stage``, means that a prospect moved on.

    On the main line: any later stage of it (stages may be skipped). From a side track or an exit: back into qualifying
    or anything after it.
    """
    if stage in stages.MAIN_LINE:
        return stages.MAIN_LINE[stages.MAIN_LINE.index(stage) + 1 :]
    return stages.MAIN_LINE[stages.MAIN_LINE.index(stages.QUALIFYING) :]


def filed_arguments(*, playbook_id: int, zone: str) -> dict[str, Any]:
    """The parameters of ``FILED``; ``scope`` may need more."""
    return {
        "playbook": playbook_id,
        "zone": zone,
        "lost": list(stages.LOST),
        "edges": list(DURATION_EDGES),
        "onward": json.dumps({stage: onward_stages(stage) for stage in stages.PROSPECT_STAGES}),
    }


#: CTEs up to ``filed``. ``scope`` is a query for prospect ids.
FILED = sql.SQL("""
    WITH scope AS ({scope}), moves AS (
        SELECT id, 0 AS seq, 'sourced'::text AS stage, created_at AS at, NULL::bigint AS version,
            created_at AS came_in, segment, source, route, tier
        FROM prospects_prospect WHERE id IN (SELECT id FROM scope) AND playbook_id = %(playbook)s
            AND merged_into_id IS NULL
        UNION ALL
        SELECT p.id, t.seq, t.to_stage, t.at, t.playbook_version_id, p.created_at, segment, source, route, tier
        FROM prospects_prospect p JOIN prospects_stagetransition t ON t.prospect_id = p.id AND t.pipeline = 'prospect'
        WHERE p.id IN (SELECT id FROM scope) AND p.playbook_id = %(playbook)s AND p.merged_into_id IS NULL
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
""")
