"""What changed between two versions of a playbook, in the words a founder would use. Pure: no Django.

Hot from: 70 → 65
+ Uses Salesforce (firmographic, weight 10). Technologies include 1 of Salesforce.
Industry: weight 20 → 25; values + Fintech, − Retail
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any, Final

from playbooks.rules.compare import ADDED, REMOVED, Change, FieldChange, changes
from playbooks.rules.describe import describe
from playbooks.rules.document import ROWS, Document

MOVED: Final = "moved"
_MANY = 60  # characters of a value that fit into a sentence; longer texts are compared word by word
_WORDS = re.compile(r"\s+|[^\s\w]|\w+")
_TITLES: Final[Mapping[str, str]] = {
    "": "Purpose", "purpose": "Purpose", "icp": "Ideal customer", "approval": "Approval", "budgets": "Limits",
}  # fmt: skip
_NAMES: Final[Mapping[str, str]] = {
    "thresholds.hot": "Hot from",
    "thresholds.warm": "Warm from",
    "thresholds.tier_1": "Tier 1 from priority",
    "thresholds.tier_2": "Tier 2 from priority",
    "thresholds.tier_3": "Tier 3 from priority",
    "thresholds.min_confidence": "Evidence must be at least this sure",
    "thresholds.min_categories": "Independent categories needed",
    "thresholds.min_quality": "Message points needed",
    "icp.employees_min": "People, at least",
    "icp.employees_max": "People, at most",
    "budgets.calls_per_day": "Calls a day",
    "budgets.emails_per_day": "E-mails a day",
    "budgets.linkedin_per_day": "LinkedIn messages a day",
    "budgets.sms_per_day": "Text messages a day",
    "budgets.money_per_month": "Money a month",
    "budgets.deal_value": "One customer is worth",
    "approval.undo_seconds": "Undo window in seconds",
    "approval.request_hours": "Hours a request waits",
    "approval.two_approvers": "Two people approve messages",
    ".countries": "Sells into",
    ".root_intent": "Purpose",
}
_FIELDS: Final[Mapping[str, str]] = {
    "half_life_days": "half-life in days",
    "missing": "when missing counts as",
    "kind": "kind of question",
    "daily_cap": "a day",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a longer text: kept ("same"), added or removed."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that changed. ``texts`` are longer texts compared word by word, each with its name."""

    kind: str
    words: str
    texts: tuple[tuple[str, tuple[Piece, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """What changed in one part of the playbook."""

    title: str
    lines: tuple[Line, ...]


def difference(old: Document, new: Document) -> list[Section]:
    """Every change from ``old`` to ``new``, by part, in the order of the document; empty when both say the same."""
    by_section: dict[str, list[Line]] = {}
    for change in changes(old, new):
        by_section.setdefault(change.section, []).extend(_lines(change, new))
    return [Section(_title(name), tuple(lines)) for name, lines in by_section.items()]


def summary(sections: Iterable[Section], most: int = 6) -> list[str]:
    """The first few changes as plain sentences."""
    lines = [line.words for section in sections for line in section.lines]
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return lines[:most] + more


def word_pieces(old: str, new: str) -> tuple[Piece, ...]:
    """Both texts in one: what stayed, what went, what came, word by word."""
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    pieces: list[Piece] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(a=a, b=b, autojunk=False).get_opcodes():
        if kind == "equal":
            pieces.append(Piece("same", "".join(a[i1:i2])))
            continue
        pieces += [Piece(REMOVED, "".join(a[i1:i2]))] if i2 > i1 else []
        pieces += [Piece(ADDED, "".join(b[j1:j2]))] if j2 > j1 else []
    return tuple(pieces)


def _lines(change: Change, new: Document) -> list[Line]:
    if change.section not in ROWS:
        return [_of_head(change.section, field) for field in change.fields]
    if change.label == "order" and [field.name for field in change.fields] == ["order"]:
        return _of_order(change, new)
    if change.kind in (ADDED, REMOVED):
        return [_of_whole_row(change)]
    return [_of_row(change)]


def _of_head(section: str, field: FieldChange) -> Line:
    name = _NAMES.get(f"{section}.{field.name}") or _plain(field.name)
    if section == "layer_weights":
        name = f"{_plain(field.name)} layer: weight"
    if _is_long(field):
        return Line("changed", f"{name} was reworded", ((name, _pieces(field)),))
    return Line("changed", f"{name}{_stop(name)} {_move(field.before, field.after)}")


def _of_whole_row(change: Change) -> Line:
    sign = "+" if change.kind == ADDED else "−"
    row = {f.name: f.after if change.kind == ADDED else f.before for f in change.fields}
    label = _short(change.label)
    if change.section == "criteria":
        card = "" if row.get("scorecard", "icp") == "icp" else f"{row['scorecard']}, "
        words = f"{sign} criterion {label} ({card}{row.get('layer')}, weight {_value(row.get('weight'))})"
        return Line(change.kind, f"{words}. {describe(str(row.get('kind')), row.get('params') or {})}")
    texts = tuple(
        (_plain(name), (Piece(change.kind, text),))
        for name, text in row.items()
        if isinstance(text, str) and len(text) > _MANY
    )
    return Line(change.kind, f"{sign} {ROWS[change.section].label} {label}", texts)


def _of_row(change: Change) -> Line:
    parts: list[str] = []
    texts: list[tuple[str, tuple[Piece, ...]]] = []
    for field in change.fields:
        if field.name == "params":
            parts += _params(field.before or {}, field.after or {})
        elif _is_long(field):
            texts.append((_plain(field.name), _pieces(field)))
            parts.append(f"{_field(field.name)} reworded")
        else:
            parts.append(f"{_field(field.name)} {_move(field.before, field.after)}")
    return Line("changed", f"{_short(change.label)}: {'; '.join(parts)}", tuple(texts))


def _of_order(change: Change, new: Document) -> list[Line]:
    """Which rows moved, not the whole order: those outside the longest run that kept its order."""
    shape = ROWS[change.section]
    names = [" · ".join(str(row[c]) for c in shape.identity) for row in new.rows.get(change.section, [])]
    labels = {
        " · ".join(str(row[c]) for c in shape.identity): str(row.get("label") or row.get("key") or name)
        for row, name in zip(new.rows.get(change.section, []), names, strict=True)
    }
    before, after = change.fields[0].before, change.fields[0].after
    blocks = SequenceMatcher(a=before, b=after, autojunk=False).get_matching_blocks()
    kept = {after[block.b + n] for block in blocks for n in range(block.size)}
    follows = {two: one for one, two in pairwise(after)}
    lines = []
    for name in after:
        if name not in kept:
            place = f"now after {labels.get(follows[name], follows[name])}" if name in follows else "now first"
            lines.append(Line(MOVED, f"{labels.get(name, name)}: {place}"))
    return lines


def _params(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    names = [*after, *(name for name in before if name not in after)]
    return [
        f"{_field(name)} {_move(before.get(name), after.get(name))}"
        for name in names
        if before.get(name) != after.get(name)
    ]


def _move(before: Any, after: Any) -> str:
    """A value before and after; of lists and mappings only what came and went."""
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        return _entries(before or {}, after or {})
    if _is_words(before) and _is_words(after) and set(before) != set(after):
        came = [f"+ {item}" for item in after if item not in before]
        went = [f"− {item}" for item in before if item not in after]
        return ", ".join([*came, *went])
    return f"{_value(before)} → {_value(after)}"


def _entries(before: Any, after: Any) -> str:
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return f"{_value(before)} → {_value(after)}"
    came = [f"+ {name} ({_value(after[name])})" for name in after if name not in before]
    went = [f"− {name}" for name in before if name not in after]
    moved = [f"{n} {_move(before[n], after[n])}" for n in after if n in before and before[n] != after[n]]
    return ", ".join([*came, *went, *moved])


def _is_words(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(item, str) for item in value)


def _is_long(field: FieldChange) -> bool:
    given = [value for value in (field.before, field.after) if isinstance(value, str)]
    return len(given) == 2 and (max(map(len, given)) > _MANY or any("\n" in value for value in given))


def _pieces(field: FieldChange) -> tuple[Piece, ...]:
    return word_pieces(field.before or "", field.after or "")


def _value(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (float, Decimal)):
        return f"{float(value):.10g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_value(item) for item in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_value(item)}" for name, item in value.items())
    return str(value)


def _field(name: str) -> str:
    return _FIELDS.get(name, name.replace("_", " "))


def _plain(name: str) -> str:
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _title(section: str) -> str:
    return _TITLES.get(section) or _plain(section)


def _short(label: str) -> str:
    return label if len(label) <= _MANY else f"{label[: _MANY - 1].rstrip()}…"


def _stop(name: str) -> str:
    return "" if name.endswith((" from", "weight", " from priority")) else ":"
