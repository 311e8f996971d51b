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

#: The deal pipeline, opened on conversion, and the customer pipeline, opened when a deal is won.
DEAL_MOVES: Final = (
    ("discovery", "proposal"), ("proposal", "negotiation"), ("negotiation", "won"),
    ("discovery", "lost"), ("proposal", "lost"), ("negotiation", "lost"),
)  # fmt: skip
CUSTOMER_MOVES: Final = (
    ("onboarding", "healthy"), ("healthy", "at_risk"), ("at_risk", "healthy"), ("at_risk", "churned"),
    ("healthy", "expansion"), ("expansion", "healthy"),
)  # fmt: skip
MOVES: Final = {"prospect": PROSPECT_MOVES, "deal": DEAL_MOVES, "customer": CUSTOMER_MOVES}


def sources_of(target: str) -> list[str]:
    """The prospect stages from which ``target`` can be reached in one move."""
    return [source for source, end in PROSPECT_MOVES if end == target]
