"""Counts what each agent does, day by day, as it is done: one short statement a batch, and nobody waits for anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from playbooks.models import Client
from playbooks.services.budgets import zone_named
from prospects.rules.durations import BUCKETS, bucket_of
from salesops.runtime.ports import Run, Scope

_LOCKS = 0x5A13
_SLOTS = 64
# A worker counts in the first slot that nobody holds, and holds it until its transaction ends. Beyond so many workers
# at once the last slot is shared. All rows of one statement are touched in one order.
_COUNT = """
WITH free AS (SELECT slot FROM generate_series(0, %(slots)s) AS slot
               WHERE pg_try_advisory_xact_lock(%(locks)s, slot) LIMIT 1)
INSERT INTO prospects_agentday AS known (client_id, day, agent, slot, runs, failed, proposed, promoted, refused, tokens,
                                         cost, buckets, marked, marks, last_at)
SELECT %(client)s, %(day)s, agent, coalesce((SELECT slot FROM free), %(slots)s + 1), runs, failed, proposed, promoted,
       refused, tokens, cost, buckets::bigint[], marked, marks, %(now)s
  FROM unnest(%(agent)s::varchar[], %(runs)s::bigint[], %(failed)s::bigint[], %(proposed)s::bigint[],
              %(promoted)s::bigint[], %(refused)s::bigint[], %(tokens)s::bigint[], %(cost)s::numeric[],
              %(buckets)s::text[], %(marked)s::bigint[], %(marks)s::float8[])
       AS new (agent, runs, failed, proposed, promoted, refused, tokens, cost, buckets, marked, marks)
 ORDER BY agent
ON CONFLICT (client_id, day, agent, slot) DO UPDATE SET
  runs = known.runs + EXCLUDED.runs, failed = known.failed + EXCLUDED.failed,
  proposed = known.proposed + EXCLUDED.proposed, promoted = known.promoted + EXCLUDED.promoted,
  refused = known.refused + EXCLUDED.refused, tokens = known.tokens + EXCLUDED.tokens,
  cost = known.cost + EXCLUDED.cost, marked = known.marked + EXCLUDED.marked, marks = known.marks + EXCLUDED.marks,
  buckets = ARRAY(SELECT coalesce(a, 0) + coalesce(b, 0)
                    FROM unnest(known.buckets, EXCLUDED.buckets) WITH ORDINALITY AS pair (a, b, place) ORDER BY place),
  last_at = CASE WHEN EXCLUDED.runs > 0 THEN greatest(known.last_at, EXCLUDED.last_at) ELSE known.last_at END
"""


@dataclass(slots=True)
class _Count:
    runs: int = 0
    failed: int = 0
    proposed: int = 0
    promoted: int = 0
    refused: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    marked: int = 0
    marks: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def add(self, run: Run) -> None:
        self.runs += 1
        self.failed += run.status == "failed"
        self.proposed += run.proposed
        self.promoted += run.promoted
        self.refused += run.refused
        self.tokens += run.tokens
        self.cost += run.cost
        self.buckets[bucket_of(run.duration_us)] += 1


def count_runs(scope: Scope, runs: Iterable[Run]) -> None:
    """Add these runs to their agents' day. Inside the transaction that writes them."""
    counts: dict[str, _Count] = {}
    for run in runs:
        counts.setdefault(run.agent, _Count()).add(run)
    _write(scope, counts)


def count_scan(client: Client, agent: str, run: Run) -> None:
    """Add one run that had no prospect to work on. Inside the transaction that writes what came of it."""
    count = _Count()
    count.add(run)
    _add(client.pk, client.time_zone, {agent: count})


def count_marks(scope: Scope, agent: str, marks: Sequence[float]) -> None:
    """Add marks from 0 to 1 that this agent gave, one per prospect. Inside a transaction."""
    if marks:
        _write(scope, {agent: _Count(marked=len(marks), marks=sum(marks), buckets=[])})


def _write(scope: Scope, counts: Mapping[str, _Count]) -> None:
    _add(scope.client_id, scope.playbook.client.time_zone, counts)


def _add(client_id: int, time_zone: str, counts: Mapping[str, _Count]) -> None:
    if not counts:
        return
    now = timezone.now()
    rows = list(counts.values())
    names = ("runs", "failed", "proposed", "promoted", "refused", "tokens", "cost", "marked", "marks")
    given: dict[str, Any] = {
        "client": client_id,
        "day": now.astimezone(zone_named(time_zone)).date(),
        "now": now,
        "locks": _LOCKS,
        "slots": _SLOTS - 1,
        "agent": list(counts),
        "buckets": ["{" + ",".join(map(str, row.buckets)) + "}" for row in rows],
        **{name: [getattr(row, name) for row in rows] for name in names},
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, given)
