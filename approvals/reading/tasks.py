"""Tasks for people, and what somebody needs to know to do an agent's work."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from approvals.models import Task
from playbooks.models import Client
from prospects.models import Signal


def tasks_of(client: Client, status: str = "open", kind: str = "") -> QuerySet[Task]:
    """Tasks of one status, of one kind or of any."""
    rows: QuerySet[Task] = Task.objects.for_client(client).filter(status=status)
    rows = rows.select_related("prospect__company", "prospect__contact", "dispatch", "done_by")
    return rows.filter(kind=kind) if kind else rows


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
