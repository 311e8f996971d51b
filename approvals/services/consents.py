"""On what grounds we may write to a person: recorded with the proof, never edited, the latest row counts."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.db import transaction
from django.utils.dateparse import parse_date, parse_datetime

from approvals.models import ConsentBasis
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, User
from playbooks.services.authority import require_admin
from prospects.importing.identity import email_key
from prospects.models import Contact
from salesops.errors import Refusal
from salesops.logs import current_trace_id

TYPES = ("express", "purchase", "inquiry", "inferred", "published")
COLUMNS = ("email", "type", "url", "captured at", "shown")


class BadConsent(Refusal):
    """A line of a consent file that proves nothing."""


@dataclass(frozen=True, slots=True)
class Given:
    """One person's consent: what kind, where, when, and the exact words they agreed to."""

    email: str
    type: str
    url: str
    captured_at: datetime
    shown: str
    role_relevant: bool = False

    @property
    def snapshot_hash(self) -> str:
        """sha256 of the words that were shown; "" when nobody kept them."""
        return hashlib.sha256(self.shown.encode()).hexdigest() if self.shown else ""


def read_consents(path: Path) -> Iterator[Given]:
    """The lines of a CSV file with the columns :data:`COLUMNS`. Raises BadConsent, naming the line."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise BadConsent(f"The file has no column {', '.join(missing)}.")
        for row in reader:
            yield _given(row, reader.line_num)


def _given(row: Mapping[str, str | None], line: int) -> Given:
    told = {name: (row.get(name) or "").strip() for name in COLUMNS}
    if told["type"] not in TYPES:
        raise BadConsent(f"Line {line}: expected one of {', '.join(TYPES)}, got “{told['type'][:40]}”.")
    try:
        day = parse_date(told["captured at"])
        at = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else parse_datetime(told["captured at"])
    except ValueError:
        at = None
    if at is None:
        raise BadConsent(f"Line {line}: expected a date such as 2026-05-31, got “{told['captured at'][:40]}”.")
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    relevant = (row.get("role relevant") or "").strip().casefold() in ("yes", "true", "1")
    return Given(told["email"], told["type"], told["url"][:500], at, told["shown"], relevant)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a file: rows written, rows that were there, and lines about nobody we know."""

    written: int
    known: int
    unknown: int


def record_consents(given: Iterable[Given], *, client: Client, actor: User | None) -> Recorded:
    """Record each consent of a contact of this client once. A few queries however many. Raises NotAllowed."""
    require_admin(client, actor)
    wanted = {email_key(one.email): one for one in given}
    with transaction.atomic():
        known = Contact.objects.for_client(client).filter(email_key__in=[key for key in wanted if key])
        owners = dict(known.values_list("email_key", "pk"))
        found = {
            (owners[key], one.type, one.snapshot_hash, one.captured_at): one
            for key, one in wanted.items()
            if key in owners
        }
        told = ConsentBasis.objects.for_client(client).filter(contact__in=owners.values())
        there = set(told.values_list("contact_id", "type", "snapshot_hash", "captured_at"))
        rows = ConsentBasis.objects.bulk_create(
            ConsentBasis(
                client=client, contact_id=contact, type=kind, url=one.url, snapshot_hash=snapshot, captured_at=at,
                role_relevant=one.role_relevant,
            )
            for (contact, kind, snapshot, at), one in found.items()
            if (contact, kind, snapshot, at) not in there
        )  # fmt: skip
        audit.record_many(
            client=client,
            actor=actor,
            entries=[
                audit.Entry(
                    event=AuditEvent.CONSENT_RECORDED, subject=row, trace_id=current_trace_id(),
                    detail={"type": row.type, "snapshot": row.snapshot_hash},
                )
                for row in rows
            ],
        )  # fmt: skip
    return Recorded(len(rows), len(found) - len(rows), len(wanted) - len(found))
