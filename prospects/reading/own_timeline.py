"""What this app puts on a prospect's timeline: signals, moves between stages, runs of agents, refusals.

One query reads all of it: a page asks for the whole story of one prospect, and eight small queries cost more to say
than to answer. Each branch gives the newest of its kind, with what it says as one JSON value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse

from playbooks.models import Stop, Team
from prospects.models import AgentRun, CustomerStage, DealStage, Diagnostic, Prospect, Stage
from prospects.reading.timeline import TimelineEvent
from salesops.sql import fetch

_STAGES = {**dict(CustomerStage.choices), **dict(DealStage.choices), **dict(Stage.choices)}
RUNS_A_CYCLE = 4  # so many runs are read for each event: a cycle is the runs of several agents
_EVENTS = """
(SELECT 'signal', s.observed_at, s.fact_no, s.trace_id,
        json_build_object('kind', s.kind, 'text', s.text, 'source', s.source, 'ref', s.source_ref)
   FROM prospects_signal s WHERE s.prospect_id IN (  -- what is read as this one's own
        SELECT %(prospect)s UNION ALL SELECT m.id FROM prospects_prospect m WHERE m.merged_into_id = %(prospect)s)
  ORDER BY s.observed_at DESC, s.id DESC LIMIT %(limit)s)
UNION ALL
(SELECT 'move', t.at, t.seq, t.trace_id, json_build_object(
        'from', t.from_stage, 'to', t.to_stage, 'skipped', t.skipped, 'deal', d.name,
        'is_customer', t.customer_id IS NOT NULL, 'reason', t.reason,
        'who', coalesce(nullif(u.name, ''), u.email, replace(t.agent, '_', ' ')))
   FROM prospects_stagetransition t LEFT JOIN playbooks_user u ON u.id = t.actor_id
   LEFT JOIN prospects_deal d ON d.id = t.deal_id
  WHERE t.prospect_id = %(prospect)s ORDER BY t.at DESC, t.id DESC LIMIT %(limit)s)
UNION ALL
(SELECT 'handoff', h.at, h.id, h.trace_id, json_build_object(
        'from', h.from_team, 'to', h.to_team, 'next', h.summary -> 'next', 'agent', a.agent,
        'who', coalesce(nullif(u.name, ''), u.email, ''))
   FROM prospects_handoff h LEFT JOIN prospects_handoffacceptance a ON a.handoff_id = h.id
   LEFT JOIN playbooks_user u ON u.id = h.actor_id
  WHERE h.prospect_id = %(prospect)s ORDER BY h.id DESC LIMIT %(limit)s)
UNION ALL
(SELECT 'run', max(r.at), r.cycle, max(r.trace_id), json_build_object(
        'refused', sum(r.refused), 'promoted', sum(r.promoted), 'tokens', sum(r.tokens), 'cost', sum(r.cost),
        'agents', json_agg(json_build_array(r.agent, r.promoted, r.refused, r.status) ORDER BY r.id))
   FROM (SELECT * FROM prospects_agentrun WHERE prospect_id = %(prospect)s ORDER BY id DESC LIMIT %(runs)s) AS r
  GROUP BY r.convergence_id, r.cycle ORDER BY max(r.id) DESC LIMIT %(limit)s)
UNION ALL
(SELECT 'refusal', d.at, d.id, d.trace_id, json_build_object(
        'kind', d.kind, 'message', d.message, 'agent', d.agent, 'run', d.run_id)
   FROM prospects_diagnostic d WHERE d.prospect_id = %(prospect)s AND d.kind <> %(stalled)s
  ORDER BY d.id DESC LIMIT %(limit)s)
UNION ALL
(SELECT 'stop', s.created_at, s.id, s.trace_id, json_build_object(
        'level', s.level, 'kind', s.kind, 'reason', s.reason, 'who', coalesce(nullif(u.name, ''), u.email),
        'lifted', s.lifted_at, 'lift_reason', s.lift_reason, 'lifter', coalesce(nullif(l.name, ''), l.email))
   FROM playbooks_stop s JOIN playbooks_user u ON u.id = s.created_by_id
   LEFT JOIN playbooks_user l ON l.id = s.lifted_by_id
  WHERE s.created_at >= %(born)s AND (s.level = 'everything' OR s.client_id = %(client)s AND (s.level = 'client'
        OR s.level = 'prospect' AND s.target_id = %(prospect)s OR s.level = 'playbook' AND s.target_id = %(playbook)s))
  ORDER BY s.id DESC LIMIT %(limit)s)
"""


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the query: ``said`` is what a branch says, ``place`` settles ties in time."""

    at: datetime
    place: int
    trace_id: str
    said: dict[str, Any]


def own_events(prospect: Prospect, limit: int) -> Iterable[TimelineEvent]:
    """The newest signals, transitions, handoffs, runs, diagnostics and stops; one query."""
    yield TimelineEvent(prospect.created_at, "stage", "Came in", source=prospect.source, order=-1)
    runs_url = reverse("prospect_runs", args=[prospect.pk])
    for what, at, place, trace_id, said in fetch(_EVENTS, _parameters(prospect, limit)):
        row = _Row(at, place, trace_id, said)
        yield from _run(row, runs_url) if what == "run" else _EVENT_OF[what](row)


def _parameters(prospect: Prospect, limit: int) -> dict[str, Any]:
    return {
        "prospect": prospect.pk,
        "client": prospect.client_id,
        "playbook": prospect.playbook_id,
        "born": prospect.created_at,
        "stalled": Diagnostic.Kind.STALLED.value,
        "limit": limit,
        "runs": limit * RUNS_A_CYCLE,
    }


def _signal(row: _Row) -> Iterable[TimelineEvent]:
    said = row.said
    title = "Profile read from a file" if said["kind"] == "profile" else said["kind"].replace("_", " ").capitalize()
    source = f"{said['source']}, {said['ref']}" if said["ref"] else said["source"]
    yield TimelineEvent(
        row.at, "signal", title, detail=said["text"], source=source, order=row.place, trace_id=row.trace_id
    )


def _move(row: _Row) -> Iterable[TimelineEvent]:
    """Moves of the prospect, its deals and its customers."""
    said = row.said
    title = f"{_moved(said)}{_stage(said['from'])} → {_stage(said['to'])}"
    title += f", past {' and '.join(_stage(stage).lower() for stage in said['skipped'])}" if said["skipped"] else ""
    yield TimelineEvent(
        row.at, "stage", title, detail=said["reason"], who=said["who"], order=row.place, trace_id=row.trace_id
    )


def _moved(said: dict[str, Any]) -> str:
    if said["deal"] is not None:
        return f"Deal {said['deal']}: ".replace(" :", ":")
    return "Customer: " if said["is_customer"] else ""


def _stage(value: str) -> str:
    return str(_STAGES.get(value, value))


def _handoff(row: _Row) -> Iterable[TimelineEvent]:
    said = row.said
    taken = f"Taken up by {said['agent'].replace('_', ' ')}" if said["agent"] else "Nobody has taken it up yet"
    yield TimelineEvent(
        row.at, "handoff", f"Handed over: {Team(said['from']).label} to {Team(said['to']).label.lower()}",
        detail=f"{taken}. {said['next'] or ''}", who=said["who"], tone="" if said["agent"] else "caution",
        url="#handoffs", order=row.place, trace_id=row.trace_id,
    )  # fmt: skip


def _refusal(row: _Row) -> Iterable[TimelineEvent]:
    said = row.said
    yield TimelineEvent(
        row.at, "refusal", Diagnostic.Kind(said["kind"]).label, detail=said["message"],
        who=said["agent"].replace("_", " "), tone="caution",
        url=reverse("run", args=[said["run"]]) if said["run"] else "", order=row.place, trace_id=row.trace_id,
    )  # fmt: skip


def _stop(row: _Row) -> Iterable[TimelineEvent]:
    """Of the prospect, its playbook, its client, or everything; setting one and lifting it are two events."""
    said, url = row.said, reverse("stops")
    what = Stop.Level(said["level"]).label
    title = f"{what} {'cancelled' if said['kind'] == Stop.Kind.CANCEL else 'paused'}"
    yield TimelineEvent(
        row.at, "stop", title, detail=said["reason"], who=said["who"], tone="danger", url=url, order=row.place,
        trace_id=row.trace_id,
    )  # fmt: skip
    if said["lifted"]:
        yield TimelineEvent(
            datetime.fromisoformat(said["lifted"]), "stop", f"{what} goes on", detail=said["lift_reason"],
            who=said["lifter"], url=url, order=row.place, trace_id=row.trace_id,
        )  # fmt: skip


_EVENT_OF: dict[str, Callable[[_Row], Iterable[TimelineEvent]]] = {
    "signal": _signal, "move": _move, "handoff": _handoff, "refusal": _refusal, "stop": _stop,
}  # fmt: skip


def _run(row: _Row, url: str) -> Iterable[TimelineEvent]:
    """One event per cycle of a convergence: twelve agents in one second are one thing that happened."""
    said = row.said
    title = f"{_count(len(said['agents']), 'agent')} ran, {_count(said['promoted'], 'proposal')} became facts"
    yield TimelineEvent(
        row.at, "run", title + (f", {said['refused']} refused" if said["refused"] else ""),
        detail=", ".join(_part(*agent) for agent in said["agents"]),
        tone="danger" if any(agent[-1] == AgentRun.Status.FAILED for agent in said["agents"]) else "", url=url,
        order=row.place, cost=_spent(said["tokens"], said["cost"]), trace_id=row.trace_id,
    )  # fmt: skip


def _part(agent: str, promoted: int, refused: int, status: str) -> str:
    """What one agent did: its name, and what became of its proposals where there were any."""
    said = [f"{promoted} kept"] if promoted else []
    said += [f"{refused} refused"] if refused else []
    said += ["failed"] if status == AgentRun.Status.FAILED else []
    words = agent.replace("_", " ")
    return f"{words} ({', '.join(said)})" if said else words


def _spent(tokens: int, cost: float) -> str:
    parts = [f"{tokens:,} tokens"] if tokens else []
    parts += [f"{cost:.4f}"] if cost else []
    return ", ".join(parts)


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
