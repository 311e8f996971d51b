"""People as an implementation: the agent asks with a task; the answer is validated like any other proposal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import Proposal, TaskProposal
from salesops.runtime.views import ProspectView
from salesops.runtime.words import Depth, ImplementationKind

Raw = Proposal | Mapping[str, Any]
Heard = Callable[[ProspectView, Tools, Mapping[str, Any]], Sequence[Raw]]


def asking(ask: Callable[[ProspectView, Tools], TaskProposal | None], heard: Heard) -> Implementation:
    """The ``human`` implementation that asks with ``ask`` (None: nothing to ask) and understands with ``heard``."""

    def run(batch: Batch, tools: Tools) -> Answers:
        asked = ((prospect.id, ask(prospect, tools)) for prospect in batch)
        return {prospect_id: [task] for prospect_id, task in asked if task is not None}

    return Implementation(run, heard=heard)


def answered(agent: Agent, filled_in: Mapping[str, Any], name: str) -> Agent:
    """``agent`` for one run in which its implementation is what a person filled in; ``name`` keys that run.

    Raises ``ValueError`` when a person cannot do this agent's work.
    """
    human = agent.implementations.get(ImplementationKind.HUMAN)
    if human is None or human.heard is None:
        raise ValueError(f"{agent.name} has no form for people")
    heard = human.heard

    def run(batch: Batch, tools: Tools) -> Answers:
        return {prospect.id: heard(prospect, tools, filled_in) for prospect in batch}

    once = {ImplementationKind.HUMAN: Implementation(run, version=name)}
    return dataclasses.replace(agent, implementations=once, depths=frozenset(Depth))
