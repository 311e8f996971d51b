"""Raw SQL once more: ways round time, limits and people, all of which PostgreSQL refuses."""

from datetime import timedelta

import pytest
from django.utils import timezone

from approvals.models import ApprovalRequest, ConsentBasis, DeliveryEvent, RequestView, Task
from playbooks.services import drafts
from tests import factories as make
from tests.approvals.cheats import draft_decision, draft_dispatch, execute, insert, other_message, refused
from tests.approvals.scene import scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_work():
    return scene()


@pytest.fixture
def request_(at_work):
    return at_work.request()


@pytest.fixture
def strict():
    """Where an hour may pass for undoing, and an approval is good for two."""
    return scene(undo_seconds=3600, request_hours=2)


def test_a_dispatch_born_past_its_undo_window(strict):
    decision = make.decision(strict.request(), strict.reviewer)
    early = decision.at + timedelta(minutes=59)
    refused(*draft_dispatch(decision, not_before=early), says="after its undo window")


def test_a_dispatch_that_outlives_its_approval(strict):
    decision = make.decision(strict.request(), strict.reviewer)
    given = {"not_before": decision.at + timedelta(hours=1), "expires_at": decision.at + timedelta(hours=3)}
    refused(*draft_dispatch(decision, **given), says="approval is too old")


def test_a_decision_before_its_request_or_after_its_end(at_work, request_):
    for at in (request_.created_at - timedelta(hours=1), request_.expires_at):
        refused(*draft_decision(at_work, request_, at=at), says="while its request was open")


def test_edited_words_to_another_address_or_from_another_sender(at_work, request_):
    for change in ({"recipient": "eve@x.example"}, {"sender": "Eve <eve@x.example>"}):
        grown = make.message(
            request_.prospect, at_work.version, parent=request_.message, edited_by=at_work.reviewer,
            **{**at_work.words(request_.contact), **change},
        )  # fmt: skip
        swap = {"message_id": grown.pk, "content_hash": grown.content_hash, "kind": "approve_edits"}
        refused(*draft_decision(at_work, request_, **swap), says="other words")


def test_asking_about_and_approving_words_that_the_law_forbids(at_work, request_):
    blocked = other_message(at_work, request_, compliance="BLOCK", parent=request_.message, edited_by=at_work.reviewer)
    swap = {"message_id": blocked.pk, "content_hash": blocked.content_hash}
    for kind in ("approve_edits", "first_approve"):
        refused(*draft_decision(at_work, request_, kind=kind, **swap), says="other words")
    ApprovalRequest.objects.filter(pk=request_.pk).update(status="cancelled")
    refused(*insert(request_, **swap), says="does not match its message")


def test_a_request_under_laxer_limits_than_its_prospects(at_work, request_):
    ApprovalRequest.objects.filter(pk=request_.pk).update(status="cancelled")
    for lax in (
        make.version(at_work.client),
        drafts.new_version(at_work.version.playbook, actor=None),
        scene().version,
    ):
        refused(*insert(request_, playbook_version_id=lax.pk), says="does not rule its prospect")


def test_a_message_to_somebody_another_client_knows(request_):
    theirs = scene().request().contact
    refused(*insert(request_.message, contact_id=theirs.pk), says="another client")


def test_rows_that_hang_on_another_clients(at_work, request_):
    other, now = make.client().pk, timezone.now()
    sent = make.dispatch(make.decision(request_, at_work.reviewer))
    for row in (
        DeliveryEvent(dispatch=sent, kind="replied", at=now, provider="x", provider_event_id="1", trace_id="x"),
        RequestView(request=request_, user=at_work.reviewer, version=1, at=now),
        ConsentBasis(contact=request_.contact, type="x", captured_at=now),
        Task(kind="review", prospect=request_.prospect, title="x"),
        Task(kind="review", dispatch=sent, title="x"),
    ):
        row.client_id = at_work.client.pk
        execute(*stored(row))
        refused(*stored(row, client_id=other), says="another client's")
    refused("UPDATE approvals_task SET client_id = %s", [other], says="another client's")


def stored(row, **changes):
    """As `insert`, with the times that a save would set."""
    at = {"at": timezone.now()} if isinstance(row, RequestView) else {}
    return insert(row, **at, **changes)


def test_saying_that_somebody_else_has_opened_a_request(at_work, request_):
    view = RequestView.objects.create(client=at_work.client, request=request_, user=at_work.reviewer, version=1)
    for change in ("version = 2", f"user_id = {make.user(at_work.client).pk}"):
        refused(f"UPDATE approvals_requestview SET {change} WHERE id = %s", [view.pk], says="made with")
