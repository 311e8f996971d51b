"""What waits for people and what is stopped, for every page: one cheap query, made once a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from salesops.sql import fetch

CAP = 999
OVERDUE_HOURS = 12
# The inner limits bound the work: a queue of a million rows costs what a queue of a thousand does.
_COUNTS = """
SELECT (SELECT count(*) FROM (SELECT 1 FROM approvals_approvalrequest
          WHERE client_id = %(client)s AND status = 'waiting' LIMIT %(cap)s) AS waiting),
       (SELECT count(*) FROM (SELECT 1 FROM approvals_approvalrequest
          WHERE client_id = %(client)s AND status = 'waiting'
            AND expires_at < now() + make_interval(hours => %(hours)s) LIMIT %(cap)s) AS overdue),
       (SELECT count(*) FROM (SELECT 1 FROM approvals_task
          WHERE client_id = %(client)s AND status = 'open' LIMIT %(cap)s) AS tasks),
       (SELECT id FROM approvals_approvalrequest
          WHERE client_id = %(client)s AND status = 'waiting' ORDER BY id DESC LIMIT 1),
       (SELECT id FROM approvals_decision WHERE client_id = %(client)s ORDER BY at DESC LIMIT 1),
       (SELECT coalesce(json_agg(stop), '[]') FROM (SELECT id, level, kind, agent, reason, until FROM playbooks_stop
          WHERE lifted_at IS NULL AND (until IS NULL OR until > now())
            AND (client_id = %(client)s OR level = 'everything') AND level NOT IN ('prospect', 'request')
          ORDER BY (level IN ('client', 'everything')) DESC, created_at DESC LIMIT 5) AS stop)
"""


@dataclass(frozen=True)
class Counts:
    """What waits for people, counted up to one beyond ``CAP``; nothing for whoever works for no client."""

    waiting: int = 0
    overdue: int = 0
    tasks: int = 0
    newest_request: int | None = None
    newest_decision: int | None = None
    stops: list[dict[str, Any]] = field(default_factory=list)

    @property
    def waiting_shown(self) -> str:
        """As the rail says it: nothing for none, "999+" beyond the cap."""
        return _capped(self.waiting)

    @property
    def tasks_shown(self) -> str:
        """Likewise."""
        return _capped(self.tasks)

    @property
    def all_is_held(self) -> bool:
        """Whether a stop holds all work for the client; the widest stops are read first."""
        return any(stop["level"] in ("client", "everything") for stop in self.stops)

    @property
    def queue_version(self) -> str:
        """A short word that changes whenever the queue does: whatever happens to it moves one of these."""
        return f"{self.newest_request or 0}.{self.newest_decision or 0}.{self.waiting}"


def counts_of(request: HttpRequest) -> Counts:
    """The counts of the request's client, read once: a view that needs them and the shell see the same."""
    counts: Counts | None = getattr(request, "_counts", None)
    if counts is None:
        client = getattr(request, "client", None)
        counts = _read(client.pk) if client is not None else Counts()
        request._counts = counts  # type: ignore[attr-defined]
    return counts


def _read(client_id: int) -> Counts:
    """Waiting requests, those that expire soon, open tasks, what is newest and stops in force, in one query."""
    ((waiting, overdue, tasks, request, decision, stops),) = fetch(
        _COUNTS, {"client": client_id, "cap": CAP + 1, "hours": OVERDUE_HOURS}
    )
    for stop in stops:
        stop["agent"] = (stop["agent"] or "").replace("_", " ")
        stop["until"] = datetime.fromisoformat(stop["until"]) if stop["until"] else None
    return Counts(waiting, overdue, tasks, request, decision, stops)


def _capped(number: int) -> str:
    if not number:
        return ""
    return f"{CAP}+" if number > CAP else str(number)
