"""A call is made by a person, for an approved dispatch, once, and for nothing else: no machine dials here.

Declared like every agent, so that it can be stopped and seen like one. It takes no part in convergence (no depth): its
input is a claimed dispatch, its one act is a task with number and script for a person, and what that person says they
did is recorded as a signal. The claim and the checks live in ``approvals.services.dispatch``, the task and the record
in ``approvals.services.settle``.
"""

from __future__ import annotations

from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.words import ImplementationKind, Key, Phase, Team


def run(batch: Batch, tools: Tools) -> Answers:
    """Nothing: without a dispatch there is nothing to do, and only a person's decision makes a dispatch."""
    del batch, tools
    return {}


AGENT = Agent(
    name="call_execution",
    team=Team.LEAD_GEN,
    phase=Phase.EXECUTION,
    order=1,
    reads=frozenset({Key.PROPOSALS}),
    writes=frozenset({Key.SIGNALS}),
    bucket="calls",
    implementations={ImplementationKind.RULES: Implementation(run)},
    depths=frozenset(),
)
