"""Running an import: from rows to committed chunks, whatever happens in between.

Each chunk is one transaction that also holds the batch's progress, so a process killed anywhere leaves a batch that the
next run of the same file finishes. All rows are looked at again then; those already in write nothing, so only the rows
after the last commit are counted. Reading happens ahead, for large files in a process of its own: one core parses while
another one works for PostgreSQL.
"""

from __future__ import annotations

import gc
import queue
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import structlog
from django.core.files.base import ContentFile
from django.db import IntegrityError, OperationalError, connection, transaction
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from prospects.erasure.keys import TURNED_AWAY
from prospects.importing.ahead import Chunk, Reader, chunks, chunks_apart
from prospects.importing.reading import SourceFile, UnreadableFile
from prospects.importing.rows import Note
from prospects.models import ImportBatch
from prospects.services.importing.lookup import tell_planner
from prospects.services.importing.reports import COUNTS, MAX_LISTED, ErrorFile, NoteBook, Report
from salesops.errors import Refusal
from salesops.logs import bind_trace

log = structlog.get_logger(__name__)

CHUNK = 5_000
AHEAD = 2  # parsed chunks waiting for the database
GROWTH = 10  # the planner is told again when there are so many times more rows
APART = 1 << 20  # bytes: from this size on a file is worth starting a process for
ATTEMPTS = 4
_CLIENT_LOCK = 0x1A90
BATCH_LOCK = 0x1A91

ParsedT = TypeVar("ParsedT")


class AlreadyRunning(Refusal):
    """Another process is importing this very batch."""


class Cancelled(Exception):  # noqa: N818 — a person's wish, not a fault
    """Somebody asked for the import to stop; what is committed stays."""


@dataclass(slots=True)
class Outcome:
    """What became of one sound row. ``cells`` are given when it was rejected after all."""

    row: int
    kind: str
    reason: str = ""


class Importer(Protocol[ParsedT]):
    """One kind of import. ``reader`` works in another thread or process and must not touch the database."""

    @property
    def reader(self) -> Reader[ParsedT]: ...

    def notes(self, parsed: ParsedT) -> Sequence[Note]: ...

    def write(self, parsed: Sequence[ParsedT]) -> list[Outcome]:
        """Write one chunk inside the caller's transaction; one outcome per row, in any order."""

    def keep(self) -> None:
        """The chunk is committed."""

    def forget(self) -> None:
        """The chunk was rolled back."""


class Run(Generic[ParsedT]):
    """One pass of one file through an importer."""

    def __init__(
        self, batch: ImportBatch, source: SourceFile, importer: Importer[ParsedT], limit: int | None = None
    ) -> None:
        self.batch, self.source, self.importer, self._limit = batch, source, importer, limit
        self.report = Report(file=batch.file_name, read_as=source.description)
        self.notes = NoteBook()
        self._skip = batch.processed
        self.report.resumed_after = self._skip
        self.report.counts = {name: getattr(batch, name) for name in COUNTS}
        self._seen_rows = 0
        self._analyze_at = CHUNK // 2
        self._cancelled = False

    def go(self, error_path: Path | None) -> Report:
        """Import every row. Raises UnreadableFile, Cancelled and database errors; what was committed stays."""
        started = time.monotonic()
        errors = ErrorFile(self.source.header, error_path)
        try:
            with _no_cycle_collection(), closing(self._chunks()) as chunks:
                for chunk in chunks:
                    self._commit(chunk, errors)
        finally:
            errors.close()
            self.report.rows = max(self._seen_rows, self._skip)
            self.report.notes = self._file_notes() + self.notes.lines()
            self.report.seconds = time.monotonic() - started
        return self.report

    def _file_notes(self) -> list[dict[str, object]]:
        return [{"kind": "file", "message": warning} for warning in self.source.survey.warnings]

    def _commit(self, chunk: Chunk[ParsedT], errors: ErrorFile) -> None:
        outcomes = self._write(chunk)
        cells = chunk.cells() if any(outcome.kind == "rejected" for outcome in outcomes) else {}
        for refused in chunk.refused:
            self._reject(refused.row, refused.cells, refused.reason, errors)
        for outcome in outcomes:
            if outcome.kind == "rejected":
                self._reject(outcome.row, cells[outcome.row], outcome.reason, errors)
            elif outcome.kind == "merged" and len(self.report.merges) < MAX_LISTED:
                self.report.merges.append({"row": outcome.row, "reason": outcome.reason})
        for parsed in chunk.parsed:
            for note in self.importer.notes(parsed):
                self.notes.add(note)
        if self._cancelled:
            raise Cancelled

    def _reject(self, row: int, cells: Sequence[str], reason: str, errors: ErrorFile) -> None:
        errors.add(cells if reason != TURNED_AWAY else (), reason)  # the reason alone: the rest would be kept again
        if len(self.report.rejections) < MAX_LISTED:
            self.report.rejections.append({"row": row, "reason": reason})

    def _write(self, chunk: Chunk[ParsedT]) -> list[Outcome]:
        """One transaction, tried again when another writer was quicker with the same company or person."""
        attempt = 0
        while True:
            attempt += 1
            try:
                with transaction.atomic():
                    take_turns(self.batch.client_id)
                    outcomes = self.importer.write(chunk.parsed)
                    counts, seen = self._count(chunk, outcomes)
                    cancelled = self._progress(counts, seen)
            except (IntegrityError, OperationalError) as error:
                self.importer.forget()
                if attempt == ATTEMPTS or not passing(error):
                    raise
                log.info("import.chunk_retried", batch=self.batch.pk, attempt=attempt)
                time.sleep(0.05 * 2**attempt)
                continue
            self.importer.keep()
            if counts["created"] >= self._analyze_at:
                tell_planner()
                self._analyze_at = GROWTH * counts["created"]
            self.report.counts, self._seen_rows = counts, seen
            self._cancelled = cancelled
            return outcomes

    def _count(self, chunk: Chunk[ParsedT], outcomes: Sequence[Outcome]) -> tuple[dict[str, int], int]:
        """The counts with this chunk's rows added, leaving out rows that an earlier run already counted."""
        counts = dict(self.report.counts)
        fresh = set(chunk.numbers[max(self._skip - self._seen_rows, 0) :])
        for outcome in outcomes:
            if outcome.row in fresh:
                counts[outcome.kind] += 1
        counts["rejected"] += sum(1 for refused in chunk.refused if refused.row in fresh)
        return counts, self._seen_rows + len(chunk.numbers)

    def _progress(self, counts: dict[str, int], seen: int) -> bool:
        """Note how far we are, in the chunk's own transaction; returns whether somebody wants us to stop."""
        batch = self.batch
        if batch._state.adding:  # a preview
            return False
        batch.processed = max(seen, self._skip)
        for name in COUNTS:
            setattr(batch, name, counts[name])
        batch.save(update_fields=["processed", *COUNTS])
        return ImportBatch.objects.filter(pk=batch.pk, cancel_requested=True).exists()

    def _chunks(self) -> Generator[Chunk[ParsedT], None, None]:
        """Parsed chunks, made or received ahead in a second thread."""
        ready: queue.Queue[Chunk[ParsedT] | BaseException | None] = queue.Queue(AHEAD)
        stop = threading.Event()

        def put(item: Chunk[ParsedT] | BaseException | None) -> None:
            while not stop.is_set():
                with suppress(queue.Full):
                    ready.put(item, timeout=0.2)
                    return

        def parse() -> None:
            try:
                with closing(self._read()) as found:
                    for chunk in found:
                        put(chunk)
                        if stop.is_set():
                            return
                put(None)
            except BaseException as error:  # handed to the importing thread, which raises it
                put(error)

        reader = threading.Thread(target=parse, name="import-reader", daemon=True)
        reader.start()
        try:
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stop.set()
            reader.join(timeout=10)

    def _read(self) -> Generator[Chunk[ParsedT], None, None]:
        if self._limit is None and sys.executable and self.source.path.stat().st_size >= APART:
            return chunks_apart(self.source, self.importer.reader, size=CHUNK)
        return chunks(self.source, self.importer.reader, size=CHUNK, limit=self._limit)


@contextmanager
def _no_cycle_collection() -> Iterator[None]:
    """Rows make many objects and no cycles; looking for cycles among them costs a third of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def take_turns(client_id: int) -> None:
    """One chunk at a time writes companies and people of a client; until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_CLIENT_LOCK, client_id])


def passing(error: Exception) -> bool:
    """Whether trying again can help: another writer took the same key, a deadlock, a serialisation failure."""
    code = getattr(error.__cause__, "sqlstate", "") or ""
    return code in ("23505", "40001", "40P01", "55P03")


def run_batch(batch: ImportBatch, source: SourceFile, importer: Importer[ParsedT]) -> Report:
    """Run a batch to its end and record what came of it.

    Raises :class:`AlreadyRunning`, and :class:`UnreadableFile` when the file breaks off (the batch is then failed, and
    resumed by the next run of the same file).
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [BATCH_LOCK, batch.pk])
        if not cursor.fetchone()[0]:
            raise AlreadyRunning(f"{batch.file_name} is being imported right now.")
    try:
        bind_trace(batch.trace_id)
        return _run_locked(batch, source, importer)
    finally:
        with suppress(Exception), connection.cursor() as cursor:  # a dead connection has let go of it anyway
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [BATCH_LOCK, batch.pk])


def _run_locked(batch: ImportBatch, source: SourceFile, importer: Importer[ParsedT]) -> Report:
    batch.refresh_from_db()
    batch.status, batch.error = ImportBatch.Status.RUNNING, ""
    batch.started_at = batch.started_at or timezone.now()
    batch.save(update_fields=["status", "error", "started_at"])
    run = Run(batch, source, importer)
    error_path = _prepare_error_file(batch)
    status, words = ImportBatch.Status.DONE, ""
    try:
        run.go(error_path)
    except Cancelled:
        status = ImportBatch.Status.CANCELLED
    except UnreadableFile as error:
        status, words = ImportBatch.Status.FAILED, error.message
        raise
    except Exception as error:
        status, words = ImportBatch.Status.FAILED, f"Something unexpected went wrong ({type(error).__name__})."
        log.exception("import.failed", batch=batch.pk)
        raise
    finally:
        if words or status != ImportBatch.Status.FAILED:
            _finish(batch, run.report, status, words, error_path)
    return run.report


def _prepare_error_file(batch: ImportBatch) -> Path:
    """An empty file in private storage, under a name of the batch's own."""
    if not batch.error_file:
        batch.error_file.save(f"{batch.pk}-rejected-rows.csv", ContentFile(b""), save=False)
    path = Path(batch.error_file.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _finish(batch: ImportBatch, report: Report, status: str, words: str, error_path: Path) -> None:
    report.batch_id, report.status = batch.pk, status
    report.error_file = str(error_path) if error_path.exists() else ""
    batch.status, batch.error, batch.finished_at = status, words, timezone.now()
    batch.total = batch.total or report.rows
    batch.notes = report.notes + [{"kind": "merged", **merge} for merge in report.merges]
    if not report.error_file:
        batch.error_file = ""
    failed = status == ImportBatch.Status.FAILED
    with transaction.atomic():
        batch.save(update_fields=["status", "error", "finished_at", "total", "notes", "error_file"])
        audit.record(
            client=batch.client,
            event=AuditEvent.IMPORT_FAILED if failed else AuditEvent.IMPORT_FINISHED,
            subject=batch,
            actor=batch.created_by,
            trace_id=batch.trace_id,
            detail={"sha256": batch.sha256, "kind": batch.kind, "status": status, "rows": report.rows, **report.counts},
        )
    log.info("import.finished", batch=batch.pk, status=status, rows=report.rows, **report.counts)
