"""Qualification: is there enough independent evidence, and if not, what exactly is missing?

Independence. Each category must rest on a fact of its own. Categories are matched to distinct facts, a fact being one
attribute or kind of one original signal; two rows drawn from the same fact carry one category between them. The
matching is a maximum one (Kuhn's augmenting paths), so evidence is never wasted by the order it came in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from playbooks.rules.criteria import CATEGORIES, Criterion
from prospects.rules.criteria import ACCEPTS
from prospects.rules.facts import FactKey
from prospects.rules.frameworks import FRAMEWORKS
from prospects.rules.scoring import Composite, EvidenceItem
from salesops.percent import percent

QUALIFIED, REJECTED, STALLED = "qualified", "rejected", "stalled"
ICP = "icp"
ANYBODY = "any"


@dataclass(frozen=True, slots=True)
class Rule:
    """A stage rule: what must hold before a prospect moves from one stage to another. Scores 0–100, coverage 0–1."""

    pipeline: str
    from_stage: str
    to_stage: str
    required_categories: tuple[str, ...] = ()
    required_layers: tuple[str, ...] = ()
    min_categories: int = 0
    min_score: float | None = None
    min_coverage: float | None = None
    needs_person: bool = False
    scorecard: str = ICP
    route: str = ANYBODY
    confirm_from_value: Decimal | None = None

    def asks_person(self, worth: Decimal | None = None) -> bool:
        """Whether a person must confirm the move of something worth this much."""
        dear = self.confirm_from_value is not None and worth is not None and worth >= self.confirm_from_value
        return self.needs_person or dear


def rule_of(row: Any) -> Rule:
    """A stage rule's row or view as the rules read it."""
    return Rule(
        pipeline=row.pipeline, from_stage=row.from_stage, to_stage=row.to_stage,
        required_categories=tuple(row.required_categories), required_layers=tuple(row.required_layers),
        min_categories=row.min_categories, min_score=row.min_score, min_coverage=row.min_coverage,
        needs_person=row.needs_person, scorecard=row.scorecard, route=row.route,
        confirm_from_value=row.confirm_from_value,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition with its numbers: what is there, what is needed, and the sentence a person reads."""

    key: str
    label: str
    passed: bool
    actual: float
    needed: float
    words: str

    def as_dict(self) -> dict[str, object]:
        """The gate as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(slots=True)
class Standing:
    """Where a prospect stands: the evidence in force by criterion, its composite, and what could still be asked.

    ``cards`` holds (score 0–100, coverage 0–1) of the other scorecards that stage rules ask for.
    """

    items: Mapping[str, EvidenceItem]
    composite: Composite
    criteria: Sequence[Criterion]
    min_confidence: float = 0.6
    cards: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(slots=True)
class RuleCheck:
    """Whether a stage rule holds, gate by gate; ``evidence_ids`` are the rows that satisfied it."""

    holds: bool
    gates: list[Gate]
    missing: list[str]
    evidence_ids: tuple[int, ...]


@dataclass(slots=True)
class Verdict:
    """qualified, rejected (with the reason) or stalled (with exactly what is missing)."""

    verdict: str
    reason: str
    missing: list[str] = field(default_factory=list)
    gates: list[Gate] = field(default_factory=list)
    evidence_ids: tuple[int, ...] = ()


def is_accepted(item: EvidenceItem, min_confidence: float) -> bool:
    """Value at least 50, confidence at least the playbook's minimum, not a strong negative."""
    return item.value >= ACCEPTS and item.confidence >= min_confidence and not item.strong_negative


def accepted(items: Iterable[EvidenceItem], min_confidence: float) -> list[EvidenceItem]:
    """The evidence that counts towards qualification, strongest first."""
    return sorted(
        (item for item in items if is_accepted(item, min_confidence)),
        key=lambda item: (-item.value, -item.confidence, item.id),
    )


def independent_categories(items: Iterable[EvidenceItem], required: Collection[str] = ()) -> dict[str, EvidenceItem]:
    """The most categories that can each rest on a fact of their own, with the evidence each one rests on.

    ``required`` categories are placed first; an augmenting path never gives up a category it has placed, so they are
    kept whenever they can be kept together.
    """
    choices: defaultdict[str, dict[FactKey, EvidenceItem]] = defaultdict(dict)
    for item in items:
        for fact in item.facts:
            choices[item.category].setdefault(fact, item)
    holder: dict[FactKey, str] = {}
    rank = {category: number for number, category in enumerate(CATEGORIES)}
    order = sorted(choices, key=lambda c: (c not in required, rank.get(c, len(rank)), c))
    for category in order:
        _place(category, choices, holder, set())
    return {category: choices[category][fact] for fact, category in holder.items()}


def _place(
    category: str,
    choices: Mapping[str, Mapping[FactKey, EvidenceItem]],
    holder: dict[FactKey, str],
    tried: set[FactKey],
) -> bool:
    """Give the category a free fact, moving others along if that frees one."""
    for fact in choices[category]:
        if fact in tried:
            continue
        tried.add(fact)
        other = holder.get(fact)
        if other is None or _place(other, choices, holder, tried):
            holder[fact] = category
            return True
    return False


def rule_holds(rule: Rule, standing: Standing) -> RuleCheck:
    """Check every condition of a stage rule. No gate is skipped, so a person sees all that is missing at once."""
    flags = {criterion.key for criterion in standing.criteria if criterion.kind == "flag"}
    speaking = (item for key, item in standing.items.items() if key not in flags)
    counted = accepted(speaking, standing.min_confidence)
    placed = independent_categories(counted, rule.required_categories)
    gates = [
        *_category_gates(rule, standing, placed, counted),
        *_layer_gates(rule, standing),
        *_route_gates(rule, standing.composite),
        *_number_gates(rule, standing),
        _negative_gate(standing.composite),
    ]
    missing = [gate.words for gate in gates if not gate.passed]
    ids = tuple(sorted({item.id for item in placed.values()}))
    return RuleCheck(not missing, gates, missing, ids)


def qualify(standing: Standing, rule: Rule, warm: float) -> Verdict:
    """The verdict on a prospect under the rule that leads to *qualified*.

    Rejected: a strong negative, or a composite under ``warm`` although as much is known as the rule asks for.
    Anything else that falls short is stalled: more evidence could still change it.
    """
    check = rule_holds(rule, standing)
    negative, value = standing.composite.strong_negative, standing.composite.value
    if negative is not None:
        return Verdict(REJECTED, negative.rationale or "A strong negative was found.", [], check.gates, (negative.id,))
    if check.holds:
        words = f"{len(check.evidence_ids)} independent categories of evidence"
        reason = f"{words}." if value is None else f"{words}, composite {value:.0f}."
        return Verdict(QUALIFIED, reason, [], check.gates, check.evidence_ids)
    enough_known = standing.composite.coverage >= (rule.min_coverage or 0.0)
    if value is not None and value < warm and enough_known and standing.items:
        reason = f"The composite is {_beside(value, warm)}; prospects under {warm:.0f} are not pursued."
        return Verdict(REJECTED, reason, check.missing, check.gates, ())
    return Verdict(STALLED, " ".join(check.missing), check.missing, check.gates, check.evidence_ids)


def _category_gates(
    rule: Rule, standing: Standing, placed: Mapping[str, EvidenceItem], counted: Sequence[EvidenceItem]
) -> list[Gate]:
    gates = []
    have = {item.category for item in counted}
    for category in rule.required_categories:
        passed = category in placed
        words = f"{category.capitalize()} is evidenced." if passed else _lacking(category, standing, category in have)
        gates.append(Gate(f"category_{category}", category.capitalize(), passed, float(passed), 1.0, words))
    if rule.min_categories:
        passed, count = len(placed) >= rule.min_categories, len(placed)
        words = f"{count} independent categories are evidenced; {rule.min_categories} are needed."
        if not passed:
            lacking = [c for c in CATEGORIES if c not in placed and any(k.category == c for k in standing.criteria)]
            hints = [_lacking(category, standing, category in have) for category in lacking]
            words = " ".join([words, *(hint for hint in hints if hint not in {g.words for g in gates})])
        needed = float(rule.min_categories)
        gates.append(Gate("categories", "Independent categories", passed, float(count), needed, words))
    return gates


def _lacking(category: str, standing: Standing, shares_a_fact: bool) -> str:
    """Why a category does not count yet, and what would make it count."""
    name = category.capitalize()
    if shares_a_fact:
        return f"{name} rests on the same fact as another category; a second source is needed."
    weak = [item for item in standing.items.values() if item.category == category and not item.strong_negative]
    unsure = [item for item in weak if item.value >= ACCEPTS]
    labels = {criterion.key: criterion.label or criterion.key for criterion in standing.criteria}
    if unsure:
        best = max(unsure, key=lambda item: (item.confidence, -item.id))
        label = labels.get(best.criterion, best.criterion)
        sure, needed = _share_beside(best.confidence, standing.min_confidence), percent(standing.min_confidence)
        return f"{name}: “{label}” is {sure} sure; {needed} is needed."
    askable = [c for c in standing.criteria if c.category == category and c.kind != "flag"]
    unknown = [c.label or c.key for c in askable if c.key not in standing.items]
    if unknown:
        return f"{name} has no good evidence yet; look for: {'; '.join(unknown[:3])}."
    if weak:
        best = max(weak, key=lambda item: (item.value, -item.id))
        label = labels.get(best.criterion, best.criterion)
        worth = _beside(best.value, ACCEPTS)
        return f"{name}: the best evidence, “{label}”, is worth {worth}; {ACCEPTS:.0f} is needed."
    return f"{name} has no evidence, and the playbook has no criterion that could give it."


def _beside(value: float, needed: float) -> str:
    """A number as it reads beside the one it is held against: rounding never makes up what is missing."""
    shown, least = f"{value:.0f}", f"{needed:.0f}"
    return f"just under {least}" if value < needed and shown == least else shown


def _share_beside(share: float, needed: float) -> str:
    shown, least = percent(share), percent(needed)
    return f"just under {least}" if share < needed and shown == least else shown


def _layer_gates(rule: Rule, standing: Standing) -> list[Gate]:
    gates = []
    for layer in rule.required_layers:
        result = standing.composite.layers.get(layer)
        known = result is not None and result.has_evidence
        coverage = result.coverage if result is not None else 0.0
        words = f"The {layer} layer has evidence." if known else f"The {layer} layer has no evidence yet."
        gates.append(Gate(f"layer_{layer}", layer.capitalize(), known, coverage, 0.0, words))
    return gates


def _route_gates(rule: Rule, composite: Composite) -> list[Gate]:
    if rule.route == ANYBODY:
        return []
    passed = composite.route == rule.route
    words = f"Only for {rule.route} prospects; this one is {composite.route}."
    return [Gate("route", f"{rule.route.capitalize()} route", passed, float(passed), 1.0, words)]


def _number_gates(rule: Rule, standing: Standing) -> list[Gate]:
    value, coverage, name = standing.composite.value, standing.composite.coverage, "Composite"
    if rule.scorecard != ICP:
        found = standing.cards.get(rule.scorecard)
        value, coverage = found if found is not None else (None, 0.0)
        name = card_name(rule.scorecard)
    said = "The composite" if rule.scorecard == ICP else name
    gates = []
    if rule.min_score is not None:
        needed = float(rule.min_score)
        shown = "is not known yet" if value is None else f"is {_beside(value, needed)}"
        passed = value is not None and value >= needed
        gates.append(Gate("score", name, passed, value or 0.0, needed, f"{said} {shown}; {needed:.0f} is needed."))
    if rule.min_coverage is not None:
        least = float(rule.min_coverage)
        share = _share_beside(coverage, least)
        words = f"{share[:1].upper()}{share[1:]} of the weight has evidence; {percent(least)} is needed."
        gates.append(Gate("coverage", "Coverage", coverage >= least, coverage, least, words))
    return gates


def card_name(scorecard: str) -> str:
    """A scorecard's name as people say it: the frameworks are abbreviations."""
    return scorecard.upper() if scorecard in FRAMEWORKS else scorecard.replace("_", " ").capitalize()


def _negative_gate(composite: Composite) -> Gate:
    negative = composite.strong_negative
    words = "Nothing rules it out." if negative is None else negative.rationale or "A strong negative was found."
    return Gate("strong_negative", "No strong negative", negative is None, float(negative is not None), 0.0, words)
