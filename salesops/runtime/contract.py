"""The agent contract: what an agent declares, gets and returns.

An agent gets a batch of read-only views and the tools; it returns proposals by prospect id. It has no ORM, no network,
no clock and no randomness but what :class:`Tools` hands it, so any implementation can be replaced by another.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from salesops.runtime.playbook_views import PlaybookView
from salesops.runtime.proposals import Proposal
from salesops.runtime.toolbox import A, Checked, Document, Found, LanguageModel, Question, Reply, Sources, Usage
from salesops.runtime.views import ProspectView
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Team

T = TypeVar("T")
Batch = Sequence[ProspectView]
# A mapping instead of a Proposal is what an untyped implementation (an LLM) may answer: it is parsed like any input.
Answers = Mapping[int, Sequence[Proposal | Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything an agent may use besides its views."""

    agent: str
    now: datetime
    seed: int
    playbook: PlaybookView
    _memory: dict[str, Any] = field(default_factory=dict, repr=False)
    model: LanguageModel | None = field(default=None, repr=False)
    sources: Sources | None = field(default=None, repr=False)
    _handed: dict[int, dict[int, Document]] = field(default_factory=dict, repr=False)

    def rng(self, prospect: ProspectView) -> random.Random:
        """The generator for this agent and prospect: the same seed gives the same numbers in every run."""
        material = f"{self.seed}:{self.agent}:{prospect.key}".encode()
        return random.Random(hashlib.sha256(material).digest())  # noqa: S311 — reproducible on purpose, nothing secret

    def memo(self, name: str, build: Callable[[], T]) -> T:
        """Whatever ``build`` made the first time it was asked for under this playbook version."""
        if name not in self._memory:
            self._memory[name] = build()
        made: T = self._memory[name]
        return made

    def ask(self, questions: Sequence[Question[A]]) -> list[Reply[A]]:
        """Replies of this agent's language model, in order; every one a problem when there is none."""
        if self.model is None:
            return [Reply(None, "No language model is configured.") for _ in questions]
        return self.model.ask(questions)

    def look_up(self, batch: Batch, kinds: frozenset[str]) -> Mapping[int, Found]:
        """What outside sources know about each prospect. A signal may cite any document handed over here."""
        if self.sources is None:
            return {}
        found = self.sources.look_up(batch, kinds)
        for prospect_id, one in found.items():
            self._handed.setdefault(prospect_id, {}).update((d.id, d) for d in one.documents)
        return found

    def verify(self, addresses: Mapping[int, Sequence[str]]) -> Mapping[str, Checked]:
        """What a verification service says about these addresses (by prospect id); nothing where there is none."""
        return self.sources.verify(addresses) if self.sources is not None else {}

    def handed(self, prospect_id: int) -> Mapping[int, Document]:
        """The documents this agent was handed about a prospect, by id."""
        return self._handed.get(prospect_id, {})

    def usage(self) -> dict[int, Usage]:
        """What the tools cost by prospect since the last call."""
        total: dict[int, Usage] = {}
        for tool in (self.model, self.sources):
            for prospect_id, used in tool.usage().items() if tool is not None else ():
                total.setdefault(prospect_id, Usage()).add(used)
        return total

    def put_away(self) -> None:
        """Forget the documents of the batch just done."""
        self._handed.clear()


@dataclass(frozen=True, slots=True)
class Implementation:
    """One way of doing an agent's work. A changed ``version`` makes it run again on facts it has seen.

    A ``human`` one asks in ``run`` and turns what the person filled in into proposals in ``heard``.
    """

    run: Callable[[Batch, Tools], Answers]
    version: str = "1"
    heard: Callable[[ProspectView, Tools, Mapping[str, Any]], Sequence[Proposal | Mapping[str, Any]]] | None = None


@dataclass(frozen=True, slots=True)
class Agent:
    """What an agent declares about itself; every module in ``<app>/agents/`` defines one as ``AGENT``.

    ``order`` sorts agents of one phase. ``unit_cost`` is per prospect, drawn from ``bucket``; none for free work.
    ``refresh_days`` makes an extended convergence run it again on facts it has seen, once in so many days.
    ``ignores`` are agents whose facts are no news to it.
    ``concerns`` says whether there is any work for it under a playbook; without work it takes no part.
    """

    name: str
    team: Team
    phase: Phase
    reads: frozenset[Key]
    writes: frozenset[Key]
    implementations: Mapping[ImplementationKind, Implementation]
    order: int = 0
    bucket: str = ""
    unit_cost: Decimal = Decimal(0)
    depths: frozenset[Depth] = frozenset(Depth)
    refresh_days: int = 0
    concerns: Callable[[PlaybookView], bool] | None = None
    ignores: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"agent name {self.name!r} must be an identifier")
        if not self.reads or not self.writes:
            raise ValueError(f"agent {self.name} must declare what it reads and writes")
        if ImplementationKind.OFF in self.implementations:
            raise ValueError(f"agent {self.name}: 'off' is the absence of an implementation")
