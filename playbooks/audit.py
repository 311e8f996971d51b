"""The audit log: one hash chain per client, written in the transaction of the change it records.

h_n = SHA256(0x00 ‖ h_{n−1} ‖ canonical entry); h_0 is bound to the client. Whoever alters, drops or slips in a row
breaks every later hash. Personal data stays out: ``detail`` holds ids, counts and hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone

from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, Client, User
from salesops.dbtypes import new_trace_id

_LOCK_SPACE = 0x5A11  # advisory-lock namespace of audit chains


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One thing to record. ``subject`` is any saved row."""

    event: AuditEvent
    subject: models.Model
    trace_id: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def record(
    *,
    client: Client,
    event: AuditEvent,
    subject: models.Model,
    actor: User | None,
    trace_id: str = "",
    detail: dict[str, Any] | None = None,
) -> AuditEntry:
    """Append one entry to the client's chain. ``actor`` None means the system. Must run inside a transaction."""
    entry = Entry(event=event, subject=subject, trace_id=trace_id, detail=detail or {})
    return record_many(client=client, entries=[entry], actor=actor)[0]


def record_many(*, client: Client, entries: Sequence[Entry], actor: User | None) -> list[AuditEntry]:
    """Append several entries in order, in three statements however many. Must run inside a transaction.

    Raises TransactionManagementError outside one: an entry that could outlive its change would be a false witness.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("audit entries are written in the transaction of their change")
    if not entries:
        return []
    seq, previous = _head(client)
    at = timezone.now()
    rows = []
    for entry in entries:
        seq += 1
        row = AuditEntry(
            client=client,
            seq=seq,
            at=at,
            actor=actor,
            event=str(entry.event.value),
            subject_type=entry.subject._meta.label_lower,
            subject_id=entry.subject.pk,
            trace_id=entry.trace_id or new_trace_id(),
            detail=entry.detail,
            previous_hash=previous,
        )
        row.entry_hash = previous = entry_hash(row)
        rows.append(row)
    return AuditEntry.objects.bulk_create(rows)


def _head(client: Client) -> tuple[int, str]:
    """Lock the client's chain until the transaction ends; return its last number and hash."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK_SPACE, client.pk])
    last = AuditEntry.objects.for_client(client).order_by("-seq").values_list("seq", "entry_hash").first()
    return last or (0, genesis(client.pk))


def genesis(client_id: int) -> str:
    """The hash before the first entry: another client's chain cannot be passed off as this one's."""
    return hashlib.sha256(f"salesops audit chain of client {client_id}".encode()).hexdigest()


def entry_hash(row: AuditEntry) -> str:
    """SHA256(0x00 ‖ previous ‖ canonical entry) as 64 hexadecimal characters."""
    canonical = json.dumps(
        {
            "client": row.client_id,
            "seq": row.seq,
            "at": _instant(row.at),
            "actor": row.actor_id,
            "event": row.event,
            "subject": [row.subject_type, row.subject_id],
            "trace": row.trace_id,
            "detail": row.detail,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(b"\x00" + bytes.fromhex(row.previous_hash) + canonical.encode()).hexdigest()


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Break:
    """The first place where a chain does not hold."""

    entry_id: int | None
    seq: int
    reason: str


def verify(client: Client) -> Break | None:
    """Walk the client's chain from its beginning; return where it first breaks, or None when it holds."""
    return verify_rows(client.pk, AuditEntry.objects.for_client(client).order_by("seq").iterator(chunk_size=5000))


def verify_rows(client_id: int, rows: Iterable[AuditEntry]) -> Break | None:
    """The same for rows already in order of ``seq``."""
    previous = genesis(client_id)
    for expected, row in enumerate(rows, start=1):
        for reason in _faults(row, expected, previous):
            return Break(row.pk, row.seq, reason)
        previous = row.entry_hash
    return None


def _faults(row: AuditEntry, expected: int, previous: str) -> Iterator[str]:
    if row.seq != expected:
        yield f"entry {expected} is missing"
    elif row.previous_hash != previous:
        yield "it does not continue the entry before it"
    elif row.entry_hash != entry_hash(row):
        yield "its content is not what was sealed"
