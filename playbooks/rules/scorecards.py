"""The stock scorecards as shipped, and what they become for one customer profile. Pure: no Django.

``shipped/scorecards.yaml`` is the only place that holds their numbers. A card is taken over as ordinary criteria, so
that from then on nothing tells a stock criterion from one that somebody wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from playbooks.rules.document import ROWS, Slot

FILE = Path(__file__).parents[1] / "shipped" / "scorecards.yaml"
#: Name in the file → the version's column that it stands for.
_PROFILE = {
    "industries": "icp_industries",
    "related_industries": "icp_related_industries",
    "employees_min": "icp_employees_min",
    "employees_max": "icp_employees_max",
    "countries": "icp_countries",
}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class StockCard:
    """One shipped scorecard: its key, what it is called, what it is for, and its criteria with open names."""

    key: str
    name: str
    words: str
    criteria: tuple[Mapping[str, Any], ...]


@lru_cache(maxsize=1)
def _file() -> Mapping[str, Any]:
    data: Mapping[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return data


@lru_cache(maxsize=1)
def stock_cards() -> Mapping[str, StockCard]:
    """The shipped scorecards by key, in the order of the file."""
    return {
        key: StockCard(key, card["name"], card["words"], tuple({**card["defaults"], **row} for row in card["criteria"]))
        for key, card in _file()["scorecards"].items()
    }


def stock_rows(card: StockCard, profile: Mapping[str, Any]) -> tuple[list[Row], list[str]]:
    """(the card's criteria by column, names whose example stands in because the profile says nothing of them).

    ``profile`` is a version's own row by column. An industry named as related is left out where it is wanted anyway.
    """
    names: dict[str, Any] = {}
    made_up: list[str] = []
    for name, column in _PROFILE.items():
        said = profile.get(column)
        names[name] = said or _file()["examples"][name]
        if not said and any(f"${name}" in str(row["params"]) for row in card.criteria):
            made_up.append(name.replace("_", " "))
    if profile.get("icp_industries") and not profile.get("icp_related_industries"):
        names["related_industries"] = None
        made_up = [name for name in made_up if name != "related industries"]
    if profile.get("icp_employees_min") is not None or profile.get("icp_employees_max") is not None:
        # A profile may bound the size on one side alone.
        names["employees_min"], names["employees_max"] = (
            profile.get("icp_employees_min"),
            profile.get("icp_employees_max"),
        )
        made_up = [name for name in made_up if not name.startswith("employees")]
    return [_row(card.key, row, names) for row in card.criteria], made_up


def _row(scorecard: str, given: Mapping[str, Any], names: Mapping[str, Any]) -> Row:
    params = _filled(given["params"], names)
    params["partial"] = [part for part in params.get("partial", ()) if part.get("values")]
    if not params["partial"]:
        del params["partial"]
    values = {**given, "scorecard": scorecard, "params": params}
    slots: tuple[Slot, ...] = ROWS["criteria"].slots
    return {slot.at: values.get(slot.name, slot.start()) for slot in slots}


def _filled(value: Any, names: Mapping[str, Any]) -> Any:
    """Every $name by what it stands for; a parameter that stands for nothing is left out."""
    if isinstance(value, str) and value.startswith("$"):
        found = names[value[1:]]
        return list(found) if isinstance(found, (list, tuple)) else found
    if isinstance(value, Mapping):
        filled = {key: _filled(inner, names) for key, inner in value.items()}
        return {key: inner for key, inner in filled.items() if inner is not None}
    return [_filled(inner, names) for inner in value] if isinstance(value, list) else value
