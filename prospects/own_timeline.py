"""What this app puts on a prospect's timeline: signals, moves between stages, runs of agents, refusals."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prospects.models import AgentRun, Diagnostic, Prospect, Signal, Stage, StageTransition
from prospects.timeline import TimelineEvent


def own_events(prospect: Prospect, limit: int) -> Iterable[TimelineEvent]:
    """The newest signals, transitions, runs and diagnostics; five queries."""
    yield TimelineEvent(prospect.created_at, "stage", "Came in", source=prospect.source, order=-1)
    yield from _signals(prospect, limit)
    yield from _moves(prospect, limit)
    yield from _runs(prospect, limit)
    yield from _diagnostics(prospect, limit)


def _signals(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    mine = [prospect.pk, *prospect.merged.values_list("pk", flat=True)]  # what is read as this one's own
    rows = Signal.objects.filter(prospect__in=mine).order_by("-observed_at", "-id")[:limit]
    for row in rows:
        title = "Profile read from a file" if row.kind == "profile" else row.kind.replace("_", " ").capitalize()
        source = f"{row.source}, {row.source_ref}" if row.source_ref else row.source
        yield TimelineEvent(row.observed_at, "signal", title, detail=row.text, source=source, order=row.fact_no)


def _moves(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    rows = (
        StageTransition.objects.filter(prospect=prospect, pipeline="prospect")
        .select_related("actor")
        .order_by("-seq")[:limit]
    )
    for row in rows:
        title = f"{_stage(row.from_stage)} → {_stage(row.to_stage)}"
        who = str(row.actor) if row.actor else row.agent.replace("_", " ")
        yield TimelineEvent(row.at, "stage", title, detail=row.reason, who=who, order=row.seq)


def _stage(value: str) -> str:
    return str(Stage(value).label) if value in Stage.values else value


def _runs(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    """One event per cycle of a convergence: twelve agents in one second are one thing that happened."""
    columns = ("convergence_id", "cycle", "agent", "promoted", "refused", "at", "status")
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
            detail=", ".join(run.agent.replace("_", " ") for run in reversed(runs)),
            tone="danger" if any(run.status == AgentRun.Status.FAILED for run in runs) else "",
            order=cycle,
        )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _diagnostics(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    rows = Diagnostic.objects.filter(prospect=prospect).exclude(kind=Diagnostic.Kind.STALLED).order_by("-id")[:limit]
    for row in rows:
        who = row.agent.replace("_", " ")
        yield TimelineEvent(
            row.at, "refusal", row.get_kind_display(), detail=row.message, who=who, tone="caution", order=row.pk
        )
