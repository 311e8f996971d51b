"""Who must never be contacted again: kept as keyed hashes, so that it outlives re-imports, merges and erasure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import product

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from approvals.models import ApprovalRequest, DeliveryEvent, Dispatch, Suppression
from approvals.rules import unsubscribe as tokens
from approvals.services import next_steps
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Role, User
from playbooks.services.authority import require
from prospects.duplicates.same import people_like
from prospects.erasure.keys import known_as
from prospects.models import Contact, Prospect, Verdict
from salesops.keyed import keyed_hash, secrets_for
from salesops.logs import current_trace_id
from salesops.sql import fetch

Scope = Suppression.Scope
_PURPOSE = "suppression"
_TO = "put people on the suppression list"
_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]{5,30}")
# Whom requests are open about, who is qualified and who was written to, by any record read as theirs: those who may go
# by one of the given keys.
_NEAR = """
WITH near AS (
    SELECT contact_id FROM approvals_approvalrequest
     WHERE client_id = %(client)s AND status IN ('waiting', 'deferred')
    UNION SELECT contact_id FROM prospects_prospect
     WHERE playbook_id IN (SELECT id FROM playbooks_playbook WHERE client_id = %(client)s)
       AND stage IN ('qualified', 'contacted') AND merged_into_id IS NULL AND contact_id IS NOT NULL
), known AS (
    SELECT near.contact_id, c.* FROM near JOIN prospects_contact c ON c.id = near.contact_id
    UNION ALL SELECT near.contact_id, c.* FROM near JOIN prospects_contact c ON c.merged_into_id = near.contact_id
)
SELECT DISTINCT contact_id FROM known, lower(coalesce(nullif(email_key, ''), email)) AS address
 WHERE address = ANY(%(email)s) OR split_part(address, '@', -1) = ANY(%(domain)s)
    OR lower(rtrim(linkedin_url, '/')) = ANY(%(linkedin)s)
    OR phone <> '' AND (lower(phone) = ANY(%(phone)s) OR regexp_replace(phone, '[^0-9+]', '', 'g') = ANY(%(phone)s))
    OR address = ANY(%(person)s) OR lower(rtrim(linkedin_url, '/')) = ANY(%(person)s)
    OR regexp_replace(phone, '[^0-9+]', '', 'g') = ANY(%(person)s) OR lower(external_id) = ANY(%(person)s)
"""
_LINK = re.compile(r"(https?://[^\s<>]+/u/([A-Za-z0-9_-]{43})/)")


def key_hash(scope: str, key: str) -> str:
    """The stored form of one address, number, person, domain or profile."""
    return _hash(next(secrets_for(_PURPOSE)), scope, _compact(key))


def _compact(key: str) -> str:
    """A number without what people put between its digits; anything else as it is."""
    key = key.strip()
    return re.sub(r"[^0-9+]", "", key) if _NUMBER.fullmatch(key) else key


def _hash(secret: bytes, scope: str, key: str) -> str:
    return keyed_hash(secret, f"{scope}:{key.strip().casefold()}")


def keys_of(contact: Contact) -> dict[str, str]:
    """Scope → plain key of everything that can be suppressed about this contact."""
    email = contact.email_key or contact.email
    keys = {
        Scope.EMAIL: email,
        Scope.PHONE: contact.phone,
        Scope.LINKEDIN: contact.linkedin_url.rstrip("/"),
        Scope.DOMAIN: email.rpartition("@")[2],
        # The person is whoever this address, number or profile belongs to: row ids do not survive a re-import.
        Scope.PERSON: email or contact.phone or contact.linkedin_url.rstrip("/") or contact.external_id,
    }
    return {str(scope): key for scope, key in keys.items() if key}


def suppressed(client: Client | int, contacts: Sequence[Contact]) -> set[int]:
    """Ids of the contacts that must not be contacted, on any channel. Two queries, and two more after merges.

    A person who said no under one record said it under all.
    """
    owners = hashes_of(contacts)
    hits = Suppression.objects.filter(Q(client=client) | Q(client__isnull=True), key_hash__in=list(owners))
    return {contact for found in hits.values_list("key_hash", flat=True) for contact in owners[found]}


def hashes_of(contacts: Sequence[Contact]) -> dict[str, set[int]]:
    """Stored form → ids, for everything by which any of these contacts may have been suppressed, all records of it."""
    owners: dict[str, set[int]] = {}
    secrets = tuple(secrets_for(_PURPOSE))
    alike = people_like([contact.pk for contact in contacts])
    known = {contact.pk: contact for contact in contacts}
    others = {pk for circle in alike.values() for pk in circle} - known.keys()
    if others:
        known |= {contact.pk: contact for contact in Contact.objects.filter(pk__in=others)}
    for contact in contacts:
        for record in alike[contact.pk]:
            for scope, key in keys_of(known[record]).items():
                for found in _forms(secrets, scope, key):
                    owners.setdefault(found, set()).add(contact.pk)
    return owners


def stored_forms(keys: Iterable[tuple[str, str]]) -> set[str]:
    """Every form in which these (scope, plain key) pairs may stand in the list."""
    secrets = tuple(secrets_for(_PURPOSE))
    return {found for scope, key in keys for found in _forms(secrets, scope, key)}


def _forms(secrets: Sequence[bytes], scope: str, key: str) -> Iterator[str]:
    for secret, form in product(secrets, {key, _compact(key)}):  # older rows keep numbers as written
        yield _hash(secret, scope, form)


def add(
    keys: Collection[tuple[str, str]], *, client: Client, actor: User | None, reason: str, source: str
) -> list[Suppression]:
    """Suppress (scope, plain key) pairs at this client; those already there stay as they are. Returns the new rows.

    Open requests to whoever goes by one of them are withdrawn. Raises NotAllowed.
    """
    return _suppress([], keys, client=client, actor=actor, reason=reason, source=source)


def leave_alone(
    keys: Collection[tuple[str, str]], *, client: Client, actor: User, reason: str, source: str
) -> list[Suppression]:
    """Like ``add``, and whom the client knows by an address among them, by all that is theirs. Raises NotAllowed."""
    people = [contact for scope, key in keys if scope == Scope.EMAIL for contact in known_as(client, key)]
    return _suppress(people, keys, client=client, actor=actor, reason=reason, source=source)


def suppress_contact(contact: Contact, *, client: Client, actor: User | None, reason: str, source: str) -> None:
    """This person, on every channel; open requests to them are withdrawn."""
    _suppress([contact], (), client=client, actor=actor, reason=reason, source=source)


def _suppress(
    people: Collection[Contact], keys: Collection[tuple[str, str]], *, client: Client, actor: User | None, reason: str,
    source: str,
) -> list[Suppression]:  # fmt: skip
    require(client, actor, tuple(Role), to=_TO)
    scopes = (Scope.PERSON, Scope.EMAIL, Scope.PHONE, Scope.LINKEDIN)
    known = [keys_of(contact) for contact in people]
    pairs = [*keys, *((str(scope), own[scope]) for own in known for scope in scopes if scope in own)]
    with transaction.atomic():
        # Requests before the audit chain: everybody who locks both takes them in this order.
        withdrawn = _withdraw({contact.pk for contact in people} | _going_by(pairs, client), client=client)
        written = _written(pairs, client=client, actor=actor, reason=reason, source=source)
        audit.record_many(
            client=client,
            actor=actor,
            entries=[
                *(
                    audit.Entry(event=AuditEvent.SUPPRESSED, subject=row, trace_id=row.trace_id,
                                detail={"scope": row.scope, "reason": reason, "source": source})
                    for row in written
                ),
                *(
                    audit.Entry(event=AuditEvent.REQUEST_CANCELLED, subject=request, trace_id=request.trace_id,
                                detail={"reason": reason})
                    for request in withdrawn
                ),
            ],
        )  # fmt: skip
    return written


def _written(
    keys: Collection[tuple[str, str]], *, client: Client, actor: User | None, reason: str, source: str
) -> list[Suppression]:
    trace = current_trace_id()
    wanted = {(scope, key_hash(scope, key)) for scope, key in keys if key}
    there = Suppression.objects.for_client(client).filter(key_hash__in=[found for _, found in wanted])
    wanted -= set(there.values_list("scope", "key_hash"))
    rows = Suppression.objects.bulk_create(
        [
            Suppression(client=client, scope=scope, key_hash=found, reason=reason, source=source,
                        created_by=actor, trace_id=trace)
            for scope, found in sorted(wanted)
        ],
        ignore_conflicts=True,
    )  # fmt: skip
    # Rows that met a twin have no id; whoever wrote the twin has recorded it.
    mine = Suppression.objects.for_client(client).filter(trace_id=trace)
    return list(mine.filter(key_hash__in=[row.key_hash for row in rows]))


def _going_by(keys: Collection[tuple[str, str]], client: Client) -> set[int]:
    """Contacts somebody is about to write to who are blocked by one of these. Three queries, two more after merges."""
    given: dict[str, list[str]] = {str(scope): [] for scope in Scope.values}
    for scope, key in keys:
        given[scope] += {key.strip().casefold(), _compact(key).casefold()}
    found = {pk for (pk,) in fetch(_NEAR, {"client": client.pk, **given})}
    if not found:
        return set()
    owners = hashes_of(list(Contact.objects.filter(pk__in=found)))
    return {contact for form in stored_forms(keys) & owners.keys() for contact in owners[form]}


def _withdraw(people: Collection[int], *, client: Client) -> list[ApprovalRequest]:
    """End the open requests to these contacts; the list of prospects follows."""
    status = ApprovalRequest.Status
    waiting = ApprovalRequest.objects.for_client(client).filter(
        contact__in=people, status__in=[status.WAITING, status.DEFERRED]
    )
    withdrawn = list(waiting.select_for_update(of=("self",)).order_by("pk"))
    for request in withdrawn:
        request.cancel()
    ApprovalRequest.objects.bulk_update(withdrawn, ["status"])
    theirs = Prospect.objects.for_client(client).filter(contact__in=people, verdict=Verdict.QUALIFIED)
    next_steps.note(theirs.values_list("pk", flat=True))
    return withdrawn


def unsubscribe_url(client_id: int, contact_id: int) -> str:
    """The link that stops all mail of this client to this contact. The same pair always has the same link."""
    token = tokens.token(next(secrets_for("unsubscribe")), client_id, contact_id)
    return f"{settings.PUBLIC_URL.rstrip('/')}{reverse('unsubscribe', args=[token])}"


def link_in(body: str, client_id: int, contact_id: int) -> str:
    """The link in these words that unsubscribes this contact, or "". Its host is the one we had when it was written."""
    for url, token in _LINK.findall(body):
        if tokens.read(secrets_for("unsubscribe"), token) == (client_id, contact_id):
            return str(url)
    return ""


def contact_of_token(token: str) -> Contact | None:
    """Whom a token was made for, or None."""
    pair = tokens.read(secrets_for("unsubscribe"), token)
    if pair is None:
        return None
    return Contact.objects.select_related("client").filter(client=pair[0], pk=pair[1]).first()


def unsubscribe(contact: Contact) -> None:
    """The contact's own wish, honoured at once and on every channel. Doing it again changes nothing."""
    client = contact.client
    with transaction.atomic():
        suppress_contact(contact, client=client, actor=None, reason="unsubscribed", source="unsubscribe link")
        last = Dispatch.objects.for_client(client).filter(contact=contact, status=Dispatch.Status.ACCEPTED).first()
        if last is not None:
            DeliveryEvent.objects.bulk_create(
                [
                    DeliveryEvent(client=client, dispatch=last, kind="unsubscribed", at=timezone.now(), provider="link",
                                  provider_event_id=f"unsubscribed:{last.pk}", trace_id=last.trace_id)
                ],
                ignore_conflicts=True,
            )  # fmt: skip
