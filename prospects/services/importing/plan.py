"""What rows of an import are decided with, and what is to be written of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from prospects.importing.records import Record, Side

CREATED, UPDATED, MERGED, UNCHANGED, REJECTED = "created", "updated", "merged", "unchanged", "rejected"


@dataclass(frozen=True, slots=True)
class Terms:
    """What is the same for every row of an import. ``observed_at`` is for rows that bring no date of their own.

    ``places`` says where rows stand that come from no file.
    """

    client_id: int
    playbook_id: int
    source: str
    file_name: str
    sha256: str
    trace_id: str
    observed_at: datetime
    now: datetime
    places: Mapping[int, str] = field(default_factory=dict)

    def place(self, row: int) -> str:
        """Where a row stands in the world: its place in the file, unless it has one of its own."""
        return self.places.get(row) or f"{self.sha256[:12]}:row {row}"


class Seen:
    """Which ids this run has met: a bitmap, because a file may hold millions."""

    _BITS = 1 << 15

    def __init__(self) -> None:
        self._pages: dict[int, bytearray] = {}

    def __contains__(self, number: int) -> bool:
        page = self._pages.get(number // self._BITS)
        return page is not None and bool(page[number % self._BITS >> 3] & 1 << (number & 7))

    def add(self, number: int) -> None:
        page = self._pages.setdefault(number // self._BITS, bytearray(self._BITS >> 3))
        page[number % self._BITS >> 3] |= 1 << (number & 7)


class Remembered:
    """Ids met so far: those of committed chunks, and of the current one until it is kept or forgotten."""

    def __init__(self) -> None:
        self._kept = Seen()
        self._current: set[int] = set()

    def __contains__(self, number: object) -> bool:
        return number in self._current or (isinstance(number, int) and number in self._kept)

    def add(self, number: int) -> None:
        self._current.add(number)

    def keep(self) -> None:
        for number in self._current:
            self._kept.add(number)
        self._current.clear()

    def forget(self) -> None:
        self._current.clear()


@dataclass(slots=True)
class Memory:
    """What a whole run remembers between chunks: whom it met, and for whom it wrote something."""

    companies: Remembered = field(default_factory=Remembered)
    contacts: Remembered = field(default_factory=Remembered)
    touched: Remembered = field(default_factory=Remembered)  # prospects

    def keep(self) -> None:
        """The chunk is committed."""
        for part in (self.companies, self.contacts, self.touched):
            part.keep()

    def forget(self) -> None:
        """The chunk was rolled back and will be decided again."""
        for part in (self.companies, self.contacts, self.touched):
            part.forget()


@dataclass(slots=True)
class NewSignal:
    prospect_id: int
    record: Record
    facts_json: str
    key: str


@dataclass(slots=True)
class Change:
    """An update of one company or contact. ``fill``: only what is still unknown."""

    id: int
    side: Side
    fill: bool
    without_key: bool = False  # somebody else holds the domain or the e-mail address
    without_external_id: bool = False
    company_id: int | None = None


@dataclass(slots=True)
class NewProspect:
    id: int
    company_id: int | None
    contact_id: int | None
    record: Record


class OtherName(NamedTuple):
    """Another id, domain or address that a known company or contact goes by. ``name`` is one of ``Alias.Name``."""

    kind: str
    name: str
    source: str
    value: str
    record_id: int


@dataclass(slots=True)
class Plan:
    """Everything one chunk writes, and what to tell about it."""

    companies: list[tuple[int, Side, bool]] = field(default_factory=list)  # id, values, leave the domain out
    contacts: list[tuple[int, int | None, Side]] = field(default_factory=list)
    prospects: list[NewProspect] = field(default_factory=list)
    signals: list[NewSignal] = field(default_factory=list)
    company_changes: list[Change] = field(default_factory=list)
    contact_changes: list[Change] = field(default_factory=list)
    other_names: list[OtherName] = field(default_factory=list)
    main_contacts: dict[int, int] = field(default_factory=dict)  # prospect → its first contact
    outcomes: list[tuple[int, str, str]] = field(default_factory=list)  # row, outcome, reason
    rejected: list[tuple[Record, str]] = field(default_factory=list)
