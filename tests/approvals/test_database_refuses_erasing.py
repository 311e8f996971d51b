"""Raw SQL against the one way past append-only: only words go, only a person's own, only beside their tombstone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from approvals.models import ApprovalRequest, CapturedMail, Decision, Dispatch
from playbooks.models import Role
from prospects.models import Contact, ErasedKey, Erasure, Signal
from prospects.rules import erasing
from prospects.services.erasing.erasure import erase_person
from tests import factories as make
from tests.approvals.cheats import insert
from tests.approvals.scene import Scene, reload, scene

pytestmark = pytest.mark.django_db
DOSSIER = {"who": {"name": "Dana Lee"}}


@dataclass
class Ground:
    """A decided request to somebody, a signal about their company, and an admin."""

    here: Scene
    request: ApprovalRequest
    signal: Signal
    admin: Any

    @property
    def contact(self) -> Contact:
        return self.request.contact

    def tombstone(self, **changes: Any) -> tuple[str, list[Any]]:
        row = Erasure(client=self.here.client, contact_ids=[self.contact.pk], by=self.admin, reason="asked",
                      prospect_ids=[self.request.prospect_id])  # fmt: skip
        return insert(row, **changes)


@pytest.fixture
def ground() -> Ground:
    here = scene()
    request = here.request(dossier=DOSSIER)
    here.approve(request)
    data = {"who": "Dana Lee", "seats": 4, "list": ["a", "b"]}
    signal = make.signal(request.prospect, text="Dana Lee joined", data=data)
    return Ground(here, request, signal, make.user(here.client, Role.ADMIN))


@contextmanager
def beside_a_tombstone(ground: Ground, **changes: Any) -> Iterator[None]:
    """Inside, that person is being erased; nothing of it stays."""
    with transaction.atomic():
        sql, values = ground.tombstone(**changes)
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
        yield
        transaction.set_rollback(True)


def denied(sql: str, params: Any = (), *, because: str) -> None:
    """PostgreSQL refuses it there and then, not only at the end."""
    with pytest.raises(DatabaseError, match=because), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)


def allowed(sql: str, params: list[Any]) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        assert cursor.rowcount == 1
        transaction.set_rollback(True)


def erased(table: str, column: str, pk: int, value: str = "erased") -> tuple[str, list[Any]]:
    return f"UPDATE {table} SET {column} = %s WHERE id = %s", [value, pk]


def rows(ground: Ground) -> list[tuple[str, str, int]]:
    """A column with words of every kind of row that may lose them."""
    return [
        ("prospects_signal", "text", ground.signal.pk),
        ("approvals_message", "body", ground.request.message_id),
        ("approvals_dispatch", "recipient", Dispatch.objects.get().pk),
        ("approvals_approvalrequest", "dossier", ground.request.pk),
    ]


def test_without_a_tombstone_nothing_is_erased_whatever_the_session_says(ground: Ground) -> None:
    for table, column, pk in rows(ground):
        value = "{}" if column == "dossier" else "erased"
        denied(*erased(table, column, pk, value), because="append-only|keeps")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL pgtrigger.ignore = '{all}'; CREATE TEMP TABLE prospects_erasure AS SELECT"
                           " ARRAY[%s] contact_ids, ARRAY[%s] prospect_ids, %s::bigint client_id,"
                           " pg_current_xact_id()::text::bigint transaction",
                           [ground.contact.pk, ground.request.prospect_id, ground.here.client.pk])  # fmt: skip
            denied(*erased(table, column, pk, value), because="append-only|keeps")
            cursor.execute("DROP TABLE pg_temp.prospects_erasure")
        with beside_a_tombstone(ground):
            allowed(*erased(table, column, pk, value))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("text", "Dana Lee left"),
        ("text", ""),
        ("data", '{"who": "erased", "seats": 5, "list": ["a", "b"]}'),
        ("data", '{"who": "erased", "seats": 4, "list": ["a", "b", "erased"]}'),
        ("data", '{"who": "erased", "more": "erased"}'),
        ("data", '["erased"]'),
        ("value", "7"),
        ("fact_no", "1"),
        ("observed_at", "2020-01-01"),
        ("source", "erased"),
        ("dedup_key", "erased"),
        ("trace_id", "erased"),
    ],
)
def test_nothing_but_words_goes_and_nothing_comes_in(ground: Ground, column: str, value: str) -> None:
    with beside_a_tombstone(ground):
        allowed("UPDATE prospects_signal SET text = 'erased', data = '{\"seats\": 4, \"list\": []}' WHERE id = %s",
                [ground.signal.pk])  # fmt: skip
        denied(*erased("prospects_signal", column, ground.signal.pk, value), because="append-only")
        denied("DELETE FROM prospects_signal WHERE id = %s", [ground.signal.pk], because="append-only")


def test_what_was_decided_and_sent_stays_beside_a_tombstone(ground: Ground) -> None:
    decision = Decision.objects.get()
    with beside_a_tombstone(ground):
        for table, column, pk, value in (
            ("approvals_message", "content_hash", ground.request.message_id, "0" * 64),
            ("approvals_decision", "kind", decision.pk, "reject"),
            ("approvals_decision", "content_hash", decision.pk, "0" * 64),
            ("approvals_dispatch", "content_hash", Dispatch.objects.get().pk, "0" * 64),
            ("approvals_dispatch", "recipient", Dispatch.objects.get().pk, "other@acme.example"),
            ("approvals_approvalrequest", "content_hash", ground.request.pk, "0" * 64),
        ):
            denied(*erased(table, column, pk, value), because="append-only|keeps")
        denied("UPDATE playbooks_auditentry SET detail = '{}'", because="append-only")


def test_others_lose_nothing_beside_a_tombstone(ground: Ground) -> None:
    colleague = ground.here.request(dossier=DOSSIER)
    stranger = scene().request(dossier=DOSSIER)
    mail = CapturedMail.objects.create(message_id="<a@b>", rcpt_to=colleague.contact.email, subject="Hi", raw=b"Hi")
    with beside_a_tombstone(ground):
        for other in (colleague, stranger):
            denied(*erased("approvals_message", "body", other.message_id), because="append-only")
            denied(*erased("approvals_approvalrequest", "dossier", other.pk, "{}"), because="keeps")
            signal = make.signal(other.prospect, text="Dana Lee joined")
            denied(*erased("prospects_signal", "text", signal.pk), because="append-only")
            denied(
                "UPDATE prospects_contact SET erased_at = now() WHERE id = %s", [other.contact_id], because="only by"
            )
        denied(*erased("approvals_capturedmail", "subject", mail.pk), because="append-only")


def test_a_tombstone_is_an_admins_about_their_own_clients_people(ground: Ground) -> None:
    stranger = scene().request()
    reviewer = make.user(ground.here.client)
    outsider = make.user(stranger.client, Role.ADMIN)
    for changes, because in (
        ({"by_id": reviewer.pk}, "may not erase"),
        ({"by_id": outsider.pk}, "may not erase"),
        ({"contact_ids": [stranger.contact_id]}, "people of its client"),
        ({"contact_ids": [ground.contact.pk, stranger.contact_id]}, "people of its client"),
        ({"contact_ids": []}, "people of its client"),
        ({"prospect_ids": [stranger.prospect_id]}, "not theirs"),
        ({"prospect_ids": [ground.here.request().prospect_id]}, "not theirs"),
        ({"reason": ""}, "erasure_has_reason"),
    ):
        denied(*ground.tombstone(**changes), because=because)


def test_a_tombstone_does_not_commit_without_its_erasure_and_its_audit_entry(ground: Ground) -> None:
    for then, because in (("SELECT 1", "left its person as they were"), (_EMPTY, "no audit entry")):
        with beside_a_tombstone(ground):
            with connection.cursor() as cursor:
                cursor.execute(then, [ground.contact.pk] if then == _EMPTY else [])
            denied("SET CONSTRAINTS ALL IMMEDIATE", because=because)  # as at commit


_EMPTY = (
    "UPDATE prospects_contact SET name = 'Erased person', first_name = '', last_name = '', title = '', email = '',"
    " email_key = '', phone = '', linkedin_url = '', external_id = '', attributes = '{}', erased_at = now()"
    " WHERE id = %s"
)


def test_an_erased_person_is_emptied_whole_by_an_erasure_and_stays_so(ground: Ground) -> None:
    denied(_EMPTY, [ground.contact.pk], because="only by an erasure")
    with beside_a_tombstone(ground):
        allowed(_EMPTY, [ground.contact.pk])
        half = "UPDATE prospects_contact SET name = 'Erased person', erased_at = now() WHERE id = %s"
        denied(half, [ground.contact.pk], because="contact_erased_is_empty")
    done = erase_person(ground.contact, actor=ground.admin, reason="asked")
    for column, value in (("email", "dana@acme.example"), ("country", "NZ"), ("erased_at", None)):
        denied(f"UPDATE prospects_contact SET {column} = %s WHERE id = %s", [value, ground.contact.pk],
                because="stays so")  # fmt: skip
    denied("DELETE FROM prospects_contact WHERE id = %s", [ground.contact.pk], because="stays so")
    denied(*erased("approvals_message", "body", ground.request.message_id, "Hi Dana"), because="append-only")
    for table, column in (("prospects_erasure", "reason"), ("prospects_erasedkey", "key_hash")):
        for sql in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = 'x'", f"TRUNCATE {table} CASCADE"):
            denied(sql, because="append-only|TRUNCATE|truncate")
    stranger = make.client()
    sql, values = insert(ErasedKey(client=stranger, erasure=done, key_hash="0" * 64))
    denied(f"SET CONSTRAINTS ALL IMMEDIATE; {sql}", values, because="erased_key_of_one_client")
    denied(*ground.tombstone(), because="not erased yet")


@pytest.mark.django_db(transaction=True)
def test_the_way_is_shut_again_once_the_erasure_has_committed(ground: Ground) -> None:
    later = make.signal(ground.request.prospect, text="Dana Lee was here once more")
    erase_person(ground.contact, actor=ground.admin, reason="asked")
    assert reload(later).text == erasing.WORD
    fresh = make.signal(reload(ground.request.prospect), text="Dana Lee is back")
    denied(*erased("prospects_signal", "text", fresh.pk), because="append-only")
