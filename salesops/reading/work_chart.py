"""Who does each sales job for a client: read off the agents and the active version's assignments, never stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from salesops.runtime.contract import Agent
from salesops.runtime.words import ImplementationKind, Phase


class Who(StrEnum):
    """Who does a job."""

    PERSON = "A person"
    TOGETHER = "An agent drafts, a person decides"
    AGENT = "An agent alone"


@dataclass(frozen=True)
class Job:
    """One job. ``inside``: nothing of it reaches anybody outside. ``by_hand``: a person does it, agents prepare.

    ``agents`` names the agents of a phase that belong to this job; empty means all that no other job names.
    """

    name: str
    words: str
    phase: Phase
    inside: bool = False
    by_hand: bool = False
    agents: frozenset[str] = frozenset()


_EMAIL, _CALL = frozenset({"email_execution"}), frozenset({"call_execution"})
JOBS: tuple[Job, ...] = (
    Job("Research", "Find companies and people, and keep what is known fresh.", Phase.DISCOVERY, inside=True),
    Job("Qualify", "Judge fit, timing, need, risk and commitment from evidence.", Phase.QUALIFICATION, inside=True),
    Job("Write", "Draft messages, and check them against the law and our own rules.", Phase.STRATEGY),
    Job("Choose channel and time", "Weigh what each way of making contact brings and costs.", Phase.CHANNEL),
    Job("Decide", "Say yes or no to each message before it leaves.", Phase.APPROVAL, by_hand=True),
    Job("Send e-mail", "Hand over what a person approved, once.", Phase.EXECUTION, agents=_EMAIL),
    Job("Call", "Dial, talk and note how it went.", Phase.EXECUTION, by_hand=True, agents=_CALL),
    Job("Connect and text", "Send what a person approved on LinkedIn or by SMS.", Phase.EXECUTION, by_hand=True),
    Job("Negotiate", "Prepare meetings, proposals and answers to tenders; agree on terms.", Phase.CONVERSION),
    Job("Support", "Welcome customers, watch how they do, and help them grow.", Phase.LIFECYCLE),
    Job("Learn", "Find out from outcomes what works.", Phase.LEARNING, inside=True),
)  # fmt: skip
_DOES = frozenset({ImplementationKind.RULES, ImplementationKind.LLM})


@dataclass(frozen=True)
class Part:
    """One agent's part in a job: what does its work, and whether somebody has stopped it."""

    name: str
    kind: ImplementationKind
    stopped: bool

    @property
    def words(self) -> str:
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Line:
    """One job with who does it."""

    job: Job
    who: Who
    parts: tuple[Part, ...]


def chart(
    agents: Iterable[Agent], kinds: Mapping[str, ImplementationKind], stopped: Mapping[str, object]
) -> list[Line]:
    """A line for every job, in the order of the work. ``kinds`` says what does each agent's work here."""
    listed = list(agents)
    named = frozenset().union(*(job.agents for job in JOBS))
    lines = []
    for job in JOBS:
        mine = [agent.name for agent in listed if agent.phase is job.phase and _belongs(agent.name, job, named)]
        parts = tuple(Part(name, kinds[name], name in stopped) for name in mine)
        lines.append(Line(job, _who(job, parts), parts))
    return lines


def _belongs(name: str, job: Job, named: frozenset[str]) -> bool:
    return name in job.agents if job.agents else name not in named


def _who(job: Job, parts: Sequence[Part]) -> Who:
    """An agent works alone only where nothing leaves the house; whatever leaves waits for a person's decision."""
    if job.by_hand or not any(part.kind in _DOES for part in parts):
        return Who.PERSON
    return Who.AGENT if job.inside else Who.TOGETHER
