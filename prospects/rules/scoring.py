"""Scores: an explicit weighted sum over evidence, with the sum kept.

    score    = Σ weight·value·fresh / Σ weight of what is known
    coverage = Σ weight of what is known / Σ weight
    fresh    = 0.5 ** (age in days / half-life in days), 1 for a criterion without a half-life

A criterion without evidence is *unknown* (it leaves the sum and lowers coverage), *zero* (it stays in the sum at 0;
coverage, the share that has evidence, drops all the same) or counts as a stated *value* (it stays in the sum with
that). Values and scores are 0–100, weights any number ≥ 0, coverage 0–1. Nothing is rounded here.

A flag rules out or says nothing: it never adds to a score, whatever weight it was given, and a flag that is not raised
is no evidence in favour of anybody. Its judgement is kept only so that a lowered flag supersedes the raised one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from playbooks.rules.criteria import LAYERS, Criterion
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


class Ruling(Dated, Protocol):
    """Evidence that may also rule somebody out."""

    @property
    def strong_negative(self) -> bool: ...
    @property
    def rationale(self) -> str: ...


N = TypeVar("N", bound=Ruling)
_ANY_TIME = datetime.min.replace(tzinfo=UTC)


class Judged(NamedTuple):
    """One evidence row, as little of it as scores need."""

    id: int
    value: float
    observed_at: datetime
    strong_negative: bool = False
    rationale: str = ""


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


#: What is known of one criterion: key, weight, value, freshness, points, evidence id. Without evidence, its default
#: counts: freshness and id are None.
_Row = tuple[str, float, float, "float | None", float, "int | None"]


class ScoreResult:
    """A score with the sum behind it. ``value`` is None when no weight is known (nor counts by default).

    ``value`` 0–100, ``coverage`` 0–1. The lines behind it are put together when asked for.
    """

    __slots__ = ("_card", "_counted", "_rows", "coverage", "has_evidence", "value")

    def __init__(
        self, card: Scorecard, value: float | None, coverage: float, has_evidence: bool, rows: Sequence[_Row],
        counted: float,
    ) -> None:  # fmt: skip
        self._card = card
        self.value = value
        self.coverage = coverage
        self.has_evidence = has_evidence
        self._rows = rows
        self._counted = counted

    @property
    def breakdown(self) -> list[Line]:
        """Every criterion's part, the unknown ones among them."""
        known = {line[0]: line for line in zip(*self.columns().values(), strict=True)}
        lines = []
        for c in self._card.criteria:
            said = known.get(c.key)
            named = (c.key, c.label, c.layer, c.category, _weight(c))
            if said is None:
                lines.append(Line(*named, None, None, None, None))
            else:
                lines.append(Line(*named, *said[2:]))
        return lines

    @property
    def evidence_ids(self) -> list[int]:
        """The evidence that counts, in the order of the criteria."""
        return [row[5] for row in self._rows if row[5] is not None]

    def columns(self) -> dict[str, Sequence[Any]]:
        """The lines of what counts, column by column, as a Score row keeps them; {} where nothing does.

        What it does not list was unknown. Contributions are in points of the score. Labels are those of the version,
        which never changes.
        """
        if not self._rows:
            return {}
        keys, weights, values, fresh, points, ids = zip(*self._rows, strict=True)
        shares = [part / self._counted for part in points] if self._counted > 0 else points
        return {
            "criterion": keys, "weight": weights, "value": values, "fresh": fresh, "contribution": shares,
            "evidence_id": ids,
        }  # fmt: skip


#: One criterion, ready to add up: key, weight, decay per second, and what counts while nothing is known.
_Prepared = tuple[str, float, "float | None", "float | None"]


def _weight(c: Criterion) -> float:
    return 0.0 if c.kind == "flag" else float(c.weight)


def _decay(c: Criterion) -> float | None:
    return 1.0 / (c.half_life_days * SECONDS_PER_DAY) if c.half_life_days else None


class Scorecard:
    """A named set of weighted criteria, prepared once for any number of prospects."""

    __slots__ = ("criteria", "expires", "keys", "name", "prepared", "total_weight", "unknown")

    def __init__(self, name: str, criteria: Sequence[Criterion]) -> None:
        self.name = name
        self.expires = EXPIRES if name in FRAMEWORKS else None  # what is said of a letter holds so long
        self.criteria = tuple(sorted(criteria, key=lambda c: (c.position, c.key)))
        self.prepared: tuple[_Prepared, ...] = tuple(
            (c.key, _weight(c), _decay(c), c.when_missing) for c in self.criteria
        )
        self.keys = frozenset(c.key for c in self.criteria)
        self.total_weight = sum(map(_weight, self.criteria))
        self.unknown = _sum(self, {}, _ANY_TIME)  # most prospects are unknown in most layers


def latest(items: Iterable[EvidenceItem]) -> dict[str, EvidenceItem]:
    """The evidence in force, by criterion: later observation supersedes, then the later row."""
    newest: dict[str, EvidenceItem] = {}
    for item in items:
        other = newest.get(item.criterion)
        if other is None or (item.observed_at, item.id) > (other.observed_at, other.id):
            newest[item.criterion] = item
    return newest


def score(card: Scorecard, by_key: Mapping[str, Dated], now: datetime) -> ScoreResult:
    """The score of one prospect on one scorecard, from the evidence in force (see :func:`latest`)."""
    return card.unknown if card.keys.isdisjoint(by_key) else _sum(card, by_key, now)


def _sum(card: Scorecard, by_key: Mapping[str, Dated], now: datetime) -> ScoreResult:
    points = counted = evidenced = 0.0
    rows: list[_Row] = []
    expires, find = card.expires, by_key.get
    for key, weight, decay, default in card.prepared:
        item = find(key)
        if item is not None and (expires is None or now - item.observed_at < expires):
            fresh, value = 1.0, item.value
            if decay is not None:
                age = (now - item.observed_at).total_seconds()
                if age > 0:
                    fresh = 0.5 ** (age * decay)
            evidenced += weight
            part = weight * value * fresh
            rows.append((key, weight, value, fresh, part, item.id))
        elif default is not None:
            part = weight * default
            rows.append((key, weight, default, None, part, None))
        else:
            continue
        points += part
        counted += weight
    # A sum of shares may end a rounding error above its largest part.
    total = min(100.0, points / counted) if counted > 0 else None
    coverage = evidenced / card.total_weight if card.total_weight > 0 else 0.0
    return ScoreResult(card, total, coverage, evidenced > 0, rows, counted)


@dataclass(slots=True)
class Composite:
    """The four layers blended. ``value`` None and ``route`` "" mean nothing is known yet.

    ``coverage`` is the share of the whole model's weight that has evidence: layer weight times layer coverage.
    """

    value: float | None
    coverage: float
    route: str
    strong_negative: Ruling | None
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


def composite(model: IcpModel, by_key: Mapping[str, Ruling], now: datetime) -> Composite:
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
    value = min(100.0, points / weights) if weights > 0 else None
    negative = _negative(model, by_key)
    chosen = route(value, strong_negative=negative is not None, hot=model.hot, warm=model.warm)
    return Composite(value, covered / total if total > 0 else 0.0, chosen, negative, layers)


def _negative(model: IcpModel, by_key: Mapping[str, N]) -> N | None:
    """The strong negative that speaks first in the order of the criteria."""
    negative = {key for key, item in by_key.items() if item.strong_negative}
    return next((by_key[c.key] for c in model.criteria if c.key in negative), None) if negative else None


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
