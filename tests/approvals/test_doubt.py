"""When nobody can tell whether a message went out: it waits for proof or for a person, and is never sent again."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from approvals.models import CapturedMail, Task
from approvals.rules.sending import Outcome
from approvals.services import dispatch, recover, settle, task
from approvals.services.refusals import TaskClosed
from playbooks.models import AuditEntry, BudgetPeriod
from prospects.models import Signal
from tests.approvals.post_office import bad_line
from tests.approvals.scene import reload, scene, soon

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_work():
    return scene()


@pytest.fixture
def in_doubt(at_work, settings):
    with bad_line("end") as line:
        settings.SANDBOX_SMTP_PORT = line.port
        sent = at_work.approved()
        for _ in range(3):
            dispatch.sweep(at=soon())
        assert len(line.bodies) == 1
    return sent


def test_a_line_lost_after_the_text_is_unknown_and_never_tried_again(at_work, in_doubt):
    assert reload(in_doubt).status == "unknown"
    found = Task.objects.get(dispatch=in_doubt)
    assert (found.kind, found.status) == ("unknown_dispatch", "open")
    assert in_doubt.idempotency_key in found.detail
    assert BudgetPeriod.objects.get(bucket="emails").used == 1


@pytest.mark.parametrize(
    ("went_out", "status", "stage"), [(True, "accepted", "contacted"), (False, "refused", "qualified")]
)
def test_a_person_settles_what_is_unknown(at_work, in_doubt, went_out, status, stage):
    found = Task.objects.get(dispatch=in_doubt)
    known = {"actor": at_work.reviewer, "client": at_work.client, "went_out": went_out}
    done = task.resolve_unknown(found.pk, **known, words="Looked in the sent mail.")
    assert (done.status, done.done_by, done.words) == ("done", at_work.reviewer, "Looked in the sent mail.")
    assert (reload(in_doubt).status, reload(in_doubt.prospect).stage) == (status, stage)
    assert AuditEntry.objects.filter(event="dispatch.resolved", actor=at_work.reviewer).count() == 1
    with pytest.raises(TaskClosed):
        task.resolve_unknown(found.pk, **known)


def test_a_receipt_in_the_sandbox_settles_what_is_unknown(in_doubt):
    assert recover.reconcile_unknown(at=timezone.now()) == 0
    CapturedMail.objects.create(message_id=in_doubt.idempotency_key, rcpt_to=in_doubt.recipient, raw=b"")
    assert recover.reconcile_unknown(at=timezone.now()) == 1
    assert reload(in_doubt).status == "accepted"
    assert Task.objects.get(dispatch=in_doubt).resolution == "went_out"


def claimed(at_work):
    sent = at_work.approved()
    dispatch.queue_due(limit=10)
    claim = dispatch.claim_next(at=soon())
    assert claim.dispatch.pk == sent.pk
    return claim


def lease_over():
    return timezone.now() + timedelta(seconds=121)


def test_a_claim_is_committed_as_sending_before_anything_is_sent(at_work, office):
    claim = claimed(at_work)
    assert (reload(claim.dispatch).status, office.received) == ("sending", [])
    assert dispatch.claim_next(at=soon()) is None


def test_a_worker_lost_while_sending_leaves_it_to_a_person(at_work, office):
    claim = claimed(at_work)
    assert recover.recover_stale(at=timezone.now()) == 0
    assert recover.recover_stale(at=lease_over()) == 1
    dispatch.sweep(at=lease_over())
    assert (reload(claim.dispatch).status, office.received) == ("unknown", [])
    assert Task.objects.get(dispatch=claim.dispatch).kind == "unknown_dispatch"


def test_a_worker_lost_after_the_sandbox_took_it_is_settled_by_its_message_id(at_work):
    claim = claimed(at_work)
    CapturedMail.objects.create(message_id=claim.dispatch.idempotency_key, rcpt_to="x@y.example", raw=b"")
    assert recover.recover_stale(at=lease_over()) == 1
    assert reload(claim.dispatch).status == "accepted"
    assert Task.objects.count() == 0


def test_only_the_holder_of_the_token_writes_the_answer(at_work):
    claim = claimed(at_work)
    answer = settle.Answer(Outcome.ACCEPTED, "250 OK", "smtp")
    assert settle.settle(claim.dispatch.pk, uuid.uuid4(), answer, at=timezone.now()) is False
    assert reload(claim.dispatch).status == "sending"
    recover.recover_stale(at=lease_over())
    assert settle.settle(claim.dispatch.pk, claim.token, answer, at=timezone.now()) is True
    assert reload(claim.dispatch).status == "accepted"
    assert settle.settle(claim.dispatch.pk, claim.token, answer, at=timezone.now()) is False
    assert Signal.objects.filter(kind="outreach_sent").count() == 1


def test_a_claim_about_to_run_out_is_given_back_untouched(at_work, office, settings):
    settings.SENDING_LEASE_SECONDS = 10
    sent = at_work.approved()
    dispatch.sweep(at=soon())
    assert (reload(sent).status, office.received) == ("queued", [])
