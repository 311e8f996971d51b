"""Raw SQL against every promise of outreach: PostgreSQL refuses each way to cheat, whatever the code does."""

import json
import uuid
from datetime import timedelta

import pgtrigger
import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from approvals.models import (
    ApprovalRequest,
    CapturedMail,
    ConsentBasis,
    Decision,
    DeliveryEvent,
    Dispatch,
    Evaluation,
    Message,
    Suppression,
    Task,
)
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry
from tests import factories as make
from tests.approvals.cheats import draft_decision, draft_dispatch, execute, insert, other_message, refused
from tests.approvals.scene import content_hash_of, scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_work():
    return scene()


@pytest.fixture
def request_(at_work):
    return at_work.request()


@pytest.fixture
def decision(at_work, request_):
    return make.decision(request_, at_work.reviewer)


# --- Sends that nobody approved ---------------------------------------------------------------------------------------


def test_a_dispatch_without_any_decision(at_work, request_):
    decision = make.decision(request_, at_work.reviewer)
    sql, values = draft_dispatch(decision, decision_id=decision.pk + 1000)
    refused(sql, values)


@pytest.mark.parametrize("kind", ["reject", "defer", "redraft", "first_approve"])
def test_a_dispatch_on_a_decision_that_did_not_say_yes(at_work, request_, kind):
    decision = make.decision(request_, at_work.reviewer, kind, reason_code="other", until=timezone.now())
    refused(*draft_dispatch(decision), says="no approving decision")


def test_a_dispatch_with_other_words(at_work, request_, decision):
    other = other_message(at_work, request_, subject="Other words")
    refused(*draft_dispatch(decision, message_id=other.pk, content_hash=other.content_hash), says="no approving")


def test_a_dispatch_with_another_hash(decision):
    refused(*draft_dispatch(decision, content_hash="0" * 64), says="no approving")


def test_a_dispatch_to_somebody_else(decision):
    refused(*draft_dispatch(decision, recipient="eve@x.example"), says="no approving")


def test_a_dispatch_for_another_prospect_or_contact(at_work, decision):
    other = at_work.request()
    refused(*draft_dispatch(decision, prospect_id=other.prospect_id), says="no approving")
    refused(*draft_dispatch(decision, contact_id=other.contact_id), says="no approving")


def test_a_dispatch_on_another_channel(decision):
    refused(*draft_dispatch(decision, channel="call"), says="no approving")


def test_a_dispatch_for_another_client(decision):
    refused(*draft_dispatch(decision, client_id=make.client().pk), says="no approving")


def test_a_dispatch_that_starts_on_its_way(decision):
    refused(*draft_dispatch(decision, status="queued"), says="starts in undo_hold")
    refused(*draft_dispatch(decision, status="accepted", token=str(uuid.uuid4())), says="starts in undo_hold")


def test_a_second_dispatch_of_one_decision(decision):
    make.dispatch(decision)
    refused(*draft_dispatch(decision), says="unique")


def test_a_second_dispatch_of_one_request(at_work, request_, decision):
    ApprovalRequest.objects.filter(pk=request_.pk).update(version=2)
    request_.refresh_from_db()
    again = make.decision(request_, at_work.reviewer)
    make.dispatch(decision)
    refused(*draft_dispatch(again), says="dispatch_one_live_per_request")


def test_one_person_as_both_of_two_approvers():
    at_work = scene(two_approvers=True)
    request_ = at_work.request()
    alone = make.decision(request_, at_work.reviewer)
    refused(*draft_dispatch(alone), says="second approver")
    request_ = at_work.request()
    make.decision(request_, at_work.reviewer, "first_approve")
    ApprovalRequest.objects.filter(pk=request_.pk).update(version=2)
    request_.refresh_from_db()
    refused(*draft_dispatch(make.decision(request_, at_work.reviewer)), says="second approver")


# --- What was approved never changes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [("recipient", "eve@x.example"), ("content_hash", "0" * 64), ("channel", "call"), ("idempotency_key", "<x@y>")],
)
def test_changing_what_a_dispatch_sends(decision, column, value):
    row = make.dispatch(decision)
    refused(
        f"UPDATE approvals_dispatch SET {column} = %s WHERE id = %s", [value, row.pk], says="keeps what was approved"
    )


def test_pointing_a_dispatch_at_other_words(at_work, request_, decision):
    row = make.dispatch(decision)
    other = other_message(at_work, request_, subject="Other words")
    refused("UPDATE approvals_dispatch SET message_id = %s WHERE id = %s", [other.pk, row.pk], says="keeps")


@pytest.mark.parametrize("status", ["sending", "accepted", "refused", "unknown", "postponed"])
def test_a_dispatch_that_skips_a_step(decision, status):
    row = make.dispatch(decision)
    refused(
        "UPDATE approvals_dispatch SET status = %s, token = %s WHERE id = %s", [status, str(uuid.uuid4()), row.pk],
        says="status change",
    )  # fmt: skip


def test_a_dispatch_sending_without_a_claim(decision):
    row = make.dispatch(decision)
    Dispatch.objects.filter(pk=row.pk).update(status="queued")
    refused("UPDATE approvals_dispatch SET status = 'sending', attempts = 1 WHERE id = %s", [row.pk], says="claimed")
    token = str(uuid.uuid4())
    refused(
        "UPDATE approvals_dispatch SET status = 'sending', token = %s WHERE id = %s", [token, row.pk], says="claimed"
    )


def test_a_dispatch_leaving_inside_its_undo_window(decision):
    row = make.dispatch(decision, not_before=timezone.now() + timedelta(minutes=1))
    refused("UPDATE approvals_dispatch SET status = 'queued' WHERE id = %s", [row.pk], says="undo window")
    refused("UPDATE approvals_dispatch SET not_before = now() WHERE id = %s", [row.pk], says="keeps what was approved")


def test_a_dispatch_of_a_request_that_is_not_approved(decision):
    execute(*draft_dispatch(decision))
    execute("UPDATE approvals_dispatch SET status = 'queued'")
    claimed = "UPDATE approvals_dispatch SET status = 'sending', token = gen_random_uuid(), attempts = attempts + 1"
    refused(claimed, says="not approved any more")
    execute("UPDATE approvals_approvalrequest SET status = 'approved'")
    execute(claimed)


@pytest.mark.parametrize("change", ["expires_at = expires_at + interval '1 s'", "trace_id = 'x'"])
def test_a_dispatch_given_more_time_or_another_history(decision, change):
    made = make.dispatch(decision)
    refused(f"UPDATE approvals_dispatch SET {change} WHERE id = %s", [made.pk], says="keeps what was approved")


def test_a_sent_dispatch_sent_again(decision):
    row = make.dispatch(decision)
    for step in (
        {"status": "queued"},
        {"status": "sending", "token": uuid.uuid4(), "attempts": 1},
        {"status": "unknown"},
    ):
        Dispatch.objects.filter(pk=row.pk).update(**step)
    for status in ("queued", "sending"):
        refused("UPDATE approvals_dispatch SET status = %s WHERE id = %s", [status, row.pk], says="status change")
    Dispatch.objects.filter(pk=row.pk).update(status="accepted")
    for status in ("queued", "sending", "undo_hold", "refused", "cancelled"):
        refused("UPDATE approvals_dispatch SET status = %s WHERE id = %s", [status, row.pk], says="status change")


# --- Words and their fingerprint --------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["body", "subject", "recipient", "sender", "channel", "rule_version", "attachments"])
def test_a_message_that_does_not_hash_to_its_fingerprint(request_, column):
    change = ["ab"] if column == "attachments" else "call"
    refused(*insert(request_.message, **{column: change}), says="does not hash")


def test_python_and_postgresql_agree_on_the_fingerprint(request_):
    message = request_.message
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT salesops_content_hash(channel, recipient, sender, subject, body, attachments::text[], rule_version)"
            " FROM approvals_message WHERE id = %s", [message.pk],
        )  # fmt: skip
        assert cursor.fetchone()[0] == content_hash_of(message) == message.content_hash


def test_a_message_that_cites_somebody_elses_evidence(at_work, request_):
    other = at_work.request()
    foreign = make.evidence(other.prospect, at_work.version)
    refused(*insert(request_.message, evidence_ids=[foreign.pk]), says="cites evidence")


# --- Requests and decisions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["approved", "rejected", "deferred", "redraft"])
def test_a_request_that_changes_without_a_decision(request_, status):
    refused("UPDATE approvals_approvalrequest SET status = %s WHERE id = %s", [status, request_.pk], says="decision")


def test_a_request_approved_by_a_rejection(at_work, request_):
    make.decision(request_, at_work.reviewer, "reject", reason_code="other")
    refused("UPDATE approvals_approvalrequest SET status = 'approved' WHERE id = %s", [request_.pk], says="decision")


@pytest.mark.parametrize(
    ("column", "value"),
    [("dossier", json.dumps({"x": 1})), ("content_hash", "0" * 64), ("facts_no", 10**9), ("version", 0)],
)
def test_a_frozen_dossier_changed(request_, column, value):
    sql = f"UPDATE approvals_approvalrequest SET {column} = %s WHERE id = %s"
    refused(sql, [value, request_.pk], says="keeps its dossier")


@pytest.mark.parametrize(
    "change", ["created_by_id = %s", "grade = left('B' || %s, 1)", "composite = %s", "trace_id = %s", "contact_id = %s"]
)
def test_what_a_request_was_made_with_changed(at_work, request_, change):
    """Without a maker, the maker could approve; with a better grade, it could be approved among many."""
    refused(
        f"UPDATE approvals_approvalrequest SET {change} WHERE id = {request_.pk}", [at_work.reviewer.pk],
        says="keeps its dossier",
    )  # fmt: skip


def test_a_request_given_more_time(request_):
    late = [request_.expires_at + timedelta(hours=1), request_.pk]
    refused("UPDATE approvals_approvalrequest SET expires_at = %s WHERE id = %s", late, says="only by being asked anew")


def test_a_request_born_approved(request_):
    refused(*insert(request_, status="approved"), says="begins by waiting")


def test_asking_again_while_what_was_approved_is_on_its_way(request_, decision):
    make.dispatch(decision)
    back = "UPDATE approvals_approvalrequest SET status = 'waiting', version = version + 1 WHERE id = %s"
    refused(back, [request_.pk], says="called off")
    execute("UPDATE approvals_dispatch SET status = 'cancelled'")
    execute(back, [request_.pk])


def test_a_request_for_other_words_than_its_message(request_):
    ApprovalRequest.objects.filter(pk=request_.pk).update(status="cancelled")
    refused(*insert(request_, content_hash="0" * 64), says="does not match its message")


def test_two_open_requests_for_one_prospect_on_one_channel(request_):
    refused(*insert(request_), says="request_one_open_per_channel")


def test_a_decision_on_a_stale_version(at_work, request_):
    refused(*draft_decision(at_work, request_, request_version=2), says="as it stands")
    ApprovalRequest.objects.filter(pk=request_.pk).update(version=2)
    refused(*draft_decision(at_work, request_), says="as it stands")


def test_a_second_decision_on_one_version(at_work, request_, decision):
    refused(*draft_decision(at_work, request_), says="decision_once_per_version")


def test_a_decision_on_a_closed_request(at_work, request_):
    ApprovalRequest.objects.filter(pk=request_.pk).update(status="cancelled")
    refused(*draft_decision(at_work, request_), says="waiting")


def test_a_decision_with_a_hash_that_is_not_its_messages(at_work, request_):
    refused(*draft_decision(at_work, request_, content_hash="0" * 64), says="other words")


def test_an_approval_of_words_that_were_not_asked_about(at_work, request_):
    other = other_message(at_work, request_, subject="Other words")
    swap = {"message_id": other.pk, "content_hash": other.content_hash}
    refused(*draft_decision(at_work, request_, **swap), says="other words")
    refused(*draft_decision(at_work, request_, kind="approve_edits", **swap), says="other words")


def test_an_edit_that_grew_from_another_request(at_work, request_):
    foreign = at_work.request()
    grown = other_message(at_work, request_, subject="Other words", parent=foreign.message, edited_by=at_work.reviewer)
    swap = {"message_id": grown.pk, "content_hash": grown.content_hash, "kind": "approve_edits"}
    refused(*draft_decision(at_work, request_, **swap), says="other words")


def test_an_approval_by_the_maker(at_work):
    request_ = at_work.request(created_by=at_work.reviewer)
    for kind in ("approve", "approve_edits", "first_approve"):
        refused(*draft_decision(at_work, request_, kind=kind), says="maker")


def test_a_decision_by_somebody_without_the_role(at_work, request_):
    for person in (make.user(at_work.client, "operator"), make.user(make.client()), make.user()):
        refused(*draft_decision(at_work, request_, user_id=person.pk), says="may not decide")


def test_a_decision_by_somebody_who_has_left(at_work, request_):
    person = make.user(at_work.client, is_active=False)
    refused(*draft_decision(at_work, request_, user_id=person.pk), says="may not decide")


def test_a_decision_for_another_client(at_work, request_):
    refused(*draft_decision(at_work, request_, client_id=make.client().pk), says="as it stands")


# --- The guards' own eyes ---------------------------------------------------------------------------------------------


def test_a_temporary_table_that_says_approved(at_work, request_):
    no = make.decision(request_, at_work.reviewer, "reject", reason_code="other")
    sql, values = draft_dispatch(no)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE approvals_decision ON COMMIT DROP AS SELECT * FROM approvals_decision")
        cursor.execute("UPDATE approvals_decision SET kind = 'approve'")
        with pytest.raises(Error, match="no approving decision"), transaction.atomic():
            cursor.execute(sql.replace("INTO ", "INTO public."), values)
        cursor.execute("DROP TABLE pg_temp.approvals_decision")


def test_a_schema_with_a_fingerprint_of_ones_own(at_work, request_):
    changed = insert(other_message(at_work, request_), content_hash="0" * 64)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA elsewhere")
        cursor.execute(
            "CREATE FUNCTION elsewhere.salesops_content_hash(text, text, text, text, text, text[], text) RETURNS text"
            " LANGUAGE sql AS $$ SELECT repeat('0', 64) $$"
        )
        cursor.execute("SET LOCAL search_path = elsewhere, public")
        with pytest.raises(Error, match="does not hash"), transaction.atomic():
            cursor.execute(*changed)
        transaction.set_rollback(True)


def test_every_guard_reads_this_schemas_tables_alone():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT p.proname, p.proconfig FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE NOT t.tgisinternal AND p.pronamespace = current_schema()::regnamespace"
        )
        guards = cursor.fetchall()
    assert len(guards) > 100
    assert [name for name, settings in guards if settings != ["search_path=pg_catalog, public, pg_temp"]] == []


# --- Facts stay -------------------------------------------------------------------------------------------------------


@pytest.fixture
def facts(at_work, request_, decision):
    sent = make.dispatch(decision)
    DeliveryEvent.objects.create(
        client=at_work.client, dispatch=sent, kind="accepted", at=timezone.now(), provider="smtp",
        provider_event_id="1", trace_id="0" * 32,
    )  # fmt: skip
    CapturedMail.objects.create(dispatch=sent, message_id="<x@y>", rcpt_to="x@y.example", raw=b"x")
    Suppression.objects.create(client=at_work.client, scope="email", key_hash="0" * 64, reason="asked")
    ConsentBasis.objects.create(
        client=at_work.client, contact=request_.contact, type="express", captured_at=timezone.now()
    )
    Evaluation.objects.create(
        client=at_work.client, prospect=request_.prospect, channel="email", probability=0.1, value=1, cost=1,
        expected_value=1, rationale="x",
    )  # fmt: skip
    audit.record(client=at_work.client, event=AuditEvent.DECISION_MADE, subject=decision, actor=at_work.reviewer)
    execute("SELECT 1")


@pytest.mark.parametrize(
    "model",
    [Message, Decision, DeliveryEvent, CapturedMail, Suppression, ConsentBasis, Evaluation, AuditEntry],
    ids=lambda model: model.__name__,
)
def test_facts_are_not_updated_deleted_or_emptied(facts, model):
    table = model._meta.db_table
    assert model.objects.exists()
    refused(f"UPDATE {table} SET client_id = client_id" if hasattr(model, "client") else f"UPDATE {table} SET raw = ''",
            says="append-only")  # fmt: skip
    refused(f"DELETE FROM {table}", says="append-only")
    refused(f"TRUNCATE {table} CASCADE", says="truncated")


@pytest.mark.parametrize("model", [ApprovalRequest, Dispatch, Task], ids=lambda model: model.__name__)
def test_what_facts_point_at_is_not_deleted(at_work, facts, model):
    Task.objects.create(client=at_work.client, kind="review", title="x")
    execute("SELECT 1")
    assert model.objects.exists()
    refused(f"DELETE FROM {model._meta.db_table}", says="cannot be deleted")
    refused(f"TRUNCATE {model._meta.db_table} CASCADE", says="truncated")


def test_the_guards_cannot_be_told_to_look_away(decision):
    with pytest.raises(Error, match="append-only"), pgtrigger.ignore(), transaction.atomic():
        Decision.objects.update(words="x")
    Decision.objects.get(words="")


def test_an_audit_entry_that_does_not_continue_the_chain(at_work, facts):
    last = AuditEntry.objects.first()
    refused(*insert(last, seq=last.seq + 1, previous_hash="0" * 64), says="continue its chain")
    refused(*insert(last, seq=last.seq), says="")
