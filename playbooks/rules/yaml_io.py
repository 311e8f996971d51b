"""Playbooks as YAML: strict in, exact out. ``parse(dump(document)) == document``.

Errors carry the line, the path of the value (``criteria[3].params.values``) and what was expected there; all of them
are reported at once. Pure: no Django, no files.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from playbooks.rules.document import IDENTITY, REQUIRED, ROWS, SECTIONS, Document, Slot, arrange
from playbooks.rules.params import params_of
from playbooks.rules.shapes import expected, is_number, is_plain, is_text
from playbooks.rules.spelling import did_you_mean, one_of
from playbooks.rules.validation import problems

MAX_CHARACTERS = 2_000_000
_UNUSUAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a file. ``line`` counts from 1; 0 when no line is to blame."""

    line: int
    path: str
    words: str

    def __str__(self) -> str:
        at = f"line {self.line}: " if self.line else ""
        return f"{at}{self.path or 'the file'}: {self.words}"


class PlaybookFileError(ValueError):
    """The file is not a playbook. ``problems`` are lines "line 12: path: what was expected"."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults
        self.problems = [str(fault) for fault in faults]
        super().__init__("\n".join(self.problems))


class _Refused(yaml.YAMLError):
    """YAML that a playbook does not use."""

    def __init__(self, mark: yaml.Mark, words: str) -> None:
        self.problem_mark, self.problem = mark, words
        super().__init__(words)


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which a key may stand only once and nothing refers back to an anchor."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise _Refused(mark, "aliases are not used in playbooks; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                raise _Refused(key_node.start_mark, f"{key!r} is said twice")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


class _PlainDumper(yaml.SafeDumper):
    """Block style, long texts as literal blocks, no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 — PyYAML's signature
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # PyYAML falls back to quotes for most of what a literal block cannot hold, but folds unusual line breaks away.
    style = '"' if _UNUSUAL.search(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_PlainDumper.add_representer(str, _text_node)


def parse(text: str) -> Document:
    """A playbook document from YAML text.

    Raises :class:`PlaybookFileError` with every problem of form; when the form is right, with every broken rule.
    """
    document, lines = _read(text)
    broken = [Fault(_line_of(found.path, lines), found.path, found.words) for found in problems(document)]
    if broken:
        raise PlaybookFileError(broken)
    return _arranged(document)


def read(text: str) -> Document:
    """The document as it stands, its form checked and its rules not. Raises :class:`PlaybookFileError`."""
    return _arranged(_read(text)[0])


def _read(text: str) -> tuple[Document, Mapping[str, int]]:
    """The document with its rows in the order of the file, and the line of every path in it."""
    if len(text) > MAX_CHARACTERS:
        raise PlaybookFileError([Fault(0, "", f"expected at most {MAX_CHARACTERS:,} characters, got {len(text):,}")])
    try:
        data, lines = _plain_data(text.removeprefix("\ufeff"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        words = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise PlaybookFileError([Fault(mark.line + 1 if mark else 0, "", f"this is not YAML: {words}")]) from error
    reader = _Reader()
    document = reader.document(data)
    if reader.problems:
        raise PlaybookFileError([Fault(_line_of(path, lines), path, words) for path, words in reader.problems])
    return document, lines


def _arranged(document: Document) -> Document:
    document.rows = {name: arrange(name, rows) for name, rows in document.rows.items()}
    return document


def _plain_data(text: str) -> tuple[object, Mapping[str, int]]:
    """Plain values (a SafeLoader underneath: no objects), and path → line."""
    loader = _StrictLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        data = loader.construct_document(node)
        return data, dict(_lines("", node))
    finally:
        loader.dispose()


def _lines(path: str, node: yaml.Node) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = _join(path, str(key.value))
            yield inner, key.start_mark.line + 1
            yield from _lines(inner, value)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            inner = f"{path}[{index}]"
            yield inner, item.start_mark.line + 1
            yield from _lines(inner, item)


def _line_of(path: str, lines: Mapping[str, int]) -> int:
    """The line of a path, or of the nearest thing around it that the file has; 0 for the file as a whole."""
    while path:
        if path in lines:
            return lines[path]
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return 0


def dump(document: Document) -> str:
    """The document as YAML. Values at their default are left out of rows, never out of sections."""
    identity = {slot.name: getattr(document, slot.at) for slot in IDENTITY}
    data: dict[str, Any] = dict(identity)
    for section, slots in SECTIONS.items():
        values = {slot.name: _plain(document.head[slot.at]) for slot in slots}
        data.update(values if not section else {section: values})
    for name in ROWS:
        data[name] = [_row(name, row) for row in document.rows.get(name, [])]
    return yaml.dump(data, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=110)


def _row(name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    out = {}
    for slot in ROWS[name].slots:
        if slot.default is REQUIRED or _differs(slot, row):
            value = _plain(row[slot.at])
            out[slot.name] = _in_order(name, row["kind"], value) if slot.kind == "params" else value
    return out


def _in_order(section: str, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters in the order they are explained in, what is inside them by name: the database keeps no order."""
    rank = {param.name: number for number, param in enumerate(params_of(section, kind))}
    by_rank = sorted(given.items(), key=lambda item: (rank.get(item[0], len(rank)), item[0]))
    return {name: _sorted(value) for name, value in by_rank}


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value, key=lambda name: (name != "values", name))}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _differs(slot: Slot, row: Mapping[str, Any]) -> bool:
    return bool(row[slot.at] != slot.default)


def _plain(value: Any) -> Any:
    """Numbers without needless decimals; the rest as it is."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


class _Reader:
    """Turns plain data into a document, collecting what does not fit as (path, words)."""

    def __init__(self) -> None:
        self.problems: list[tuple[str, str]] = []

    def fail(self, path: str, words: str) -> None:
        self.problems.append((path, words))

    def document(self, data: object) -> Document:
        top = self._mapping("", data)
        if self.problems:
            return Document("", "", "")
        slots = (*IDENTITY, *SECTIONS[""])
        nested = [section for section in SECTIONS if section]
        values = self._values("", top, slots, others=(*nested, *ROWS))
        head = {slot.at: values[slot.at] for slot in SECTIONS[""]}
        for section in nested:
            given = top.get(section)
            inner = self._mapping(section, {} if given is None else given)
            head.update(self._values(section, inner, SECTIONS[section]))
        rows = {name: self._rows(name, top.get(name)) for name in ROWS}
        return Document(values["client"], values["slug"], values["name"], values["kind"], head, rows)

    def _mapping(self, path: str, data: object) -> Mapping[str, Any]:
        if isinstance(data, Mapping) and all(isinstance(key, str) for key in data):
            return data
        self.fail(path, f"expected names with values, got {_type(data)}")
        return {}

    def _rows(self, name: str, data: object) -> list[dict[str, Any]]:
        if data is None:
            return []
        if not isinstance(data, list):
            self.fail(name, f"expected a list, got {_type(data)}")
            return []
        rows = []
        for index, item in enumerate(data):
            path, before = f"{name}[{index}]", len(self.problems)
            given = self._mapping(path, item)
            if len(self.problems) == before:
                rows.append(self._values(path, given, ROWS[name].slots))
        return rows

    def _values(
        self, path: str, data: Mapping[str, Any], slots: tuple[Slot, ...], others: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        known = sorted({slot.name for slot in slots} | set(others))
        for name in data:
            if name not in known:
                close = did_you_mean(name, known)
                self.fail(_join(path, name), f"unknown here; expected one of {', '.join(known)}{close}")
        values = {}
        for slot in slots:
            given = data.get(slot.name)
            if slot.name not in data or (given is None and slot.default is not REQUIRED):
                if slot.default is REQUIRED:
                    self.fail(_join(path, slot.name), f"is missing; expected {expected(slot)}")
                values[slot.at] = None if slot.default is REQUIRED else self._default(slot)
            else:
                values[slot.at] = self._value(_join(path, slot.name), slot, given)
        return values

    def _default(self, slot: Slot) -> Any:
        is_amount = slot.kind in ("money", "price") and slot.default is not None
        return Decimal(str(slot.start())) if is_amount else slot.start()

    def _value(self, path: str, slot: Slot, given: object) -> Any:
        value = _READ[slot.kind](given)
        if value is None:
            self.fail(path, f"expected {expected(slot)}, got {_type(given)}")
        elif slot.choices and value not in slot.choices:
            self.fail(path, one_of(slot.choices, value))
        return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type(value: object) -> str:
    return "nothing" if value is None else f"{value!r}"[:80]


def _number(given: object) -> float | None:
    return float(given) if isinstance(given, (int, float)) and is_number(given) else None


def _amount(given: object, smallest: str) -> Decimal | None:
    if isinstance(given, bool) or not isinstance(given, (int, float, str)):
        return None
    try:
        value = Decimal(str(given))
        return value if value.is_finite() and value == value.quantize(Decimal(smallest)) else None
    except InvalidOperation:
        return None


def _whole(given: object) -> int | None:
    return given if isinstance(given, int) and not isinstance(given, bool) else None


def _text(given: object) -> str | None:
    return given if isinstance(given, str) and is_text(given) else None


def _words(given: object) -> list[str] | None:
    return given if isinstance(given, list) and all(map(is_text, given)) else None


_READ: Mapping[str, Any] = {
    "text": _text,
    "word": _text,
    "whole": _whole,
    "number": _number,
    "money": lambda given: _amount(given, "0.01"),
    "price": lambda given: _amount(given, "0.0001"),
    "flag": lambda given: given if isinstance(given, bool) else None,
    "words": _words,
    "params": lambda given: given if isinstance(given, dict) and is_plain(given) else None,
}
