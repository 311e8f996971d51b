"""Files that somebody who is erased came in with: kept uploads that name them go, and their rejected rows."""

from __future__ import annotations

import csv
import os
from pathlib import Path

from django.db.models import Q

from prospects.erasure.parts import Person
from prospects.importing.reading import UnreadableFile, open_source
from prospects.models import ImportBatch
from prospects.rules.erasing import Traces

OVER = (ImportBatch.Status.DONE, ImportBatch.Status.CANCELLED, ImportBatch.Status.FAILED)


def erase(person: Person) -> None:
    """Take them out of the client's import files, as the last thing before the transaction ends.

    Should that fail yet, files have lost what a second try would take from them anyway. An upload that names them is
    dropped whole once its import is over: it is not read again.
    """
    kept = ImportBatch.objects.for_client(person.client).filter(~Q(file="") | ~Q(error_file=""))
    for batch in kept.order_by("pk"):
        if batch.error_file:
            _without(Path(batch.error_file.path), person.traces)
        if batch.file and batch.status in OVER and _names(Path(batch.file.path), person.traces):
            batch.file.delete(save=False)
            batch.save(update_fields=["file"])


def _names(path: Path, traces: Traces) -> bool:
    """Whether any row of the file names them; one that cannot be read any more might."""
    if not path.exists():
        return False
    try:
        return any(traces.in_("\n".join(row.cells)) for row in open_source(path).rows())
    except UnreadableFile:
        return True


def _without(path: Path, traces: Traces) -> None:
    """Write the file of rejected rows again, without theirs."""
    if not path.exists():
        return
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    kept = rows[:1] + [row for row in rows[1:] if not traces.in_("\n".join(row))]
    if len(kept) == len(rows):
        return
    fresh = path.with_suffix(".erasing")
    with fresh.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream).writerows(kept)
    os.replace(fresh, path)
