"""Small helpers for import tests: a playbook to import into and files made on the spot."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from pathlib import Path

from playbooks.models import Client, Playbook
from prospects.importing.reading import open_source
from prospects.services.importing.prospects import import_prospects, mapping_for
from prospects.services.importing.reports import Report
from prospects.services.importing.signals import import_signals, signal_mapping_for
from tests import factories

DATA = Path(__file__).parents[1] / "data"


def playbook(of: Client | None = None, kind: str = Playbook.Kind.B2B) -> Playbook:
    owner = of or factories.client()
    return Playbook.objects.create(client=owner, slug=f"imports-{kind}", name="Imports", kind=kind)


def write_csv(path: Path, header: str, *rows: str) -> Path:
    """Cells are separated by ``|`` to keep tests short."""
    text = io.StringIO()
    csv.writer(text).writerows(row.split("|") for row in (header, *rows))
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def imported(path: Path, into: Playbook, *, as_of: datetime | None = None, source_name: str = "list") -> Report:
    source = open_source(path)
    return import_prospects(
        source, client=into.client, playbook=into, actor=None, mapping=mapping_for(source, None), as_of=as_of,
        source_name=source_name,
    )  # fmt: skip


def signals_imported(path: Path, into: Playbook) -> Report:
    source = open_source(path)
    mapping = signal_mapping_for(source, None)
    return import_signals(source, client=into.client, playbook=into, actor=None, mapping=mapping)


def counts(report: Report) -> dict[str, int]:
    """Only what is not zero."""
    return {name: n for name, n in report.counts.items() if n}
