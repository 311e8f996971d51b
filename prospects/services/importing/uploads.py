"""Imports that begin in the browser: an uploaded file is kept, mapped, previewed, and imported by a worker.

The stored batch is all a worker needs, so the Celery message that starts one is only a nudge: a sweep finds batches
that are queued, or were cut off, without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import connection, transaction
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Playbook, Role, User
from playbooks.services.authority import require
from prospects.importing.columns import Choice, ColumnMap, decide, override, prospect_targets, signal_targets
from prospects.importing.reading import SourceFile, UnreadableFile, open_source
from prospects.importing.rows import Refused
from prospects.models import ImportBatch
from prospects.services.importing.prospects import (
    PREVIEW_ROWS,
    Preview,
    family,
    importer_for,
    preview_prospects,
    proposal,
    understood,
)
from prospects.services.importing.runs import BATCH_LOCK, AlreadyRunning, Run, run_batch
from prospects.services.importing.signals import SignalImporter, signal_proposal
from salesops.errors import Refusal
from salesops.sweeps import each

log = structlog.get_logger(__name__)

PREVIEW_SAMPLE = 2_000  # rows a preview counts over: enough to judge, quick enough to wait for
STUCK = timedelta(seconds=20)
_WAITING = (ImportBatch.Status.QUEUED, ImportBatch.Status.RUNNING)


#: who may bring files in
IMPORTERS = (Role.OPERATOR, Role.LEADER, Role.ADMIN)


class FileTooLarge(Refusal):
    """The upload exceeds ``settings.IMPORT_MAX_BYTES``."""


class WrongMoment(Refusal):
    """The import has moved on: what was asked fits another state."""


def receive_upload(
    upload: UploadedFile[Any], *, client: Client, playbook: Playbook, kind: str, actor: User,
    as_of: datetime | None = None, source_name: str = "",
) -> ImportBatch:  # fmt: skip
    """Keep an uploaded file privately and look at it.

    Raises NotAllowed, FileTooLarge, and UnreadableFile when it is no table or unpacks to too much; nothing is kept
    then.
    """
    require(client, actor, IMPORTERS, to="import")
    limit: int = settings.IMPORT_MAX_BYTES
    if (upload.size or 0) > limit:
        raise FileTooLarge(
            f"The file has {(upload.size or 0) / 1e6:,.0f} MB; at most {limit / 1e6:,.0f} MB can be uploaded. "
            "Compress it with gzip, or ask an operator to import it with the import_prospects command."
        )
    name = Path(upload.name or "file").name[-255:]
    batch = ImportBatch(
        client=client, playbook=playbook, kind=kind, file_name=name, created_by=actor, as_of=as_of, sha256="",
    )  # fmt: skip
    batch.file.save(f"{batch.trace_id}{''.join(Path(name).suffixes[-2:])[:20]}", upload, save=False)
    try:
        source = open_source(Path(batch.file.path), most=settings.IMPORT_MAX_UNPACKED_BYTES)
        batch.sha256 = source.sha256
        batch.total = sum(1 for _ in source.rows())
        mapping = decide(choices_for(batch, source))
    except UnreadableFile:
        batch.file.delete(save=False)
        raise
    batch.mapping = {**mapping.as_dict(), "source": source_name or family(name)}
    with transaction.atomic():
        batch.save()
    log.info("import.uploaded", batch=batch.pk, rows=batch.total)
    return batch


def source_of(batch: ImportBatch) -> SourceFile:
    """The stored file. Raises UnreadableFile when it is gone."""
    if not batch.file:
        raise UnreadableFile("The file of this import is not kept. Import it again.")
    return open_source(Path(batch.file.path))


def choices_for(batch: ImportBatch, source: SourceFile) -> list[Choice]:
    """The proposed meaning of every column, for the kind of import it is."""
    return signal_proposal(source) if batch.kind == ImportBatch.Kind.SIGNALS else proposal(source)


def targets_of(batch: ImportBatch) -> tuple[str, ...]:
    """The fields that a column of this kind of file can mean."""
    return signal_targets() if batch.kind == ImportBatch.Kind.SIGNALS else prospect_targets()


def column_map(batch: ImportBatch, source: SourceFile) -> ColumnMap:
    """The mapping stored with the batch."""
    stored = {name: value for name, value in batch.mapping.items() if name != "source"}
    return override(decide(choices_for(batch, source)), stored, source.header, targets_of(batch))


def set_mapping(batch: ImportBatch, columns: Mapping[str, str], *, actor: User, day_first: bool | None) -> None:
    """Store a person's choice of columns.

    Raises NotAllowed, UnreadableFile when two columns mean the same, WrongMoment.
    """
    require(batch.client, actor, IMPORTERS, to="import")
    source = source_of(batch)
    given: dict[str, object] = {"columns": dict(columns), "day_first": day_first}
    mapping = override(decide(choices_for(batch, source)), given, source.header, targets_of(batch))
    with transaction.atomic():
        locked = _locked(batch, ImportBatch.Status.UPLOADED)
        locked.mapping = {**mapping.as_dict(), "source": locked.mapping.get("source", "")}
        locked.save(update_fields=["mapping"])
    batch.mapping = locked.mapping


def preview_of(batch: ImportBatch) -> Preview:
    """The first rows as understood, and what the first ``PREVIEW_SAMPLE`` rows would do; nothing is kept."""
    source = source_of(batch)
    mapping = column_map(batch, source)
    if batch.kind == ImportBatch.Kind.PROSPECTS:
        return preview_prospects(
            source, client=batch.client, playbook=batch.playbook, mapping=mapping, file_name=batch.file_name,
            source_name=str(batch.mapping.get("source", "")), as_of=batch.as_of, limit=PREVIEW_SAMPLE,
        )  # fmt: skip
    draft = ImportBatch(
        client=batch.client, playbook=batch.playbook, kind=batch.kind, file_name=batch.file_name, sha256=batch.sha256
    )
    importer = SignalImporter(draft, source, mapping)
    run = Run(draft, source, importer, limit=PREVIEW_SAMPLE)
    with transaction.atomic():
        report = run.go(None)
        transaction.set_rollback(True)
    rows: list[dict[str, object]] = []
    for row, _ in zip(source.rows(), range(PREVIEW_ROWS), strict=False):
        parsed = importer.read(row)
        if isinstance(parsed, Refused):
            rows.append(understood(parsed))
        else:
            facts = {"kind": parsed.kind, "observed_at": parsed.observed_at, "value": parsed.value,
                     "text": parsed.text, **parsed.data}  # fmt: skip
            shown = {name: value for name, value in facts.items() if value not in (None, "")}
            rows.append({"row": parsed.row, "company": parsed.named, "facts": shown, "notes": []})
    return Preview(rows, report, choices_for(batch, source))


def start(batch: ImportBatch, *, actor: User) -> None:
    """Hand the batch to a worker. Also resumes one that failed. Raises NotAllowed, WrongMoment."""
    require(batch.client, actor, IMPORTERS, to="import")
    with transaction.atomic():
        locked = _locked(batch, ImportBatch.Status.UPLOADED, ImportBatch.Status.FAILED)
        locked.status, locked.cancel_requested, locked.error = ImportBatch.Status.QUEUED, False, ""
        locked.created_by = locked.created_by or actor
        locked.save(update_fields=["status", "cancel_requested", "error", "created_by"])
        nudge(locked.pk)


def cancel(batch: ImportBatch, *, actor: User) -> None:
    """Stop an import at its next chunk; what is committed stays.

    Raises NotAllowed, WrongMoment when there is nothing to stop.
    """
    require(batch.client, actor, IMPORTERS, to="stop an import")
    with transaction.atomic():
        locked = _locked(batch, ImportBatch.Status.UPLOADED, *_WAITING)
        if locked.cancel_requested:
            return
        if locked.status == ImportBatch.Status.RUNNING:
            locked.cancel_requested = True
        else:
            locked.status, locked.finished_at = ImportBatch.Status.CANCELLED, timezone.now()
        locked.save(update_fields=["status", "cancel_requested", "finished_at"])
        audit.record(
            client=batch.client, event=AuditEvent.IMPORT_CANCELLED, subject=batch, actor=actor,
            trace_id=batch.trace_id, detail={"status": locked.status, "sha256": batch.sha256},
        )  # fmt: skip


def _locked(batch: ImportBatch, *states: str) -> ImportBatch:
    locked = ImportBatch.objects.for_client(batch.client_id).select_for_update(of=("self",)).get(pk=batch.pk)
    if locked.status not in states:
        raise WrongMoment(f"This import is {locked.get_status_display().lower()} by now. Load the page again.")
    return locked


def nudge(batch_id: int) -> None:
    """Tell a worker once the transaction is committed; if the message is lost, the sweep finds the batch."""

    def send() -> None:
        from prospects.tasks import run_import  # tasks import services: the other way round only at call time

        with suppress(Exception):  # the queue is away: the sweep will come by
            run_import.delay(batch_id)

    transaction.on_commit(send)


def run_stored(batch_id: int) -> None:
    """Import a stored batch to its end. Doing it twice, or at once in two workers, does it once."""
    batch = ImportBatch.objects.select_related("client", "playbook", "created_by").filter(pk=batch_id).first()
    if batch is None or batch.status not in _WAITING:
        return
    try:
        source = source_of(batch)
        mapping = column_map(batch, source)
        importer: Any = (
            SignalImporter(batch, source, mapping)
            if batch.kind == ImportBatch.Kind.SIGNALS
            else importer_for(batch, source, mapping)
        )
        run_batch(batch, source, importer)
    except AlreadyRunning:
        return
    except UnreadableFile as error:
        _fail(batch, error.message)


def _fail(batch: ImportBatch, words: str) -> None:
    ImportBatch.objects.filter(pk=batch.pk, status__in=_WAITING).update(
        status=ImportBatch.Status.FAILED, error=words, finished_at=timezone.now()
    )


def sweep(*, at: datetime) -> int:
    """Find imports nobody works on: queued ones whose nudge was lost, running ones whose process died.

    Those with a stored file are taken up again; those of the command line are marked, for the next run of the same file
    to finish. Returns how many were found.
    """
    waiting = ImportBatch.objects.filter(status__in=_WAITING, created_at__lte=at - STUCK).order_by("id")[:50]
    return sum(each(waiting, _take_up, sweep="imports", name=lambda batch: f"import {batch.pk}"))


def _take_up(batch: ImportBatch) -> bool:
    """Whether nobody was at work on it."""
    if not _is_idle(batch):
        return False
    if batch.file:
        nudge(batch.pk)
    else:
        _fail(batch, "The import was cut off. Import the same file again and it goes on where it stopped.")
    return True


def _is_idle(batch: ImportBatch) -> bool:
    """Whether no process holds the batch's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [BATCH_LOCK, batch.pk])
        idle = bool(cursor.fetchone()[0])
        if idle:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [BATCH_LOCK, batch.pk])
    return idle
