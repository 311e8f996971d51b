"""The stages of the three pipelines and the moves that are legal at all. Pure: no Django.

A playbook's stage rules say *when* a legal move may happen; nothing makes an illegal one possible. PostgreSQL holds the
same table (see prospects.models.guards), generated from here. It lives with the playbooks because their stage rules are
checked against it, and they know nothing of prospects.
"""

from __future__ import annotations

from typing import Final

SOURCED: Final = "sourced"
RESEARCHED: Final = "researched"
QUALIFYING: Final = "qualifying"
QUALIFIED: Final = "qualified"
NURTURE: Final = "nurture"
STALLED: Final = "stalled"
REJECTED: Final = "rejected"
CONTACTED: Final = "contacted"
ENGAGED: Final = "engaged"
CONVERTED: Final = "converted"
DISQUALIFIED: Final = "disqualified"
CLOSED: Final = "closed"

#: In the order a leader reads them.
PROSPECT_STAGES: Final = (
    SOURCED, RESEARCHED, QUALIFYING, QUALIFIED, CONTACTED, ENGAGED, CONVERTED,
    NURTURE, STALLED, REJECTED, DISQUALIFIED, CLOSED,
)  # fmt: skip
#: The way through the funnel; the others are side tracks and exits.
MAIN_LINE: Final = (SOURCED, RESEARCHED, QUALIFYING, QUALIFIED, CONTACTED, ENGAGED, CONVERTED)
#: Where a prospect waits and can come back from.
WAITING: Final = (NURTURE, STALLED)
#: Where work has ended without a conversion.
LOST: Final = (REJECTED, DISQUALIFIED, CLOSED)
#: Stages from which work may still end by a person's or a rule's word.
OPEN: Final = (SOURCED, RESEARCHED, QUALIFYING, QUALIFIED, NURTURE, STALLED, CONTACTED, ENGAGED)

_FORWARD: Final = (
    (SOURCED, RESEARCHED),
    (RESEARCHED, QUALIFYING),
    (QUALIFYING, QUALIFIED),
    (QUALIFYING, NURTURE),
    (QUALIFYING, REJECTED),
    (QUALIFYING, STALLED),
    (QUALIFIED, CONTACTED),
    (QUALIFIED, NURTURE),
    (QUALIFIED, STALLED),
    (CONTACTED, ENGAGED),
    (ENGAGED, CONVERTED),
    (NURTURE, QUALIFYING),
    (STALLED, QUALIFYING),
    (REJECTED, QUALIFYING),
)
#: Every legal (from, to) of the prospect pipeline.
PROSPECT_MOVES: Final = _FORWARD + tuple((stage, end) for stage in OPEN for end in (DISQUALIFIED, CLOSED))

DISCOVERY: Final = "discovery"
PROPOSAL: Final = "proposal"
NEGOTIATION: Final = "negotiation"
WON: Final = "won"
LOST_DEAL: Final = "lost"
ONBOARDING: Final = "onboarding"
HEALTHY: Final = "healthy"
EXPANSION: Final = "expansion"
AT_RISK: Final = "at_risk"
CHURNED: Final = "churned"
CUSTOMER_STAGES: Final = (ONBOARDING, HEALTHY, EXPANSION, AT_RISK, CHURNED)

#: The deal pipeline, opened on conversion, and the customer pipeline, opened when a deal is won.
DEAL_MOVES: Final = (
    (DISCOVERY, PROPOSAL), (PROPOSAL, NEGOTIATION), (NEGOTIATION, WON),
    (DISCOVERY, LOST_DEAL), (PROPOSAL, LOST_DEAL), (NEGOTIATION, LOST_DEAL),
)  # fmt: skip
CUSTOMER_MOVES: Final = (
    (ONBOARDING, HEALTHY), (HEALTHY, AT_RISK), (AT_RISK, HEALTHY), (AT_RISK, CHURNED),
    (HEALTHY, EXPANSION), (EXPANSION, HEALTHY),
)  # fmt: skip
MOVES: Final = {"prospect": PROSPECT_MOVES, "deal": DEAL_MOVES, "customer": CUSTOMER_MOVES}

#: The stage that a row of each pipeline is born in.
FIRST: Final = {"prospect": SOURCED, "deal": DISCOVERY, "customer": ONBOARDING}
#: The way onwards through each pipeline.
ONWARDS: Final = {
    "prospect": MAIN_LINE,
    "deal": (DISCOVERY, PROPOSAL, NEGOTIATION, WON),
    "customer": (ONBOARDING, HEALTHY, EXPANSION),
}
#: Side tracks and exits: a stated reason takes the place of a stage rule.
BY_REASON: Final = {
    "prospect": (REJECTED, STALLED, NURTURE, DISQUALIFIED, CLOSED),
    "deal": (LOST_DEAL,),
    "customer": (AT_RISK, CHURNED),
}
#: The stretches of the way onwards that a playbook may shorten.
_SHORTENED: Final = {
    "prospect": ((SOURCED, RESEARCHED, QUALIFYING, QUALIFIED), (QUALIFIED, CONTACTED, ENGAGED, CONVERTED)),
    "deal": ((DISCOVERY, PROPOSAL, NEGOTIATION, WON),),
    "customer": (),
}


def _shortcuts(stretches: tuple[tuple[str, ...], ...]) -> dict[tuple[str, str], tuple[str, ...]]:
    return {
        (line[i], line[j]): line[i + 1 : j]
        for line in stretches
        for i in range(len(line))
        for j in range(i + 2, len(line))
    }


#: Per pipeline, the moves that pass over stages, with the stages passed over. Legal where a stage rule declares it.
SKIPS: Final = {pipeline: _shortcuts(stretches) for pipeline, stretches in _SHORTENED.items()}


def sources_of(target: str, pipeline: str = "prospect") -> list[str]:
    """The stages of a pipeline from which ``target`` can be reached in one move, shortcuts included."""
    return [source for source, end in (*MOVES[pipeline], *SKIPS[pipeline]) if end == target]


def is_open(pipeline: str, stage: str) -> bool:
    """Whether anything can still follow."""
    return any(source == stage for source, _ in MOVES[pipeline])
