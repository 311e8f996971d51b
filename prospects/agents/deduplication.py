"""One identity per company: says where two prospects of a playbook may be the same, and why.

The import merges rows with the same domain, address or name already. What is left is like names on different domains;
a person decides about those. The view brings the other prospects whose company carries the same compared name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import SignalProposal
from salesops.runtime.views import ProspectView
from salesops.runtime.words import ImplementationKind, Key, Phase, Team

_SAME_PLACE, _SAME_NAME = 0.85, 0.65


def run(batch: Batch, tools: Tools) -> Answers:
    """One ``possible_duplicate`` signal per twin, on the prospect that came later."""
    del tools
    return {prospect.id: list(_twins(prospect)) for prospect in batch}


def _twins(prospect: ProspectView) -> Iterator[SignalProposal]:
    company = prospect.company
    profile = next((s for s in prospect.signals if s.kind == "profile"), None)
    if company is None or profile is None:
        return
    for twin in prospect.extras.get("twins", ()):
        if twin["prospect_id"] > prospect.id:
            continue  # the later one says it, once
        same, sure = _likeness(prospect, twin)
        yield SignalProposal(
            kind="possible_duplicate",
            observed_at=profile.observed_at,
            text=f"Perhaps the same company as {twin['name']} ({twin['key']}): {same}.",
            data={"of": twin["key"], "reason": same},
            derived_from=profile.id,
            attribute=f"name:{twin['key']}"[:60],
            confidence=sure,
        )


def _likeness(prospect: ProspectView, twin: Mapping[str, Any]) -> tuple[str, float]:
    company = prospect.company
    if company is not None and company.country and company.country == twin["country"] and company.city == twin["city"]:
        return "same name, same place", _SAME_PLACE
    return "same name, other domain", _SAME_NAME


AGENT = Agent(
    name="deduplication",
    team=Team.LEAD_GEN,
    phase=Phase.DISCOVERY,
    order=3,
    reads=frozenset({Key.SIGNALS}),
    writes=frozenset({Key.SIGNALS}),
    implementations={ImplementationKind.RULES: Implementation(run)},
)
