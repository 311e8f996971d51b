"""Playbooks as YAML: strict in, exact out. ``parse(dump(document)) == document``.

Errors carry the path of the value (``criteria[3].params.values``) and what was expected there; all of them are
reported at once. Pure: no Django, no files.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import yaml

from playbooks.document import IDENTITY, REQUIRED, ROWS, SECTIONS, Document, Slot, arrange
from playbooks.validation import problems

MAX_CHARACTERS = 2_000_000
_UNUSUAL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


class PlaybookFileError(ValueError):
    """The file is not a playbook. ``problems`` are lines "path: what was expected"."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which a key may stand only once and nothing refers back to an anchor."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(f"line {mark.line + 1}: aliases are not used in playbooks; write the value out")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: {key!r} is said twice")
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
    if len(text) > MAX_CHARACTERS:
        raise PlaybookFileError([f"expected at most {MAX_CHARACTERS:,} characters, got {len(text):,}"])
    try:
        # A SafeLoader underneath: plain values only, no objects.
        data = yaml.load(text, Loader=_StrictLoader)  # noqa: S506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise PlaybookFileError([f"this is not YAML: {error}"]) from error
    reader = _Reader()
    document = reader.document(data)
    if reader.problems:
        raise PlaybookFileError(reader.problems)
    broken = [str(problem) for problem in problems(document)]
    if broken:
        raise PlaybookFileError(broken)
    return document


def dump(document: Document) -> str:
    """The document as YAML. Values at their default are left out of rows, never out of sections."""
    identity = {slot.name: getattr(document, slot.at) for slot in IDENTITY}
    data: dict[str, Any] = dict(identity)
    for section, slots in SECTIONS.items():
        values = {slot.name: _plain(document.head[slot.at]) for slot in slots}
        data.update(values if not section else {section: values})
    for name, shape in ROWS.items():
        rows = document.rows.get(name, [])
        data[name] = [
            {slot.name: _plain(row[slot.at]) for slot in shape.slots if slot.default is REQUIRED or _differs(slot, row)}
            for row in rows
        ]
    return yaml.dump(data, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=110)


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
    """Turns plain data into a document, collecting what does not fit."""

    def __init__(self) -> None:
        self.problems: list[str] = []

    def fail(self, path: str, words: str) -> None:
        self.problems.append(f"{path or 'the file'}: {words}")

    def document(self, data: object) -> Document:
        top = self._mapping("", data)
        slots = (*IDENTITY, *SECTIONS[""])
        nested = [section for section in SECTIONS if section]
        values = self._values("", top, slots, others=(*nested, *ROWS))
        head = {slot.at: values[slot.at] for slot in SECTIONS[""]}
        for section in nested:
            inner = self._mapping(section, top.get(section) or {})
            head.update(self._values(section, inner, SECTIONS[section]))
        rows = {name: arrange(name, self._rows(name, top.get(name))) for name in ROWS} if not self.problems else {}
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
            before, path = len(self.problems), f"{name}[{index}]"
            row = self._values(path, self._mapping(path, item), ROWS[name].slots)
            if len(self.problems) == before:
                rows.append(row)
        return [] if self.problems else rows

    def _values(
        self, path: str, data: Mapping[str, Any], slots: tuple[Slot, ...], others: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        known = {slot.name for slot in slots} | set(others)
        for name in data:
            if name not in known:
                self.fail(_join(path, name), f"unknown here; expected one of {', '.join(sorted(known))}")
        values = {}
        for slot in slots:
            given = data.get(slot.name)
            if slot.name not in data or (given is None and slot.default is not REQUIRED):
                if slot.default is REQUIRED:
                    self.fail(_join(path, slot.name), "is missing")
                values[slot.at] = None if slot.default is REQUIRED else self._default(slot)
            else:
                values[slot.at] = self._value(_join(path, slot.name), slot, given)
        return values

    def _default(self, slot: Slot) -> Any:
        return Decimal(str(slot.start())) if slot.kind in ("money", "price") else slot.start()

    def _value(self, path: str, slot: Slot, given: object) -> Any:
        read, expected = _READ[slot.kind]
        value = read(given)
        if value is None:
            self.fail(path, f"expected {expected}, got {_type(given)}")
        elif slot.choices and value not in slot.choices:
            self.fail(path, f"expected one of {', '.join(slot.choices)}, got {value!r}")
        return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _type(value: object) -> str:
    return "nothing" if value is None else f"{value!r}"[:80]


def _number(given: object) -> float | None:
    return float(given) if isinstance(given, (int, float)) and not isinstance(given, bool) else None


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


def _words(given: object) -> list[str] | None:
    return given if isinstance(given, list) and all(isinstance(item, str) for item in given) else None


_READ: Mapping[str, tuple[Any, str]] = {
    "text": (lambda given: given if isinstance(given, str) else None, "text"),
    "word": (lambda given: given if isinstance(given, str) else None, "a word"),
    "whole": (_whole, "a whole number"),
    "number": (_number, "a number"),
    "money": (lambda given: _amount(given, "0.01"), "an amount with at most two decimals"),
    "price": (lambda given: _amount(given, "0.0001"), "an amount with at most four decimals"),
    "flag": (lambda given: given if isinstance(given, bool) else None, "yes or no (true or false)"),
    "words": (_words, "a list of texts"),
    "params": (lambda given: given if isinstance(given, dict) else None, "names with values"),
}
