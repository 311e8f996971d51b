"""What worked with similar prospects of this playbook before, by channel and angle. Says nothing below five cases.

Only touches that reached somebody count, and only once they had two weeks to bring something.
"""

from __future__ import annotations

from collections.abc import Sequence

from approvals.rules.history import Cell, Kind, Past, Record, past_of, size_band
from salesops.percent import percent
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.outreach_proposals import HistoryProposal, Outcomes
from salesops.runtime.views import ProspectView
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Team

CELLS = "outcomes"  # in a view's extras: the playbook's finished touches, counted


def run(batch: Batch, tools: Tools) -> Answers:
    """A record of what worked for every prospect that has predecessors."""
    priors = {policy.channel: policy.reply_rate for policy in tools.playbook.channels}
    answers = {}
    for prospect in batch:
        cells: Sequence[Cell] = prospect.extras.get(CELLS, ())
        past = past_of(kind_of(prospect), cells, priors) if cells else None
        if past is not None:
            answers[prospect.id] = [_proposal(past)]
    return answers


def kind_of(prospect: ProspectView) -> Kind:
    """What makes this prospect like others."""
    company = prospect.company
    if company is None:
        return Kind(prospect.segment, "", None, prospect.route)
    employees = company.employees_max if company.employees_max is not None else company.employees_min
    return Kind(prospect.segment, company.industry, size_band(employees), prospect.route)


def _proposal(past: Past) -> HistoryProposal:
    return HistoryProposal(
        alike=past.alike,
        channels=tuple(_outcomes(record) for record in past.channels),
        angles=tuple(_outcomes(record) for record in past.angles),
        words=_words(past)[:500],
    )


def _outcomes(record: Record) -> Outcomes:
    return Outcomes(
        channel=record.channel, angle=record.angle, n=record.n, positive=record.positive, prior=record.prior,
        rate=record.rate, low=record.low, high=record.high,
    )  # fmt: skip


def _words(past: Past) -> str:
    who = f"Similar prospects ({', '.join(past.alike)})" if past.alike else "Prospects of this playbook"
    channels = "; ".join(f"{r.channel}: {r.positive} positive of {r.n}" for r in past.channels)
    best = past.angles[0] if past.angles and past.angles[0].positive else None
    said = f"{who}: {channels}."
    if best is None:
        return said
    angle = best.angle.replace("-", " ").replace("_", " ")
    return f"{said} The {angle} angle did best: {best.positive} of {best.n} ({percent(best.low)}–{percent(best.high)})."


AGENT = Agent(
    name="historical_outcome",
    team=Team.LEAD_GEN,
    phase=Phase.STRATEGY,
    order=0,
    reads=frozenset({Key.HYPOTHESES, Key.SIGNALS}),
    writes=frozenset({Key.STRATEGIES}),
    implementations={ImplementationKind.RULES: Implementation(run)},
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
)
