"""What a convergence leaves on a desk: a run with a refused proposal, one that broke, and their agent's day."""

from __future__ import annotations

from django.utils import timezone

from prospects.host.store import open_scope
from prospects.models import AgentRun, Convergence, Diagnostic, Prospect
from prospects.services import agent_days
from salesops.runtime.ports import Run
from tests.browser.desk import Desk

PROPOSALS = [
    {"type": "evidence", "criterion": "industry", "value": 100.0, "rationale": "B2B, as wanted."},
    {"type": "evidence", "criterion": "size", "value": 80.0, "quote": "we are forty people", "rationale": "Forty."},
]


def leave_runs(desk: Desk) -> AgentRun:
    """Returns the run with the refused proposal."""
    who, other = desk.requests[1].prospect, desk.requests[2].prospect
    job = Convergence.objects.create(
        client=desk.client, playbook=desk.version.playbook, version=desk.version, clock=timezone.now(), status="done",
        total=2, done=2, level_totals=[1, 1, 0], level_done=[1, 1, 0], finished_at=timezone.now(),
    )  # fmt: skip
    run = _run(desk, job, who, proposals=PROPOSALS, proposed=2, promoted=1, refused=1)
    broken = _run(desk, job, other, status="failed", error="TimeoutError", fault="network")
    _say(run, "provenance", "The quote stands in none of its sources.", {"proposal": 1})
    _say(broken, "failed", f"fit_evidence broke (TimeoutError). Trace {job.trace_id}.", {})
    Prospect.objects.filter(pk=other.pk).update(failures=1)
    scope = open_scope(desk.client, desk.version.playbook, now=timezone.now(), convergence_id=job.pk)
    agent_days.count_runs(scope, [_counted(run), _counted(broken)])
    return run


def _run(desk: Desk, job: Convergence, who: Prospect, **fields: object) -> AgentRun:
    defaults = {"implementation": "rules", "implementation_version": "rules-1", "watermark": 99, "duration_us": 900}
    return AgentRun.objects.create(
        client=desk.client, convergence=job, cycle=1, agent="fit_evidence", prospect=who, at=timezone.now(),
        playbook_version=desk.version, trace_id=job.trace_id, **{**defaults, **fields},
    )  # fmt: skip


def _say(run: AgentRun, kind: str, words: str, detail: dict[str, int]) -> None:
    Diagnostic.objects.create(
        client_id=run.client_id, prospect=run.prospect, run=run, agent=run.agent, kind=kind, message=words,
        detail=detail, at=run.at, trace_id=run.trace_id,
    )  # fmt: skip


def _counted(row: AgentRun) -> Run:
    return Run(
        row.pk, row.prospect_id, row.agent, row.implementation, "rules-1", 99, 1, duration_us=row.duration_us,
        status=row.status, proposed=row.proposed, promoted=row.promoted, refused=row.refused,
    )  # fmt: skip
