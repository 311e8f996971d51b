"""The audit chain holds, and says where it was touched."""

import threading

import pytest
from django.db import connection, transaction

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, Client
from tests import factories


def _record(client: Client, times: int = 1) -> None:
    with transaction.atomic():
        entries = [
            audit.Entry(event=AuditEvent.STOP_SET, subject=client, detail={"n": n, "é": 1.5}) for n in range(times)
        ]
        audit.record_many(client=client, entries=entries, actor=None)


@pytest.mark.django_db
def test_an_untouched_chain_verifies() -> None:
    client = factories.client()
    _record(client, 3)
    _record(client, 2)
    assert audit.verify(client) is None
    assert AuditEntry.objects.for_client(client).count() == 5


@pytest.mark.django_db
def test_an_empty_chain_verifies() -> None:
    assert audit.verify(factories.client()) is None


@pytest.mark.django_db(transaction=True)
def test_recording_outside_a_transaction_is_refused() -> None:
    client = factories.client()
    with pytest.raises(transaction.TransactionManagementError):
        audit.record(client=client, event=AuditEvent.STOP_SET, subject=client, actor=None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("damage", "seq", "reason"),
    [
        ("UPDATE playbooks_auditentry SET detail = detail || '{\"n\": 8}' WHERE seq = 2", 2, "content"),
        ("UPDATE playbooks_auditentry SET at = at + interval '1 microsecond' WHERE seq = 3", 3, "content"),
        ("UPDATE playbooks_auditentry SET subject_id = subject_id + 1 WHERE seq = 1", 1, "content"),
        ("DELETE FROM playbooks_auditentry WHERE seq = 2", 3, "entry 2 is missing"),
        ("UPDATE playbooks_auditentry SET previous_hash = repeat('0', 64) WHERE seq = 3", 3, "does not continue"),
    ],
)
def test_damage_by_a_superuser_is_found_where_it_is(damage: str, seq: int, reason: str) -> None:
    client = factories.client()
    _record(client, 4)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(damage)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
    found = audit.verify(client)
    assert found is not None
    assert (found.seq, reason in found.reason) == (seq, True)


@pytest.mark.django_db
def test_one_clients_chain_cannot_pass_as_anothers() -> None:
    one, other = factories.client(), factories.client()
    _record(one, 2)
    rows = list(AuditEntry.objects.for_client(one).order_by("seq"))
    assert audit.verify_rows(other.pk, rows) is not None


@pytest.mark.django_db(transaction=True)
def test_many_writers_make_one_chain() -> None:
    client = factories.client()

    def write() -> None:
        try:
            for _ in range(5):
                _record(client)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AuditEntry.objects.for_client(client).count() == 40
    assert audit.verify(client) is None
