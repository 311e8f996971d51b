"""The whole why of one prospect, at any time: recomputed from stored facts, not remembered.

Each app adds what it knows through ``salesops.runtime.ports.explainers``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from playbooks.models import Client
from prospects.host.score_loading import evidence_under
from prospects.models import AgentRun, Diagnostic, Evidence, Handoff, Prospect, Score, Signal, StageTransition
from salesops.errors import Refusal
from salesops.ids import id_in
from salesops.runtime.ports import explainers


class NoSuchProspect(Refusal):
    """Nobody goes by that name here, or more than one does."""


def find(name: str, *, client: Client | None = None) -> Prospect:
    """The prospect with this id, external id, domain or e-mail address. Raises ``NoSuchProspect``."""
    rows = Prospect.objects.select_related("company", "contact", "client", "playbook")
    if client is not None:
        rows = rows.for_client(client)
    known = name.strip()
    by_key = (
        Q(external_id=known)
        | Q(company__domain=known.casefold())
        | Q(company__external_id=known)
        | Q(contact__email_key=known.casefold())
    )
    number = id_in(known)
    found = [] if number is None else list(rows.filter(pk=number))
    found = found or list(rows.filter(by_key).order_by("pk")[:2])
    if not found:
        raise NoSuchProspect(f"There is no prospect {name!r}. Give its id, external id, domain or e-mail address.")
    if len(found) > 1:
        raise NoSuchProspect(f"More than one prospect goes by {name!r}; name the client, or give the id.")
    return found[0]


def explain(prospect: Prospect, *, at: datetime | None = None) -> dict[str, Any]:
    """Everything that was known about a prospect at a time (default: now), and what followed from it.

    Plain data: times as ISO 8601 text, ids as numbers. A fixed number of queries whatever the history.
    """
    until = at or timezone.now()
    transitions = StageTransition.objects.filter(prospect=prospect, at__lte=until).order_by(
        "pipeline", "deal_id", "customer_id", "seq"
    )
    moves = [_transition(row) for row in transitions.select_related("actor", "playbook_version")]
    stage = next((m["to"] for m in reversed(moves) if m["pipeline"] == "prospect"), "sourced")
    document: dict[str, Any] = {
        "prospect": _who(prospect),
        "at": until.isoformat(),
        "stage": stage,
        "verdict": {
            "verdict": prospect.verdict,
            "reason": prospect.verdict_reason,
            "missing": prospect.verdict_missing,
            "next_action": prospect.next_action,
        }
        if at is None
        else None,
        "signals": [_signal(row) for row in _signals(prospect, until)],
        "evidence": [_evidence(row) for row in _in_force(prospect, until)],
        "scores": [_score(row) for row in _scores(prospect, until)],
        "transitions": moves,
        "handoffs": [_handoff(row, until) for row in _handoffs(prospect, until)],
        "runs": _runs(prospect, until),
        "costs": _costs(prospect, until),
        "diagnostics": [
            {"at": row.at.isoformat(), "agent": row.agent, "kind": row.kind, "message": row.message}
            for row in Diagnostic.objects.filter(prospect=prospect, at__lte=until).order_by("pk")
        ],
    }
    for name, explainer in sorted(explainers.items()):
        document[name] = explainer(prospect.pk, until)
    return document


def _who(prospect: Prospect) -> dict[str, Any]:
    company, contact = prospect.company, prospect.contact
    return {
        "id": prospect.pk,
        "client": prospect.client.slug,
        "playbook": prospect.playbook.slug,
        "external_id": prospect.external_id,
        "name": str(prospect),
        "company": None if company is None else {"name": company.name, "domain": company.domain},
        "contact": None
        if contact is None
        else {"name": contact.name, "title": contact.title, "email": contact.email, "synthetic": contact.synthetic},
        "created_at": prospect.created_at.isoformat(),
        "merged_into": prospect.merged_into_id,
        "merged": list(prospect.merged.order_by("pk").values_list("pk", flat=True)),
    }


def _signals(prospect: Prospect, until: datetime) -> QuerySet[Signal]:
    """Its own and those of prospects that are merged into it now."""
    read = [prospect.pk, *prospect.merged.values_list("pk", flat=True)]
    return Signal.objects.filter(prospect__in=read, created_at__lte=until).order_by("observed_at", "fact_no")


def _signal(row: Signal) -> dict[str, Any]:
    return {
        "id": row.pk,
        "kind": row.kind,
        "observed_at": row.observed_at.isoformat(),
        "value": row.value,
        "text": row.text,
        "data": row.data,
        "source": row.source,
        "source_ref": row.source_ref,
    }


def _in_force(prospect: Prospect, until: datetime) -> list[Evidence]:
    """The newest judgement per criterion, of the last version that had judged by then.

    What rests on signals that it cannot read any more, since a merge was undone, does not count.
    """
    rows = Evidence.objects.filter(prospect=prospect, created_at__lte=until)
    newest = rows.order_by("-fact_no").values_list("playbook_version", flat=True).first()
    found: dict[tuple[str, str], Evidence] = {}
    readable = set(_signals(prospect, until).values_list("pk", flat=True))
    if newest is None:
        return []
    for row in evidence_under(newest).filter(pk__in=rows.values("pk")).order_by("observed_at", "pk"):
        if readable.issuperset(row.signal_ids):
            found[(row.scorecard, row.criterion)] = row
    return sorted(found.values(), key=lambda e: (e.scorecard, e.layer, e.category, e.criterion))


def _evidence(row: Evidence) -> dict[str, Any]:
    return {
        "id": row.pk,
        "scorecard": row.scorecard,
        "layer": row.layer,
        "category": row.category,
        "criterion": row.criterion,
        "value": row.value,
        "confidence": row.confidence,
        "strong_negative": row.strong_negative,
        "rationale": row.rationale,
        "quote": row.quote,
        "signal_ids": row.signal_ids,
        "fact_ref": row.fact_ref,
        "source": row.source,
        "observed_at": row.observed_at.isoformat(),
        "run": row.run_id,
    }


def _scores(prospect: Prospect, until: datetime) -> QuerySet[Score]:
    """The latest score of each scorecard."""
    rows = Score.objects.filter(prospect=prospect, computed_at__lte=until).select_related("playbook_version")
    return rows.order_by("scorecard", "-pk").distinct("scorecard")


def _score(row: Score) -> dict[str, Any]:
    return {
        "id": row.pk,
        "scorecard": row.scorecard,
        "value": row.value,
        "coverage": row.coverage,
        "provisional": row.provisional,
        "version": row.playbook_version.number,
        "computed_at": row.computed_at.isoformat(),
        "breakdown": row.breakdown,
    }


def _transition(row: StageTransition) -> dict[str, Any]:
    return {
        "pipeline": row.pipeline,
        "seq": row.seq,
        "from": row.from_stage,
        "to": row.to_stage,
        "at": row.at.isoformat(),
        "seconds": row.seconds,
        "by": str(row.actor) if row.actor else row.agent,
        "reason": row.reason,
        "evidence_ids": row.evidence_ids,
        "score": row.score_id,
        "version": row.playbook_version.number,
    }


def _runs(prospect: Prospect, until: datetime) -> list[dict[str, Any]]:
    fields = (
        "id", "agent", "implementation_version", "cycle", "at", "status", "error", "proposed", "promoted", "refused",
        "tokens", "cost", "trace_id",
    )  # fmt: skip
    runs = AgentRun.objects.filter(prospect=prospect, at__lte=until).order_by("pk").values(*fields)
    return [{**run, "at": run["at"].isoformat(), "cost": str(run["cost"])} for run in runs]


def _handoffs(prospect: Prospect, until: datetime) -> QuerySet[Handoff]:
    rows = Handoff.objects.filter(prospect=prospect, at__lte=until)
    return rows.select_related("acceptance", "actor").order_by("pk")


def _handoff(row: Handoff, until: datetime) -> dict[str, Any]:
    taken = None if row.is_open or row.acceptance.at > until else row.acceptance
    return {
        "from": row.from_team,
        "to": row.to_team,
        "stage": row.stage,
        "at": row.at.isoformat(),
        "by": str(row.actor) if row.actor else "",
        "summary": row.summary,
        "evidence_ids": row.evidence_ids,
        "trace_id": row.trace_id,
        "accepted": {"agent": taken.agent, "run": taken.run_id, "at": taken.at.isoformat()} if taken else None,
    }


def _costs(prospect: Prospect, until: datetime) -> list[dict[str, Any]]:
    """What each agent has cost here, the dearest first; agents that cost nothing left out."""
    spent = AgentRun.objects.filter(prospect=prospect, at__lte=until).exclude(tokens=0, cost=0).values("agent")
    sums = spent.annotate(runs=Count("pk"), tokens=Sum("tokens"), cost=Sum("cost")).order_by("-cost", "agent")
    return [{**row, "cost": str(row["cost"])} for row in sums]
