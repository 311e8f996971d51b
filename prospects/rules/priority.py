"""How soon a prospect deserves attention, and with which sequence of touches. Pure.

    priority = 0.4 · fit + 0.6 · intent          (points of 100; a part that nobody knows counts zero)

Fit is the playbook's ``priority`` scorecard (size, industry, budget, use case, place), else its ``discovery_fit`` card,
else the firmographic layer; intent is its ``intent`` card, else the behavioral layer. The tier is how many of the
playbook's three falling thresholds the priority misses, and names the sequence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar

from playbooks.rules.criteria import Criterion
from prospects.rules import scoring
from prospects.rules.scoring import Dated, Scorecard, ScoreResult

#: The scorecard under which a priority is kept, and that of its fit where a playbook has one.
CARD = "priority"
_ICP = "icp"
_SHARES = {"fit": scoring.FIT_SHARE, "intent": scoring.INTENT_SHARE}
_SOURCES = {"fit": (CARD, "discovery_fit", "firmographic"), "intent": ("intent", "behavioral")}

ByCard = Mapping[str, Mapping[str, Dated]]


class PartOf(NamedTuple):
    """Where one part of the priority is read, and what it comes to; ``value`` None while nobody knows."""

    name: str
    source: str
    share: float
    value: float | None
    coverage: float


class Priority(NamedTuple):
    """The priority with everything it was added up from. ``touches`` counts the steps of the tier's sequence."""

    value: float
    coverage: float
    tier: str
    sequence: str
    touches: int
    parts: tuple[PartOf, ...]
    evidence_ids: tuple[int, ...]

    def breakdown(self) -> dict[str, Any]:
        """For the Score row: what it was added up from, the evidence under that, and the tier with its sequence."""
        return {
            "tier": self.tier,
            "sequence": self.sequence,
            "touches": self.touches,
            "evidence_ids": self.evidence_ids,  # their lines stand in the scores that the parts come from
            "parts": [
                {
                    "part": part.name,
                    "source": part.source,
                    "weight": 100 * part.share,
                    "value": part.value,
                    "coverage": part.coverage,
                    "contribution": part.share * (part.value or 0.0),
                }
                for part in self.parts
            ],
        }


@dataclass(frozen=True, slots=True)
class PriorityModel:
    """A playbook version's part of it, prepared once for any number of prospects."""

    cards: Mapping[str, tuple[str, Scorecard]]  # part → (the scorecard its evidence is filed under, what is weighed)
    known_by: Mapping[str, frozenset[str]]  # by scorecard: criteria whose evidence shows that anything is known
    tiers: tuple[float, ...]
    touches: Mapping[str, int]


def priority_model(
    criteria: Iterable[Criterion],
    tier_thresholds: Sequence[float],
    tiers_of_steps: Iterable[str],
    prepared: Mapping[str, Scorecard] | None = None,
) -> PriorityModel:
    """``tier_thresholds`` are shares, as a playbook has them; ``tiers_of_steps`` is the tier of each sequence step.

    ``prepared`` are the same criteria's cards and layers, by name, where somebody has them already.
    """
    ready = prepared or {}
    by_card: dict[str, list[Criterion]] = {}
    by_layer: dict[str, list[Criterion]] = {}
    for criterion in criteria:
        by_card.setdefault(criterion.scorecard, []).append(criterion)
        if criterion.scorecard == _ICP:
            by_layer.setdefault(criterion.layer, []).append(criterion)
    cards = {}
    for part, sources in _SOURCES.items():
        *own, layer = sources
        name = next((card for card in own if card in by_card), layer)
        filed = name if name in own else _ICP
        cards[part] = (
            filed,
            ready.get(name) or Scorecard(name, by_card[name] if name in own else by_layer.get(layer, [])),
        )
    touches: dict[str, int] = {}
    for tier in tiers_of_steps:
        touches[tier] = touches.get(tier, 0) + 1
    weighed = {_ICP: by_card.get(_ICP, []), **{filed: list(card.criteria) for filed, card in cards.values()}}
    weighed[_ICP] = by_card.get(_ICP, [])
    known_by = {name: frozenset(c.key for c in rows if c.weight > 0) for name, rows in weighed.items()}
    return PriorityModel(cards, known_by, tuple(100 * share for share in tier_thresholds), touches)


class Filed(Dated, Protocol):
    """Evidence that says under which criterion it is filed."""

    @property
    def scorecard(self) -> str: ...
    @property
    def criterion(self) -> str: ...


F = TypeVar("F", bound=Filed)


def evidence_by_card(evidence: Iterable[F]) -> dict[str, dict[str, F]]:
    """The evidence in force, by scorecard and criterion."""
    cards: dict[str, dict[str, F]] = {}
    for row in evidence:
        cards.setdefault(row.scorecard, {})[row.criterion] = row
    return cards


def prioritize(
    model: PriorityModel, evidence: ByCard, now: datetime, known: Mapping[Scorecard, ScoreResult] | None = None
) -> Priority | None:
    """The priority that the evidence in force (scorecard → criterion → row) adds up to; None while nothing is known.

    ``known`` are scores of the same evidence at the same time that were added up already, by their card.
    """
    nothing: Mapping[str, Dated] = {}
    if all(keys.isdisjoint(evidence.get(name, nothing)) for name, keys in model.known_by.items()):
        return None
    parts: list[PartOf] = []
    rests_on: set[int] = set()
    for name, (filed, card) in model.cards.items():
        found = known.get(card) if known is not None else None
        if found is None:
            found = scoring.score(card, evidence.get(filed, nothing), now)
        value = found.value if found.has_evidence else None
        parts.append(PartOf(name, card.name, _SHARES[name], value, found.coverage))
        rests_on.update(found.evidence_ids)
    if not rests_on:
        rests_on.update(
            evidence[name][key].id
            for name, keys in model.known_by.items()
            for key in keys
            if key in evidence.get(name, {})
        )
    fit, intent = (part.value for part in parts)
    value = scoring.priority(fit, intent)
    tier = scoring.tier(value, model.tiers)
    touches = model.touches.get(tier, 0)
    coverage = sum(part.share * part.coverage for part in parts)
    return Priority(value, coverage, tier, tier if touches else "", touches, tuple(parts), tuple(sorted(rests_on)))
