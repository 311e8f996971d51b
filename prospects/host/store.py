"""The runtime's host: prospects' contexts in, and their signals, evidence, scores, stages, runs and diagnostics out.

Everything is read and written in sets, a constant number of statements a batch; rows go in by COPY.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Playbook, PlaybookVersion
from playbooks.services import budgets, stops
from prospects.duplicates.twins import load_twins
from prospects.host import loading
from prospects.host.fact_ledger import FactLedger
from prospects.host.loading import Place
from prospects.host.toolbox import ProspectToolbox
from prospects.models import Convergence, Prospect
from prospects.rules import people
from prospects.rules.next_step import next_action
from prospects.services import agent_days, next_steps, scores
from prospects.services.moving import handoffs, stages
from salesops.dbtypes import new_trace_id
from salesops.errors import Refusal
from salesops.runtime.bulk import Blocks, copy_rows
from salesops.runtime.context import Context
from salesops.runtime.invariants import InvariantBroken, acceptance
from salesops.runtime.ports import Finding, Grant, Halt, Numbers, Run, Scope
from salesops.runtime.proposals import (
    ContactProposal,
    EvidenceProposal,
    MergeProposal,
    PriorityProposal,
    Proposal,
    SignalProposal,
)
from salesops.runtime.words import Depth, ImplementationKind, Key, Refused
from salesops.sql import fetch

SEQUENCES = {
    "fact": "fact_no",
    "run": "prospects_agentrun_id_seq",
    "signal": "prospects_signal_id_seq",
    "contact": "prospects_contact_id_seq",
    "evidence": "prospects_evidence_id_seq",
    "score": "prospects_score_id_seq",
    "transition": "prospects_stagetransition_id_seq",
    "handoff": "prospects_handoff_id_seq",
    "message": "approvals_message_id_seq",
    "evaluation": "approvals_evaluation_id_seq",
}
_RUN_COLUMNS = (
    "id", "client_id", "convergence_id", "cycle", "agent", "implementation", "implementation_version", "prospect_id",
    "playbook_version_id", "watermark", "status", "proposals", "digest", "proposed", "promoted", "refused",
    "duration_us", "tokens", "cost", "answers", "error", "fault", "at",
    "trace_id",
)  # fmt: skip
_FINDING_COLUMNS = ("client_id", "prospect_id", "run_id", "agent", "kind", "message", "detail", "at", "trace_id")
_SAVED = (
    ("stage", "varchar"), ("stage_seq", "integer"), ("stage_since", "timestamptz"), ("composite", "float8"),
    ("coverage", "float8"), ("provisional", "boolean"), ("route", "varchar"), ("tier", "varchar"),
    ("priority", "float8"), ("verdict", "varchar"), ("verdict_reason", "varchar"), ("verdict_missing", "jsonb"),
    ("next_action", "varchar"), ("due_again_at", "timestamptz"), ("failures", "smallint"),
    ("refreshed_at", "timestamptz"), ("work_level", "smallint"), ("facts_no", "bigint"), ("converged_no", "bigint"),
    ("converged_version_id", "bigint"),
)  # fmt: skip


#: Until a person lifts the stop; lifting it makes everybody it kept away due at once.
FAR = datetime(9999, 12, 31, tzinfo=UTC)
#: An agent that breaks on a prospect tries again after 5, 20 and 80 minutes, then waits for a new fact or version.
TRIES, FIRST_WAIT = 3, timedelta(minutes=5)


class NoActiveVersion(Refusal):
    """The playbook rules nothing yet."""


def open_scope(
    client: Client,
    playbook: Playbook,
    *,
    now: datetime,
    depth: Depth = Depth.PRIMARY,
    seed: int = 0,
    trace_id: str = "",
    convergence_id: int | None = None,
    version: PlaybookVersion | None = None,
    assigned: Mapping[str, ImplementationKind] | None = None,
) -> Scope:
    """What holds for a whole convergence, read once. ``assigned`` goes before the version's own assignments.

    Raises ``NoActiveVersion``.
    """
    ruling = version or playbook.active_version
    if ruling is None or playbook.client_id != client.pk:
        raise NoActiveVersion(f"{playbook} has no active version. Activate one, then run the agents.")
    trace_id = trace_id or new_trace_id()
    writable, unreadable = loading.permissions(client)
    return Scope(
        client_id=client.pk,
        playbook=loading.playbook_view(ruling),
        depth=depth,
        seed=seed,
        now=now,
        trace_id=trace_id,
        convergence_id=convergence_id,
        permissions=writable,
        unreadable=unreadable,
        assignments={**loading.assignments(ruling.pk), **(assigned or {})},
        toolbox=ProspectToolbox(ruling, now=now, trace_id=trace_id),
    )


class ProspectHost:
    """See :class:`salesops.runtime.ports.Host`."""

    accepts: frozenset[type[Proposal]] = frozenset(
        {SignalProposal, EvidenceProposal, PriorityProposal, MergeProposal, ContactProposal}
    )

    def numbers(self) -> Blocks:
        return Blocks(SEQUENCES)

    def open(self, scope: Scope, numbers: Numbers) -> FactLedger:
        return FactLedger(scope, numbers)

    def contexts(self, scope: Scope, ids: Sequence[int]) -> dict[int, Context]:
        """Without those that were merged into another since they were found due."""
        going_on = Prospect.objects.filter(pk__in=ids).going_on().values_list("pk", flat=True)
        contexts = loading.new_contexts(sorted(going_on), scope.playbook.id)
        if not scores.scoring_model(scope).provisional:
            for context in contexts.values():
                context.provisional = False  # as of today, not as of the last score
        return contexts

    def load(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        loading.load_facts(contexts, scope.playbook.id)
        self._load_twins(scope, contexts)
        handoffs.load_open(contexts)
        if people.wanted(scope.playbook) and scope.depth is not Depth.EARLY:
            loading.load_people(contexts)

    def _load_twins(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        """Only for those about whom something new is known: nobody else can have a new twin."""
        fresh = {i: c for i, c in contexts.items() if _has_news(c, "deduplication")}
        load_twins(
            fresh, client_id=scope.client_id, playbook_id=scope.playbook.playbook_id, version_id=scope.playbook.id
        )

    def prepare(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        """Outreach needs nothing of prospects that research did not."""

    def halted(self, scope: Scope) -> Halt:
        """One query: it is asked before every agent's run."""
        stopped = stops.in_force(scope.client_id, scope.playbook.playbook_id)
        return Halt(stopped.everything is not None, stopped.agents, stopped.prospects)

    def reserve(self, scope: Scope, bucket: str, unit: Decimal, wanted: int) -> Grant:
        version = scope.memory.get("version")
        if version is None:
            version = scope.memory["version"] = PlaybookVersion.objects.select_related("playbook__client").get(
                pk=scope.playbook.id
            )
        client, now = version.playbook.client, timezone.now()
        count = budgets.reserve_up_to(version, bucket, unit, wanted, client=client, at=now)
        return Grant(count, budgets.next_period(bucket, now, client) if count < wanted else None)

    def atomic(self) -> transaction.Atomic:
        return transaction.atomic()

    def guard(self, contexts: Mapping[int, Context]) -> set[int]:
        """Whoever writes facts about a prospect locks its row first: an unchanged ``facts_no`` means nothing came."""
        rows = fetch(
            "SELECT id, facts_no FROM prospects_prospect WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [list(contexts)],
        )
        known = {prospect_id: contexts[prospect_id].facts_no == facts_no for prospect_id, facts_no in rows}
        return {i for i in contexts if not known.get(i, False)}

    def record(self, scope: Scope, runs: Sequence[Run], findings: Sequence[Finding]) -> None:
        if runs:
            copy_rows("prospects_agentrun", _RUN_COLUMNS, (self._run_row(scope, run) for run in runs))
            agent_days.count_runs(scope, runs)
        if findings:
            rows = (
                (
                    scope.client_id, f.prospect_id, f.run_id, f.agent, f.kind, f.message[:500], json.dumps(f.detail),
                    scope.now, scope.trace_id,
                )
                for f in findings
            )  # fmt: skip
            copy_rows("prospects_diagnostic", _FINDING_COLUMNS, rows)
            self._audit_denials(scope, findings)

    def _run_row(self, scope: Scope, run: Run) -> tuple[Any, ...]:
        # A run that did not finish must not stand in the way of the next attempt on the same facts.
        version = run.version if run.status == "ok" else f"{run.version}!{run.id}"
        return (
            run.id, scope.client_id, scope.convergence_id, run.cycle, run.agent, run.implementation, version,
            run.prospect_id, scope.playbook.id, run.watermark, run.status, run.proposals, run.digest, run.proposed,
            run.promoted, run.refused, run.duration_us, run.tokens, run.cost, list(run.answers), run.error,
            run.fault, scope.now, scope.trace_id,
        )  # fmt: skip

    def _audit_denials(self, scope: Scope, findings: Sequence[Finding]) -> None:
        """One audit entry per agent and thing denied, with how many prospects it concerned."""
        denied = Counter((f.agent, f.team, f.message) for f in findings if f.kind == Refused.PERMISSION)
        if not denied:
            return
        entries = [
            audit.Entry(
                event=AuditEvent.PERMISSION_DENIED,
                subject=Convergence(pk=scope.convergence_id),
                trace_id=scope.trace_id,
                detail={"agent": agent, "team": team, "words": words, "refused": count},
            )
            for (agent, team, words), count in sorted(denied.items())
        ]
        audit.record_many(client=Client(pk=scope.client_id), entries=entries, actor=None)

    def settle(self, scope: Scope, contexts: Mapping[int, Context], numbers: Numbers) -> None:
        contexts = {i: c for i, c in contexts.items() if not c.gone}
        scored = scores.rescore_contexts(scope, contexts, numbers)
        for prospect_id, judged in stages.advance(scope, contexts, scored, numbers).items():
            contexts[prospect_id].row.judged = judged

    def conclude(self, scope: Scope, contexts: Mapping[int, Context]) -> Counter[str]:
        counts: Counter[str] = Counter()
        broken: dict[int, list[str]] = {}
        for context in contexts.values():
            place: Place = context.row
            judged: stages.Judged = _SAME_AS_ANOTHER if context.gone else place.judged
            context.verdict = judged.verdict
            place.reason = judged.reason[:500]
            place.missing = [*judged.missing, *context.notes]
            place.failures = place.failures + 1 if context.failed else 0
            place.due_again_at = _again_at(context, place.failures)
            if scope.depth is Depth.EXTENDED:
                place.refreshed_at = scope.now
            if scope.depth is not Depth.EARLY:
                # A first verdict is not the whole work: an early convergence leaves everybody due.
                place.converged_no = max(context.facts_no, context.newest_no)
                place.version_id = scope.playbook.id
            counts[judged.verdict] += 1
            words = acceptance(scope.playbook, context, place.missing, place.reason)
            if words:
                broken[context.id] = words
        if broken:
            raise InvariantBroken(broken)
        agent_days.count_marks(scope, FIT, [fit for c in contexts.values() if (fit := _fit(c)) is not None])
        return counts

    def save(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        """One UPDATE for the whole set, with every projection this module owns."""
        if not contexts:
            return
        handoffs.accept(scope, contexts.values())
        _say_what_comes_next(contexts)
        rows = [_saved(context) for context in contexts.values()]
        columns = list(zip(*rows, strict=True))
        names = ", ".join(f"{name} = v.{name}" for name, _ in _SAVED)
        arrays = ", ".join(["%s::bigint[]", *(f"%s::{kind}[]" for _, kind in _SAVED)])
        fields = ", ".join(["id", *(name for name, _ in _SAVED)])
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE prospects_prospect p SET {names} FROM unnest({arrays}) AS v({fields}) WHERE p.id = v.id",  # noqa: S608
                [list(column) for column in columns],
            )


#: The agent that says how well a prospect fits; its marks are what the mean fit is made of.
FIT = "fit_evidence"


def _fit(context: Context) -> float | None:
    """How well it fits, 0 to 1: the mean of its evidence of fit. None where there is none."""
    values = [e.value for e in context.evidence.values() if e.category == "fit" and e.scorecard == loading.ICP]
    return sum(values) / len(values) / 100 if values else None


def _say_what_comes_next(contexts: Mapping[int, Context]) -> None:
    """By the requests as they are now that their prospects are held: people may have decided since they were read."""
    asked = next_steps.asked_about([i for i, context in contexts.items() if context.verdict == "qualified"])
    for context in contexts.values():
        if context.verdict:
            has_person = context.contact is not None
            said = asked.get(context.id, ())
            context.row.next_action = next_action(context.verdict, context.row.missing, said, has_person=has_person)


_SAME_AS_ANOTHER = stages.Judged("rejected", "The same as another prospect, which goes on for both.", ())


def _has_news(context: Context, agent: str) -> bool:
    """Whether there is a signal that this agent has not seen in any version of it."""
    newest = max((no for who, no in context.marks.get(Key.SIGNALS, {}).items() if who != agent), default=0)
    return newest > max((no for (name, _), no in context.runs.items() if name == agent), default=0)


def _saved(context: Context) -> tuple[Any, ...]:
    place: Place = context.row
    return (
        context.id, context.stage, place.stage_seq, place.stage_since, context.composite, context.coverage,
        context.provisional, context.route, context.tier, context.priority, context.verdict, place.reason,
        json.dumps(place.missing), place.next_action, place.due_again_at, place.failures, place.refreshed_at,
        scores.work_level(context.route, context.tier, context.verdict), max(context.facts_no, context.newest_no),
        place.converged_no, place.version_id,
    )  # fmt: skip


def _again_at(context: Context, failures: int) -> datetime | None:
    """When agents that were kept away should look again: a stop or a budget's period ends, or a failure is past."""
    for_good = context.failed | context.barred
    times = [at or FAR for name, at in context.away.items() if name not in for_good]
    if context.failed and failures <= TRIES:
        times.append(timezone.now() + FIRST_WAIT * 4 ** (failures - 1))
    return min(times, default=None)


HOST = ProspectHost()
