"""A score as it is written down: value, coverage, and the breakdown it can be added up from again. Pure.

The breakdown of a scorecard has under ``criteria`` what counted, column by column: criterion, weight, value,
freshness, contribution and the id of its evidence; a criterion that is not listed was unknown. ``icp`` has its route
and its layers, each with its own criteria; ``priority`` its parts, tier and sequence, and the evidence under them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from prospects.rules import priority as priorities
from prospects.rules.priority import Priority
from prospects.rules.scoring import Composite, IcpModel, ScoreResult

ICP, PRIORITY = "icp", priorities.CARD
_CLOSE = 1e-9
Breakdown = Mapping[str, Any]


@dataclass(slots=True)
class Written:
    """One score to write. ``breakdown`` is put together only when somebody asks for it."""

    card: str
    value: float
    coverage: float
    breakdown: Callable[[], dict[str, Any]]

    def text(self) -> str:
        """The breakdown as JSON."""
        return orjson.dumps(self.breakdown()).decode()

    def is_close(self, value: float, coverage: float) -> bool:
        """Whether these are the same numbers, apart from rounding."""
        return abs(value - self.value) < _CLOSE and abs(coverage - self.coverage) < _CLOSE

    def rests_on(self, before: Breakdown) -> bool:
        """Whether an earlier score rests on the same evidence, and the same follows from it."""
        return _grounds(before) == _grounds(self.breakdown())


class StoredLine(NamedTuple):
    """One criterion's part in a stored score. ``contribution`` is in points of its layer, or of its scorecard."""

    layer: str  # "" but in the composite
    criterion: str
    weight: float
    value: float
    fresh: float | None
    contribution: float
    evidence_id: int | None


def lines_of(breakdown: Breakdown) -> Iterator[StoredLine]:
    """What a stored breakdown lists, in its order."""
    for group in (breakdown, *breakdown.get("layers", ())):
        columns = group.get("criteria", {})
        for line in zip(*(columns.get(name, ()) for name in StoredLine._fields[1:]), strict=True):
            yield StoredLine(group.get("layer", ""), *line)


def evidence_of(breakdown: Breakdown) -> list[int]:
    """The evidence that a stored breakdown names."""
    groups = (breakdown, *breakdown.get("layers", ()))
    listed = (number for group in groups for number in group.get("criteria", {}).get("evidence_id", ()))
    return [*(number for number in listed if number is not None), *breakdown.get("evidence_ids", ())]


def _grounds(breakdown: Breakdown) -> tuple[Any, ...]:
    return evidence_of(breakdown), breakdown.get("tier"), breakdown.get("sequence")


def composed(icp: IcpModel, composite: Composite) -> Written | None:
    """The composite; None while nothing is known."""
    if composite.value is None:
        return None
    return Written(ICP, composite.value, composite.coverage, lambda: _layers(icp, composite))


def _layers(icp: IcpModel, composite: Composite) -> dict[str, Any]:
    negative = composite.strong_negative
    return {
        "route": composite.route,
        "strong_negative": None if negative is None else negative.id,
        "layers": [
            {
                "layer": name,
                "weight": icp.layer_weights[name],
                "value": result.value,
                "coverage": result.coverage,
                "criteria": result.columns(),
            }
            for name, result in composite.layers.items()
        ],
    }


def plain(cards: Mapping[str, ScoreResult]) -> Iterator[Written]:
    """The other scorecards of which anything is known."""
    for name, result in cards.items():
        if result.value is not None and result.has_evidence:
            yield card(name, result.value, result)


def card(name: str, value: float, result: ScoreResult) -> Written:
    """One plain scorecard."""
    return Written(name, value, result.coverage, lambda: {"criteria": result.columns()})


def ranked(found: Priority) -> Written:
    """The priority, with the tier and the sequence it picks."""
    return Written(PRIORITY, found.value, found.coverage, found.breakdown)
