"""The three clients that a demo holds: who they are, which files are theirs, and in which order these build up."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ShippedClient:
    """One client of the demo. ``files`` says of each file whether it holds signals.

    ``written_on`` is the day on which made-up dates end; they move along with the day the demo is loaded. Real ones
    stay (None).
    """

    slug: str
    playbook: str
    document: str
    details: Mapping[str, str]
    source: str
    files: Mapping[str, bool]
    consents: str = ""
    written_on: date | None = None


DEMO = ShippedClient(
    slug="demo",
    playbook="founders",
    document="demo.yaml",
    details={
        "name": "Quillmoor (demo)",
        "sender_name": "Mara Ellison",
        "sender_email": "mara@quillmoor.example",
        "postal_address": "Quillmoor, 200 Sample Street, Suite 4, Springfield, IL 62701, USA",
        "privacy_url": "https://quillmoor.example/privacy",
        "time_zone": "America/New_York",
    },
    source="start-up directory",
    files={"companies.csv.gz": False, "contacts.csv.gz": False, "signals.csv": True},
)
SOLAR = ShippedClient(
    slug="solar",
    playbook="commercial-roofs",
    document="solar.yaml",
    details={
        "name": "Sunspar Solar Construction (demo)",
        "sender_name": "Uma Selwyn",
        "sender_email": "uma@sunspar.example",
        "postal_address": "Sunspar Solar Construction, 48 Sample Avenue, Phoenix, AZ 85001, USA",
        "privacy_url": "https://sunspar.example/privacy",
        "time_zone": "America/Phoenix",
    },
    source="made-up firm list",
    files={"solar_companies.csv": False, "solar_signals.csv": True},
    written_on=date(2026, 6, 2),
)
VENTILATION = ShippedClient(
    slug="ventilation",
    playbook="home-owners",
    document="ventilation.yaml",
    details={
        "name": "Warmwell Home Air (demo)",
        "sender_name": "Theo Marlowe",
        "sender_email": "theo@warmwell.example",
        "postal_address": "Warmwell Home Air, 12 Sample Road, Wellington 6011, New Zealand",
        "privacy_url": "https://warmwell.example/privacy",
        "time_zone": "Pacific/Auckland",
    },
    source="made-up household list",
    files={"ventilation_homes.csv": False, "ventilation_signals.csv": True},
    consents="ventilation_consents.csv",
    written_on=date(2026, 6, 2),
)
CLIENTS = (DEMO, SOLAR, VENTILATION)
_DATES = frozenset({"as of", "observed_at", "captured at"})


def moved(path: Path, *, written_on: date, to: date, into: Path) -> Path:
    """A copy of a CSV file in ``into`` whose dates end on ``to``, as they end on ``written_on`` in the file itself."""
    by = to - written_on
    copy = into / path.name
    with path.open(encoding="utf-8", newline="") as stream, copy.open("w", encoding="utf-8", newline="") as out:
        reader = csv.reader(stream)
        writer = csv.writer(out, lineterminator="\n")
        header = next(reader)
        writer.writerow(header)
        dated = [place for place, name in enumerate(header) if name.casefold() in _DATES]
        for row in reader:
            for place in dated:
                row[place] = _moved_day(row[place], by)
            writer.writerow(row)
    return copy


def _moved_day(text: str, by: timedelta) -> str:
    return (date.fromisoformat(text) + by).isoformat() if text else ""
