"""What a draft would make of somebody, before it is saved: the ports through which those who know prospects answer.

Playbooks import neither prospects nor messages. Whoever knows them registers here; where nobody has, nothing is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from playbooks.models import Client, PlaybookVersion

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cited:
    """One signal that a judgement rests on."""

    kind: str
    source: str
    observed_at: datetime
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What one criterion says of one prospect. ``value`` None: the facts say nothing about it.

    ``contribution`` is in points of ``score``, its scorecard's score by the rows of the page; None where unknown.
    """

    who: str
    value: float | None
    words: str = ""
    quote: str = ""
    confidence: float = 0.0
    rules_out: bool = False
    fresh: float | None = None
    contribution: float | None = None
    score: float | None = None
    coverage: float = 0.0
    scorecard: str = ""
    cited: tuple[Cited, ...] = ()


@dataclass(frozen=True, slots=True)
class Worded:
    """A template in the words for one prospect: ``values`` of its placeholders, and its grade once all are there.

    ``lacking`` names the required criteria without evidence of at least 50 points.
    """

    who: str
    values: Mapping[str, str]
    lacking: tuple[str, ...] = ()
    grade: str = ""
    points: float | None = None
    checks: tuple[tuple[str, float, float, str], ...] = ()
    hard: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about: rows as the page has them, by column; the prospect by whatever name somebody typed."""

    version: PlaybookVersion
    client: Client
    who: str
    row: Row
    criteria: Sequence[Row] = ()


@dataclass(slots=True)
class _Ports:
    criterion: Callable[[Question], Judged] | None = None
    template: Callable[[Question], Worded] | None = None
    people: Callable[[PlaybookVersion], Sequence[tuple[str, str]]] | None = None


_ports = _Ports()


def register(
    *,
    criterion: Callable[[Question], Judged] | None = None,
    template: Callable[[Question], Worded] | None = None,
    people: Callable[[PlaybookVersion], Sequence[tuple[str, str]]] | None = None,
) -> None:
    """Answer these from now on. Each raises a named Refusal when there is no such prospect."""
    _ports.criterion = criterion or _ports.criterion
    _ports.template = template or _ports.template
    _ports.people = people or _ports.people


def judged(question: Question) -> Judged | None:
    """What the criterion would say; None when nobody knows prospects here."""
    return _ports.criterion(question) if _ports.criterion else None


def worded(question: Question) -> Worded | None:
    """What the template would say; None when nobody knows messages here."""
    return _ports.template(question) if _ports.template else None


def people(version: PlaybookVersion) -> Sequence[tuple[str, str]]:
    """A few prospects to try a draft on, as (name to type, who it is)."""
    return _ports.people(version) if _ports.people else ()
