"""One line of time per prospect. Each app tells what it knows; nobody here imports the apps that come after.

An app registers a provider in its ``AppConfig.ready()``::

    register_timeline("approvals", events_of)

A provider takes a prospect and a limit and answers its newest events, in a constant number of queries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prospects.models import Prospect


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """Something that happened to a prospect.

    ``kind`` is one word a person can filter by (signal, stage, run, message, decision, dispatch, mail …), ``who`` the
    person or agent behind it, ``source`` where it was seen, ``url`` a page with more, ``cost`` what it cost in words,
    ``trace_id`` the id it shares with what caused it. ``order`` settles ties in time.
    """

    at: datetime
    kind: str
    title: str
    detail: str = ""
    who: str = ""
    source: str = ""
    tone: str = ""
    url: str = ""
    order: int = 0
    cost: str = ""
    trace_id: str = ""


Provider = Callable[["Prospect", int], Iterable[TimelineEvent]]
_providers: dict[str, Provider] = {}


def register_timeline(name: str, provider: Provider) -> None:
    """Let ``provider`` speak on every prospect's timeline. Registering a name again replaces it."""
    _providers[name] = provider


@dataclass(frozen=True, slots=True)
class Timeline:
    """Some events, newest first. ``kinds`` counts what there is to filter by; ``is_cut``: there are older ones.

    ``asked`` is the newest request to contact the prospect, whatever kind is shown: its page says why.
    """

    events: list[TimelineEvent]
    kinds: dict[str, int]
    is_cut: bool
    asked: TimelineEvent | None


def timeline_of(prospect: Prospect, *, limit: int = 60, kind: str = "") -> Timeline:
    """The newest ``limit`` events of all providers, or those of one kind. Every provider gives so many of each kind."""
    events = [event for name in sorted(_providers) for event in _providers[name](prospect, limit)]
    kinds = Counter(event.kind for event in events)
    asked = max((e for e in events if e.kind == "request"), key=lambda e: (e.at, e.order), default=None)
    events = [event for event in events if not kind or event.kind == kind]
    events.sort(key=lambda event: (event.at, event.order), reverse=True)
    return Timeline(events[:limit], dict(sorted(kinds.items())), len(events) > limit, asked)
