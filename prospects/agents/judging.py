"""What the evidence agents share: judge the playbook's criteria of one category and propose what was seen.

Not an agent. Each category has its own agent so that a playbook can give each one another implementation.
"""

from __future__ import annotations

from collections.abc import Mapping

from playbooks.rules.criteria import Criterion
from prospects.agents.by_hand import evidence_by_hand
from prospects.agents.model_evidence import CATEGORIES, evidence_by_model
from prospects.rules.compiled import criteria_by_key
from prospects.rules.criteria import Judgement, judge_all
from prospects.rules.facts import Facts
from prospects.rules.frameworks import FRAMEWORKS
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import EvidenceProposal
from salesops.runtime.views import ProspectView, SignalView
from salesops.runtime.words import ImplementationKind, Key, Phase, Team

_KEPT = 2000  # prospects whose arranged facts are kept: the agents of one batch share them


def evidence_agent(category: str, order: int) -> Agent:
    """The agent that judges all criteria of ``category``, in every scorecard of the playbook."""

    def run(batch: Batch, tools: Tools) -> Answers:
        criteria = judged_one_by_one(tools)
        mine = [criterion for criterion in criteria.values() if criterion.category == category]
        return {prospect.id: _judged(prospect, mine, tools) for prospect in batch} if mine else {}

    implementations = {ImplementationKind.RULES: Implementation(run)}
    if category in CATEGORIES:
        implementations[ImplementationKind.LLM] = evidence_by_model(category, judged_one_by_one, run)
    implementations[ImplementationKind.HUMAN] = evidence_by_hand(category, lambda tools: _of(category, tools))
    return Agent(
        name=f"{category}_evidence",
        team=Team.QUALIFICATION,
        phase=Phase.QUALIFICATION,
        order=order,
        reads=frozenset({Key.SIGNALS}),
        writes=frozenset({Key.HYPOTHESES}),
        implementations=implementations,
    )


def criteria_of(tools: Tools) -> Mapping[tuple[str, str], Criterion]:
    """The playbook's criteria with parsed parameters, by (scorecard, key); parsed once per version."""
    return tools.memo("criteria", lambda: criteria_by_key(tools.playbook))


def judged_one_by_one(tools: Tools) -> Mapping[tuple[str, str], Criterion]:
    """Without the letters of qualification frameworks: an agent of their own speaks for those."""
    return tools.memo(
        "judged_criteria", lambda: {k: c for k, c in criteria_of(tools).items() if c.scorecard not in FRAMEWORKS}
    )


def _of(category: str, tools: Tools) -> dict[tuple[str, str], Criterion]:
    return {key: c for key, c in judged_one_by_one(tools).items() if c.category == category}


def facts_of(prospect: ProspectView, tools: Tools) -> Facts:
    """The prospect's signals arranged for judging; agents of one batch share the arrangement."""
    kept: dict[tuple[int, int, int], Facts] = tools.memo("facts", dict)
    newest = prospect.signals[-1].fact_no if prospect.signals else 0
    key = (prospect.id, len(prospect.signals), newest)
    facts = kept.get(key)
    if facts is None:
        if len(kept) >= _KEPT:
            kept.clear()
        facts = kept[key] = Facts(prospect.signals, tools.now)
    return facts


def _judged(prospect: ProspectView, criteria: list[Criterion], tools: Tools) -> list[EvidenceProposal]:
    facts = facts_of(prospect, tools)
    signals = {signal.id: signal for signal in prospect.signals}
    return [_proposal(c, j, signals) for c, j in judge_all(criteria, facts)]


def _proposal(criterion: Criterion, judgement: Judgement, signals: Mapping[int, SignalView]) -> EvidenceProposal:
    assert judgement.value is not None  # noqa: S101 — judge_all leaves the unknown out
    assert judgement.observed_at is not None  # noqa: S101
    return EvidenceProposal(
        scorecard=criterion.scorecard,
        criterion=criterion.key,
        layer=criterion.layer,
        category=criterion.category,
        value=judgement.value,
        confidence=judgement.confidence,
        strong_negative=judgement.strong_negative,
        rationale=judgement.rationale[:500],
        quote=_verbatim(judgement, signals),
        signal_ids=judgement.signal_ids,
        fact_ref=judgement.fact_ref,
        source=judgement.source[:255],
        observed_at=judgement.observed_at,
    )


def _verbatim(judgement: Judgement, signals: Mapping[int, SignalView]) -> str:
    """The quote as far as it really stands in a cited signal; a value shown with its label loses the label."""
    for quote in (judgement.quote, judgement.quote.partition(": ")[2]):
        if quote.strip() and any(quote in signals[i].quotable for i in judgement.signal_ids):
            return quote
    return ""
