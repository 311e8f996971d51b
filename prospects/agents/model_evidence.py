"""Evidence by a language model: one question per prospect about all criteria, shared by the agents that judge them.

The agents of one prospect put the same question, so the first one pays and the others read its stored answer. Where the
model says nothing sound about a criterion, the rules speak for it; flags, which rule a prospect out, are theirs alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from playbooks.rules.criteria import Criterion
from playbooks.rules.describe import describe
from prospects.agents.asking import (
    NOBODY,
    Form,
    Material,
    attribute_of,
    is_fragment,
    material,
    source_of,
    until_it_answers,
)
from prospects.rules.facts import confidence_of
from prospects.rules.psychologic import FORCE_KIND, MOTIVE_KIND
from salesops.llm.prompts import load
from salesops.runtime.contract import Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import EvidenceProposal, NoteProposal, Proposal
from salesops.runtime.toolbox import Question
from salesops.runtime.views import ProspectView, SignalView
from salesops.runtime.words import Refused

PROMPT = "prospects/evidence"
#: The categories a model may judge. What somebody has committed to is recorded, not inferred.
CATEGORIES = ("fit", "timing", "need", "risk")
_NOT_FOR_MODELS = frozenset({"flag", "answer"})  # an answer is what somebody said when asked


class Judged(Form):
    """One judgement under one criterion."""

    criterion: str = Field(description="name of the criterion as listed")
    value: float = Field(description="0 to 100")
    confidence: float = Field(description="0 to 1")
    rationale: str = Field(description="one sentence")
    quote: str = Field(description="words copied from the material")
    signals: list[str] = Field(description="names of the pieces it rests on, such as s1", max_length=20)


class EvidenceAnswer(Form):
    """Judgements of the criteria that the material says something about."""

    judgements: list[Judged] = Field(max_length=80)


def evidence_by_model(
    category: str, criteria_of: Callable[[Tools], Mapping[Any, Criterion]], by_rules: Callable[[Batch, Tools], Answers]
) -> Implementation:
    """The implementation for one category's agent. ``by_rules(batch, tools)`` is the rules' answer to the same work."""

    def run(batch: Batch, tools: Tools) -> Answers:
        criteria = {_name(c): c for c in criteria_of(tools).values() if _may_judge(c)}
        ruled = by_rules(batch, tools)
        if not any(c.category == category for c in criteria.values()):
            return ruled  # nothing a model could judge
        seen = [material(_first_hand(prospect), "s") for prospect in batch]
        asked = [(p, m) for p, m in zip(batch, seen, strict=True) if m.pieces]
        replies = tools.ask([_question(p, m, criteria, tools) for p, m in asked])
        answers: dict[int, list[Proposal | Mapping[str, Any]]] = {p.id: [*ruled.get(p.id, ())] for p in batch}
        for (prospect, shown), reply in zip(asked, replies, strict=True):
            own = ruled.get(prospect.id, ())
            if reply.answer is None:
                answers[prospect.id] = [*until_it_answers(reply, own)]
            else:
                answers[prospect.id] = list(_combined(category, reply.answer, shown, criteria, own))
        if category == CATEGORIES[0]:
            for prospect, shown in zip(batch, seen, strict=True):
                answers[prospect.id] += shown.withheld  # said once, not by every category
        return answers

    return Implementation(run, version=f"1.{load(PROMPT).edition}")


def _first_hand(prospect: ProspectView) -> Iterator[SignalView]:
    """Without guesses of ours, and without forces that were read out of a text which is shown itself."""
    for signal in prospect.signals:
        if signal.kind != MOTIVE_KIND and not (signal.kind == FORCE_KIND and "derived_from" in signal.data):
            yield signal


def _may_judge(criterion: Criterion) -> bool:
    return criterion.category in CATEGORIES and criterion.kind not in _NOT_FOR_MODELS


def _name(criterion: Criterion) -> str:
    return f"{criterion.category}/{criterion.scorecard}.{criterion.key}"


def _question(
    prospect: ProspectView, shown: Material, criteria: Mapping[str, Criterion], tools: Tools
) -> Question[EvidenceAnswer]:
    listed, wanted = tools.memo("evidence_question", lambda: (_listed(criteria, tools), _wanted(tools)))
    values = {"criteria": listed, "wanted": wanted, "signals": shown.pieces}
    return Question(prospect, PROMPT, values, EvidenceAnswer)


def _listed(criteria: Mapping[str, Criterion], tools: Tools) -> str:
    asked = {(c.scorecard, c.key): describe(c.kind, c.params) for c in tools.playbook.criteria}
    return "\n".join(f"{name}: {c.label}. {asked.get((c.scorecard, c.key), '')}" for name, c in criteria.items())


def _wanted(tools: Tools) -> str:
    playbook = tools.playbook
    lines = [playbook.root_intent, ", ".join(playbook.icp_industries), ", ".join(playbook.icp_roles)]
    return "\n".join(line for line in lines if line) or "Whoever the criteria describe."


def _combined(
    category: str,
    answer: EvidenceAnswer,
    shown: Material,
    criteria: Mapping[str, Criterion],
    by_rules: Sequence[Proposal | Mapping[str, Any]],
) -> Iterator[Proposal | Mapping[str, Any]]:
    """The model's judgements, unsound ones too so that they are refused; the rules' where it has no sound one."""
    sound: set[tuple[str, str]] = set()
    for judged in answer.judgements:
        if not _concerns(judged.criterion, category):
            continue
        criterion = criteria.get(judged.criterion)
        if criterion is None:
            yield _unknown(judged)
        elif (criterion.scorecard, criterion.key) in sound:
            continue  # said twice: the first word counts
        elif not judged.quote.strip() or is_fragment(judged.quote, shown.named.values()):
            yield _no_quote(criterion)
        else:
            proposal, is_sound = _proposal(judged, criterion, shown)
            if is_sound:
                sound.add((criterion.scorecard, criterion.key))
            yield proposal
    for ruled in by_rules:
        if not isinstance(ruled, EvidenceProposal) or (ruled.scorecard, ruled.criterion) not in sound:
            yield ruled


def _concerns(name: str, category: str) -> bool:
    """Whether this category's agent has to speak about a judgement. What belongs to no category is fit's to refuse."""
    prefix = name.partition("/")[0]
    return prefix == category or (category == CATEGORIES[0] and prefix not in CATEGORIES)


def _proposal(judged: Judged, criterion: Criterion, shown: Material) -> tuple[Mapping[str, Any], bool]:
    """The judgement as an untyped proposal, and whether the runtime has a reason to refuse it that we can see."""
    cited = shown.cited(judged.signals)
    quote, origin = source_of(judged.quote, cited or ())
    newest = max(cited or list(shown.named.values()), key=lambda s: (s.observed_at, s.dedup_key))
    rests_on = origin or newest
    confidence = judged.confidence
    if origin is not None and confidence <= 1:  # nobody is surer than the source; out of range stays out of range
        confidence = min(confidence, confidence_of(origin))
    proposal = {
        "type": "evidence",
        "scorecard": criterion.scorecard,
        "criterion": criterion.key,
        "layer": criterion.layer,
        "category": criterion.category,
        "value": judged.value,
        "confidence": confidence,
        "rationale": judged.rationale.strip()[:500],
        "quote": quote or judged.quote,
        # Only the piece the quote stands in is proven; names never given out cite nobody's signal.
        "signal_ids": [NOBODY] if not cited else [rests_on.id] if origin else [s.id for s in cited],
        "fact_ref": attribute_of(quote, rests_on, getattr(criterion.params, "attribute", "")),
        "source": rests_on.source[:255],
        "observed_at": rests_on.observed_at,
    }
    in_range = 0 <= judged.value <= 100 and 0 <= judged.confidence <= 1
    return proposal, origin is not None and in_range and bool(judged.rationale.strip())


def _unknown(judged: Judged) -> NoteProposal:
    words = f"The language model judged a criterion the playbook does not have: “{judged.criterion[:80]}”."
    return NoteProposal(kind=Refused.PROVENANCE, message=words)


def _no_quote(criterion: Criterion) -> NoteProposal:
    words = f"The language model judged “{criterion.label}” without quoting any words; that is no evidence."
    return NoteProposal(kind=Refused.PROVENANCE, message=words)
