"""`verify_audit` holds on honest history and names the row after one byte was changed behind the guards' back."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from approvals.models import Decision
from approvals.services import bulk, decide, dispatch, undo
from approvals.services import request as requests
from approvals.verify.history import DECISIONS, HISTORY, first_fault
from playbooks.models import AuditEntry
from tests import factories as make
from tests.approvals.scene import WORDS, scene, soon

pytestmark = pytest.mark.django_db


@pytest.fixture
def history(office):
    at_work = scene()
    sent = at_work.approved()
    dispatch.sweep(at=soon())
    sent.refresh_from_db()
    return sent


def behind_the_guards(sql, *params):
    """What only a superuser with triggers off can do."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(sql, params)
        assert cursor.rowcount == 1
        cursor.execute("SET session_replication_role = DEFAULT")


def test_honest_history_is_intact(history, capsys):
    call_command("verify_audit")
    assert capsys.readouterr().out.startswith("Intact: audit chains, messages")
    call_command("verify_decisions")


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("playbooks_auditentry", "event = 'decision.undone' WHERE event = 'decision.made'"),
        ("playbooks_auditentry", "actor_id = NULL WHERE event = 'decision.made'"),
        ("playbooks_auditentry", "at = at + interval '1 microsecond' WHERE event = 'dispatch.accepted'"),
        ("playbooks_auditentry", "detail = jsonb_set(detail, '{kind}', '\"reject\"') WHERE event = 'decision.made'"),
        ("approvals_message", "body = replace(body, 'short', 'Short')"),
        ("approvals_message", "recipient = 'eve' || recipient"),
        ("approvals_decision", "kind = 'approve_edits'"),
        ("approvals_decision", "content_hash = repeat('0', 64)"),
        ("approvals_decision", "user_id = (SELECT max(id) + 1 FROM playbooks_user)"),
        ("approvals_decision", "words = words || '.'"),
        ("approvals_decision", "at = at - interval '1 microsecond'"),
        ("approvals_decision", 'diff = \'[{"field": "body", "kind": "insert", "text": "x"}]\''),
        ("approvals_decision", "until = at + interval '1 day'"),
        ("approvals_approvalrequest", "dossier = jsonb_set(dossier, '{risk}', '\"none\"')"),
        ("approvals_dispatch", "recipient = 'eve@x.example'"),
        ("approvals_dispatch", "status = 'refused'"),
        ("approvals_dispatch", "mode = 'live'"),
        ("approvals_approvalrequest", "content_hash = repeat('0', 64)"),
    ],
)
def test_one_changed_byte_is_found_and_its_row_named(history, table, change):
    behind_the_guards(f"UPDATE {table} SET {change}")
    with pytest.raises(CommandError) as error:
        call_command("verify_audit")
    assert error.value.returncode == 1
    assert table in str(error.value)
    fault = first_fault(HISTORY)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 FROM {table} WHERE id = %s", [fault.row])
        assert cursor.fetchone()


@pytest.mark.parametrize(
    "table", ["approvals_decision", "approvals_dispatch", "approvals_approvalrequest", "approvals_message"]
)
def test_a_row_that_is_gone_is_missed(history, table):
    behind_the_guards(f"DELETE FROM {table}")
    with pytest.raises(CommandError, match=f"{table} row .* is not there"):
        call_command("verify_decisions")


@pytest.mark.parametrize("event", ["decision.made", "dispatch.accepted"])
def test_a_removed_entry_is_missed(history, event):
    behind_the_guards("DELETE FROM playbooks_auditentry WHERE event = %s", event)
    assert first_fault(HISTORY) is not None


def test_a_decision_written_without_its_entry_is_found(history):
    assert first_fault(DECISIONS) is None
    behind_the_guards("DELETE FROM playbooks_auditentry WHERE event = 'decision.made'")
    with pytest.raises(CommandError, match="no audit entry"):
        call_command("verify_decisions")


def test_whatever_was_said_is_intact_and_sealed(office):
    """An edit, a deferral that came back, an undone approval, a hand-back, a rejection, two people, several at once."""
    at_work, pair = scene(undo_seconds=60), scene(two_approvers=True)
    client, actor = at_work.client, at_work.reviewer
    edited, deferred, undone, handed_back, rejected, *many = (at_work.request() for _ in range(7))

    def by(request):
        return {"seen": at_work.seen(request), "actor": actor, "client": client}

    decide.approve_with_edits(edited.pk, **by(edited), subject="Your new “hires”", body=WORDS.replace("short", "brief"))
    later = timezone.now() + timedelta(hours=2)
    decide.defer(deferred.pk, **by(deferred), until=later, words="After the fair.")
    requests.return_deferred(at=later)
    decide.approve(deferred.pk, **by(deferred))
    undo.undo(decide.approve(undone.pk, **by(undone)).decision.pk, actor=actor, client=client)
    decide.hand_back(handed_back.pk, **by(handed_back), words="Shorter — and no question.")
    decide.reject(rejected.pk, **by(rejected), reason_code="other", words="They moved.")
    assert (
        len(bulk.approve_many([(row.pk, at_work.seen(row)) for row in many], actor=actor, client=client).approved) == 2
    )
    both = pair.request()
    pair.approve(both)
    pair.approve(both, make.user(pair.client))
    assert set(Decision.objects.values_list("kind", flat=True)) == set(Decision.Kind.values)
    sealed = AuditEntry.objects.filter(event="decision.made", detail__has_keys=["said", "shown"])
    assert sealed.count() == Decision.objects.count()
    assert first_fault(HISTORY) is None
    assert first_fault(DECISIONS) is None
