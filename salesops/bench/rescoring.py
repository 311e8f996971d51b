"""How fast a whole playbook is scored again from its evidence, every breakdown written; beside one plain SQL sum."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from time import perf_counter

from django.db import connection

from playbooks.models import Playbook
from prospects.models import Score
from prospects.services import rescoring
from prospects.services.rescoring import ScoreReport
from salesops.bench import Line, Say
from salesops.bench.convergence import CLOCK, make_playbook, make_prospects

SIZE = 100_000
AIM = 20_000
# What a profile answers of everybody, and of one in eight what was in the news: as the agents would leave it.
_EVIDENCE = """
INSERT INTO prospects_evidence (client_id, prospect_id, playbook_version_id, scorecard, layer, category, criterion,
    value, confidence, strong_negative, rationale, quote, signal_ids, fact_ref, source, observed_at, fact_no,
    created_at)
SELECT s.client_id, s.prospect_id, c.version_id, c.scorecard, c.layer, c.category, c.key,
    CASE WHEN c.kind = 'flag' THEN 100 ELSE (ARRAY[0, 50, 60, 100, 100])[1 + (s.prospect_id * 7 + c.id * 3) %% 5] END,
    0.9, false, 'As the file says.', '', ARRAY[s.id], c.key, s.source,
    s.observed_at - (s.prospect_id %% 90) * interval '1 day', nextval('fact_no'), s.created_at
FROM prospects_signal s JOIN playbooks_criterion c ON c.version_id = %(version)s
    AND (c.params ? 'attribute' OR c.kind = 'signal' AND s.prospect_id %% 8 = 0)
WHERE s.client_id = %(client)s AND s.kind = 'profile'
"""
_LOOKED_AT = """
UPDATE prospects_prospect SET converged_no = facts_no, converged_version_id = %(version)s
WHERE playbook_id = %(playbook)s
"""
_SUM = """
SELECT count(*), sum(score) FROM (
    SELECT e.prospect_id, sum(c.weight * e.value * power(0.5,
        coalesce(extract(epoch FROM %(now)s - e.observed_at) / 86400 / c.half_life_days, 0))) / sum(c.weight) AS score
    FROM prospects_evidence e JOIN playbooks_criterion c
        ON c.version_id = e.playbook_version_id AND c.scorecard = e.scorecard AND c.key = e.criterion AND c.weight > 0
    WHERE e.playbook_version_id = %(version)s GROUP BY e.prospect_id) scored
"""


def run(size: int | None, say: Say) -> Iterator[Line]:
    """All for the first time, once more with nothing new, and the same evidence in one SQL aggregate."""
    count = size or SIZE
    playbook = make_playbook(f"bench-rescore-{count}")
    version = playbook.active_version
    assert version is not None  # noqa: S101 — it was activated when it was made
    make_prospects(playbook, count)
    with connection.cursor() as cursor:
        cursor.execute(_EVIDENCE, {"version": version.pk, "client": playbook.client_id})
        each = cursor.rowcount / count
        cursor.execute(_LOOKED_AT, {"version": version.pk, "playbook": playbook.pk})
        cursor.execute("VACUUM ANALYZE")
    say(f"rescore: {count:,} prospects with {each:.1f} pieces of evidence each")
    sums = _sum(version.pk)
    processes = min(2, os.cpu_count() or 1)
    first, again = _timed(playbook, processes), _timed(playbook, processes)
    if first.prospects != count or again.written or Score.objects.filter(playbook_version=version).count() < count:
        raise RuntimeError(f"the re-score did something else: {first}, then {again}")
    rate, name = count / first.seconds, f"{count:,} prospects"
    note = f"{processes} processes; {first.written / count:.1f} scores and {each:.1f} pieces of evidence each"
    yield Line("rescore", name, rate, "prospects/s", f"≥ {AIM:,}", rate >= AIM, note)
    yield Line("rescore", f"{name}: once more with nothing new", count / again.seconds, "prospects/s")
    yield Line("rescore", f"{name}: to one SQL aggregate", first.seconds / sums, "times as long", note="reads, sums up")
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    yield Line("rescore", f"{name}: peak memory of a process", peak / 1024, "MB")


def _timed(playbook: Playbook, processes: int) -> ScoreReport:
    return rescoring.rescore(client=playbook.client, playbook=playbook, actor=None, clock=CLOCK, processes=processes)


def _sum(version: int) -> float:
    """Seconds that PostgreSQL takes to add the same evidence up: the best of three."""
    seconds = []
    for _ in range(3):
        start = perf_counter()
        with connection.cursor() as cursor:
            cursor.execute(_SUM, {"version": version, "now": CLOCK})
            cursor.fetchone()
        seconds.append(perf_counter() - start)
    return min(seconds)
