"""What an agent may be handed besides its views: a language model to ask, and outside sources to look things up in.

Protocols only. Both tools do their own waiting, retrying, caching and accounting, and answer in words when they cannot:
an agent never sees an exception from the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from salesops.runtime.views import ProspectView, quotable

A = TypeVar("A", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Question(Generic[A]):
    """One thing to ask a model about one prospect, or about none (what it costs is then nobody's, under 0).

    ``values`` fill the prompt file; all of them are untrusted data.
    """

    prospect: ProspectView | None
    prompt: str
    values: Mapping[str, Any]
    answer: type[A]


@dataclass(frozen=True, slots=True)
class Reply(Generic[A]):
    """What came back: an answer, or the problem in words; ``passing``: asked another time it may be answered."""

    answer: A | None
    problem: str = ""
    passing: bool = False


@dataclass(slots=True)
class Usage:
    """What one prospect's questions cost in one run, and which stored answers the run rests on."""

    tokens: int = 0
    cost: Decimal = Decimal(0)
    answers: list[int] = field(default_factory=list)

    def add(self, other: Usage) -> None:
        """Take another tool's usage in."""
        self.tokens += other.tokens
        self.cost += other.cost
        self.answers.extend(other.answers)


class LanguageModel(Protocol):
    """One agent's model, as its playbook sets it."""

    def ask(self, questions: Sequence[Question[A]]) -> list[Reply[A]]:
        """Replies in the order of the questions, asked side by side. A stored answer is never paid for twice."""
        ...

    def usage(self) -> Mapping[int, Usage]:
        """Usage by prospect id since the last call, which forgets it."""
        ...


@dataclass(frozen=True)
class Document:
    """Something a source said about one prospect, stored before anybody reads it; ``ref`` is its place in the world."""

    id: int
    source: str
    kind: str
    ref: str
    observed_at: datetime
    text: str = ""
    value: float | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    confidence: float = 0.9

    @cached_property
    def quotable(self) -> str:
        """Every text a quote may be taken from, one to a line."""
        return quotable(self.text, self.value, self.data)


@dataclass(frozen=True, slots=True)
class Found:
    """What a source found for one prospect, and what went wrong on the way, in words."""

    documents: Sequence[Document] = ()
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What a verification service said about an address. ``verdict``: verified, invalid, empty when it cannot say."""

    verdict: str = ""
    source: str = ""
    problem: str = ""


class Sources(Protocol):
    """The outside sources of one playbook, with its limits, costs, caches and brakes."""

    def look_up(self, batch: Sequence[ProspectView], kinds: frozenset[str]) -> Mapping[int, Found]:
        """What the sources that deliver ``kinds`` know about each prospect, by prospect id."""
        ...

    def verify(self, addresses: Mapping[int, Sequence[str]]) -> Mapping[str, Checked]:
        """What verification services say about each address; empty when the playbook has none."""
        ...

    def usage(self) -> Mapping[int, Usage]:
        """Cost by prospect id since the last call, which forgets it."""
        ...


class Toolbox(Protocol):
    """Hands out tools by agent; None where the playbook or the installation has none."""

    def model(self, agent: str) -> LanguageModel | None: ...

    def sources(self, agent: str) -> Sources | None: ...
