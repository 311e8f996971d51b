"""When to act on each channel there are words for, in the recipient's own time."""

from __future__ import annotations

from datetime import timedelta

from approvals.rules import compliance
from approvals.rules.timing import ANSWERS, Timing, best_window
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.outreach_proposals import TimingProposal
from salesops.runtime.views import ProspectView
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Team


def run(batch: Batch, tools: Tools) -> Answers:
    """A window for every channel that a message was drafted for."""
    return {
        prospect.id: [_proposal(channel, timing_of(prospect, channel, tools)) for channel in _channels(prospect)]
        for prospect in batch
        if prospect.contact is not None
    }


def _channels(prospect: ProspectView) -> list[str]:
    return sorted({message.channel for message in prospect.messages if message.compliance in ("PASS", "REVIEW")})


def timing_of(prospect: ProspectView, channel: str, tools: Tools) -> Timing:
    """The best window for one channel, within the time that a person has to decide."""
    contact = prospect.contact
    country = contact.country if contact is not None else ""
    return best_window(
        channel,
        compliance.country_code(country),
        contact.time_zone if contact is not None else "",
        tools.now,
        within=timedelta(hours=tools.playbook.request_hours),
        instead=tools.playbook.client.time_zone,
        answered=[signal.observed_at for signal in prospect.signals if signal.kind in ANSWERS],
    )


def _proposal(channel: str, found: Timing) -> TimingProposal:
    return TimingProposal(
        channel=channel, not_before=found.not_before, until=found.until, zone=found.zone, words=found.words[:500]
    )


AGENT = Agent(
    name="timing_optimization",
    team=Team.LEAD_GEN,
    phase=Phase.CHANNEL,
    order=1,
    reads=frozenset({Key.STRATEGIES, Key.SIGNALS}),
    writes=frozenset({Key.EVALUATIONS}),
    implementations={ImplementationKind.RULES: Implementation(run)},
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
)
