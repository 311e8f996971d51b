"""The ports through which apps bring their rows to the runtime. Apps register in ``AppConfig.ready()``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from salesops.runtime.context import Context
from salesops.runtime.playbook_views import PlaybookView
from salesops.runtime.proposals import Proposal
from salesops.runtime.toolbox import Toolbox
from salesops.runtime.words import Depth, ImplementationKind, Refused, Resource, Team


@dataclass(frozen=True, slots=True)
class Scope:
    """What holds for a whole convergence: whose, under which version, how deep, at what time, with what permissions."""

    client_id: int
    playbook: PlaybookView
    depth: Depth
    seed: int
    now: datetime
    trace_id: str
    convergence_id: int | None = None
    cycle_limit: int = 8
    permissions: frozenset[tuple[Team, Resource]] = frozenset()
    unreadable: frozenset[tuple[Team, Resource]] = frozenset()
    assignments: Mapping[str, ImplementationKind] = field(default_factory=dict)
    toolbox: Toolbox | None = field(default=None, repr=False)
    memory: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Halt:
    """What people have stopped: until when by agent and by prospect (None: until somebody lifts it)."""

    everything: bool = False
    agents: Mapping[str, datetime | None] = field(default_factory=dict)
    prospects: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Grant:
    """How many acts a budget still allows, and when its next period begins."""

    count: int
    again_at: datetime | None = None


@dataclass(slots=True)
class Run:
    """One agent's run on one prospect: the key that makes it happen once, and what came of it."""

    id: int
    prospect_id: int
    agent: str
    implementation: str
    version: str
    watermark: int
    cycle: int
    duration_us: int = 0
    status: str = "ok"
    proposals: str = "[]"
    digest: str = ""
    proposed: int = 0
    promoted: int = 0
    refused: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    answers: Sequence[int] = ()
    error: str = ""
    fault: str = ""
    kinds: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnostic waiting to be written."""

    prospect_id: int
    run_id: int | None
    agent: str
    team: str
    kind: Refused
    message: str
    detail: Mapping[str, Any]


class Numbers(Protocol):
    """Row ids and fact numbers, taken in blocks so that rows can cite each other before they exist."""

    def fact(self) -> int:
        """The next number in the one order of all facts."""
        ...

    def row(self, table: str) -> int:
        """The next id of a table."""
        ...

    def renew(self) -> None:
        """Forget numbers held back: someone else's newer facts have been read since they were taken."""
        ...


class Ledger(Protocol):
    """One port's rows for one batch: what was promoted, until it is written at the end of the cycle."""

    def promote(self, context: Context, run: Run, proposal: Proposal) -> bool:
        """Take a valid proposal into the context and hold its row; False when it says nothing new."""
        ...

    def write(self, prospects: Collection[int]) -> None:
        """Write the rows held for these prospects and forget the rest. Inside the cycle's transaction."""
        ...


class Port(Protocol):
    """What an app contributes: it loads its part of the contexts and keeps the rows of some proposal types."""

    accepts: frozenset[type[Proposal]]

    def open(self, scope: Scope, numbers: Numbers) -> Ledger:
        """A fresh ledger for one batch."""
        ...

    def load(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        """Fill this app's part of the contexts, in a constant number of queries."""
        ...

    def prepare(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        """Fill what only outreach needs, for the few prospects that get that far. Called once for each."""
        ...


class Host(Port, Protocol):
    """The one port that owns prospects: it creates contexts, guards them, and judges where they stand."""

    def numbers(self) -> Numbers: ...

    def contexts(self, scope: Scope, ids: Sequence[int]) -> dict[int, Context]:
        """Empty contexts with the current projections and the runs already made under this version."""
        ...

    def halted(self, scope: Scope) -> Halt:
        """What is stopped at this moment; asked before every agent's run."""
        ...

    def reserve(self, scope: Scope, bucket: str, unit: Decimal, wanted: int) -> Grant:
        """Take up to ``wanted`` times ``unit`` from a budget, atomically and at once."""
        ...

    def atomic(self) -> AbstractContextManager[Any]:
        """The cycle's one transaction."""
        ...

    def guard(self, contexts: Mapping[int, Context]) -> set[int]:
        """Lock the prospects; return those whose facts changed since they were loaded: their cycle does not count."""
        ...

    def record(self, scope: Scope, runs: Sequence[Run], findings: Sequence[Finding]) -> None:
        """Write runs and diagnostics; a refusal by permission also becomes an audit entry."""
        ...

    def settle(self, scope: Scope, contexts: Mapping[int, Context], numbers: Numbers) -> None:
        """End of cycle: rescore and move stages."""
        ...

    def conclude(self, scope: Scope, contexts: Mapping[int, Context]) -> Mapping[str, int]:
        """Give everyone a verdict with its reason and note how far they have converged. Counts by verdict."""
        ...

    def save(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        """Write the current projections of these prospects, in one statement."""
        ...


_ports: list[Port] = []
_hosts: list[Host] = []
# Each app's answer to "why?" about one prospect at one time, by section name; read by the explain service.
explainers: dict[str, Callable[[int, datetime], Any]] = {}


@dataclass(frozen=True, slots=True)
class Merged:
    """Records were made one, in the caller's transaction. Merged id → the id it is now read as.

    ``contacts`` are people known twice: nobody may write to the merged one any more.
    """

    client_id: int
    prospects: Mapping[int, int]
    contacts: Mapping[int, int]
    actor_id: int | None
    at: datetime
    trace_id: str


# What each app does when records are made one, by app name; called inside the transaction of the merge.
merge_listeners: dict[str, Callable[[Merged], None]] = {}


def register_host(host: Host) -> None:
    """Called once, by the app that owns prospects."""
    if host not in _hosts:
        _hosts.append(host)


def register(port: Port) -> None:
    """Called once by every other app with rows of its own."""
    if port not in _ports:
        _ports.append(port)


def registered() -> tuple[Host, tuple[Port, ...]]:
    """The host and the other ports. Raises ``RuntimeError`` when no app has registered as host, or two have."""
    if len(_hosts) != 1:
        raise RuntimeError(f"exactly one app must register as the runtime's host; {len(_hosts)} have")
    return _hosts[0], tuple(_ports)
