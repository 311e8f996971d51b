"""Which agent has something new to read here, and may act."""

from __future__ import annotations

from salesops.runtime.context import Context
from salesops.runtime.contract import Agent
from salesops.runtime.ports import Scope
from salesops.runtime.words import (
    CONVERSION_STAGES,
    LIFECYCLE_STAGES,
    OUTREACH_PHASES,
    OUTREACH_STAGES,
    READ_RESOURCES,
    RESEARCH_STAGES,
    Depth,
    ImplementationKind,
    Key,
    Resource,
    Team,
)

# Seeds and constraints do not change under one playbook version, and the version is part of a run's key.
_CONSTANT = {Key.SEEDS: 1, Key.CONSTRAINTS: 1}


def watermark(agent: Agent, context: Context) -> int:
    """The newest fact under the keys this agent reads, its own and those it ignores left out: they are no news."""
    newest = 0
    for key in agent.reads:
        newest = max(newest, _CONSTANT.get(key, 0))
        for producer, fact_no in context.marks.get(key, {}).items():
            if producer != agent.name and producer not in agent.ignores and fact_no > newest:
                newest = fact_no
    return newest


def stages_for(agent: Agent) -> frozenset[str]:
    """The stages at which this agent's team may act in its phase."""
    if agent.team is Team.CONVERSION:
        return CONVERSION_STAGES
    if agent.team is Team.LIFECYCLE:
        return LIFECYCLE_STAGES
    return OUTREACH_STAGES if agent.phase in OUTREACH_PHASES else RESEARCH_STAGES


def implementation_of(agent: Agent, scope: Scope) -> ImplementationKind:
    """The implementation this playbook assigns; ``rules`` where the assigned one does not exist here, else ``off``."""
    wanted = scope.assignments.get(agent.name, ImplementationKind.RULES)
    if wanted is ImplementationKind.LLM and (scope.toolbox is None or scope.toolbox.model(agent.name) is None):
        wanted = ImplementationKind.RULES
    if wanted is ImplementationKind.OFF or wanted in agent.implementations:
        return wanted
    if wanted is ImplementationKind.HUMAN or ImplementationKind.RULES not in agent.implementations:
        return ImplementationKind.OFF
    return ImplementationKind.RULES


def run_version(agent: Agent, kind: ImplementationKind, scope: Scope) -> str:
    """What, beside the playbook version, makes a second run on the same facts another run."""
    version = f"{kind}-{agent.implementations[kind].version}"
    if agent.refresh_days and scope.depth is Depth.EXTENDED:
        version += f"@{scope.now.toordinal() // agent.refresh_days}"
    return version


def may_run(agent: Agent, scope: Scope) -> bool:
    """Whether this agent takes part in this convergence at all."""
    if scope.depth not in agent.depths or (agent.concerns is not None and not agent.concerns(scope.playbook)):
        return False
    return implementation_of(agent, scope) is not ImplementationKind.OFF


def unreadable(agent: Agent, scope: Scope) -> Resource | None:
    """A resource this agent reads and its team may not, if any."""
    wanted = (READ_RESOURCES[key] for key in sorted(agent.reads) if key in READ_RESOURCES)
    return next((resource for resource in wanted if (agent.team, resource) in scope.unreadable), None)


def eligible(agent: Agent, context: Context, version: str) -> bool:
    """Whether this agent, already known to take part, has something to do for this prospect."""
    if context.gone or context.stage not in stages_for(agent) or agent.name in context.away:
        return False
    return watermark(agent, context) > context.runs.get((agent.name, version), 0)
