"""A person does an agent's work: what they fill in is validated and promoted exactly like an agent's proposals."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from approvals.host.store import GRADER
from approvals.models import Task
from approvals.services.authority import check_decider
from approvals.services.refusals import RequestNotFound, TaskClosed
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, User
from playbooks.services import stops
from prospects.agents.by_hand import SOURCE, observation_key
from prospects.host.store import open_scope
from prospects.models import Convergence, Diagnostic, Prospect, Signal
from salesops.all_agents import registry
from salesops.errors import Refusal
from salesops.runtime.contract import Agent
from salesops.runtime.engine import Engine
from salesops.runtime.human import answered
from salesops.runtime.ports import registered
from salesops.runtime.registry import Registry
from salesops.runtime.words import Depth, ImplementationKind, Refused


class AnswerRefused(Refusal):
    """The runtime did not accept what was filled in."""


def answer(task_id: int, *, actor: User, client: Client, filled_in: Mapping[str, Any]) -> Task:
    """Promote what a person filled in for an agent, and close its task; all of it or nothing.

    ``filled_in["observations"]`` become signals first (``key``, ``kind``, ``text``, ``observed_at``, ``data``), so that
    what rests on them can cite them. Raises RequestNotFound, TaskClosed, NotAllowed and AnswerRefused.
    """
    at = timezone.now()
    with transaction.atomic():
        task = _open(task_id, actor, client)
        _observe(task, filled_in.get("observations", ()))
        _promote(task, actor, filled_in, at)
        task.status, task.resolution = Task.Status.DONE, "answered"
        task.done_at, task.done_by = at, actor
        task.save(update_fields=["status", "resolution", "done_at", "done_by"])
        audit.record(
            client=client, event=AuditEvent.TASK_DONE, subject=task, actor=actor, trace_id=task.trace_id,
            detail={"kind": task.kind, "agent": task.agent, "resolution": task.resolution},
        )  # fmt: skip
        return task


def _open(task_id: int, actor: User, client: Client) -> Task:
    check_decider(actor, client)
    tasks = Task.objects.for_client(client).select_related("playbook_version__playbook__client")
    task = tasks.select_for_update(of=("self",)).filter(pk=task_id).exclude(agent="").first()
    if task is None:
        raise RequestNotFound("There is no such task.")
    if task.status != Task.Status.OPEN:
        raise TaskClosed("This task is done already.")
    _check_stops(task)
    return task


def _check_stops(task: Task) -> None:
    """A person in an agent's place is stopped like the agent."""
    playbook = task.playbook_version.playbook_id if task.playbook_version is not None else None
    brake = stops.in_force(task.client_id, playbook).halts(agent=task.agent, prospect=task.prospect_id)
    if brake is not None:
        raise AnswerRefused(f"This work is stopped: {brake.reason}")


def _observe(task: Task, observations: Sequence[Mapping[str, Any]]) -> None:
    """What the person saw becomes facts about the prospect, like a row of an imported file."""
    prospect = Prospect.objects.select_for_update(no_key=True).get(tasks=task)
    made = Signal.objects.bulk_create(
        Signal(
            client_id=task.client_id, prospect=prospect, kind=seen["kind"], observed_at=seen["observed_at"],
            text=seen.get("text", ""), data=seen.get("data", {}), source=SOURCE,
            source_ref=seen.get("ref") or f"task {task.pk}", dedup_key=observation_key(task.pk, seen["key"]),
            trace_id=task.trace_id,
        )
        for seen in observations
    )  # fmt: skip
    numbers = Signal.objects.filter(pk__in=[signal.pk for signal in made]).values_list("fact_no", flat=True)
    prospect.facts_no = max([prospect.facts_no, *numbers])
    prospect.save(update_fields=["facts_no"])


def _helpers(task: Task) -> list[Agent]:
    """Words are kept with their grade and compliance verdict only, so whoever gives them runs along."""
    if task.form != "message":
        return []
    return [dataclasses.replace(registry().by_name[GRADER], depths=frozenset(Depth))]


def _promote(task: Task, actor: User, filled_in: Mapping[str, Any], at: datetime) -> None:
    """One run of the agent, with the person as its implementation. It gives no verdict: the next convergence does."""
    version = task.playbook_version
    assert version is not None  # noqa: S101 — tasks of agents name their version
    agent = answered(registry().by_name[task.agent], {**filled_in, "task": task.pk}, f"task-{task.pk}")
    convergence = Convergence.objects.create(
        client_id=task.client_id, playbook=version.playbook, version=version, depth=Depth.EARLY, clock=at, total=1,
        done=1, cycles=1, status=Convergence.Status.DONE, created_by=actor, finished_at=at, trace_id=task.trace_id,
        up_to_id=task.prospect_id or 0,
    )  # fmt: skip
    scope = open_scope(
        version.playbook.client, version.playbook, now=at, depth=Depth.EARLY, trace_id=task.trace_id,
        convergence_id=convergence.pk, version=version, assigned={agent.name: ImplementationKind.HUMAN},
    )  # fmt: skip
    host, ports = registered()
    outcome = Engine(scope, host, ports, Registry([agent, *_helpers(task)])).run([task.prospect_id or 0])
    if outcome.refused or outcome.refusals[Refused.FAILED] or (outcome.runs == 0 and outcome.refusals):
        found = Diagnostic.objects.filter(prospect=task.prospect_id, trace_id=task.trace_id).order_by("-pk")
        raise AnswerRefused(" ".join(found.values_list("message", flat=True)[: outcome.refused or 1]))
    if outcome.runs == 0:
        raise AnswerRefused(f"{agent.name.replace('_', ' ').capitalize()} does not work on this prospect at its stage.")
