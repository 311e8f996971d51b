"""What agents leave behind at any size: runs on each prospect, two weeks of days as counted, jobs, and tasks."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from prospects.models import Convergence
from salesops.all_agents import agent_names
from salesops.bench.population import Population
from salesops.reading.agent_numbers import DAYS

#: Of each prospect a run of each of these is written: what a list of one agent's runs has to find its way through.
SEEN = ("fit_evidence", "timing_evidence", "need_evidence")
WORKERS = 8
JOBS = 60

_RUNS = """
INSERT INTO prospects_agentrun (client_id, convergence_id, cycle, agent, implementation, implementation_version,
    prospect_id, playbook_version_id, watermark, status, proposals, digest, proposed, promoted, refused, duration_us,
    tokens, cost, answers, error, at, trace_id)
SELECT p.client_id, %(convergence)s, 1, agent, CASE WHEN p.id %% 50 = 0 THEN 'llm' ELSE 'rules' END, 'bench-1', p.id,
       %(version)s, p.facts_no, CASE WHEN p.id %% 997 = 0 THEN 'failed' ELSE 'ok' END, '[]', '', 3, 3,
       CASE WHEN p.id %% 20 = 0 THEN 1 ELSE 0 END, 400 + p.id %% 900, 0, 0, '{}', '', %(now)s, repeat('0', 32)
  FROM prospects_prospect p CROSS JOIN unnest(%(seen)s::text[]) AS agent WHERE p.client_id = %(client)s ORDER BY p.id
"""
_DAYS = """
INSERT INTO prospects_agentday (client_id, day, agent, slot, runs, failed, proposed, promoted, refused, tokens, cost,
                                buckets, marked, marks, last_at)
SELECT %(client)s, (%(now)s::timestamptz - make_interval(days => back))::date, agent, slot, %(each)s, 1, %(each)s * 3,
       %(each)s * 2, 2, 1000, 0.01, ARRAY(SELECT (10 * n)::bigint FROM generate_series(0, 59) AS n), %(each)s,
       %(each)s * 0.7, %(now)s
  FROM generate_series(0, %(days)s - 1) AS back, generate_series(0, %(workers)s - 1) AS slot,
       unnest(%(agents)s::text[]) AS agent
"""
# Most of what was handed over has been taken up by the run of an agent of the other team.
_ACCEPTANCES = """
INSERT INTO prospects_handoffacceptance (handoff_id, client_id, agent, run_id, at)
SELECT h.id, h.client_id, r.agent, r.id, r.at FROM prospects_handoff h
  JOIN prospects_agentrun r ON r.prospect_id = h.prospect_id AND r.agent = %(taker)s AND r.status = 'ok'
 WHERE h.client_id = %(client)s AND h.id %% 4 <> 0
"""
_TASKS = """
INSERT INTO approvals_task (client_id, kind, status, prospect_id, title, detail, agent, form, asks, resolution, words,
                            created_at, trace_id)
SELECT p.client_id, CASE WHEN p.id %% 3 = 0 THEN 'linkedin' ELSE 'call' END,
       CASE WHEN p.id %% 50 = 0 THEN 'done' ELSE 'open' END, p.id,
       'Call about ' || p.segment, 'Ask who decides.', '', '', '[]',
       CASE WHEN p.id %% 50 = 0 THEN 'done' ELSE '' END, '', %(now)s,
       repeat('0', 32)
  FROM prospects_prospect p WHERE p.client_id = %(client)s AND p.id %% 10 = 0 ORDER BY p.id
"""


@transaction.atomic
def make_agent_history(population: Population) -> None:
    """Runs, days, jobs and tasks for a population, written set by set; all of it or nothing."""
    now = timezone.now()
    jobs = [
        Convergence(
            client=population.client, playbook=population.playbook, version=population.version, clock=now,
            total=population.size, done=population.size, status=Convergence.Status.DONE, finished_at=now,
        )
        for _ in range(JOBS)
    ]  # fmt: skip
    given: dict[str, Any] = {
        "client": population.client.pk,
        "version": population.version.pk,
        "convergence": Convergence.objects.bulk_create(jobs)[0].pk,
        "now": now,
        "seen": list(SEEN),
        "taker": SEEN[-1],
        "agents": agent_names(),
        "days": DAYS,
        "workers": WORKERS,
        "each": max(population.size // (DAYS * WORKERS), 1),
    }
    with connection.cursor() as cursor:
        for statement in (_RUNS, _DAYS, _TASKS, _ACCEPTANCES):
            cursor.execute(statement, given)
        for table in ("prospects_agentrun", "prospects_agentday", "prospects_handoffacceptance", "approvals_task"):
            cursor.execute(f"ANALYZE {table}")


def has_agent_history(population: Population) -> bool:
    """Whether its history was written, by a run that kept its database."""
    return Convergence.objects.for_client(population.client).exists()
