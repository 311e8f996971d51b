"""The letters of BANT, MEDDIC and MEDDPICC, as far as signals prove them. Says nothing about the others.

How signals speak of letters stands in ``prospects.rules.letters``. What a person answered is such a signal, and the
newest word counts: this agent never overrules it. A playbook without such a scorecard has no work for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from playbooks.rules.criteria import Criterion
from prospects.agents.by_hand import evidence_by_hand
from prospects.agents.judging import criteria_of, facts_of
from prospects.rules.frameworks import FRAMEWORKS, Letter
from prospects.rules.letters import evidence_of, known, letters_in
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.playbook_views import PlaybookView
from salesops.runtime.proposals import EvidenceProposal
from salesops.runtime.views import ProspectView
from salesops.runtime.words import ImplementationKind, Key, Phase, Team


def run(batch: Batch, tools: Tools) -> Answers:
    """Evidence for every letter about which something is known."""
    letters = tools.memo("letters", lambda: letters_in(letters_of(tools).values()))
    return {prospect.id: list(_found(prospect, letters, tools)) for prospect in batch}


def letters_of(tools: Tools) -> dict[Any, Criterion]:
    """The playbook's criteria that are letters."""
    return {key: c for key, c in criteria_of(tools).items() if c.scorecard in FRAMEWORKS}


def _found(prospect: ProspectView, letters: list[tuple[Criterion, Letter]], tools: Tools) -> Iterator[EvidenceProposal]:
    signals = {signal.id: signal for signal in prospect.signals}
    held = {(e.scorecard, e.criterion): e for e in prospect.evidence}
    for found in known(letters, prospect.signals, prospect.evidence, facts_of(prospect, tools)):
        row = evidence_of(found, signals, held.get((found.criterion.scorecard, found.criterion.key)))
        if row is not None:
            yield EvidenceProposal(**row)


def _concerns(playbook: PlaybookView) -> bool:
    return any(c.scorecard in FRAMEWORKS for c in playbook.criteria)


AGENT = Agent(
    name="framework_qualification",
    team=Team.QUALIFICATION,
    phase=Phase.QUALIFICATION,
    order=8,
    reads=frozenset({Key.HYPOTHESES, Key.SIGNALS}),
    writes=frozenset({Key.HYPOTHESES}),
    implementations={
        ImplementationKind.RULES: Implementation(run),
        ImplementationKind.HUMAN: evidence_by_hand("BANT and MEDDIC", letters_of),
    },
    concerns=_concerns,
)
