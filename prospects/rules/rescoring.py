"""One engine for every score of a playbook version: one prospect or ten thousand, with equal results. Pure.

    model = model_of(playbook)                     # a version, prepared once
    found = rescore(model, chunk, now)             # chunk: (prospect id, evidence in force: scorecard → key → row)

What-if, re-scoring, the agents and ``verify_decisions`` all add up here, so none of them can disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from playbooks.rules.criteria import Criterion
from prospects.rules import priority as priorities
from prospects.rules import scoring
from prospects.rules.compiled import criteria_by_key
from prospects.rules.priority import Priority, PriorityModel
from prospects.rules.scoring import Composite, IcpModel, Ruling, Scorecard, ScoreResult
from salesops.runtime.playbook_views import PlaybookView

ICP = "icp"
#: scorecard → criterion key → the evidence in force.
InForce = Mapping[str, Mapping[str, Ruling]]
_NOTHING: Mapping[str, Ruling] = {}


@dataclass(frozen=True, slots=True)
class VersionModel:
    """A playbook version's scorecards, prepared once. ``cards`` are all but ``icp`` and ``priority``."""

    icp: IcpModel
    cards: Mapping[str, Scorecard]
    priority: PriorityModel
    criteria: Mapping[tuple[str, str], Criterion]


@dataclass(slots=True)
class Rescored:
    """What one prospect's evidence adds up to. ``priority`` is None while nothing is known."""

    prospect_id: int
    composite: Composite
    cards: dict[str, ScoreResult]
    priority: Priority | None

    @property
    def route(self) -> str:
        """hot, warm or cold; "" while nothing is known."""
        return self.composite.route

    @property
    def tier(self) -> str:
        """The tier by priority; "" while nothing is known."""
        return self.priority.tier if self.priority is not None else ""


def model_of(playbook: PlaybookView, criteria: Mapping[tuple[str, str], Criterion] | None = None) -> VersionModel:
    """The version, ready to score with; ``criteria`` where they have been parsed already.

    Raises ParamsError for a draft whose parameters do not fit their kinds.
    """
    parsed = criteria_by_key(playbook) if criteria is None else criteria
    by_card: dict[str, list[Criterion]] = {}
    for (card, _), criterion in parsed.items():
        by_card.setdefault(card, []).append(criterion)
    hot, warm = playbook.hot_threshold, playbook.warm_threshold
    icp = IcpModel(by_card.get(ICP, []), playbook.layer_weights, hot=hot, warm=warm)
    cards = {name: Scorecard(name, rows) for name, rows in by_card.items() if name not in (ICP, priorities.CARD)}
    priority = priorities.priority_model(
        parsed.values(),
        playbook.tier_thresholds,
        (step.tier for step in playbook.sequences),
        prepared={**icp.cards, **cards},
    )
    return VersionModel(icp, cards, priority, parsed)


def rescore(model: VersionModel, chunk: Iterable[tuple[int, InForce]], now: datetime) -> Iterator[Rescored]:
    """Every score of these prospects, in their order. Writes nothing, rounds nothing, remembers nothing."""
    return (_one(model, prospect_id, evidence, now) for prospect_id, evidence in chunk)


def _one(model: VersionModel, prospect_id: int, evidence: InForce, now: datetime) -> Rescored:
    composite = scoring.composite(model.icp, evidence.get(ICP, _NOTHING), now)
    cards = {name: scoring.score(card, evidence.get(name, _NOTHING), now) for name, card in model.cards.items()}
    known = {card: composite.layers[name] for name, card in model.icp.cards.items()}
    known.update((card, cards[name]) for name, card in model.cards.items())
    return Rescored(prospect_id, composite, cards, priorities.prioritize(model.priority, evidence, now, known))
