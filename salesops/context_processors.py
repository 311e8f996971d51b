"""What the shell shows around every page; nothing is read until a page really draws the shell."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.safestring import SafeString

from salesops.reading.counts import Counts, counts_of

THEMES = ("auto", "light", "dark")
# Name of the page, its word and icon, and what its count counts.
ENTRIES = (
    ("approvals:queue", "Approvals", "approvals", "waiting"),
    ("prospects:list", "Prospects", "prospects", ""),
    ("prospects:funnel", "Funnel", "funnel", ""),
    ("approvals:tasks", "Tasks", "tasks", "tasks"),
    ("prospects:deals", "Deals", "building", ""),
    ("approvals:outbox", "Outbox", "outbox", ""),
    ("agents", "Agents", "agents", ""),
    ("playbooks:list", "Playbooks", "playbooks", ""),
    ("approvals:audit", "Audit", "audit", ""),
)


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
class Shell:
    """What base.html draws around a page beside the page's own context."""

    links: SafeString
    counts: Counts


def shell(request: HttpRequest) -> dict[str, Any]:
    """``shell``, and how the person likes their pages."""
    return {
        "shell": SimpleLazyObject(lambda: _shell(request)),
        "theme": _theme_of(request),
        "rail": _rail_of(request),
    }


def _theme_of(request: HttpRequest) -> str:
    """The person's choice of light or dark, from their cookie; anything else follows the system."""
    choice = request.COOKIES.get("theme", "")
    return choice if choice in THEMES else "auto"


def _rail_of(request: HttpRequest) -> str:
    """Whether the person folded the rail away."""
    return "closed" if request.COOKIES.get("rail") == "closed" else "open"


def _shell(request: HttpRequest) -> Shell:
    """The shell of this request. One query when the person works for a client, none otherwise."""
    counts = counts_of(request)
    here = next((url for url, *_ in _entries() if request.path.startswith(url)), "")
    return Shell(_links(here, counts.waiting_shown, counts.tasks_shown, counts.overdue > 0), counts)


@lru_cache(maxsize=500)
def _links(here: str, waiting: str, tasks: str, is_urgent: bool) -> SafeString:
    """The rail's links as markup. It depends on nothing but these words, and every page draws it."""
    counts = {"waiting": waiting, "tasks": tasks}
    entries = [
        Entry(url, word, icon, kind, counts.get(kind, ""), kind == "waiting" and is_urgent, url == here)
        for url, word, icon, kind in _entries()
    ]
    return render_to_string("partials/rail_links.html", {"entries": entries})


@cache
def _entries() -> tuple[tuple[str, str, str, str], ...]:
    return tuple((reverse(name), word, icon, kind) for name, word, icon, kind in ENTRIES)
