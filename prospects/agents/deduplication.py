"""One identity per company and person: says which records may be one, how sure that is, and why.

It only proposes. From one threshold of the playbook on the runtime merges without asking, from another a person is
asked; both can be undone. Whom it compares was found by stored keys, not by looking at everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prospects.rules.dedup import Match, kept_first, match_companies, match_people
from prospects.rules.identities import CompanyFacts, PersonFacts
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import Compared, MergeProposal
from salesops.runtime.views import ProspectView
from salesops.runtime.words import ImplementationKind, Key, Phase, Team

#: More likely twins than this are a pattern in the data that a person should see first.
MOST = 10


def run(batch: Batch, tools: Tools) -> Answers:
    """One proposal per likely twin of the prospect's company and of its people, the surest first."""
    least = tools.playbook.twin_threshold
    return {prospect.id: list(_proposals(prospect, least)) for prospect in batch}


def _proposals(prospect: ProspectView, least: float) -> Iterator[MergeProposal]:
    best: dict[tuple[str, int, int], tuple[Match, Any, Any]] = {}
    for twins in prospect.extras.get("twins", ()):
        for own, other, match in _matches(twins.own, twins.others):
            pair = (twins.kind, match.one, match.other)
            if match.score < least:
                continue
            if pair not in best or match.score > best[pair][0].score:
                best[pair] = (match, own, other)
    ranked = sorted(best.items(), key=lambda item: (-item[1][0].score, item[0]))
    for (kind, _, _), (match, own, other) in ranked[:MOST]:
        kept, merged = kept_first(own, other)
        yield MergeProposal(
            kind="company" if kind == "company" else "contact",
            kept=kept.id,
            merged=merged.id,
            kept_key=kept.key[:300],
            merged_key=merged.key[:300],
            score=match.score,
            reasons=tuple(Compared(what=r.what, words=r.words, weight=r.weight) for r in match.reasons),
        )


def _matches(own: Any, others: Iterable[Any]) -> Iterator[tuple[Any, Any, Match]]:
    for other in others:
        match: Match | None = None
        if isinstance(own, CompanyFacts) and isinstance(other, CompanyFacts):
            match = match_companies(own, other)
        elif isinstance(own, PersonFacts) and isinstance(other, PersonFacts):
            match = match_people(own, other)
        if match is not None:
            yield own, other, match


AGENT = Agent(
    name="deduplication",
    team=Team.LEAD_GEN,
    phase=Phase.DISCOVERY,
    order=0,  # with enrichment, and by name before it: nobody pays for facts about a duplicate
    reads=frozenset({Key.SIGNALS}),
    writes=frozenset({Key.SIGNALS}),
    implementations={ImplementationKind.RULES: Implementation(run, version="2")},
)
