"""Tasks for people, and what somebody needs to know to do an agent's work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from approvals.models import Task
from playbooks.models import Client
from prospects.models import Signal
from salesops.ids import id_in


@dataclass(frozen=True)
class TaskPage:
    rows: list[Task]
    next: str


def tasks_page(client: Client, *, status: str = "open", kind: str = "", after: str = "", size: int = 50) -> TaskPage:
    """Tasks, newest first."""
    related = ("prospect__company", "prospect__contact", "dispatch", "done_by")
    rows = Task.objects.for_client(client).filter(status=status).select_related(*related)
    if kind:
        rows = rows.filter(kind=kind)
    last = id_in(after)
    if last is not None:
        rows = rows.filter(pk__lt=last)
    found = list(rows.order_by("-id")[: size + 1])
    return TaskPage(found[:size], str(found[size - 1].pk) if len(found) > size else "")


def agent_tasks(client: Client) -> QuerySet[Task]:
    """Tasks in which a person does an agent's work and that are still open."""
    open_tasks = Task.objects.for_client(client).filter(status=Task.Status.OPEN).exclude(agent="")
    return open_tasks.select_related("prospect__company", "prospect__contact", "playbook_version")


def latest_signals(task: Task, size: int = 20) -> list[tuple[Signal, str]]:
    """What has been seen about the task's prospect, the newest first, each with its words or else its values."""
    signals = Signal.objects.filter(prospect=task.prospect_id).order_by("-fact_no")[:size]
    return [(signal, signal.text or _values(signal.data)) for signal in signals]


def _values(data: dict[str, Any]) -> str:
    known = ((name, value) for name, value in data.items() if value not in (None, "", [], {}))
    shown = ((name, ", ".join(map(str, value)) if isinstance(value, list) else value) for name, value in known)
    return " · ".join(f"{name.replace('_', ' ')}: {value}" for name, value in shown)
