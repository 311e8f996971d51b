"""LinkedIn notes and text messages go out for an approved dispatch, once, and for nothing else.

Declared like every agent, so that it can be stopped and seen like one. It takes no part in convergence (no depth): its
input is a claimed dispatch. A LinkedIn note is always a person's task, attested by that person; what they say they did
is recorded as a signal. The claim and the checks live in ``approvals.services.dispatch``, the task and the record in
``approvals.services.settle``.
"""

from __future__ import annotations

from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.words import ImplementationKind, Key, Phase, Team


def run(batch: Batch, tools: Tools) -> Answers:
    """Nothing: without a dispatch there is nothing to do, and only a person's decision makes a dispatch."""
    del batch, tools
    return {}


AGENT = Agent(
    name="message_execution",
    team=Team.LEAD_GEN,
    phase=Phase.EXECUTION,
    order=2,
    reads=frozenset({Key.PROPOSALS}),
    writes=frozenset({Key.SIGNALS}),
    bucket="linkedin",
    implementations={ImplementationKind.RULES: Implementation(run)},
    depths=frozenset(),
)
