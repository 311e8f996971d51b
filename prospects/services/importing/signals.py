"""Importing dated signals about prospects that are already here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import timezone

from playbooks.models import Client, Playbook, User
from prospects.erasure.keys import TURNED_AWAY, Newcomers, keys_by
from prospects.importing.columns import Choice, ColumnMap, decide, override, propose, signal_targets
from prospects.importing.copytext import NULL, escape
from prospects.importing.reading import SourceFile
from prospects.importing.rows import Note, Refused, Row
from prospects.importing.signal_rows import SignalReader, SignalRecord
from prospects.models import ImportBatch
from prospects.services.importing.batches import open_batch
from prospects.services.importing.lookup import next_ids, with_merged
from prospects.services.importing.prospects import SAMPLE_ROWS, day_order_of
from prospects.services.importing.reports import Report
from prospects.services.importing.runs import Outcome, run_batch
from prospects.services.importing.write import copy_lines, hold_prospects, note_newest_facts
from salesops.sql import fetch

_COLUMNS = (
    "client_id", "prospect_id", "kind", "observed_at", "value", "text", "data", "source", "source_ref", "dedup_key",
    "fact_no", "created_at", "trace_id",
)  # fmt: skip
# Whoever was merged leads to the prospect that goes on, and so does every other name somebody goes by.
_GROUP = """
    JOIN LATERAL (SELECT c.id UNION SELECT c.merged_into_id UNION SELECT g.id FROM prospects_company g
        WHERE g.merged_into_id = coalesce(c.merged_into_id, c.id)) one (id) ON true
    JOIN prospects_prospect p ON p.company_id = one.id AND p.playbook_id = %(playbook)s"""
_ALONE = """
    JOIN prospects_prospect p ON p.contact_id = k.id AND p.company_id IS NULL AND p.playbook_id = %(playbook)s"""
_BY_DOMAIN = f"""
    SELECT c.domain, coalesce(p.merged_into_id, p.id) FROM prospects_company c {_GROUP}
    WHERE c.client_id = %(client)s AND c.domain = ANY(%(keys)s) AND c.domain <> ''
    UNION ALL
    SELECT a.value, coalesce(p.merged_into_id, p.id) FROM prospects_alias a
    JOIN prospects_company c ON c.id = a.company_id {_GROUP}
    WHERE a.client_id = %(client)s AND a.kind = 'company' AND a.name = 'key' AND a.value = ANY(%(keys)s)
      AND NOT EXISTS (SELECT 1 FROM prospects_company o WHERE o.client_id = %(client)s AND o.domain = a.value)"""  # noqa: S608
_BY_EMAIL = f"""
    WITH k AS (
        SELECT k.email_key AS key, k.id, k.company_id FROM prospects_contact k
        WHERE k.client_id = %(client)s AND k.email_key = ANY(%(keys)s) AND k.email_key <> ''
        UNION ALL
        SELECT a.value, k.id, k.company_id FROM prospects_alias a JOIN prospects_contact k ON k.id = a.contact_id
        WHERE a.client_id = %(client)s AND a.kind = 'contact' AND a.name = 'key' AND a.value = ANY(%(keys)s)
          AND NOT EXISTS (SELECT 1 FROM prospects_contact o WHERE o.client_id = %(client)s AND o.email_key = a.value))
    SELECT k.key, coalesce(p.merged_into_id, p.id) FROM k JOIN prospects_company c ON c.id = k.company_id {_GROUP}
    UNION ALL
    SELECT k.key, coalesce(p.merged_into_id, p.id) FROM k {_ALONE}"""  # noqa: S608
_BY_EXTERNAL_ID = f"""
    SELECT p.external_id, coalesce(p.merged_into_id, p.id) FROM prospects_prospect p
    WHERE p.playbook_id = %(playbook)s AND p.client_id = %(client)s AND p.external_id = ANY(%(keys)s)
      AND p.external_id <> ''
    UNION ALL
    SELECT a.value, coalesce(p.merged_into_id, p.id) FROM prospects_alias a
    JOIN prospects_company c ON c.id = a.company_id {_GROUP}
    WHERE a.client_id = %(client)s AND a.kind = 'company' AND a.name = 'external_id' AND a.value = ANY(%(keys)s)
    UNION ALL
    SELECT a.value, coalesce(p.merged_into_id, p.id) FROM prospects_alias a
    JOIN prospects_contact k ON k.id = a.contact_id {_ALONE}
    WHERE a.client_id = %(client)s AND a.kind = 'contact' AND a.name = 'external_id' AND a.value = ANY(%(keys)s)"""  # noqa: S608
AMBIGUOUS = -1


def signal_proposal(source: SourceFile) -> list[Choice]:
    """A meaning for every column of a signal file."""
    return propose(source.header, (row.cells for row in source.sample(SAMPLE_ROWS)), signals=True)


def signal_mapping_for(source: SourceFile, given: Mapping[str, object] | None) -> ColumnMap:
    """The proposed mapping with ``given`` over it. Raises UnreadableFile when that does not fit the file."""
    mapping = decide(signal_proposal(source))
    return override(mapping, given, source.header, signal_targets()) if given else mapping


class SignalImporter:
    """Signals, chunk by chunk."""

    def __init__(self, batch: ImportBatch, source: SourceFile, mapping: ColumnMap) -> None:
        self._batch = batch
        self._file = source.sha256[:12]
        self._now = timezone.now()
        day_first = day_order_of(source, mapping)
        self.reader = SignalReader(source.header, mapping, now=self._now, day_first=day_first)

    def read(self, row: Row) -> SignalRecord | Refused:
        return self.reader.read(row)

    def notes(self, parsed: SignalRecord) -> Sequence[Note]:
        return parsed.notes

    def write(self, parsed: Sequence[SignalRecord]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        found: list[tuple[int, SignalRecord, str]] = []
        resolve = _Resolver(parsed, client_id=self._batch.client_id, playbook_id=self._batch.playbook_id)
        gone = self._erased(parsed)
        for record in parsed:
            prospect_id = resolve(record)
            if record.row in gone:
                outcomes.append(Outcome(record.row, "rejected", TURNED_AWAY))
            elif prospect_id == AMBIGUOUS:
                outcomes.append(Outcome(record.row, "rejected", f"{record.named} could be several prospects"))
            elif prospect_id is None:
                outcomes.append(Outcome(record.row, "rejected", f"{record.named} is no prospect of this playbook"))
            else:
                found.append((prospect_id, record, record.dedup_key))
        fresh = self._fresh(found, outcomes)
        self._insert(fresh)
        return outcomes

    def _erased(self, parsed: Sequence[SignalRecord]) -> set[int]:
        """Rows that name somebody who was erased, whoever else they might be about."""
        newcomers = Newcomers(self._batch.client_id)
        if not newcomers:
            return set()
        return newcomers.erased({r.row: keys_by(email=r.email, external_id=r.external_id) for r in parsed})

    def _fresh(
        self, found: list[tuple[int, SignalRecord, str]], outcomes: list[Outcome]
    ) -> list[tuple[int, SignalRecord, str]]:
        """Those not recorded yet; the others get their outcome."""
        recorded = _recorded({prospect_id for prospect_id, _, _ in found}, [key for _, _, key in found])
        fresh: list[tuple[int, SignalRecord, str]] = []
        written: set[tuple[int, str]] = set()
        for prospect_id, record, key in found:
            if (prospect_id, key) in recorded:
                outcomes.append(Outcome(record.row, "unchanged"))
            elif (prospect_id, key) in written:
                outcomes.append(Outcome(record.row, "merged", "the same observation as an earlier row"))
            else:
                written.add((prospect_id, key))
                fresh.append((prospect_id, record, key))
                outcomes.append(Outcome(record.row, "created"))
        return fresh

    def _insert(self, fresh: list[tuple[int, SignalRecord, str]]) -> None:
        if not fresh:
            return
        hold_prospects({prospect_id for prospect_id, _, _ in fresh})
        numbers = next_ids("fact_no", len(fresh))
        copy_lines("prospects_signal", _COLUMNS, self._lines(fresh, numbers))
        note_newest_facts({p: number for (p, _, _), number in zip(fresh, numbers, strict=True)})

    def _lines(self, fresh: list[tuple[int, SignalRecord, str]], numbers: list[int]) -> Iterable[str]:
        batch, now = self._batch, self._now.isoformat()
        for (prospect_id, record, key), number in zip(fresh, numbers, strict=True):
            value = NULL if record.value is None else repr(record.value)
            data = escape(json.dumps(record.data, ensure_ascii=False))
            yield (
                f"{batch.client_id}\t{prospect_id}\t{record.kind}\t{record.observed_at.isoformat()}\t{value}\t"
                f"{escape(record.text)}\t{data}\t{escape(record.source or batch.file_name)}\t"
                f"{self._file}:row {record.row}\t{key}\t{number}\t{now}\t{batch.trace_id}"
            )

    def keep(self) -> None:
        """Nothing is remembered between chunks: what is recorded is looked up."""

    def forget(self) -> None:
        """As above."""


class _Resolver:
    """Finds a chunk's prospects in three queries. An id or address of several prospects is ambiguous."""

    def __init__(self, records: Sequence[SignalRecord], *, client_id: int, playbook_id: int) -> None:
        who = {"playbook": playbook_id, "client": client_id}
        self._domains = _find(_BY_DOMAIN, {**who, "keys": _distinct(r.domain for r in records)})
        self._emails = _find(_BY_EMAIL, {**who, "keys": _distinct(r.email for r in records)})
        self._ids = _find(_BY_EXTERNAL_ID, {**who, "keys": _distinct(r.external_id for r in records)})

    def __call__(self, record: SignalRecord) -> int | None:
        for key, table in (
            (record.email, self._emails),
            (record.external_id, self._ids),
            (record.domain, self._domains),
        ):
            if key and key in table:
                return table[key]
        return None


def _distinct(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]


def _find(sql: str, params: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, prospect_id in fetch(sql, params):
        found[key] = prospect_id if found.get(key, prospect_id) == prospect_id else AMBIGUOUS
    return found


def _recorded(prospect_ids: set[int], keys: list[str]) -> set[tuple[int, str]]:
    """What these prospects, or others merged into them, have on record already."""
    readers = with_merged("prospects_prospect", prospect_ids)
    sql = "SELECT prospect_id, dedup_key FROM prospects_signal WHERE prospect_id = ANY(%s) AND dedup_key = ANY(%s)"
    return {(readers[prospect_id], key) for prospect_id, key in fetch(sql, [list(readers), keys])}


def import_signals(
    source: SourceFile, *, client: Client, playbook: Playbook, actor: User | None, mapping: ColumnMap,
    file_name: str = "",
) -> Report:  # fmt: skip
    """Import a file of signals, or finish an earlier import of the same file that was cut off.

    Signals already recorded are not recorded again; rows about nobody known are rejected. ``actor`` None means the
    system. Raises UnreadableFile when the file breaks off and AlreadyRunning.
    """
    batch = open_batch(
        client=client, playbook=playbook, kind=ImportBatch.Kind.SIGNALS,
        file_name=(file_name or source.path.name)[:255], sha256=source.sha256, mapping=mapping.as_dict(), as_of=None,
        actor=actor,
    )  # fmt: skip
    return run_batch(batch, source, SignalImporter(batch, source, mapping))
