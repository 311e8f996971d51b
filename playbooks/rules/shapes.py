"""Whether a value looks as its slot asks: the part of every check that the document's table alone decides. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final

from playbooks.rules.document import REQUIRED, Slot
from playbooks.rules.limits import beyond, limit_of
from playbooks.rules.spelling import one_of

#: What is expected of each kind of value, as the end of "expected …".
EXPECTED: Final[Mapping[str, str]] = {
    "text": "text",
    "word": "a word",
    "whole": "a whole number",
    "number": "a number",
    "money": "an amount with at most two decimals",
    "price": "an amount with at most four decimals",
    "flag": "yes or no (true or false)",
    "words": "a list of texts",
    "params": "names with values",
}

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def is_text(value: object) -> bool:
    """Text that a database and a message can carry."""
    return isinstance(value, str) and _UNSTORABLE.search(value) is None


def is_number(value: object) -> bool:
    """A number one can count with: no yes or no, not infinite."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return False
    try:
        return isfinite(value)
    except OverflowError:  # a whole number beyond what a float can hold
        return False


def within(value: Any, low: float, high: float = float("inf")) -> bool:
    """Whether there is a number, and it lies within [low, high]."""
    return is_number(value) and low <= value <= high


def plain(value: Any) -> str:
    """A number without the zeros that say nothing."""
    return f"{value:g}" if is_number(value) else str(value)


def is_amount(value: object, smallest: str) -> bool:
    """A number with no more decimals than ``smallest`` has."""
    if not is_number(value):
        return False
    try:
        exact = Decimal(str(value))
        return exact == exact.quantize(Decimal(smallest))
    except InvalidOperation:  # more digits than anybody's money has
        return False


def is_plain(value: object) -> bool:
    """Whether nothing but texts, numbers, yes and no, nothing, lists and names with values is in it."""
    if isinstance(value, Mapping):
        return all(is_text(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(is_plain(item) for item in value)
    return value is None or isinstance(value, bool) or is_text(value) or is_number(value)


_LOOKS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "text": is_text,
    "word": is_text,
    "whole": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": is_number,
    "money": lambda value: is_amount(value, "0.01"),
    "price": lambda value: is_amount(value, "0.0001"),
    "flag": lambda value: isinstance(value, bool),
    "words": lambda value: isinstance(value, (list, tuple)) and all(map(is_text, value)),
    "params": lambda value: isinstance(value, Mapping) and is_plain(value),
}


def expected(slot: Slot) -> str:
    """What a slot wants, as the end of "expected …"."""
    return f"one of {', '.join(slot.choices)}" if slot.choices else EXPECTED[slot.kind]


def shape_problem(section: str, slot: Slot, value: Any) -> str:
    """What was expected of a value that does not look as its slot asks; empty when it does."""
    if value is None and slot.default is None:
        return ""
    if not _LOOKS[slot.kind](value):
        got = "nothing" if value is None else f"{value!r}"[:80]
        return f"expected {expected(slot)}, got {got}"
    if slot.choices and value not in slot.choices:
        return one_of(slot.choices, value)
    return beyond(limit_of(section, slot.at), value)


def shape_problems(section: str, slots: Iterable[Slot], row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(column, what was expected there) of every value that does not look as its slot asks."""
    for slot in slots:
        if slot.at not in row and slot.default is not REQUIRED:
            continue
        words = shape_problem(section, slot, row.get(slot.at))
        if words:
            yield slot.at, words


def unsaid(slots: Iterable[Slot], row: Mapping[str, Any]) -> Iterator[Slot]:
    """Slots of texts that must be given and say nothing."""
    for slot in slots:
        if slot.kind == "text" and slot.default is REQUIRED and not str(row.get(slot.at) or "").strip():
            yield slot
