"""Who works on which prospect: batches of due prospects, held by locks that vanish with their holder.

The locks are PostgreSQL advisory locks of the session, not row locks: agents run outside any transaction, so a lock
must outlive one; and when a worker is killed its connection ends and its prospects are free at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from playbooks.ruling import rulings, sql_case, version_for
from prospects.models import Convergence, Diagnostic, WorkLevel
from salesops.runtime.faults import fault_of
from salesops.runtime.invariants import InvariantBroken
from salesops.runtime.outcome import Outcome
from salesops.runtime.words import Depth
from salesops.sql import fetch

_SPACE = 0x5A1E5 << 40  # keeps our keys apart from every other advisory lock
_PLACE = 48  # a place in the order of work is one number: the level above this many bits, the id below
REFRESH_DAYS = 30
_DUE = """
p.playbook_id = %(playbook)s AND (p.work_level, p.id) > (%(level)s, %(after)s) AND p.id <= %(up_to)s
AND p.merged_into_id IS NULL
AND (p.facts_no > p.converged_no OR p.converged_version_id IS DISTINCT FROM {ruling} OR p.due_again_at <= %(now)s
     OR %(extended)s AND (p.refreshed_at IS NULL OR p.refreshed_at <= %(stale)s))
AND (NOT %(early)s OR p.verdict = '')
AND NOT EXISTS (
    SELECT 1 FROM playbooks_stop s WHERE s.level = 'prospect' AND s.target_id = p.id AND s.client_id = p.client_id
    AND s.lifted_at IS NULL AND (s.until IS NULL OR s.until > %(now)s))
"""
_FOREVER = 2**63 - 1


@dataclass(slots=True)
class Claim:
    """Prospects this worker holds. ``last`` is where the search ended; ``exhausted`` when nothing lies beyond."""

    ids: list[int]
    last: int
    exhausted: bool
    levels: list[int] = field(default_factory=list)  # how many of the ids are of each work level


def extent(playbook_id: int, version_id: int, depth: str, limit: int | None, clock: datetime) -> tuple[int, list[int]]:
    """The highest prospect id a new convergence covers, and how many due prospects of each level lie up to it.

    An early convergence takes those nobody has judged yet, and leaves them due for the whole one. An extended one also
    takes those that no extended one has visited for a month.
    """
    due, given = _asked(playbook_id, version_id, depth, clock)
    levels = ", ".join(f"count(*) FILTER (WHERE work_level = {level})" for level in WorkLevel.values)
    ((up_to, *totals),) = fetch(
        f"SELECT coalesce(max(id), 0), {levels} FROM (SELECT p.id, p.work_level FROM prospects_prospect p"  # noqa: S608
        f" WHERE {due} ORDER BY p.id LIMIT %(limit)s) due",
        {**given, "up_to": _FOREVER, "limit": limit},
    )
    return up_to, totals


def remaining(convergence: Convergence) -> bool:
    """Whether any prospect of this convergence is still due, whoever may hold it."""
    due, given = _given(convergence, 0)
    return bool(fetch(f"SELECT 1 FROM prospects_prospect p WHERE {due} LIMIT 1", given))  # noqa: S608


def _asked(
    playbook_id: int, version_id: int, depth: str, clock: datetime, after: int = 0
) -> tuple[str, dict[str, Any]]:
    """What makes a prospect due, as a condition with its parameters: each under the version that rules it."""
    level, last_id = divmod(after, 1 << _PLACE)
    ruling, versions = sql_case(rulings(playbook_id, version_id), "p.created_at")
    return _DUE.replace("{ruling}", ruling), {
        **versions,
        "playbook": playbook_id,
        "early": depth == Depth.EARLY,
        "extended": depth == Depth.EXTENDED,
        "stale": clock - timedelta(days=REFRESH_DAYS),
        "now": timezone.now(),
        "level": level,
        "after": last_id,
    }


def _given(convergence: Convergence, after: int) -> tuple[str, dict[str, Any]]:
    c = convergence
    due, given = _asked(c.playbook_id, c.version_id, c.depth, c.clock, after)
    return due, {**given, "up_to": c.up_to_id}


@contextmanager
def claim(convergence: Convergence, after: int, size: int) -> Iterator[Claim]:
    """Hold up to ``size`` due prospects beyond the place ``after`` that nobody else holds; let go at the end.

    The best fit comes first, and the older within a level.
    """
    due, given = _given(convergence, after)
    rows = fetch(
        "WITH due AS MATERIALIZED (SELECT p.work_level, p.id FROM prospects_prospect p"  # noqa: S608
        f" WHERE {due} ORDER BY p.work_level, p.id LIMIT %(size)s)"
        " SELECT id, pg_try_advisory_lock(%(space)s + id), work_level FROM due ORDER BY work_level, id",
        {**given, "size": size, "space": _SPACE},
    )
    held = sorted(prospect_id for prospect_id, locked, _ in rows if locked)
    try:
        ids = _still_due(convergence, held)
        level_of = {prospect_id: level for prospect_id, _, level in rows}
        yield Claim(
            ids=ids,
            last=(rows[-1][2] << _PLACE) + rows[-1][0] if rows else after,
            exhausted=len(rows) < size,
            levels=[sum(level_of[i] == level for i in ids) for level in WorkLevel.values],
        )
    finally:
        _release(held)


def hold(ids: Sequence[int]) -> bool:
    """Keep agents away from these prospects until the transaction ends; False when some are at work on one."""
    rows = fetch("SELECT pg_try_advisory_xact_lock(%s + id) FROM unnest(%s::bigint[]) AS id", [_SPACE, list(ids)])
    return all(locked for (locked,) in rows)


def _still_due(convergence: Convergence, ids: Sequence[int]) -> list[int]:
    """Another worker may have finished some of them between our search and our lock."""
    if not ids:
        return []
    due, given = _given(convergence, 0)
    rows = fetch(
        f"SELECT p.id FROM prospects_prospect p WHERE p.id = ANY(%(ids)s) AND {due} ORDER BY p.id",  # noqa: S608
        {**given, "ids": list(ids)},
    )
    return [row[0] for row in rows]


def by_ruling(convergence: Convergence, ids: Sequence[int]) -> dict[int, list[int]]:
    """These prospects by the version that rules each; one query, or two where several versions rule."""
    held = rulings(convergence.playbook_id, convergence.version_id)
    if len(held) == 1:
        return {convergence.version_id: list(ids)}
    groups: dict[int, list[int]] = {}
    for pk, arrived in fetch("SELECT id, created_at FROM prospects_prospect WHERE id = ANY(%s) ORDER BY id", [[*ids]]):
        groups.setdefault(version_for(held, arrived), []).append(pk)
    return groups


def _release(ids: Sequence[int]) -> None:
    if ids and connection.connection is not None and not connection.connection.closed:
        fetch("SELECT count(pg_advisory_unlock(%s + id)) FROM unnest(%s::bigint[]) AS id", [_SPACE, list(ids)])


def give_up(convergence: Convergence, prospect_id: int, error: Exception, version_id: int) -> Outcome:
    """Leave one prospect that breaks the runtime with an explicit verdict and the trace id to look it up by.

    ``version_id`` is the version that rules it.
    """
    kind, words = Diagnostic.Kind.FAILED, f"The runtime failed on this prospect. Trace {convergence.trace_id}."
    if isinstance(error, InvariantBroken):
        kind, words = Diagnostic.Kind.INVARIANT, " ".join(error.broken[prospect_id])[:500]
    with transaction.atomic():
        fetch(
            "UPDATE prospects_prospect SET verdict = 'stalled', verdict_reason = %s, verdict_missing = %s,"
            " failures = failures + 1, converged_no = facts_no, converged_version_id = %s, due_again_at = NULL,"
            " refreshed_at = CASE WHEN %s THEN %s ELSE refreshed_at END WHERE id = %s RETURNING id",
            [
                words,
                json.dumps(["Have somebody look at the diagnostic."]),
                version_id,
                convergence.depth == Depth.EXTENDED,
                convergence.clock,
                prospect_id,
            ],
        )
        Diagnostic.objects.create(
            client_id=convergence.client_id, prospect_id=prospect_id, agent="runtime", kind=kind,
            message=words, detail={"fault": fault_of(error)}, at=timezone.now(), trace_id=convergence.trace_id,
        )  # fmt: skip
    outcome = Outcome(prospects=1)
    outcome.verdicts["stalled"] = 1
    outcome.refusals[kind.value] = 1
    return outcome
