"""The six levels at which people stop things, aimed at one prospect's work."""

from __future__ import annotations

from typing import Any

from playbooks.models import Client, Stop, User
from playbooks.services import stops

LEVELS = ("everything", "client", "playbook", "agent", "prospect", "request")
WHOLE = ("everything", "client", "playbook")  # levels that stop all of a playbook's work


def aim(level: str, *, playbook: int, prospect: int, request: int | None = None, agent: str = "") -> dict[str, Any]:
    """The target of a stop at ``level``, as the service takes it."""
    target = {"playbook": playbook, "prospect": prospect, "request": request}.get(level)
    return {"level": level, "target_id": target, "agent": agent if level == "agent" else ""}


def set_one(level: str, kind: str, *, client: Client, by: User, until: Any = None, **target: Any) -> Stop:
    return stops.stop(client=client, actor=by, kind=kind, reason="Look first", until=until, **aim(level, **target))
