"""What people have stopped: the one answer to "may this go on?". Pure: no Django, and no clock of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

LEVELS: Final = ("everything", "client", "playbook", "agent", "prospect", "request")
PAUSE, CANCEL = "pause", "cancel"
#: PostgreSQL's advisory lock that whoever is about to act shares, and whoever sets a stop holds alone.
LOCK: Final = (0x5A12, 0)


@dataclass(frozen=True, slots=True)
class Brake:
    """One stop, as far as it decides anything. ``until`` None: until a person lifts it."""

    id: int
    level: str
    kind: str
    client_id: int | None
    target_id: int | None
    agent: str
    reason: str
    until: datetime | None

    @property
    def cancels(self) -> bool:
        """Whether what waits under it is called off rather than put off."""
        return self.kind == CANCEL


def holds(
    brake: Brake,
    at: datetime,
    *,
    client: int,
    playbook: int | None = None,
    agent: str = "",
    prospect: int | None = None,
    request: int | None = None,
) -> bool:
    """Whether ``brake`` keeps this from happening at ``at``. Only what is named can be touched; None is no target."""
    if brake.until is not None and brake.until <= at:
        return False
    if brake.level == "everything":
        return True
    if brake.client_id != client:
        return False
    if brake.level == "agent":
        return bool(agent) and brake.agent == agent
    if brake.level == "client":
        return True
    target = {"playbook": playbook, "prospect": prospect, "request": request}[brake.level]
    return target is not None and brake.target_id == target


@dataclass(frozen=True)
class StopSet:
    """Everything stopped for one client at one time; ``playbook_id`` is the playbook meant unless another is named."""

    client_id: int
    playbook_id: int | None
    at: datetime
    brakes: tuple[Brake, ...]

    def holding(
        self, *, playbook: int | None = None, agent: str = "", prospect: int | None = None, request: int | None = None
    ) -> tuple[Brake, ...]:
        """Every stop that keeps this from happening, in the order in which they were set."""
        under = self.playbook_id if playbook is None else playbook
        return tuple(
            brake
            for brake in self.brakes
            if holds(
                brake, self.at, client=self.client_id, playbook=under, agent=agent, prospect=prospect, request=request
            )
        )

    def halts(
        self, *, playbook: int | None = None, agent: str = "", prospect: int | None = None, request: int | None = None
    ) -> Brake | None:
        """The stop that decides: one that cancels before one that pauses, then the one that holds longest."""
        return strongest(self.holding(playbook=playbook, agent=agent, prospect=prospect, request=request))

    @cached_property
    def everything(self) -> Brake | None:
        """What stops all work here: a stop over everything, the client or the playbook."""
        return self.halts()

    @cached_property
    def agents(self) -> Mapping[str, datetime | None]:
        """Stopped agents, and until when (None: until a person lifts it)."""
        names = {brake.agent for brake in self.brakes if brake.level == "agent"}
        found = {name: strongest(b for b in self.holding(agent=name) if b.level == "agent") for name in names}
        return {name: brake.until for name, brake in found.items() if brake is not None}

    @cached_property
    def prospects(self) -> frozenset[int]:
        """Stopped prospects."""
        ids = {brake.target_id for brake in self.brakes if brake.level == "prospect"}
        return frozenset(i for i in ids if i is not None and self._stopped("prospect", i))

    def _stopped(self, level: str, target: int) -> bool:
        return any(brake.level == level for brake in self.holding(prospect=target))


def strongest(brakes: Iterable[Brake]) -> Brake | None:
    """Cancels before pauses; then the one that ends last, and of two that never end the one set first."""

    def weight(brake: Brake) -> tuple[bool, bool, float, int]:
        end = brake.until.timestamp() if brake.until is not None else 0.0
        return brake.cancels, brake.until is None, end, -brake.id

    return max(brakes, key=weight, default=None)
