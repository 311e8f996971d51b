"""A row as it came out of a file, before anything is understood."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

MAX_COLUMNS = 500


class Row(NamedTuple):
    """One record: its number as the person who opens the file would count it, its cells, and what is wrong with it.

    ``problem`` is empty for a sound row; then there are exactly as many cells as the header has names.
    """

    number: int
    cells: list[str]
    problem: str


@dataclass(slots=True)
class Note:
    """Something about one value that the person who imports should know. The row goes on without it."""

    row: int
    column: str
    value: str
    message: str


@dataclass(slots=True)
class Refused:
    """A row that cannot become anything, with its cells as they were."""

    row: int
    cells: list[str]
    reason: str


def unique_names(header: Iterable[str]) -> tuple[str, ...]:
    """Header cells as distinct, non-empty names: ``Name`` twice becomes ``Name`` and ``Name (2)``."""
    names: list[str] = []
    seen: set[str] = set()
    for position, cell in enumerate(header, start=1):
        name = re.sub(r"\s+", " ", cell.replace("\ufeff", "").replace("\x00", "")).strip()[:120] or f"column {position}"
        plain, copy = name, 2
        while name.casefold() in seen:
            name, copy = f"{plain} ({copy})", copy + 1
        seen.add(name.casefold())
        names.append(name)
    return tuple(names)
