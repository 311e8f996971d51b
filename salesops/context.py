"""What the shell shows on every page, for one cheap query that is only made when a page really draws the shell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from django.db import connection
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import SafeString

THEMES = ("auto", "light", "dark")
COUNT_CAP = 999
OVERDUE_HOURS = 12
ENTRIES = (
    ("approvals:queue", "Approvals", "approvals", "waiting"),
    ("prospects:list", "Prospects", "prospects", ""),
    ("prospects:funnel", "Funnel", "funnel", ""),
    ("approvals:tasks", "Tasks", "tasks", "tasks"),
    ("prospects:deals", "Deals", "building", ""),
    ("approvals:inbox", "Inbox", "inbox", ""),
    ("approvals:outbox", "Outbox", "outbox", ""),
    ("agents", "Agents", "agents", ""),
    ("playbooks:list", "Playbooks", "playbooks", ""),
    ("approvals:audit", "Audit", "audit", ""),
)
# The inner limits bound the work: a queue of a million rows costs what a queue of a thousand does.
COUNTS_SQL = """
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
class Entry:
    """One line of the rail."""

    url: str
    word: str
    icon: str
    kind: str  # what its count counts, and the end of that count's id; "" counts nothing
    count: str
    alert: bool
    current: bool


@dataclass(frozen=True)
class Counts:
    """What waits for people, counted up to a cap."""

    waiting: int
    overdue: int
    tasks: int
    newest_request: int | None
    newest_decision: int | None
    stops: list[dict[str, Any]]

    @property
    def waiting_shown(self) -> str:
        """As the rail says it: nothing for none, "1000+" beyond the cap."""
        return _capped(self.waiting)

    @property
    def all_is_held(self) -> bool:
        """Whether a stop holds all work for the client; the widest stops are read first."""
        return any(stop["level"] in ("client", "everything") for stop in self.stops)

    @property
    def queue_version(self) -> str:
        """A short word that changes whenever the queue does: whatever happens to it moves one of these."""
        return f"{self.newest_request or 0}.{self.newest_decision or 0}.{self.waiting}"


@dataclass(frozen=True)
class Shell:
    """Everything base.html draws around a page."""

    links: SafeString
    counts: Counts
    theme: str
    rail: str
    search_url: str


def shell(request: HttpRequest) -> dict[str, Any]:
    """The ``shell`` variable; nothing is read until a template touches it."""
    return {
        "shell": SimpleLazyObject(lambda: build_shell(request)),
        "theme": theme_of(request),
        "rail": rail_of(request),
    }


def theme_of(request: HttpRequest) -> str:
    """The person's choice of light or dark, from their cookie; anything else follows the system."""
    choice = request.COOKIES.get("theme", "")
    return choice if choice in THEMES else "auto"


def rail_of(request: HttpRequest) -> str:
    """Whether the person folded the rail away."""
    return "closed" if request.COOKIES.get("rail") == "closed" else "open"


def build_shell(request: HttpRequest) -> Shell:
    """The shell of this request. One query when the person works for a client, none otherwise."""
    counts = counts_of(request)
    here = next((url for url, *_ in _resolved_entries() if request.path.startswith(url)), "")
    links = _links(here, counts.waiting_shown, _capped(counts.tasks), counts.overdue > 0)
    return Shell(links, counts, theme_of(request), rail_of(request), _resolve("prospects:list"))


@lru_cache(maxsize=500)
def _links(here: str, waiting: str, tasks: str, is_urgent: bool) -> SafeString:
    """The rail's links as markup. It depends on nothing but these words, and every page draws it."""
    counts = {"waiting": waiting, "tasks": tasks}
    entries = [
        Entry(url, word, icon, kind, counts.get(kind, ""), kind == "waiting" and is_urgent, url == here)
        for url, word, icon, kind in _resolved_entries()
    ]
    return render_to_string("partials/rail_links.html", {"entries": entries})


def counts_of(request: HttpRequest) -> Counts:
    """The counts of the request's client, read once: a view that needs them and the shell see the same."""
    counts: Counts | None = getattr(request, "_counts", None)
    if counts is None:
        client = getattr(request, "client", None)
        counts = read_counts(client.pk) if client is not None else Counts(0, 0, 0, None, None, [])
        request._counts = counts  # type: ignore[attr-defined]
    return counts


def read_counts(client_id: int) -> Counts:
    """Waiting requests, those that expire soon, open tasks, what is newest and stops in force, in one query."""
    with connection.cursor() as cursor:
        cursor.execute(COUNTS_SQL, {"client": client_id, "cap": COUNT_CAP + 1, "hours": OVERDUE_HOURS})
        waiting, overdue, tasks, request, decision, stops = cursor.fetchone()
    found = json.loads(stops) if isinstance(stops, str) else stops
    for stop in found:
        stop["agent"] = (stop["agent"] or "").replace("_", " ")
        stop["until"] = datetime.fromisoformat(stop["until"]) if stop["until"] else None
    return Counts(waiting, overdue, tasks, request, decision, found)


def _capped(number: int) -> str:
    if not number:
        return ""
    return f"{COUNT_CAP}+" if number > COUNT_CAP else str(number)


@cache
def _resolved_entries() -> tuple[tuple[str, str, str, str], ...]:
    """Only pages that exist get a line: no dead links."""
    return tuple((url, word, icon, kind) for name, word, icon, kind in ENTRIES if (url := _resolve(name)))


@cache
def _resolve(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
