"""E-mail goes out for an approved dispatch, once, and for nothing else.

Declared like every agent, so that it can be stopped and seen like one. It takes no part in convergence (no depth):
its input is a claimed dispatch, its one act is the hand-off to the mail server, and what happened is recorded as a
signal. The claim, the checks before it and the record after it live in ``approvals.services.dispatch``.
"""

from __future__ import annotations

from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.words import ImplementationKind, Key, Phase, Team


def run(batch: Batch, tools: Tools) -> Answers:
    """Nothing: without a dispatch there is nothing to do, and only a person's decision makes a dispatch."""
    del batch, tools
    return {}


AGENT = Agent(
    name="email_execution",
    team=Team.LEAD_GEN,
    phase=Phase.EXECUTION,
    reads=frozenset({Key.PROPOSALS}),
    writes=frozenset({Key.SIGNALS}),
    bucket="emails",
    implementations={ImplementationKind.RULES: Implementation(run)},
    depths=frozenset(),
)
