"""A score as it is written down: value, coverage, and the breakdown it can be added up from again. Pure.

The breakdown of a scorecard lists the criteria that counted, each with weight, value, freshness, contribution and the
id of its evidence; a criterion that is not listed was unknown. ``icp`` adds its layers and route, ``priority`` its
parts, tier and sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prospects.rules import priority as priorities
from prospects.rules.priority import Priority
from prospects.rules.scoring import Composite, IcpModel, ScoreResult

ICP, PRIORITY = "icp", priorities.CARD
_CLOSE = 1e-9
#: What a score rests on and what follows from it: evidence ids in order, tier, sequence.
Grounds = tuple[list[int | None], Any, Any, Any]


@dataclass(slots=True)
class Written:
    """One score to write. ``text`` puts its breakdown into JSON; asked for only when it is written."""

    card: str
    value: float
    coverage: float
    grounds: Grounds
    text: Callable[[], str]

    def says_the_same(
        self, value: float | None, coverage: float, provisional: bool, now_provisional: bool, grounds: Grounds
    ) -> bool:
        """Whether an earlier score said this from the same evidence."""
        same = value is not None and self.is_close(value, coverage)
        return same and provisional == now_provisional and grounds == self.grounds

    def is_close(self, value: float, coverage: float) -> bool:
        """Whether these are the same numbers, apart from rounding."""
        return abs(value - self.value) < _CLOSE and abs(coverage - self.coverage) < _CLOSE


def composed(icp: IcpModel, composite: Composite) -> Written | None:
    """The composite; None while nothing is known."""
    if composite.value is None:
        return None
    ids: list[int | None] = [i for result in composite.layers.values() for i in result.evidence_ids]
    return Written(ICP, composite.value, composite.coverage, (ids, None, None, None), lambda: _layers(icp, composite))


def _layers(icp: IcpModel, composite: Composite) -> str:
    negative = composite.strong_negative
    layers = ", ".join(
        f'{{"layer": "{name}", "weight": {icp.layer_weights[name]!r}, "value": {_number(result.value)},'
        f' "coverage": {result.coverage!r}}}'
        for name, result in composite.layers.items()
    )
    lines = ", ".join(text for result in composite.layers.values() if (text := result.breakdown_text()))
    return (
        f'{{"route": "{composite.route}", "strong_negative": {"null" if negative is None else negative.id},'
        f' "layers": [{layers}], "criteria": [{lines}]}}'
    )


def _number(value: float | None) -> str:
    return "null" if value is None else repr(value)


def plain(cards: Mapping[str, ScoreResult]) -> Iterator[Written]:
    """The other scorecards of which anything is known."""
    for name, result in cards.items():
        if result.value is not None and result.has_evidence:
            yield card(name, result.value, result)


def card(name: str, value: float, result: ScoreResult) -> Written:
    """One plain scorecard."""
    ids: list[int | None] = list(result.evidence_ids)
    return Written(
        name, value, result.coverage, (ids, None, None, None), lambda: f'{{"criteria": [{result.breakdown_text()}]}}'
    )


def ranked(found: Priority) -> Written:
    """The priority, with the tier and the sequence it picks."""
    grounds: Grounds = ([], list(found.evidence_ids), found.tier, found.sequence)
    return Written(PRIORITY, found.value, found.coverage, grounds, lambda: _ranking(found))


def _ranking(found: Priority) -> str:
    """The priority's breakdown as JSON."""
    parts = ", ".join(
        f'{{"part": "{part.name}", "source": "{part.source}", "weight": {100 * part.share!r},'
        f' "value": {_number(part.value)}, "coverage": {part.coverage!r},'
        f' "contribution": {part.share * (part.value or 0.0)!r}}}'
        for part in found.parts
    )
    ids = ", ".join(map(str, found.evidence_ids))
    return (
        f'{{"tier": "{found.tier}", "sequence": "{found.sequence}", "touches": {found.touches},'
        f' "evidence_ids": [{ids}], "criteria": [], "parts": [{parts}]}}'
    )


def grounds_of(breakdown: Mapping[str, Any]) -> Grounds:
    """What a stored breakdown rests on, to compare with :attr:`Written.grounds`."""
    lines = [line["evidence_id"] for line in breakdown.get("criteria", []) if line["evidence_id"] is not None]
    return lines, breakdown.get("evidence_ids"), breakdown.get("tier"), breakdown.get("sequence")
