"""What changed between two versions of a playbook, row by row. Pure: no Django."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playbooks.rules.document import ROWS, SECTIONS, Document, RowShape

ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One value before and after; None where there was or is none."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One row, or one section of the version itself, that is not what it was."""

    section: str
    label: str
    kind: str
    fields: tuple[FieldChange, ...]


def changes(old: Document, new: Document) -> list[Change]:
    """Every difference, in the order of the document: sections of the version first, then its rows."""
    found = [change for section in SECTIONS if (change := _section(section, old.head, new.head)) is not None]
    for name, shape in ROWS.items():
        found += _rows(name, shape, old.rows.get(name, []), new.rows.get(name, []))
    return found


def _section(section: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Change | None:
    fields = tuple(
        FieldChange(slot.name, old.get(slot.at), new.get(slot.at))
        for slot in SECTIONS[section]
        if slot.name != "change_note" and old.get(slot.at) != new.get(slot.at)
    )
    return Change(section, section or "purpose", CHANGED, fields) if fields else None


def _rows(name: str, shape: RowShape, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[Change]:
    before = {tuple(row[column] for column in shape.identity): row for row in old}
    after = {tuple(row[column] for column in shape.identity): row for row in new}
    found = []
    for identity in [*after, *(key for key in before if key not in after)]:
        was, now = before.get(identity), after.get(identity)
        fields = tuple(
            FieldChange(slot.name, was[slot.at] if was else None, now[slot.at] if now else None)
            for slot in shape.slots
            if (was or {}).get(slot.at) != (now or {}).get(slot.at)
        )
        if fields or was is None or now is None:
            kind = ADDED if was is None else REMOVED if now is None else CHANGED
            found.append(Change(name, _label(now or was or {}, identity), kind, fields))
    return found + _moved(name, shape, old, new)


def _moved(name: str, shape: RowShape, old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[Change]:
    """Order matters for ranked rows: templates are tried, and criteria shown, in it."""
    if not shape.ranked:
        return []
    orders = [[tuple(row[column] for column in shape.identity) for row in rows] for rows in (old, new)]
    kept = set(orders[0]) & set(orders[1])
    before, after = ([" · ".join(map(str, key)) for key in order if key in kept] for order in orders)
    return [] if before == after else [Change(name, "order", CHANGED, (FieldChange("order", before, after),))]


def _label(row: Mapping[str, Any], identity: tuple[Any, ...]) -> str:
    return str(row.get("label") or " → ".join(str(part) for part in identity if part != "prospect"))
