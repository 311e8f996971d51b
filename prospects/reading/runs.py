"""What pages read about agents' runs: lists by agent or prospect, and one run with everything that came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from playbooks.models import AgentAssignment, Client
from prospects.models import AgentRun, Diagnostic, Evidence, Handoff, ModelAnswer, Prospect, Signal, SourceAnswer
from salesops.numerals import plain_number
from salesops.sql import fetch

BROKEN = (Diagnostic.Kind.FAILED, Diagnostic.Kind.INVARIANT)
_LISTED = (
    "id", "agent", "implementation", "status", "proposed", "promoted", "refused", "duration_us", "tokens", "cost",
    "error", "at", "trace_id", "cycle", "convergence_id", "prospect_id", "client_id",
)  # fmt: skip


_FAILED = (
    "kind", "agent", "message", "detail", "at", "trace_id", "run__agent", "run__fault", "prospect__failures",
    "prospect__due_again_at", "prospect__company__name", "prospect__contact__name",
)  # fmt: skip


@dataclass(frozen=True)
class RunFilter:
    """Which runs of an agent or a prospect; nothing chosen means all."""

    status: str = ""
    implementation: str = ""
    refused: bool = False

    @staticmethod
    def read(query: Mapping[str, str]) -> RunFilter:
        """From a page's address; what it does not know counts as not chosen."""
        status, implementation = query.get("status", ""), query.get("implementation", "")
        return RunFilter(
            status if status in AgentRun.Status.values else "",
            implementation if implementation in AgentAssignment.Implementation.values else "",
            query.get("refused") == "1",
        )


def runs_of(client: Client, wanted: RunFilter, *, agent: str = "", prospect: Prospect | None = None) -> QuerySet[Any]:
    """The client's runs of one agent or on one prospect, each with its prospect; every filter has an index."""
    rows: QuerySet[AgentRun] = AgentRun.objects.for_client(client).only(
        *_LISTED, "prospect__company__name", "prospect__contact__name"
    )
    rows = rows.select_related("prospect__company", "prospect__contact")
    if prospect is not None:
        rows = rows.filter(prospect=prospect)
    if agent:
        rows = rows.filter(agent=agent)
    if wanted.status:
        rows = rows.filter(status=wanted.status)
        if wanted.status != AgentRun.Status.OK:
            rows = rows.exclude(status=AgentRun.Status.OK)  # says what the small index of unfinished runs says
    if wanted.implementation:
        rows = rows.filter(implementation=wanted.implementation)
        if wanted.implementation != AgentAssignment.Implementation.RULES:
            rows = rows.exclude(implementation=AgentAssignment.Implementation.RULES)
    return rows.filter(refused__gt=0) if wanted.refused else rows


@dataclass(frozen=True)
class Proposed:
    """One proposal of a run: what it said, and what became of it. ``refusal`` None: it was valid."""

    type: str
    title: str
    facts: list[tuple[str, str]]
    refusal: Diagnostic | None


@dataclass(frozen=True)
class Dossier:
    """Everything about one run."""

    run: AgentRun
    proposals: list[Proposed]
    others: list[Diagnostic]  # said about the run, but about none of its stored proposals
    signals: list[Signal]
    evidence: list[Evidence]
    models: list[ModelAnswer]
    sources: list[SourceAnswer]
    read: Mapping[str, int] = field(default_factory=dict)

    @property
    def error_class(self) -> str:
        return self.run.fault if self.run.status == AgentRun.Status.FAILED else ""

    @property
    def repeated(self) -> int:
        """Valid proposals that said nothing new."""
        return max(self.run.proposed - self.run.promoted - self.run.refused - self.notes, 0)

    @property
    def notes(self) -> int:
        return sum(one.type == "note" for one in self.proposals)


def dossier_of(run: AgentRun) -> Dossier:
    """The run's page; six queries."""
    said = list(Diagnostic.objects.filter(prospect=run.prospect_id, run=run).order_by("id"))
    refused = {d.detail["proposal"]: d for d in said if isinstance(d.detail.get("proposal"), int)}
    proposals = [_proposed(item, refused.get(place)) for place, item in enumerate(run.proposals)]
    models = list(
        ModelAnswer.objects.filter(pk__in=run.answers, prospect=run.prospect_id, agent=run.agent).order_by("pk")
    )
    left = set(run.answers) - {row.pk for row in models}
    sources = SourceAnswer.objects.for_client(run.client_id).filter(pk__in=left).defer("documents").order_by("pk")
    return Dossier(
        run=run,
        proposals=proposals,
        others=[d for d in said if d not in refused.values()],
        signals=list(Signal.objects.filter(prospect=run.prospect_id, run=run).order_by("id")),
        evidence=list(Evidence.objects.filter(prospect=run.prospect_id, run=run).order_by("id")),
        models=models,
        sources=list(sources),
        read=_read(run),
    )


def _read(run: AgentRun) -> dict[str, int]:
    """How many facts lay before the agent: those numbered up to its watermark."""
    seen = Q(prospect=run.prospect_id, fact_no__lte=run.watermark)
    return {
        "signals": Signal.objects.filter(seen).count(),
        "judgements": Evidence.objects.filter(seen, playbook_version=run.playbook_version_id).count(),
    }


_TITLES = ("title", "subject", "criterion", "kind", "channel", "name", "message", "angle", "words", "tier")
_SKIPPED = frozenset({"type", "alternatives", "dossier", "quality", "compliance_detail", "data", "asks", "claims"})


def _proposed(item: Mapping[str, Any], refusal: Diagnostic | None) -> Proposed:
    title = next((str(item[name]) for name in _TITLES if item.get(name)), "")
    kind = str(item.get("type", "proposal"))
    facts = [
        (name.replace("_", " "), _say(value))
        for name, value in item.items()
        if name not in _SKIPPED and value not in (None, "", [], {}, False) and str(value) != title
    ]
    return Proposed(kind, title.replace("_", " ")[:200], facts, refusal)


def _say(value: Any) -> str:
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, list):
        return ", ".join(_say(one) for one in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_say(one)}" for name, one in value.items())
    return str(value)


@dataclass(frozen=True)
class Failure:
    """Something that failed on one prospect, and what becomes of it."""

    diagnostic: Diagnostic
    error_class: str

    @property
    def prospect(self) -> Prospect:
        return self.diagnostic.prospect

    @property
    def is_over(self) -> bool:
        """A later convergence went through without a failure, or somebody has asked for another try."""
        return self.prospect.failures == 0

    @property
    def again_at(self) -> datetime | None:
        """When it is tried again by itself."""
        at = self.prospect.due_again_at
        return at if at is not None and at.year < 9000 else None

    @property
    def is_due(self) -> bool:
        return self.again_at is not None and self.again_at <= timezone.now()


def failures_of(client: Client, limit: int = 10) -> list[Failure]:
    """The newest failures: agents that broke, and prospects the runtime gave up. One query."""
    rows = Diagnostic.objects.for_client(client).filter(kind__in=[kind.value for kind in BROKEN])
    rows = rows.select_related("prospect__company", "prospect__contact", "run").only(*_FAILED)
    return [_failure(row) for row in rows.order_by("-id")[:limit]]


def _failure(row: Diagnostic) -> Failure:
    if row.kind == Diagnostic.Kind.INVARIANT:
        return Failure(row, "broken rule")
    return Failure(row, row.run.fault if row.run is not None else str(row.detail.get("fault", "")))


def open_failures(failures: Sequence[Failure]) -> list[int]:
    """Prospects whose failure nobody has dealt with."""
    return sorted({one.prospect.pk for one in failures if not one.is_over})


def handoffs_of(prospect: Prospect, limit: int = 5) -> list[Handoff]:
    """The prospect's newest handoffs, each with whoever took it up."""
    rows = Handoff.objects.filter(prospect=prospect).select_related("acceptance", "actor")
    return list(rows.order_by("-id")[:limit])


def spent_on(prospect: Prospect) -> Mapping[str, Any]:
    """What agents have spent on this prospect: ``tokens`` and ``cost``."""
    spent = "SELECT sum(tokens), sum(cost) FROM prospects_agentrun WHERE prospect_id = %s"
    ((tokens, cost),) = fetch(spent, [prospect.pk])
    return {"tokens": tokens, "cost": cost}
