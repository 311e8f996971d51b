"""Erasing one person: all that names them goes, everywhere, at once and for good; what was done stays provable.

One transaction: what waits is called off, rows lose their words, a tombstone says by whom, when and why, and the audit
log says the same. PostgreSQL lets rows lose words only beside that tombstone (``prospects.models.erasure_guards``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import structlog
from django.db import OperationalError, connection, models, transaction
from django.db.models import Q
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, User
from playbooks.rules import stages
from playbooks.services.authority import require_admin
from prospects.duplicates.same import companies_like, people_like
from prospects.erasure.keys import keys_of_person
from prospects.erasure.parts import Person, Sheet, parts
from prospects.models import Alias, BlockingKey, Contact, Duplicate, ErasedKey, Erasure, Prospect, RecordKind
from prospects.models.accounts import ERASED_NAME
from prospects.rules import erasing
from prospects.rules.erasing import Traces, traces_of
from prospects.services.converging import claims
from prospects.services.erasing import answers, files
from prospects.services.importing.lookup import next_ids
from prospects.services.importing.runs import take_turns
from prospects.services.moving.ledger import Word, ruling_versions
from prospects.services.moving.stages import move
from salesops.errors import Refusal
from salesops.logs import current_trace_id

log = structlog.get_logger(__name__)

REASON_LENGTH = 300
CLOSED_BECAUSE = "erased on request"
_DEADLOCK = "40P01"


class NotErasable(Refusal):
    """There is no such person here, or they are erased already."""


class NoReason(Refusal):
    """An erasure says why."""


class AtWork(Refusal):
    """Somebody or something is at work on this person at this very moment."""


def erase_person(contact: Contact, *, actor: User, reason: str) -> Erasure:
    """Take this person out of every table, under all records they are known by.

    Rows stay with their ids, numbers, hashes and decisions; words become "erased". Nothing is sent to them any more,
    and imports and agents turn them away. All of it happens or nothing. Only an admin of the client may.
    Raises NotAllowed, NoReason, NotErasable, AtWork, and whatever an app's part cannot call back.
    """
    client = contact.client
    require_admin(client, actor)
    reason = reason.strip()[:REASON_LENGTH]
    if not reason:
        raise NoReason("Say in a few words why, without naming the person: it stays for good.")
    try:
        with transaction.atomic():
            done = _erase(contact.pk, client, actor, reason)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == _DEADLOCK:
            raise AtWork("Somebody is changing these very records. Nothing was erased; try again.") from error
        raise
    log.info("person_erased", erasure=done.pk, contacts=len(done.contact_ids), rows=sum(done.counts.values()))
    return done


def preview(contact: Contact) -> dict[str, int]:
    """In how many rows of which table words would go, as things stand. Writes nothing."""
    person = _person(contact.pk, contact.client)
    return _counts(_changes(person)) | answers.count(person)


def _erase(contact_id: int, client: Client, actor: User, reason: str) -> Erasure:
    person, at = _held(contact_id, client), timezone.now()
    if person.traces.in_(reason):
        raise NoReason("The reason names the person, and it stays for good. Say why without a word about them.")
    for part in parts():
        part.withdraw(person, actor=actor, at=at)
    _close(person, actor, at)
    changes = _changes(person)
    tombstone = Erasure.objects.create(
        client=client, contact_ids=person.ids, prospect_ids=person.prospects, by=actor, reason=reason, at=at,
        counts=_counts(changes) | answers.count(person), trace_id=current_trace_id(),
    )  # fmt: skip
    _remember(tombstone, person)
    _write(changes)
    answers.forget(person, at=at)
    _empty_records(person, actor, at)
    detail = {"contacts": person.ids, "rows": sum(tombstone.counts.values())}
    audit.record(
        client=client, event=AuditEvent.PERSON_ERASED, subject=tombstone, actor=actor, trace_id=tombstone.trace_id,
        detail=detail,
    )  # fmt: skip
    files.erase(person)
    return tombstone


def _held(contact_id: int, client: Client) -> Person:
    """The person, with everything about them locked in the order in which everybody else locks it.

    Imports, then agents, then prospects, their people, and what waits for them. Their own rows come last once more,
    against drafts that are being written.
    """
    take_turns(client.pk)
    person = _person(contact_id, client)
    if not claims.hold(person.prospects):
        raise AtWork("Agents are at work on this person. Nothing was erased; try again in a minute.")
    list(Prospect.objects.filter(pk__in=person.prospects).order_by("pk").select_for_update(no_key=True))
    list(Contact.objects.filter(pk__in=person.ids).order_by("pk").select_for_update(no_key=True))
    for part in parts():
        part.hold(person)
    list(Contact.objects.filter(pk__in=person.ids).order_by("pk").select_for_update())
    return _person(contact_id, client)


def _person(contact_id: int, client: Client) -> Person:
    ids = people_like([contact_id])[contact_id]
    contacts = tuple(Contact.objects.for_client(client).filter(pk__in=ids).select_related("company").order_by("pk"))
    if not contacts or any(contact.erased_at for contact in contacts):
        raise NotErasable("They are erased already." if contacts else "There is no such person.")
    homes = {contact.company_id for contact in contacts if contact.company_id is not None}
    companies = {pk for alike in companies_like(homes).values() for pk in alike} if homes else set()
    theirs = Prospect.objects.for_client(client).filter(Q(contact__in=ids) | Q(company__in=companies))
    found = dict(theirs.values_list("pk", "company"))
    return Person(
        client=client,
        contacts=contacts,
        own=frozenset(pk for pk, company in found.items() if company is None),
        beside=frozenset(pk for pk, company in found.items() if company is not None),
        traces=_traces(contacts),
    )


def _traces(contacts: Iterable[Contact]) -> Traces:
    people = list(contacts)
    aliases = Alias.objects.filter(contact__in=[contact.pk for contact in people]).values_list("value", flat=True)
    links = [contact.linkedin_url.rstrip("/").rsplit("/", 1)[-1] for contact in people]
    return traces_of(
        names=[contact.name for contact in people],
        parts=[part for contact in people for part in (contact.first_name, contact.last_name)],
        addresses=[
            *(text for contact in people for text in (contact.email, contact.email_key)),
            *(link for link in links if link),
            *aliases,
        ],
        phones=[contact.phone for contact in people],
        ids=[contact.pk for contact in people],
    )


# --- words ------------------------------------------------------------------------------------------------------------

#: Model → the columns that change → the rows, changed in memory.
Changes = Mapping[type[models.Model], Mapping[tuple[str, ...], list[Any]]]


def _changes(person: Person) -> Changes:
    found: dict[type[models.Model], dict[tuple[str, ...], dict[Any, Any]]] = defaultdict(lambda: defaultdict(dict))
    for part in parts():
        for sheet in part.sheets(person):
            for row in sheet.rows.iterator(chunk_size=500):
                changed = tuple(_changed(row, sheet, person.traces))
                if changed:
                    found[type(row)][changed][row.pk] = row
    return {model: {columns: list(rows.values()) for columns, rows in by.items()} for model, by in found.items()}


def _changed(row: Any, sheet: Sheet, traces: Traces) -> Iterator[str]:
    """Take the words out of a row in memory; the names of the columns that lost some."""
    whole = sheet.whole(row)
    for column in (*sheet.columns, *sheet.named):
        was = getattr(row, column)
        now = _erased(was, sheet, column, traces, whole=whole and column not in sheet.named)
        if now != was:
            setattr(row, column, now)
            yield column


def _erased(was: Any, sheet: Sheet, column: str, traces: Traces, *, whole: bool) -> Any:
    if isinstance(was, (bytes, memoryview)):
        return b"" if whole else was
    if whole and column in sheet.emptied and isinstance(was, (dict, list)):
        return type(was)()
    return erasing.data(was, traces, whole=whole, parts=sheet.parts)


def _counts(changes: Changes) -> dict[str, int]:
    tables = Counter({str(model._meta.verbose_name_plural): 0 for model in changes})
    for model, by in changes.items():
        tables[str(model._meta.verbose_name_plural)] += len({row.pk for rows in by.values() for row in rows})
    return dict(sorted(tables.items()))


def _write(changes: Changes) -> None:
    for model, by in changes.items():
        for columns, rows in by.items():
            model._base_manager.bulk_update(rows, columns, batch_size=200)


# --- records ----------------------------------------------------------------------------------------------------------


def _remember(tombstone: Erasure, person: Person) -> None:
    """Keyed hashes of what they would be recognised by if somebody brought them in again."""
    hashes = sorted(set(keys_of_person(person.contacts)))
    ErasedKey.objects.bulk_create(
        ErasedKey(client=person.client, erasure=tombstone, key_hash=key_hash) for key_hash in hashes
    )


def _close(person: Person, actor: User, at: datetime) -> None:
    """Nobody works on somebody who is gone; their company is worked on, and looked at afresh."""
    own = list(Prospect.objects.filter(pk__in=person.own, merged_into__isnull=True, stage__in=stages.OPEN))
    ruled = ruling_versions(own)
    closing = [prospect for prospect in own if prospect.pk in ruled]
    if closing:
        move(closing, stages.CLOSED, client=person.client, word=Word(at=at, actor=actor, reason=CLOSED_BECAUSE))
    (number,) = next_ids("fact_no", 1)
    # A newer number also tells agents that had begun before that their picture is out of date.
    Prospect.objects.filter(pk__in=person.own).update(
        facts_no=number, converged_no=number, external_id="", due_again_at=None
    )
    Prospect.objects.filter(pk__in=person.beside, contact__in=person.ids).update(facts_no=number)


def _empty_records(person: Person, actor: User, at: datetime) -> None:
    """The contacts themselves, their other names, and by what they were compared with others. After everything else:
    until then PostgreSQL knows their mail by their address.
    """
    Prospect.objects.filter(pk__in=person.beside, contact__in=person.ids).update(contact=None)
    BlockingKey.objects.filter(client_id=person.client.pk, kind=RecordKind.CONTACT, record_id__in=person.ids).delete()
    pairs = Duplicate.objects.filter(Q(one_contact__in=person.ids) | Q(other_contact__in=person.ids))
    pairs.filter(status=Duplicate.Status.OPEN).update(
        status=Duplicate.Status.APART, decided_by=actor, decided_at=at, automatic=False
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE prospects_alias SET value = 'erased:' || id WHERE contact_id = ANY(%s)"
            " AND value <> 'erased:' || id",
            [person.ids],
        )
    Contact.objects.filter(pk__in=person.ids).update(
        name=ERASED_NAME, first_name="", last_name="", title="", seniority="", email="", email_key="",
        email_status=Contact.EmailStatus.UNKNOWN, phone="", linkedin_url="", external_id="", time_zone="",
        entity_type="", attributes={}, erased_at=at, updated_at=at,
    )  # fmt: skip
