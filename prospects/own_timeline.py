"""What this app puts on a prospect's timeline: signals, moves between stages, runs of agents, refusals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db.models import Q
from django.urls import reverse

from playbooks.models import Stop
from prospects.models import (
    AgentRun,
    CustomerStage,
    DealStage,
    Diagnostic,
    Handoff,
    Prospect,
    Signal,
    Stage,
    StageTransition,
)
from prospects.timeline import TimelineEvent

_STAGES = {**dict(CustomerStage.choices), **dict(DealStage.choices), **dict(Stage.choices)}


def own_events(prospect: Prospect, limit: int) -> Iterable[TimelineEvent]:
    """The newest signals, transitions, handoffs, runs, diagnostics and stops; seven queries."""
    yield TimelineEvent(prospect.created_at, "stage", "Came in", source=prospect.source, order=-1)
    yield from _signals(prospect, limit)
    yield from _moves(prospect, limit)
    yield from _handoffs(prospect, limit)
    yield from _runs(prospect, limit)
    yield from _diagnostics(prospect, limit)
    yield from _stops(prospect, limit)


def _signals(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    mine = [prospect.pk, *prospect.merged.values_list("pk", flat=True)]  # what is read as this one's own
    rows = Signal.objects.filter(prospect__in=mine).order_by("-observed_at", "-id")[:limit]
    for row in rows:
        title = "Profile read from a file" if row.kind == "profile" else row.kind.replace("_", " ").capitalize()
        source = f"{row.source}, {row.source_ref}" if row.source_ref else row.source
        yield TimelineEvent(
            row.observed_at, "signal", title, detail=row.text, source=source, order=row.fact_no, trace_id=row.trace_id
        )


def _moves(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    """Moves of the prospect, its deals and its customers."""
    rows = StageTransition.objects.filter(prospect=prospect).select_related("actor", "deal").order_by("-at", "-pk")
    for row in rows[:limit]:
        title = f"{_moved(row)}{_stage(row.from_stage)} → {_stage(row.to_stage)}"
        title += f", past {' and '.join(_stage(stage).lower() for stage in row.skipped)}" if row.skipped else ""
        who = str(row.actor) if row.actor else row.agent.replace("_", " ")
        yield TimelineEvent(row.at, "stage", title, detail=row.reason, who=who, order=row.seq, trace_id=row.trace_id)


def _moved(row: StageTransition) -> str:
    if row.deal is not None:
        return f"Deal {row.deal.name}: ".replace(" :", ":")
    return "Customer: " if row.customer_id is not None else ""


def _stage(value: str) -> str:
    return str(_STAGES.get(value, value))


def _runs(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    """One event per cycle of a convergence: twelve agents in one second are one thing that happened."""
    columns = (
        "convergence_id", "cycle", "agent", "promoted", "refused", "at", "status", "tokens", "cost", "trace_id",
    )  # fmt: skip
    newest = AgentRun.objects.filter(prospect=prospect).order_by("-id").only(*columns)[: limit * 4]
    cycles: dict[tuple[int, int], list[AgentRun]] = {}
    for run in newest:
        cycles.setdefault((run.convergence_id, run.cycle), []).append(run)
    for (_, cycle), runs in list(cycles.items())[:limit]:
        refused = sum(run.refused for run in runs)
        promoted = _count(sum(run.promoted for run in runs), "proposal")
        title = f"{_count(len(runs), 'agent')} ran, {promoted} became facts"
        yield TimelineEvent(
            max(run.at for run in runs),
            "run",
            title + (f", {refused} refused" if refused else ""),
            detail=", ".join(_part(run) for run in reversed(runs)),
            tone="danger" if any(run.status == AgentRun.Status.FAILED for run in runs) else "",
            url=reverse("prospect_runs", args=[prospect.pk]),
            order=cycle,
            cost=_spent(runs),
            trace_id=runs[0].trace_id,
        )


def _part(run: AgentRun) -> str:
    """What one agent did: its name, and what became of its proposals where there were any."""
    said = [f"{run.promoted} kept"] if run.promoted else []
    said += [f"{run.refused} refused"] if run.refused else []
    said += ["failed"] if run.status == AgentRun.Status.FAILED else []
    return f"{run.words} ({', '.join(said)})" if said else run.words


def _spent(runs: list[AgentRun]) -> str:
    tokens, cost = sum(run.tokens for run in runs), sum(run.cost for run in runs)
    parts = [f"{tokens:,} tokens"] if tokens else []
    parts += [f"{cost:.4f}"] if cost else []
    return ", ".join(parts)


def _handoffs(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    rows = Handoff.objects.filter(prospect=prospect).select_related("acceptance", "actor").order_by("-id")[:limit]
    for row in rows:
        taken = "nobody has taken it up yet" if row.is_open else str(row.acceptance)
        next_action = row.summary.get("next", "")
        yield TimelineEvent(
            row.at,
            "handoff",
            f"Handed over: {row}",
            detail=f"{taken.capitalize()}. {next_action}",
            who=str(row.actor) if row.actor else "",
            tone="caution" if row.is_open else "",
            url="#handoffs",
            order=row.pk,
            trace_id=row.trace_id,
        )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _diagnostics(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    rows = Diagnostic.objects.filter(prospect=prospect).exclude(kind=Diagnostic.Kind.STALLED).order_by("-id")[:limit]
    for row in rows:
        url = reverse("run", args=[row.run_id]) if row.run_id else ""
        yield TimelineEvent(
            row.at, "refusal", row.get_kind_display(), detail=row.message, who=row.agent.replace("_", " "),
            tone="caution", url=url, order=row.pk, trace_id=row.trace_id,
        )  # fmt: skip


def _stops(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    """Of the prospect, its playbook, its client, or everything; setting one and lifting it are two events."""
    levels = Stop.Level
    own = Q(level=levels.PROSPECT, target_id=prospect.pk) | Q(level=levels.PLAYBOOK, target_id=prospect.playbook_id)
    covers = Q(client=prospect.client_id) & (own | Q(level=levels.CLIENT)) | Q(level=levels.EVERYTHING)
    rows = Stop.objects.filter(covers, created_at__gte=prospect.created_at).select_related("created_by", "lifted_by")
    for row in rows.order_by("-id")[:limit]:
        what = row.get_level_display()
        url = reverse("stops")
        title = f"{what} {'cancelled' if row.kind == Stop.Kind.CANCEL else 'paused'}"
        yield TimelineEvent(
            row.created_at, "stop", title, detail=row.reason, who=str(row.created_by), tone="danger", url=url,
            order=row.pk, trace_id=row.trace_id,
        )  # fmt: skip
        if row.lifted_at is not None:
            yield TimelineEvent(
                row.lifted_at, "stop", f"{what} goes on", detail=row.lift_reason, who=str(row.lifted_by), url=url,
                order=row.pk, trace_id=row.trace_id,
            )  # fmt: skip
