"""The parameters of criteria and sources as fields that a person fills in. Pure: no Django.

The fields follow the dataclasses and models that read the parameters, so a new parameter has its field at once. Only
its words are written here (``_WORDS``), and without any it goes by its name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import yaml

from playbooks.rules import criteria, sources
from playbooks.rules.param_reader import ParamsError
from playbooks.rules.wordlists import join_words, split_words

#: The shapes that are rows of two values, with what each column is called.
ROW_SHAPES: Final[Mapping[str, tuple[str, str]]] = {
    "partial": ("Values", "Credit, 0–1"),
    "points": ("Name", "Credit"),
    "breakpoints": ("Number", "Points, 0–100"),
    "pairs": ("Name", "Where it stands"),
}
CRITERIA, SOURCES = "criteria", "sources"
KINDS: Final[Mapping[str, tuple[str, ...]]] = {CRITERIA: criteria.KINDS, SOURCES: sources.KINDS}
#: Facts of an imported row that a criterion can name, offered while typing. Others are as good.
ATTRIBUTES: Final = (
    "industry", "subindustry", "employees", "revenue", "country", "region", "city", "tags", "status", "stage_label",
    "hiring", "founded_year", "title", "seniority", "email_status",
)  # fmt: skip
_TYPED: Final[Mapping[str, type]] = {
    "in_set": criteria.InSet, "in_range": criteria.InRange, "overlap": criteria.Overlap, "signal": criteria.SignalSeen,
    "measure": criteria.Measure, "phrase": criteria.Phrase, "answer": criteria.Answer, "flag": criteria.Flag,
}  # fmt: skip
_SHAPES: Final[Mapping[Any, str]] = {
    str: "word", int: "whole", float: "number", bool: "flag", dict[str, str]: "pairs",
    tuple[str, ...]: "words", tuple[criteria.PartialCredit, ...]: "partial",
    tuple[tuple[str, float], ...]: "points", tuple[tuple[float, float], ...]: "breakpoints",
}  # fmt: skip
#: Parameter, or kind and parameter → label and explanation.
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "attribute": ("Fact", "Such as industry, employees or country."),
    "values": ("Wanted values", "Commas or lines between them."),
    "in_set.values": ("Wanted values", "Commas or lines between them; * for any value at all."),
    "flag.values": ("Values that rule out", "Commas or lines between them."),
    "partial": ("Partial credit", "Other values that earn a share of the credit. Empty rows are left out."),
    "otherwise": ("Credit of any other value", "0 to 1; nothing counts as 0."),
    "minimum": ("At least", ""),
    "maximum": ("At most", ""),
    "soft": ("How far outside still counts", "As a share of the nearer end: 0.5 is half as much again."),
    "soft_credit": ("Credit just outside", "0 to 1."),
    "enough": ("How many count as all", "1 when left empty."),
    "overlap.enough": ("How many count as all", "All of them when left empty."),
    "kinds": ("Kinds of signal", "Such as reply or funding; commas or lines between them."),
    "signal.kinds": ("Kinds of signal", "A credit from 0 to 1 for each; 1 when left empty."),
    "min_count": ("How many times", "1 when left empty."),
    "within_days": ("Within so many days", "Any time when left empty."),
    "min_value": ("Value at least", "Of each signal, such as people hired."),
    "breakpoints": ("Points by number", "Numbers in rising order; between two of them the points change evenly."),
    "statistic": ("What is counted", ""),
    "field": ("Field of the signal", "The signal's value when left empty."),
    "unit": ("Unit", "Shown beside the number, such as hours."),
    "phrases": ("Words or phrases", "Commas or lines between them; a trailing * matches any ending."),
    "question": ("Question", "Its short name, such as economic_buyer."),
    "credits": ("Points by answer", "0 to 100 each; 100 when left empty."),
    "above": ("Above this number", ""),
    "columns": ("Columns", "Column of the file, and the field it holds, where its name does not say."),
    "fields": ("Fields", "Our name, and the path inside the record, such as company.size."),
    "items": ("Path of the list", "The whole answer when left empty."),
    "body": ("Body", "Lines of name: value, sent with POST."),
    "paging": ("Paging", "Lines such as style: page and parameter: p."),
    "cache_days": ("Answers are used again for (days)", "1 to 30; 30 when left empty."),
}
_CHOICES: Final[Mapping[str, tuple[str, ...]]] = {"statistic": criteria.STATISTICS}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter. ``shape`` is word, whole, number, flag, words, choice, data or one of ``ROW_SHAPES``."""

    name: str
    shape: str
    label: str
    about: str
    required: bool
    choices: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, str]:
        """What the two values of a row are called."""
        return ROW_SHAPES[self.shape]


@cache
def params_of(section: str, kind: str) -> tuple[Param, ...]:
    """The parameters of a kind of criterion or source, in the order they are explained in; none for an unknown kind."""
    if section == CRITERIA and kind in _TYPED:
        hints = get_type_hints(_TYPED[kind])
        return tuple(_param(kind, f.name, hints[f.name], f.default is MISSING) for f in fields(_TYPED[kind]))
    if section == SOURCES and kind in sources.PARAMS:
        found = sources.PARAMS[kind].model_fields.items()
        return tuple(_param(kind, name, f.annotation, f.is_required()) for name, f in found)
    return ()


def _param(kind: str, name: str, hint: Any, required: bool) -> Param:
    label, about = _WORDS.get(f"{kind}.{name}") or _WORDS.get(name) or (name.replace("_", " ").capitalize(), "")
    choices = get_args(hint) if get_origin(hint) is Literal else _CHOICES.get(name, ())
    if choices:
        return Param(name, "choice", label, about, required, choices)
    plain = [arm for arm in get_args(hint) if arm is not type(None)] if type(None) in get_args(hint) else [hint]
    return Param(name, _SHAPES.get(plain[0], "data"), label, about, required)


def spread(param: Param, value: Any) -> Any:
    """A stored value as a field shows it: text, yes or no, or rows of two texts."""
    if param.shape == "words":
        return join_words(value) if isinstance(value, (list, tuple)) else _written(value)
    if param.shape == "flag":
        return bool(value)
    if param.shape == "data":
        return _written(value)
    if param.shape not in ROW_SHAPES:
        return "" if value is None else _written(value)
    return [tuple(map(_written, pair)) for pair in _pairs(param, value)]


def _pairs(param: Param, value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if param.shape == "points":
        return [(name, "") for name in value or ()]
    if param.shape == "partial":
        return [
            (join_words(row.get("values") or ()), row.get("credit")) for row in value or () if isinstance(row, Mapping)
        ]
    return [tuple(row) for row in value or () if isinstance(row, Sequence) and len(row) == 2]


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (Mapping, list, tuple)):
        text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, default_flow_style=None) if value else ""
        return text.strip()
    return str(value)


def gather(param: Param, given: Any) -> Any:
    """What a field holds as a stored value; None for nothing. What is no number stays text, to be refused by name."""
    if param.shape == "words":
        return split_words(given or "") or None
    if param.shape == "flag":
        return True if given else None
    if param.shape == "data":
        return _data(given or "")
    if param.shape not in ROW_SHAPES:
        return (number(given) if param.shape in ("whole", "number") else str(given or "").strip()) or _zero(given)
    rows = [(a.strip(), b.strip()) for a, b in given or () if a.strip() or b.strip()]
    return _ROWS[param.shape](rows) or None


def _zero(given: Any) -> int | None:
    return 0 if number(given) == 0 else None


def number(text: Any) -> int | float | str | None:
    """A number as it was typed; the text itself when it is none."""
    word = str(text if text is not None else "").strip()
    if not word:
        return None
    if not _NUMBER.fullmatch(word):
        return word
    return int(word) if word.lstrip("+-").isdigit() and len(word) < 300 else float(word)


def _data(text: str) -> Any:
    try:
        return yaml.safe_load(text) if text.strip() else None
    except (yaml.YAMLError, ValueError, RecursionError):
        return text  # refused by whoever reads the parameters


def _points(rows: list[tuple[str, str]]) -> Any:
    if not any(credit for _, credit in rows):
        return [name for name, _ in rows]
    return {name: number(credit) if credit else None for name, credit in rows}


_ROWS: Final[Mapping[str, Any]] = {
    "points": _points,
    "pairs": dict,
    "breakpoints": lambda rows: [[number(x), number(y)] for x, y in rows],
    "partial": lambda rows: [{"values": split_words(words), "credit": number(credit)} for words, credit in rows],
}


def gathered(section: str, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a kind from what was filled in; those left empty are left out."""
    found = {param.name: _filled(param, gather(param, given.get(param.name))) for param in params_of(section, kind)}
    return {name: value for name, value in found.items() if value is not None}


def _filled(param: Param, value: Any) -> Any:
    """In rows that carry credits, an empty credit means all of it."""
    if param.shape == "points" and isinstance(value, dict):
        full = 100 if param.name == "credits" else 1
        return {name: full if credit is None else credit for name, credit in value.items()}
    return value


def same_params(section: str, kind: str, stored: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether two sets of parameters ask the same, however they are written."""
    if section == CRITERIA:
        try:
            return criteria.parse_params(kind, stored) == criteria.parse_params(kind, given)
        except ParamsError:
            return dict(stored) == dict(given)
    return dict(
        gathered(section, kind, {p.name: spread(p, stored.get(p.name)) for p in params_of(section, kind)})
    ) == dict(given)
