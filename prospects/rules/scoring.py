"""Scores: an explicit weighted sum over evidence, with the sum kept.

    score    = Σ weight·value·fresh / Σ weight of what is known
    coverage = Σ weight of what is known / Σ weight
    fresh    = 0.5 ** (age in days / half-life in days), 1 for a criterion without a half-life

A criterion without evidence is *unknown* (it leaves the sum and lowers coverage) or *zero* (it stays in the sum at 0;
coverage, the share that has evidence, drops all the same). Values and scores are 0–100, weights any number ≥ 0,
coverage 0–1. Nothing is rounded here.

A flag rules out or says nothing: it never adds to a score, whatever weight it was given, and a flag that is not raised
is no evidence in favour of anybody. Its judgement is kept only so that a lowered flag supersedes the raised one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from playbooks.criteria import LAYERS, Criterion
from prospects.rules.facts import SECONDS_PER_DAY, FactKey
from prospects.rules.frameworks import EXPIRES, FRAMEWORKS

HOT, WARM, COLD = "hot", "warm", "cold"
FIT_SHARE, INTENT_SHARE = 0.4, 0.6
TIER_THRESHOLDS = (80.0, 60.0, 40.0)


class Dated(Protocol):
    """What adding up reads of one piece of evidence."""

    @property
    def id(self) -> int: ...
    @property
    def value(self) -> float: ...
    @property
    def observed_at(self) -> datetime: ...


@dataclass(slots=True)
class EvidenceItem:
    """One evidence row as scoring and qualification see it. ``origins`` defaults to its own signals."""

    id: int
    criterion: str
    layer: str
    category: str
    value: float
    confidence: float
    strong_negative: bool
    observed_at: datetime
    signal_ids: tuple[int, ...]
    fact_ref: str
    rationale: str = ""
    origins: tuple[FactKey, ...] = ()

    @property
    def facts(self) -> tuple[FactKey, ...]:
        """The original facts this evidence rests on."""
        return self.origins or tuple((signal_id, self.fact_ref) for signal_id in self.signal_ids)


class Line(NamedTuple):
    """One criterion's part in a score. ``contribution`` is in points of the score; None where unknown."""

    criterion: str
    label: str
    layer: str
    category: str
    weight: float
    value: float | None
    fresh: float | None
    contribution: float | None
    evidence_id: int | None


@dataclass(slots=True)
class ScoreResult:
    """A score with the sum behind it. ``value`` is None when no weight is known (nor zero by default)."""

    value: float | None
    coverage: float
    breakdown: list[Line]
    has_evidence: bool

    def breakdown_json(self) -> list[dict[str, object]]:
        """The breakdown as plain data, for the Score row."""
        return [line._asdict() for line in self.breakdown]


class _Prepared(NamedTuple):
    criterion: Criterion
    key: str
    weight: float
    decay_per_second: float | None
    zero_when_missing: bool


class Scorecard:
    """A named set of weighted criteria, prepared once for any number of prospects."""

    __slots__ = ("criteria", "expires", "name", "prepared", "total_weight")

    def __init__(self, name: str, criteria: Sequence[Criterion]) -> None:
        self.name = name
        self.expires = EXPIRES if name in FRAMEWORKS else None  # what is said of a letter holds so long
        self.criteria = tuple(sorted(criteria, key=lambda c: (c.position, c.key)))
        self.prepared = tuple(
            _Prepared(
                criterion=c,
                key=c.key,
                weight=0.0 if c.kind == "flag" else float(c.weight),
                decay_per_second=1.0 / (c.half_life_days * SECONDS_PER_DAY) if c.half_life_days else None,
                zero_when_missing=c.missing == "zero",
            )
            for c in self.criteria
        )
        self.total_weight = sum(p.weight for p in self.prepared)


def latest(items: Iterable[EvidenceItem]) -> dict[str, EvidenceItem]:
    """The evidence in force, by criterion: later observation supersedes, then the later row."""
    newest: dict[str, EvidenceItem] = {}
    for item in items:
        other = newest.get(item.criterion)
        if other is None or (item.observed_at, item.id) > (other.observed_at, other.id):
            newest[item.criterion] = item
    return newest


def freshness(observed_at: datetime, now: datetime, half_life_days: float | None) -> float:
    """0.5 ** (age / half-life); 1 without a half-life and for anything dated later than now."""
    if not half_life_days:
        return 1.0
    age = (now - observed_at).total_seconds() / SECONDS_PER_DAY
    return float(0.5 ** (max(0.0, age) / half_life_days))


def score(card: Scorecard, by_key: Mapping[str, Dated], now: datetime) -> ScoreResult:
    """The score of one prospect on one scorecard, from the evidence in force (see :func:`latest`)."""
    points = counted = evidenced = 0.0
    has_evidence = False
    rows: list[tuple[_Prepared, Dated | None, float]] = []
    for prepared in card.prepared:
        item = by_key.get(prepared.key)
        if card.expires is not None and item is not None and now - item.observed_at >= card.expires:
            item = None
        fresh = 1.0
        if item is not None:
            has_evidence = has_evidence or prepared.weight > 0
            if prepared.decay_per_second is not None:
                age = (now - item.observed_at).total_seconds()
                if age > 0:
                    fresh = 0.5 ** (age * prepared.decay_per_second)
            points += prepared.weight * item.value * fresh
            counted += prepared.weight
            evidenced += prepared.weight
        elif prepared.zero_when_missing:
            counted += prepared.weight
        rows.append((prepared, item, fresh))
    breakdown = [_line(prepared, item, fresh, counted) for prepared, item, fresh in rows]
    value = points / counted if counted > 0 else None
    coverage = evidenced / card.total_weight if card.total_weight > 0 else 0.0
    return ScoreResult(value, coverage, breakdown, has_evidence)


def _line(prepared: _Prepared, item: Dated | None, fresh: float, counted: float) -> Line:
    c, weight = prepared.criterion, prepared.weight
    if item is None:
        known = prepared.zero_when_missing
        return Line(
            c.key, c.label, c.layer, c.category, weight, 0.0 if known else None, None, 0.0 if known else None, None
        )
    contribution = weight * item.value * fresh / counted if counted > 0 else 0.0
    return Line(c.key, c.label, c.layer, c.category, weight, item.value, fresh, contribution, item.id)


@dataclass(slots=True)
class Composite:
    """The four layers blended. ``value`` None and ``route`` "" mean nothing is known yet.

    ``coverage`` is the share of the whole model's weight that has evidence: layer weight times layer coverage.
    """

    value: float | None
    coverage: float
    route: str
    strong_negative: EvidenceItem | None
    layers: dict[str, ScoreResult] = field(default_factory=dict)


class IcpModel:
    """The ``icp`` scorecard split by layer, with layer weights and route thresholds; prepared once per version."""

    __slots__ = ("cards", "criteria", "hot", "layer_weights", "warm")

    def __init__(
        self, criteria: Sequence[Criterion], layer_weights: Mapping[str, float], *, hot: float = 70, warm: float = 40
    ) -> None:
        self.criteria = tuple(criteria)
        self.layer_weights = {layer: float(layer_weights.get(layer, 0)) for layer in LAYERS}
        self.hot, self.warm = float(hot), float(warm)
        by_layer: defaultdict[str, list[Criterion]] = defaultdict(list)
        for criterion in criteria:
            by_layer[criterion.layer].append(criterion)
        self.cards = {layer: Scorecard(layer, by_layer[layer]) for layer in LAYERS if by_layer[layer]}


def composite(model: IcpModel, by_key: Mapping[str, EvidenceItem], now: datetime) -> Composite:
    """The composite: layer scores blended by the weights of the layers that have evidence."""
    layers = {layer: score(card, by_key, now) for layer, card in model.cards.items()}
    points = weights = covered = 0.0
    for layer, result in layers.items():
        weight = model.layer_weights[layer]
        covered += weight * result.coverage
        if result.has_evidence and result.value is not None:
            points += weight * result.value
            weights += weight
    total = sum(model.layer_weights.values())
    value = points / weights if weights > 0 else None
    negative = next((by_key[c.key] for c in model.criteria if c.key in by_key and by_key[c.key].strong_negative), None)
    chosen = route(value, strong_negative=negative is not None, hot=model.hot, warm=model.warm)
    return Composite(value, covered / total if total > 0 else 0.0, chosen, negative, layers)


def route(value: float | None, *, strong_negative: bool, hot: float, warm: float) -> str:
    """hot, warm or cold; "" while nothing is known. A strong negative is cold whatever the sum."""
    if strong_negative:
        return COLD
    if value is None:
        return ""
    if value >= hot:
        return HOT
    return WARM if value >= warm else COLD


def priority(fit: float | None, intent: float | None) -> float:
    """0.4 · fit + 0.6 · intent, all 0–100; here a missing part counts zero."""
    return FIT_SHARE * (fit or 0.0) + INTENT_SHARE * (intent or 0.0)


def tier(priority_score: float, thresholds: Sequence[float] = TIER_THRESHOLDS) -> str:
    """The tier that picks the contact sequence, from a priority of 0–100 and three falling thresholds (0–100)."""
    number = sum(priority_score < least for least in thresholds) + 1
    return f"TIER_{number}"
