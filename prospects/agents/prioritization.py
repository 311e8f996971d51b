"""How soon a prospect deserves attention: priority, tier, and the sequence of touches that the tier picks.

Runs after the evidence agents. Re-scoring (``manage.py score``) uses the same rule, so both always agree.
"""

from __future__ import annotations

from prospects.agents.judging import criteria_of
from prospects.rules.priority import Priority, PriorityModel, evidence_by_card, prioritize, priority_model
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import Part, PriorityProposal
from salesops.runtime.words import ImplementationKind, Key, Phase, Team


def run(batch: Batch, tools: Tools) -> Answers:
    """One priority for everybody about whom anything is known."""
    model = tools.memo("priority", lambda: _model(tools))
    found = ((prospect.id, prioritize(model, evidence_by_card(prospect.evidence), tools.now)) for prospect in batch)
    return {prospect_id: [_proposal(priority)] for prospect_id, priority in found if priority is not None}


def _model(tools: Tools) -> PriorityModel:
    playbook = tools.playbook
    steps = (step.tier for step in playbook.sequences)
    return priority_model(criteria_of(tools).values(), playbook.tier_thresholds, steps)


def _proposal(found: Priority) -> PriorityProposal:
    return PriorityProposal.model_validate(
        {
            "value": found.value,
            "coverage": found.coverage,
            "tier": found.tier,
            "sequence": found.sequence,
            "touches": found.touches,
            "parts": tuple(
                Part.model_construct(name=p.name, source=p.source, share=p.share, value=p.value, coverage=p.coverage)
                for p in found.parts
            ),
            "evidence_ids": found.evidence_ids,
        }
    )


AGENT = Agent(
    name="prioritization",
    team=Team.QUALIFICATION,
    phase=Phase.QUALIFICATION,
    order=9,
    reads=frozenset({Key.HYPOTHESES}),
    writes=frozenset({Key.HYPOTHESES}),
    implementations={ImplementationKind.RULES: Implementation(run)},
)
