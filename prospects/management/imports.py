"""What the import commands share: their arguments, reading mappings and dates, and printing the report."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Protocol

from django.core.management.base import CommandError, CommandParser

from playbooks.management.naming import add_playbook
from prospects.importing.reading import UnreadableFile
from prospects.importing.values import moment
from prospects.services.importing.reports import COUNTS, Report


class Output(Protocol):
    def write(self, msg: str) -> object: ...


def add_file(parser: CommandParser) -> None:
    parser.add_argument("file", type=Path)
    add_playbook(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")


def as_of(text: str | None) -> datetime | None:
    """The date of ``--as-of``. Raises CommandError when it is none."""
    if not text:
        return None
    found = moment(text)
    if found is None:
        raise CommandError(f"--as-of {text} is not a date. Write it as 2026-11-30.")
    return found


def read_text(path: Path) -> str:
    """A mapping file's text. Raises UnreadableFile."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableFile(f"The mapping file {path.name} cannot be read.") from error


def print_report(stdout: Output, report: Report, *, as_json: bool) -> None:
    """The report in words, or as one JSON document."""
    if as_json:
        stdout.write(json.dumps(report.as_dict(), ensure_ascii=False, default=str))
        return
    rate = report.rows / report.seconds if report.seconds else 0
    stdout.write(
        f"{report.file} ({report.read_as}): {report.rows:,} rows in {report.seconds:.1f} s, {rate:,.0f} rows/s"
    )
    stdout.write("  " + " · ".join(f"{report.counts[name]:,} {name}" for name in COUNTS))
    for note in report.notes:
        where = f"{note['column']}: " if note.get("column") else ""
        times = f" ({note['count']:,} ×)" if "count" in note else ""
        stdout.write(f"  note: {where}{note['message']}{times}{_examples(note)}")
    for merge in report.merges[:5]:
        stdout.write(f"  merged: row {merge['row']}: {merge['reason']}")
    for rejection in report.rejections[:5]:
        stdout.write(f"  rejected: row {rejection['row']}: {rejection['reason']}")
    if report.error_file:
        stdout.write(f"  Rejected rows with their reasons: {report.error_file}")


def _examples(note: dict[str, object]) -> str:
    examples = note.get("examples")
    if not isinstance(examples, list):
        return ""
    shown = ", ".join(f"row {e['row']} “{e['value']}”" for e in examples if isinstance(e, dict) and e.get("value"))
    return f", e.g. {shown}" if shown else ""
