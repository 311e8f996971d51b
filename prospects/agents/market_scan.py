"""Finds companies nobody has told us about, in the playbook's sources. Declared here like every agent.

It looks for companies that are no prospects yet, so it has no prospect to run on: ``prospects.services.market_scan``
does its work, at the start of an extended convergence or on demand, under this contract (team, permission, stops).
"""

from __future__ import annotations

from playbooks.rules.sources import CANDIDATE
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.words import ImplementationKind, Key, Phase, Team


def run(batch: Batch, tools: Tools) -> Answers:
    """Nothing about companies that are known already."""
    del batch, tools
    return {}


AGENT = Agent(
    name="market_scan",
    team=Team.LEAD_GEN,
    phase=Phase.DISCOVERY,
    order=-1,
    reads=frozenset({Key.SEEDS}),
    writes=frozenset({Key.SIGNALS}),
    implementations={ImplementationKind.RULES: Implementation(run)},
    depths=frozenset(),
    concerns=lambda playbook: CANDIDATE in playbook.delivers,
)
