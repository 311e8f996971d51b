"""Checking that history is what it was: audit chains, and that words, decisions and dispatches still agree with them.

Recomputed here in Python from the rows as they stand, so that it does not rest on anything in the database that
somebody with the rights to switch triggers off could have changed too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.db import connection

from approvals.models import Message
from approvals.rules import seals
from approvals.services.gate import is_intact
from approvals.verify import ground
from approvals.verify import scores as past_scores
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, Client, PlaybookVersion
from playbooks.queries import document_of
from playbooks.rules.sealing import seal
from prospects.models import Erasure
from prospects.rules.erasing import is_erased
from salesops.sql import fetch

CHUNK = 2000
DOSSIERS = 200  # each holds all evidence of its prospect


@dataclass(frozen=True)
class Fault:
    """The first row of its kind that is not what it was."""

    table: str
    row: int
    reason: str

    def __str__(self) -> str:
        return f"{self.table} row {self.row}: {self.reason}"


def audit_chains() -> Iterator[Fault]:
    """The first break of each client's chain."""
    for client in Client.objects.order_by("pk"):
        found = audit.verify(client)
        if found is not None:
            reason = f"entry {found.seq} of client {client.slug}: {found.reason}"
            yield Fault("playbooks_auditentry", found.entry_id or 0, reason)


def messages() -> Iterator[Fault]:
    """Messages whose words no longer hash to what was approved, save those to people who were erased."""
    columns = (
        "id", "channel", "recipient", "sender", "subject", "body", "attachments", "rule_version", "content_hash",
    )  # fmt: skip
    gone = erased_contacts()
    for message in Message.objects.order_by("pk").only("contact_id", *columns).iterator(chunk_size=CHUNK):
        if not is_intact(message) and not (message.contact_id in gone and _is_erased(message)):
            yield Fault("approvals_message", message.pk, "its words do not hash to its content hash")


def _is_erased(message: Message) -> bool:
    return is_erased(message.recipient, message.subject, message.body)


def erased_contacts() -> set[int]:
    """Contacts that a tombstone names."""
    return {pk for ids in Erasure.objects.values_list("contact_ids", flat=True) for pk in ids}


# Whoever was erased has a tombstone, whoever has one was erased, and the audit log says by whom.
_ERASURES = """
SELECT 'prospects_contact', k.id, 'it was erased, and no tombstone says so' FROM prospects_contact k
WHERE k.erased_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM prospects_erasure e WHERE k.id = ANY(e.contact_ids))
UNION ALL SELECT 'prospects_contact', k.id, 'a tombstone names it, and it is not erased' FROM prospects_erasure e
JOIN prospects_contact k ON k.id = ANY(e.contact_ids) WHERE k.erased_at IS NULL
UNION ALL SELECT 'prospects_erasure', e.id, 'no audit entry says who did it' FROM prospects_erasure e
WHERE NOT EXISTS (SELECT 1 FROM playbooks_auditentry a WHERE a.client_id = e.client_id AND a.event = %s
  AND a.subject_type = 'prospects.erasure' AND a.subject_id = e.id AND a.actor_id = e.by_id)
ORDER BY 1, 2
"""


def erasures() -> Iterator[Fault]:
    """People who were erased without a trace of it, or whose erasure nobody answers for."""
    with connection.cursor() as cursor:
        cursor.execute(_ERASURES, [AuditEvent.PERSON_ERASED.value])
        for table, row, reason in cursor:
            yield Fault(table, row, reason)


def erased() -> dict[str, int]:
    """How many people were erased on request, and how many messages to them have lost their words."""
    gone = erased_contacts()
    return {"people": Erasure.objects.count(), "messages": Message.objects.filter(contact__in=gone).count()}


# Each row must agree with the row it rests on, and with what was sealed into the audit chain when it was written.
_DECISIONS = """
SELECT d.id, CASE
  WHEN m.content_hash <> d.content_hash THEN 'its content hash is not its message''s'
  WHEN a.id IS NULL THEN 'no audit entry speaks of it'
  ELSE 'it is not what its audit entry says' END
FROM approvals_decision d JOIN approvals_message m ON m.id = d.message_id
LEFT JOIN playbooks_auditentry a ON a.client_id = d.client_id AND a.event = %s
  AND a.subject_type = 'approvals.decision' AND a.subject_id = d.id
WHERE m.content_hash <> d.content_hash OR a.id IS NULL OR a.actor_id IS DISTINCT FROM d.user_id
  OR a.detail->>'kind' <> d.kind OR a.detail->>'content_hash' <> d.content_hash
  OR (a.detail->>'request')::bigint <> d.request_id OR (a.detail->>'version')::int <> d.request_version
  OR (a.detail->>'message')::bigint <> d.message_id
ORDER BY d.id
"""
_DISPATCHES = """
SELECT s.id, 'it is not what was decided' FROM approvals_dispatch s
JOIN approvals_decision d ON d.id = s.decision_id JOIN approvals_message m ON m.id = d.message_id
WHERE d.kind NOT IN ('approve', 'approve_edits') OR s.message_id <> d.message_id OR s.content_hash <> d.content_hash
  OR s.request_id <> d.request_id OR s.recipient <> m.recipient OR s.channel <> m.channel
  OR s.contact_id <> m.contact_id OR s.prospect_id <> m.prospect_id
ORDER BY s.id
"""
_SENT = """
SELECT s.id, 'it ended without an audit entry that says so' FROM approvals_dispatch s
WHERE s.status IN ('accepted', 'refused', 'unknown') AND NOT EXISTS (SELECT 1 FROM playbooks_auditentry a
  WHERE a.client_id = s.client_id AND a.subject_type = 'approvals.dispatch' AND a.subject_id = s.id
  AND a.event = 'dispatch.' || s.status AND a.detail->>'content_hash' = s.content_hash
  AND a.detail->>'mode' = s.mode AND (a.detail->>'decision')::bigint = s.decision_id)
ORDER BY s.id
"""
_REQUESTS = """
SELECT r.id, 'it asks about other words than its message' FROM approvals_approvalrequest r
JOIN approvals_message m ON m.id = r.message_id
WHERE r.content_hash <> m.content_hash OR r.prospect_id <> m.prospect_id OR r.contact_id <> m.contact_id
ORDER BY r.id
"""


def _rows(table: str, sql: str, *params: str) -> Iterator[Fault]:
    for row, reason in fetch(sql, params):
        yield Fault(table, row, reason)


# What was sealed into the audit chain of what somebody saw and said. The words of erased people are gone from both.
_SEALED = """
SELECT d.id, d.at, d.reason_code, d.words, d.diff, d.until, a.detail->>'said', r.id, r.dossier, a.detail->>'shown'
FROM approvals_decision d JOIN approvals_approvalrequest r ON r.id = d.request_id
JOIN playbooks_auditentry a ON a.client_id = d.client_id AND a.event = %s
  AND a.subject_type = 'approvals.decision' AND a.subject_id = d.id AND a.detail ? 'said'
WHERE d.id > %s AND NOT EXISTS (SELECT 1 FROM prospects_erasure e WHERE e.client_id = r.client_id
  AND (r.contact_id = ANY(e.contact_ids) OR r.prospect_id = ANY(e.prospect_ids)))
ORDER BY d.id LIMIT %s
"""


def decisions() -> Iterator[Fault]:
    """Decisions that disagree with their message or with what was sealed about them."""
    yield from _rows("approvals_decision", _DECISIONS, AuditEvent.DECISION_MADE.value)
    after = 0
    while sealed := fetch(_SEALED, [AuditEvent.DECISION_MADE.value, after, DOSSIERS]):
        after = sealed[-1][0]
        for decision, at, reason, words, diff, until, said, request, dossier, shown in sealed:
            if seals.said(at=at, reason=reason, words=words, diff=json.loads(diff), until=until) != said:
                yield Fault("approvals_decision", decision, "it does not say what its audit entry sealed")
            if seals.shown(json.loads(dossier)) != shown:
                yield Fault("approvals_approvalrequest", request, f"its dossier is not what decision {decision} saw")


def dispatches() -> Iterator[Fault]:
    """Dispatches that are not what was decided, or whose end was not sealed."""
    yield from _rows("approvals_dispatch", _DISPATCHES)
    yield from _rows("approvals_dispatch", _SENT)


def requests() -> Iterator[Fault]:
    """Requests that ask about other words than their message's."""
    yield from _rows("approvals_approvalrequest", _REQUESTS)


def scores() -> Iterator[Fault]:
    """Scores and evidence that decided requests rest on and that are not what they were then."""
    for table, row, reason in past_scores.wrong():
        yield Fault(table, row, reason)


def versions() -> Iterator[Fault]:
    """Versions that do not say any more what they said when they left draft, as sealed then."""
    submitted = AuditEntry.objects.filter(event=AuditEvent.PLAYBOOK_SUBMITTED.value, detail__has_key="says")
    sealed = dict(submitted.order_by("client", "seq").values_list("subject_id", "detail__says"))
    frozen = PlaybookVersion.objects.exclude(status=PlaybookVersion.Status.DRAFT).select_related("playbook__client")
    for version in frozen.filter(pk__in=sealed).order_by("pk"):
        if seal(document_of(version)) != sealed[version.pk]:
            yield Fault("playbooks_playbookversion", version.pk, "it does not say what was sealed when it left draft")


def facts() -> Iterator[Fault]:
    """Rows that are gone or elsewhere, and those that decisions rest on that are not what somebody saw who decided."""
    for table, row, reason in ground.wrong():
        yield Fault(table, row, reason)


Check = Callable[[], Iterator[Fault]]
HISTORY: tuple[tuple[str, Check], ...] = (
    ("audit chains", audit_chains),
    ("messages", messages),
    ("requests", requests),
    ("decisions", decisions),
    ("dispatches", dispatches),
    ("erasures", erasures),
)
DECISIONS: tuple[tuple[str, Check], ...] = (*HISTORY[1:], ("versions", versions), ("facts", facts), ("scores", scores))


def first_fault(checks: tuple[tuple[str, Check], ...]) -> Fault | None:
    """The first fault any of the checks finds, in their order; None when everything holds."""
    for _, check in checks:
        for fault in check():
            return fault
    return None
