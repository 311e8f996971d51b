"""Everything that carries one trace id, in the order of the work: from the import to what came back from the channel.

A convergence over a million prospects has one trace id too, so every section is bounded; naming a prospect narrows all
of them to what concerned that one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse

from approvals.models import ApprovalRequest, Decision, DeliveryEvent, Dispatch, Message
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, Client, Stop
from prospects.models import (
    AgentRun,
    Convergence,
    Diagnostic,
    Handoff,
    ImportBatch,
    MarketScan,
    Prospect,
    Signal,
    StageTransition,
)

LIMIT = 40  # rows of one section
_EVENTS = dict(AuditEvent.choices)


@dataclass(frozen=True, slots=True)
class Step:
    """One row: when, what, by whom, and where there is more."""

    at: datetime | None
    title: str
    url: str = ""
    detail: str = ""
    who: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of one kind. ``is_cut``: there are more than are shown."""

    title: str
    steps: list[Step]
    is_cut: bool = False


@dataclass
class Trace:
    """All of it."""

    id: str
    prospect: Prospect | None
    sections: list[Section] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.sections)


def trace_of(client: Client, trace_id: str, prospect: Prospect | None = None) -> Trace:
    """What the client has under this trace id; a fixed number of queries."""
    found = Trace(trace_id, prospect)
    imports = _newest(ImportBatch.objects.for_client(client).filter(trace_id=trace_id))
    jobs = _newest(Convergence.objects.for_client(client).filter(trace_id=trace_id).select_related("playbook"))
    _section(found, "Imports", imports, _import)
    _section(found, "Agents set to work", jobs, _job)
    if prospect is None:
        scans = MarketScan.objects.for_client(client).filter(trace_id=trace_id).select_related("playbook", "created_by")
        _section(found, "Market scans", _newest(scans), _scan)
    else:
        _own(found, client, prospect)
    say_run = _run if prospect is None else _own_run
    _section(found, "Runs", _runs(client, trace_id, prospect, jobs), say_run)
    _section(found, "What failed or was refused", _refusals(client, trace_id, prospect, jobs), _refusal)
    of = {"trace_id": trace_id} if prospect is None else {"trace_id": trace_id, "prospect": prospect}
    about = {f"request__{name}": value for name, value in of.items()}
    handoffs = (
        Handoff.objects.for_client(client)
        .filter(**of)
        .select_related("prospect__company", "prospect__contact", "acceptance")
    )
    _section(found, "Handoffs", _newest(handoffs), _handoff)
    _section(found, "Messages", _newest(Message.objects.for_client(client).filter(**of)), _message)
    requests = ApprovalRequest.objects.for_client(client).filter(**of).defer("dossier").select_related("message")
    _section(found, "Approval requests", _newest(requests), _request)
    decisions = Decision.objects.for_client(client).filter(**about).select_related("user", "message")
    _section(found, "Decisions", _newest(decisions), _decision)
    dispatches = Dispatch.objects.for_client(client).filter(**about).select_related("message")
    _section(found, "Dispatches", _newest(dispatches), _dispatch)
    events = DeliveryEvent.objects.for_client(client).filter(
        **{f"dispatch__request__{name}": value for name, value in of.items()}
    )
    _section(found, "What came back", _newest(events), _event)
    if prospect is None:
        _section(found, "Stops", _newest(Stop.objects.for_client(client).filter(trace_id=trace_id)), _stop)
        entries = AuditEntry.objects.for_client(client).filter(trace_id=trace_id).select_related("actor")
        _section(found, "Audit log", list(entries.order_by("-seq")[: LIMIT + 1]), _entry)
    return found


def _own(found: Trace, client: Client, prospect: Prospect) -> None:
    """What people and agents wrote about one prospect alone: its timeline leads here from each of them."""
    read_as_it = Prospect.objects.filter(Q(pk=prospect.pk) | Q(merged_into=prospect)).values("pk")
    signals = Signal.objects.for_client(client).filter(prospect__in=read_as_it, trace_id=found.id)
    _section(found, "What was seen", _newest(signals), _signal)
    moves = StageTransition.objects.for_client(client).filter(prospect=prospect, trace_id=found.id)
    _section(found, "Moves", _newest(moves.select_related("actor", "prospect")), _move)
    stops = Stop.objects.for_client(client).filter(trace_id=found.id, level=Stop.Level.PROSPECT, target_id=prospect.pk)
    _section(found, "Stops", _newest(stops), _stop)


def neighbours(client: Client, trace: Trace) -> list[Step]:
    """What an import led to, and what a convergence worked on, where they have trace ids of their own."""
    imports = list(ImportBatch.objects.for_client(client).filter(trace_id=trace.id)[:LIMIT])
    jobs = list(Convergence.objects.for_client(client).filter(trace_id=trace.id).order_by("pk")[:LIMIT])
    steps: list[Step] = []
    if imports and not jobs:
        done = max((one.finished_at or one.created_at) for one in imports)
        after = Convergence.objects.for_client(client).filter(playbook__in={i.playbook_id for i in imports})
        first = after.filter(created_at__gte=done).order_by("pk").first()
        if first is not None:
            steps.append(_trace_step(first.created_at, "The agents then worked on what came in", first.trace_id))
    if jobs and not imports:
        first = jobs[0]
        earlier = Convergence.objects.for_client(client).filter(playbook=first.playbook_id, pk__lt=first.pk)
        since = earlier.order_by("-pk").values_list("created_at", flat=True).first()
        came = ImportBatch.objects.for_client(client).filter(
            playbook=first.playbook_id, finished_at__lte=first.created_at
        )
        came = came.filter(finished_at__gt=since) if since else came
        steps += [
            _trace_step(one.finished_at, f"Worked on what came in from {one.file_name}", one.trace_id)
            for one in came.order_by("pk")[:LIMIT]
        ]
    return steps


def _trace_step(at: datetime | None, title: str, trace_id: str) -> Step:
    return Step(at, title, reverse("trace", args=[trace_id]))


def _newest(rows: QuerySet[Any]) -> list[Any]:
    return list(rows.order_by("-pk")[: LIMIT + 1])


def _section(trace: Trace, title: str, rows: list[Any], say: Callable[[Any], Step]) -> None:
    if rows:
        steps = [say(row) for row in reversed(rows[:LIMIT])]
        trace.sections.append(Section(title, steps, len(rows) > LIMIT))


def _runs(client: Client, trace_id: str, prospect: Prospect | None, jobs: list[Convergence]) -> list[AgentRun]:
    """Of one prospect in order; of a whole convergence the first ones its index gives."""
    rows = (
        AgentRun.objects.for_client(client).defer("proposals").select_related("prospect__company", "prospect__contact")
    )
    if prospect is not None:
        return list(rows.filter(prospect=prospect, trace_id=trace_id).order_by("-id")[: LIMIT + 1])
    ids = [job.pk for job in jobs]
    return list(rows.filter(convergence__in=ids).order_by("convergence", "agent")[: LIMIT + 1]) if ids else []


def _refusals(client: Client, trace_id: str, prospect: Prospect | None, jobs: list[Convergence]) -> list[Diagnostic]:
    """Of one prospect all; of a whole convergence what broke."""
    rows = Diagnostic.objects.for_client(client).select_related("prospect__company", "prospect__contact")
    if prospect is not None:
        return _newest(rows.filter(prospect=prospect, trace_id=trace_id))
    broken = [Diagnostic.Kind.FAILED.value, Diagnostic.Kind.INVARIANT.value]
    return _newest(rows.filter(kind__in=broken, trace_id=trace_id)) if jobs else []


def _import(row: ImportBatch) -> Step:
    url = reverse("prospects:import", args=[row.pk])
    detail = f"{row.processed:,} rows: {row.created:,} new, {row.updated:,} changed, {row.rejected:,} rejected"
    return Step(row.created_at, row.file_name, url, detail, str(row.created_by or "system"), row.status)


def _signal(row: Signal) -> Step:
    url = f"{reverse('prospects:detail', args=[row.prospect_id])}?show=signal"
    return Step(row.observed_at, row.kind.replace("_", " ").capitalize(), url, row.text[:200], row.source)


def _move(row: StageTransition) -> Step:
    url = f"{row.prospect.get_absolute_url()}?show=stage"
    title = " → ".join(stage.replace("_", " ").capitalize() for stage in (row.from_stage, row.to_stage))
    return Step(row.at, title, url, row.reason, str(row.actor or row.agent.replace("_", " ") or "system"))


def _job(row: Convergence) -> Step:
    detail = f"{row.done:,} of {row.total:,} prospects, {row.qualified:,} qualified, {row.requests:,} requests"
    title = f"{row.playbook}, {row.get_depth_display().lower()}"
    return Step(row.created_at, title, reverse("job", args=[row.pk]), detail, _by(row.created_by), row.status)


def _scan(row: MarketScan) -> Step:
    detail = row.words or f"{row.found:,} found, {row.created:,} new, {row.rejected:,} skipped, {row.cost:.4f}"
    url = f"{reverse('agent', args=['market_scan'])}#scan-{row.pk}"
    return Step(row.started_at, str(row.playbook), url, detail, _by(row.created_by), row.status)


def _by(person: object) -> str:
    return str(person) if person else "system"


def _run(row: AgentRun) -> Step:
    parts = [f"{row.promoted} kept"]
    parts += [f"{row.refused} refused"] if row.refused else []
    parts += [f"{row.tokens:,} tokens, {row.cost:.4f}"] if row.tokens or row.cost else []
    title = f"{row.words.capitalize()} on {row.prospect}"
    status = "" if row.status == AgentRun.Status.OK else str(row.status)
    return Step(row.at, title, reverse("run", args=[row.pk]), ", ".join(parts), row.implementation, status)


def _own_run(row: AgentRun) -> Step:
    """Beside others of the same prospect, its name says nothing."""
    return replace(_run(row), title=row.words.capitalize())


def _refusal(row: Diagnostic) -> Step:
    url = reverse("run", args=[row.run_id]) if row.run_id else row.prospect.get_absolute_url()
    return Step(row.at, f"{row.get_kind_display()}: {row.prospect}", url, row.message, row.agent.replace("_", " "))


def _handoff(row: Handoff) -> Step:
    taken = getattr(row, "acceptance", None)
    detail = str(taken).capitalize() if taken is not None else "Nobody has taken it up yet"
    url = f"{row.prospect.get_absolute_url()}#handoffs"
    return Step(row.at, f"{row}: {row.prospect}", url, detail, status="" if taken is not None else "open")


def _message(row: Message) -> Step:
    url = reverse("prospects:detail", args=[row.prospect_id])
    detail = f"{row.get_channel_display()}, quality {row.grade}, {row.compliance}"
    return Step(row.created_at, row.subject or str(row.get_channel_display()), url, detail)


def _request(row: ApprovalRequest) -> Step:
    title = row.message.subject or str(row.get_channel_display())
    return Step(row.created_at, title, row.get_absolute_url(), who="approval gate", status=row.status)


def _decision(row: Decision) -> Step:
    url = reverse("approvals:detail", args=[row.request_id])
    return Step(row.at, f"{row.get_kind_display()}: {row.message.subject}", url, row.words, str(row.user))


def _dispatch(row: Dispatch) -> Step:
    url = reverse("approvals:outbox_detail", args=[row.pk])
    return Step(row.finished_at or row.created_at, row.message.subject, url, row.reason, status=row.status)


def _event(row: DeliveryEvent) -> Step:
    url = reverse("approvals:outbox_detail", args=[row.dispatch_id])
    return Step(row.at, row.kind.replace("_", " ").capitalize(), url, row.provider)


def _stop(row: Stop) -> Step:
    return Step(row.created_at, f"{row.get_level_display()} stopped", reverse("stops"), row.reason, str(row.created_by))


def _entry(row: AuditEntry) -> Step:
    url = f"{reverse('approvals:audit')}?subject={row.subject_type}:{row.subject_id}"
    return Step(row.at, str(_EVENTS.get(row.event, row.event)), url, who=_by(row.actor))
