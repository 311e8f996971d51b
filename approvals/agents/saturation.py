"""Fatigue and frequency: may this person and company hear from us again, and if not, from when on?"""

from __future__ import annotations

from approvals.rules.saturation import Heard, Saturation, saturation
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.outreach_proposals import SaturationProposal
from salesops.runtime.proposals import NoteProposal, Proposal
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Refused, Team

HEARD = "heard"  # in a view's extras: what the person and the company have had from us


def run(batch: Batch, tools: Tools) -> Answers:
    """One answer for everybody who may be written to at all."""
    answers = {}
    for prospect in batch:
        heard = prospect.extras.get(HEARD)
        if prospect.contact is not None and isinstance(heard, Heard):
            answers[prospect.id] = _proposals(saturation(heard, tools.now))
    return answers


def _proposals(found: Saturation) -> list[Proposal]:
    """The answer, and a note when nothing may be asked for now."""
    words = found.words[:500]
    answer = SaturationProposal(allowed=found.allowed, until=found.until, words=words, saw=dict(found.saw))
    return [answer] if found.allowed else [answer, NoteProposal(kind=Refused.STALLED, message=words)]


AGENT = Agent(
    name="saturation",
    team=Team.LEAD_GEN,
    phase=Phase.CHANNEL,
    order=2,
    reads=frozenset({Key.EVALUATIONS, Key.SIGNALS}),
    writes=frozenset({Key.EVALUATIONS}),
    implementations={ImplementationKind.RULES: Implementation(run)},
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
)
