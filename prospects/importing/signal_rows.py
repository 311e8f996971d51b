"""One row of a signal file understood: who it is about, what was seen, and when.

Two layouts are read: signals (prospect, kind, observed_at, value, text, source) and change logs (prospect, date, field,
old, new), whose rows become signals of kind ``change`` for agents to draw meaning from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prospects.importing import values
from prospects.importing.columns import IGNORE, KEEP, LABELS, ColumnMap, field_named, plain
from prospects.importing.draft import MAX_KEPT
from prospects.importing.identity import email_key, registrable_domain
from prospects.importing.records import clean, kept_name, typed
from prospects.importing.rows import Note, Refused, Row

CHANGE = "change"
PROFILE = "profile"
MAX_TEXT = 20_000


@dataclass(slots=True)
class SignalRecord:
    """A sound row. Any of the three keys may lead to the prospect; ``named`` is what the file calls it."""

    row: int
    named: str
    domain: str
    email: str
    external_id: str
    kind: str
    observed_at: datetime
    value: float | None
    text: str
    source: str
    data: dict[str, object]
    notes: list[Note] = field(default_factory=list)

    @property
    def dedup_key(self) -> str:
        """Equal for the same observation, from whichever file and row it comes."""
        said = [self.kind, self.observed_at.isoformat(), self.value, self.text, self.data]
        text = json.dumps(said, ensure_ascii=False, sort_keys=True)
        return "seen:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:40]


class SignalReader:
    """Turns rows into signal records under one mapping. ``day_first`` settles ambiguous dates."""

    def __init__(self, header: Sequence[str], mapping: ColumnMap, *, now: datetime, day_first: bool | None) -> None:
        self._now = now
        self._day_first = mapping.day_first if mapping.day_first is not None else day_first
        targets = [mapping.targets.get(name, KEEP) for name in header]
        self._mapped = [(i, target) for i, target in enumerate(targets) if target not in (KEEP, IGNORE)]
        self._kept = [(i, kept_name(header[i])) for i, target in enumerate(targets) if target == KEEP]
        self._defaults = mapping.defaults
        self._missing = mapping.missing

    def read(self, row: Row) -> SignalRecord | Refused:
        """What the row says, or why it says nothing."""
        if row.problem:
            return Refused(row.number, row.cells, row.problem)
        given = self._given(row.cells)
        if not given:
            return Refused(row.number, row.cells, "the row is empty")
        record = SignalRecord(row.number, "", "", "", "", "", self._now, None, "", given.get("source", "")[:255], {})
        reason = _who(given, record) or _kind(given, record) or self._when(given, record)
        if reason:
            return Refused(row.number, row.cells, reason)
        self._rest(row.cells, given, record)
        return record

    def _given(self, cells: list[str]) -> dict[str, str]:
        given = dict(self._defaults)
        for position, target in self._mapped:
            text = clean(cells[position])
            if not values.is_missing(text, self._missing):
                given[target] = text
        return given

    def _when(self, given: dict[str, str], record: SignalRecord) -> str:
        text = given.get("observed_at", "")
        if not text:
            return "the row has no date"
        found = values.moment(text, day_first=self._day_first)
        if found is None:
            return f"“{text[:40]}” is not a date that means one day"
        if values.is_future(found, self._now):
            return f"“{text[:40]}” is in the future"
        record.observed_at = found
        return ""

    def _rest(self, cells: list[str], given: dict[str, str], record: SignalRecord) -> None:
        record.text = given.get("text", "")[:MAX_TEXT]
        if text := given.get("value", ""):
            record.value = values.signed_number(text)
            if record.value is None:
                truth = values.truth(text)
                record.value = None if truth is None else float(truth)
            if record.value is None:
                record.data["value_given"] = text[:MAX_KEPT]
                record.notes.append(Note(record.row, LABELS["value"], text[:120], "not a number; kept as given"))
        for position, name in self._kept:
            text = clean(cells[position])
            if not values.is_missing(text, self._missing):
                record.data.setdefault(name, typed(text[:MAX_KEPT]))


def _who(given: dict[str, str], record: SignalRecord) -> str:
    named = given.get("prospect", "")
    record.email = email_key(given.get("email") or (named if "@" in named else ""))
    record.domain = registrable_domain(given.get("domain") or ("" if "@" in named else named))
    record.external_id = (given.get("external_id") or named)[:120]
    record.named = named or record.external_id or record.domain or record.email
    if not (record.email or record.domain or record.external_id):
        return "the row names no prospect: a domain, an e-mail address or an id is needed"
    return ""


def _kind(given: dict[str, str], record: SignalRecord) -> str:
    kind = plain(given.get("kind", "")).replace(" ", "_")[:60]
    if "field" in given:
        kind = kind or CHANGE
        record.data.update(field=field_named(given["field"]), old=_said(given.get("old")), new=_said(given.get("new")))
    if not kind:
        return "the row says no kind of signal"
    if kind == PROFILE:
        return "profiles are imported as companies, not as signals"
    record.kind = kind
    return ""


def _said(text: str | None) -> object:
    return None if text is None else typed(text[:MAX_KEPT])
