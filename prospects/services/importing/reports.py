"""What an import tells: counts, notes summed up by column, and the file of rejected rows."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from prospects.importing.rows import Note
from salesops.spreadsheets import safe_cell

EXAMPLES = 3
MAX_LISTED = 100
LONGEST_CELL = 32_000  # characters, about what a spreadsheet's cell holds: an erasure has to read them again
COUNTS = ("created", "updated", "merged", "unchanged", "rejected")


@dataclass(slots=True)
class Report:
    """What an import did, row by row in sum. ``notes`` and ``merges`` are capped; the counts are not."""

    batch_id: int | None = None
    status: str = "done"
    file: str = ""
    read_as: str = ""
    rows: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    notes: list[dict[str, object]] = field(default_factory=list)
    merges: list[dict[str, object]] = field(default_factory=list)
    rejections: list[dict[str, object]] = field(default_factory=list)
    error_file: str = ""
    seconds: float = 0.0
    resumed_after: int = 0

    def as_dict(self) -> dict[str, object]:
        """Plain data for ``--json``."""
        return {
            "batch": self.batch_id, "status": self.status, "file": self.file, "read_as": self.read_as,
            "rows": self.rows, **self.counts, "notes": self.notes, "merges": self.merges,
            "rejections": self.rejections, "error_file": self.error_file, "seconds": round(self.seconds, 3),
            "resumed_after": self.resumed_after,
        }  # fmt: skip


class NoteBook:
    """Notes summed up: a column that is wrong in every row is one line with a count and a few examples."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], dict[str, object]] = {}
        self._examples: dict[tuple[str, str], list[dict[str, object]]] = {}

    def add(self, note: Note) -> None:
        key = (note.column, note.message)
        if key not in self._lines:
            if len(self._lines) >= MAX_LISTED:
                return
            self._examples[key] = []
            self._lines[key] = {"kind": "value", "column": note.column, "message": note.message, "count": 0,
                                "examples": self._examples[key]}  # fmt: skip
        line = self._lines[key]
        line["count"] = int(str(line["count"])) + 1
        if len(self._examples[key]) < EXAMPLES:
            self._examples[key].append({"row": note.row, "value": note.value})

    def lines(self) -> list[dict[str, object]]:
        return list(self._lines.values())


class ErrorFile:
    """The rejected rows with their reasons, as they were in the file; written from scratch by every run."""

    def __init__(self, header: Sequence[str], path: Path | None) -> None:
        self._width = len(header)
        self._path = path
        self.rows = 0
        self._file = path.open("w", encoding="utf-8-sig", newline="") if path is not None else None
        self._writer = csv.writer(self._file) if self._file is not None else None
        if self._writer is not None:
            reason = "reason" if "reason" not in header else "reason (import)"
            self._writer.writerow([*(safe_cell(name) for name in header), reason])

    def add(self, cells: Sequence[str], reason: str) -> None:
        self.rows += 1
        if self._writer is None:
            return
        fitted = [*cells[: self._width], *[""] * (self._width - len(cells))]
        if len(cells) > self._width > 0:
            fitted[-1] = " | ".join(cells[self._width - 1 :])
        self._writer.writerow([*(safe_cell(cell[:LONGEST_CELL]) for cell in fitted), reason])

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        if self._path is not None and not self.rows:
            self._path.unlink(missing_ok=True)
