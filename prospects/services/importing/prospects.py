"""Importing companies and people: the one way in for a file, from the command line, the page or the demo."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from playbooks.models import Client, Playbook, User
from prospects.importing.columns import Choice, ColumnMap, decide, override, propose, prospect_targets
from prospects.importing.reading import SourceFile
from prospects.importing.records import Record, RowReader
from prospects.importing.rows import Note, Refused, Row
from prospects.importing.values import day_order
from prospects.models import ImportBatch
from prospects.services.importing.batches import open_batch
from prospects.services.importing.decide import Decider
from prospects.services.importing.lookup import id_stream, look_up, recall_facts
from prospects.services.importing.plan import Memory, Terms
from prospects.services.importing.reports import Report
from prospects.services.importing.runs import Outcome, Run, run_batch
from prospects.services.importing.write import COMPANY_IDS, CONTACT_IDS, PROSPECT_IDS, write

PREVIEW_ROWS = 20
SAMPLE_ROWS = 200
DATE_SAMPLE = 5_000


@dataclass(frozen=True, slots=True)
class Preview:
    """A dry run: the first rows as understood, and what importing all of them would do."""

    rows: list[dict[str, object]]
    report: Report
    mapping: list[Choice]


def family(file_name: str) -> str:
    """The name of the series a file belongs to, without endings, dates and copy marks.

    ``companies_2026-11-01 (2).csv.gz`` and next month's file are one source, so ids in them mean the same companies.
    """
    stem = file_name.split("/")[-1].split(".")[0]
    bare = re.sub(
        r"\(\d+\)|[-_ ]?(?:19|20)\d\d(?:[-_.]?\d{2}){0,2}|[-_ ](?:v?\d+|final|new|copy|kopie|export)$", "", stem
    )
    return (bare.strip(" -_") or stem or "file")[:120]


def proposal(source: SourceFile) -> list[Choice]:
    """A meaning for every column, from its name and its first values."""
    return propose(source.header, (row.cells for row in source.sample(SAMPLE_ROWS)))


def mapping_for(source: SourceFile, given: Mapping[str, object] | None) -> ColumnMap:
    """The proposed mapping with ``given`` over it. Raises UnreadableFile when that does not fit the file."""
    mapping = decide(proposal(source))
    return override(mapping, given, source.header, prospect_targets()) if given else mapping


class ProspectImporter:
    """Companies and people, chunk by chunk."""

    def __init__(self, terms: Terms, source: SourceFile, mapping: ColumnMap, *, people_only: bool) -> None:
        self.terms = terms
        self._memory = Memory()
        self._ids = (id_stream(COMPANY_IDS), id_stream(CONTACT_IDS), id_stream(PROSPECT_IDS))
        day_first = day_order_of(source, mapping)
        self.reader = RowReader(source.header, mapping, now=terms.now, day_first=day_first, people_only=people_only)

    def read(self, row: Row) -> Record | Refused:
        return self.reader.read(row)

    def notes(self, parsed: Record) -> Sequence[Note]:
        return parsed.notes

    def write(self, parsed: Sequence[Record]) -> list[Outcome]:
        terms = self.terms
        known = look_up(parsed, client_id=terms.client_id, playbook_id=terms.playbook_id, source=terms.source)
        recall_facts(known, self._memory)
        plan = Decider(terms, known, self._memory, self._ids).decide(parsed)
        write(plan, terms)
        refused = [Outcome(record.row, "rejected", reason) for record, reason in plan.rejected]
        return [Outcome(row, kind, reason) for row, kind, reason in plan.outcomes] + refused

    def keep(self) -> None:
        self._memory.keep()

    def forget(self) -> None:
        self._memory.forget()


def day_order_of(source: SourceFile, mapping: ColumnMap) -> bool | None:
    """Whether the file's dates put the day first; None when it does not show, or has no dates."""
    column = next((name for name, target in mapping.targets.items() if target == "observed_at"), "")
    if not column or mapping.day_first is not None:
        return mapping.day_first
    position = source.header.index(column)
    return day_order(row.cells[position] for row in source.sample(DATE_SAMPLE))


def importer_for(batch: ImportBatch, source: SourceFile, mapping: ColumnMap) -> ProspectImporter:
    """The importer of one batch. Rows without a date were true at ``as_of``, else when the batch was made."""
    terms = Terms(
        client_id=batch.client_id,
        playbook_id=batch.playbook_id,
        source=str(batch.mapping.get("source") or family(batch.file_name)),
        file_name=batch.file_name,
        sha256=source.sha256,
        trace_id=batch.trace_id,
        observed_at=batch.as_of or batch.created_at or timezone.now(),
        now=timezone.now(),
    )
    return ProspectImporter(terms, source, mapping, people_only=batch.playbook.kind == Playbook.Kind.HOUSEHOLD)


def import_prospects(
    source: SourceFile, *, client: Client, playbook: Playbook, actor: User | None, mapping: ColumnMap,
    file_name: str = "", source_name: str = "", as_of: datetime | None = None,
) -> Report:  # fmt: skip
    """Import a file of companies or people, or finish an earlier import of the same file that was cut off.

    ``actor`` None means the system. ``source_name`` says whose ids the file's ids are (default: the file's family).
    Raises UnreadableFile when the file breaks off and AlreadyRunning when another process is at this very batch.
    """
    name = (file_name or source.path.name)[:255]
    stored = {**mapping.as_dict(), "source": source_name or family(name)}
    batch = open_batch(
        client=client, playbook=playbook, kind=ImportBatch.Kind.PROSPECTS, file_name=name, sha256=source.sha256,
        mapping=stored, as_of=as_of, actor=actor,
    )  # fmt: skip
    return run_batch(batch, source, importer_for(batch, source, mapping))


def preview_prospects(
    source: SourceFile, *, client: Client, playbook: Playbook, mapping: ColumnMap, file_name: str = "",
    source_name: str = "", as_of: datetime | None = None, limit: int | None = None,
) -> Preview:  # fmt: skip
    """What importing would do: the whole import (or its first ``limit`` rows), rolled back."""
    name = file_name or source.path.name
    batch = ImportBatch(
        client=client, playbook=playbook, kind=ImportBatch.Kind.PROSPECTS, file_name=name[:255], sha256=source.sha256,
        mapping={"source": source_name or family(name)}, as_of=as_of,
    )  # fmt: skip
    importer = importer_for(batch, source, mapping)
    run = Run(batch, source, importer, limit=limit)
    with transaction.atomic():
        report = run.go(None)
        transaction.set_rollback(True)
    report.status = "preview"
    return Preview(_understood(source, importer), report, proposal(source))


def _understood(source: SourceFile, importer: ProspectImporter) -> list[dict[str, object]]:
    return [understood(importer.read(row)) for row, _ in zip(source.rows(), range(PREVIEW_ROWS), strict=False)]


def _as_read(fact: tuple[str, object]) -> tuple[str, bool]:
    """Facts stand in the order of their names, but the lower end of a range before its upper one."""
    name = fact[0]
    return name.removesuffix("_min").removesuffix("_max"), name.endswith("_max")


def understood(parsed: Record | Refused) -> dict[str, object]:
    """One row in words, for the person who checks the mapping."""
    if isinstance(parsed, Refused):
        return {"row": parsed.row, "rejected": parsed.reason, "facts": {}, "notes": []}
    company, contact = parsed.company, parsed.contact
    return {
        "row": parsed.row,
        "company": company.name if company else "",
        "domain": company.key if company else "",
        "person": contact.name if contact else "",
        "email": contact.key if contact else "",
        "facts": dict(sorted(parsed.facts.items(), key=_as_read)),
        "notes": [f"{note.column}: {note.message}" for note in parsed.notes],
    }
