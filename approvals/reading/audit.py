"""The audit log as its page narrows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.utils.dateparse import parse_date

from playbooks.models import AuditEntry, Client, User
from playbooks.services.budgets import zone_of
from salesops.ids import id_in


@dataclass(frozen=True)
class AuditFilter:
    """What the audit page is narrowed to; empty strings narrow nothing."""

    event: str = ""
    actor: str = ""
    subject: str = ""
    trace: str = ""
    day: str = ""


def audit_entries(client: Client, wanted: AuditFilter) -> QuerySet[AuditEntry]:
    """The client's audit entries, narrowed: each condition has an index or walks the chain in order."""
    entries: QuerySet[AuditEntry] = AuditEntry.objects.for_client(client).select_related("actor")
    if wanted.event:
        entries = entries.filter(event=wanted.event)
    if wanted.actor:
        entries = entries.filter(actor__isnull=True) if wanted.actor == "system" else _by(entries, wanted.actor)
    if wanted.subject:
        kind, _, number = wanted.subject.partition(":")
        entries = entries.filter(subject_type=kind.strip())
        subject = id_in(number)
        if subject is not None:
            entries = entries.filter(subject_id=subject)
    if wanted.trace:
        entries = entries.filter(trace_id=wanted.trace)
    return _on(entries, wanted.day, zone_of(client)) if wanted.day else entries


def _on(entries: QuerySet[AuditEntry], day: str, zone: ZoneInfo) -> QuerySet[AuditEntry]:
    """Those of a day as it is told where the client is: 23 to 25 hours."""
    first = parse_date(day)
    if first is None or first == date.max:
        return entries
    begins, ends = (datetime.combine(at, time(), zone) for at in (first, first + timedelta(days=1)))
    return entries.filter(at__gte=begins, at__lt=ends)


def _by(entries: QuerySet[AuditEntry], actor: str) -> QuerySet[AuditEntry]:
    person = id_in(actor)
    return entries.none() if person is None else entries.filter(actor_id=person)


def audit_actors(client: Client) -> list[User]:
    """The people who can appear in this client's log: its members."""
    return list(User.objects.filter(memberships__client=client).distinct().order_by("email"))
