"""A playbook version's criteria, ready to judge with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from playbooks.rules.criteria import Criterion
from salesops.runtime.playbook_views import PlaybookView


def criteria_by_key(playbook: PlaybookView) -> dict[tuple[str, str], Criterion]:
    """The version's criteria with parsed parameters, by (scorecard, key). Build once per version."""
    return built(playbook.criteria)


def built(rows: Iterable[Any]) -> dict[tuple[str, str], Criterion]:
    """The same from rows or views of criteria."""
    return {
        (c.scorecard, c.key): Criterion.build(
            key=c.key, kind=c.kind, params=c.params, category=c.category, layer=c.layer, scorecard=c.scorecard,
            label=c.label, weight=c.weight, half_life_days=c.half_life_days, missing=c.missing,
            missing_value=c.missing_value, position=c.position,
        )
        for c in rows
    }  # fmt: skip
