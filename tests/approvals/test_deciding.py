"""Deciding a request: what it writes, and every way in which it is refused."""

from datetime import timedelta

import pytest
from django.utils import timezone

from approvals.models import ApprovalRequest, ConsentBasis, Decision, Dispatch, Message, Task
from approvals.rules.content import content_hash, split_footer
from approvals.services import decide, gate
from approvals.services import request as requests
from approvals.services.refusals import (
    AlreadyDecided,
    ContentRefused,
    MakerCannotApprove,
    RequestExpired,
    RequestNotFound,
    SecondApproverNeeded,
    StaleDecision,
)
from playbooks.models import AuditEntry, Stop
from playbooks.services import drafts, lifecycle
from salesops.errors import NotAllowed
from tests import factories as make
from tests.approvals.scene import WORDS, reload, scene
from tests.factories import SEEN_ON

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_work():
    return scene(undo_seconds=60)


def test_approving_writes_decision_dispatch_and_audit_entry(at_work):
    request = at_work.request()
    decided = at_work.approve(request)
    assert reload(request).status == "approved"
    assert (decided.decision.kind, decided.decision.user) == ("approve", at_work.reviewer)
    assert (decided.decision.request_version, decided.decision.content_hash) == (1, request.content_hash)
    dispatch = decided.dispatch
    assert (dispatch.status, dispatch.content_hash) == ("undo_hold", request.content_hash)
    assert dispatch.recipient == request.message.recipient
    assert abs(dispatch.not_before - decided.decision.at - timedelta(seconds=60)) < timedelta(seconds=1)
    entry = AuditEntry.objects.for_client(at_work.client).get(event="decision.made")
    assert (entry.subject_id, entry.actor) == (decided.decision.pk, at_work.reviewer)
    assert entry.trace_id == request.trace_id == dispatch.trace_id


def test_edited_words_become_a_message_of_their_own_and_only_they_can_go_out(at_work):
    request = at_work.request()
    decided = decide.approve_with_edits(
        request.pk, seen=at_work.seen(request), actor=at_work.reviewer, client=at_work.client,
        subject="Your new sales hires", body=WORDS.replace("made for", "we made for").replace("\n", "\r\n"),
    )  # fmt: skip
    edited = decided.dispatch.message
    assert edited.parent == request.message
    assert edited.edited_by == at_work.reviewer
    assert edited.content_hash == content_hash(gate.content_of(edited)) == decided.dispatch.content_hash
    assert split_footer(edited.body)[1] == split_footer(request.message.body)[1]
    assert decided.decision.kind == "approve_edits"
    assert {"field": "body", "kind": "added", "text": "we "} in decided.decision.diff
    assert edited.grade in ("A", "B+", "B", "C")


def test_an_edit_that_changes_nothing_is_a_plain_approval(at_work):
    request = at_work.request()
    decided = decide.approve_with_edits(
        request.pk, seen=at_work.seen(request), actor=at_work.reviewer, client=at_work.client,
        subject=request.message.subject, body=WORDS.replace("\n", "\r\n"),
    )  # fmt: skip
    assert decided.decision.kind == "approve"
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("Re: our talk", WORDS),
        ("Your {{ thing }}", WORDS),
        ("Your hires", WORDS + "It saves 40% of the time."),
        ("Your hires", WORDS + "Trusted by Globex."),
        ("Your hires", WORDS + "\n-- \nNobody"),
        ("Your hires", WORDS + "https://bit.ly/x"),
    ],
)
def test_words_that_may_not_go_out_are_refused_and_nothing_is_written(at_work, subject, body):
    request = at_work.request()
    with pytest.raises(ContentRefused) as refusal:
        decide.approve_with_edits(
            request.pk, seen=at_work.seen(request), actor=at_work.reviewer, client=at_work.client,
            subject=subject, body=body,
        )  # fmt: skip
    assert refusal.value.reasons
    assert reload(request).status == "waiting"
    assert (Decision.objects.count(), Dispatch.objects.count(), Message.objects.count()) == (0, 0, 1)


def test_a_recipient_where_the_law_forbids_it_cannot_be_approved(at_work):
    with pytest.raises(ContentRefused, match="consent"):
        at_work.approve(at_work.request(contact={"country": "DE"}))


def test_an_edit_may_not_bring_in_a_claim_that_no_evidence_makes():
    here = scene(countries=["NZ"])
    request = here.request(contact={"country": "NZ"})
    ConsentBasis.objects.create(client=here.client, contact=request.contact, type="express", captured_at=SEEN_ON,
                                url="https://warmwell.example/form", snapshot_hash="ab")  # fmt: skip
    known = {"actor": here.reviewer, "client": here.client, "subject": request.message.subject}
    with pytest.raises(ContentRefused, match="speaks of “damp” where no evidence does"):
        decide.approve_with_edits(
            request.pk, seen=here.seen(request), **known, body=WORDS.replace("Would it", "Your home is damp. Would it")
        )
    assert here.approve(request).decision.kind == "approve"


@pytest.mark.parametrize("kind", ["reject", "defer", "redraft"])
def test_saying_no_in_its_three_ways_sends_nothing(at_work, kind):
    request = at_work.request()
    known = {"seen": at_work.seen(request), "actor": at_work.reviewer, "client": at_work.client}
    if kind == "reject":
        decided = decide.reject(request.pk, **known, reason_code="bad_timing", words="After the summer.")
    elif kind == "defer":
        decided = decide.defer(request.pk, **known, until=timezone.now() + timedelta(days=2))
    else:
        decided = decide.hand_back(request.pk, **known, words="Shorter, please.")
    assert decided.dispatch is None
    assert decided.decision.kind == kind
    assert reload(request).status == {"reject": "rejected", "defer": "deferred", "redraft": "redraft"}[kind]
    assert AuditEntry.objects.filter(event="decision.made").count() == 1


def test_no_needs_its_reason_its_time_or_its_instruction(at_work):
    request = at_work.request()
    known = {"seen": at_work.seen(request), "actor": at_work.reviewer, "client": at_work.client}
    with pytest.raises(ContentRefused):
        decide.reject(request.pk, **known, reason_code="because")
    with pytest.raises(ContentRefused):
        decide.defer(request.pk, **known, until=timezone.now())
    with pytest.raises(ContentRefused):
        decide.hand_back(request.pk, **known, words="  ")


def test_a_deferred_request_comes_back_as_a_new_version_and_can_be_decided(at_work):
    request = at_work.request()
    until = timezone.now() + timedelta(hours=2)
    decide.defer(request.pk, seen=at_work.seen(request), actor=at_work.reviewer, client=at_work.client, until=until)
    assert requests.return_deferred(at=timezone.now()) == 0
    assert requests.return_deferred(at=until) == 1
    back = reload(request)
    assert (back.status, back.version) == ("waiting", 2)
    assert at_work.approve(back).decision.request_version == 2


def test_only_deciding_roles_of_this_client_decide(at_work):
    request = at_work.request()
    seen = at_work.seen(request)
    operator, stranger = make.user(at_work.client, "operator"), make.user(make.client())
    for person in (operator, stranger):
        with pytest.raises(NotAllowed):
            decide.approve(request.pk, seen=seen, actor=person, client=at_work.client)
    elsewhere = scene()
    with pytest.raises(RequestNotFound):
        decide.approve(request.pk, seen=seen, actor=elsewhere.reviewer, client=elsewhere.client)


def test_who_made_a_request_does_not_approve_it(at_work):
    request = at_work.request(created_by=at_work.reviewer)
    with pytest.raises(MakerCannotApprove):
        at_work.approve(request)
    assert at_work.approve(request, by=make.user(at_work.client)).dispatch


def test_a_second_decision_hears_who_was_first(at_work):
    request = at_work.request()
    seen = at_work.seen(request)
    at_work.approve(request)
    with pytest.raises(AlreadyDecided) as refusal:
        decide.reject(request.pk, seen=seen, actor=make.user(at_work.client), client=at_work.client,
                      reason_code="other")  # fmt: skip
    assert refusal.value.by == str(at_work.reviewer)


def test_an_expired_request_cannot_be_decided(at_work):
    request = at_work.request(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(RequestExpired):
        at_work.approve(request)
    assert requests.expire_due(at=timezone.now()) == 1
    assert reload(request).status == "expired"
    assert AuditEntry.objects.filter(event="request.expired").count() == 1
    with pytest.raises(RequestExpired):
        at_work.approve(request)


def test_a_request_about_to_expire_becomes_a_task_once(at_work):
    at_work.request(expires_at=timezone.now() + timedelta(hours=1))
    assert requests.sweep(at=timezone.now()) == 1
    assert requests.sweep(at=timezone.now()) == 0
    assert Task.objects.filter(kind="review").count() == 1


def changed_facts(at_work, request):
    found = make.signal(request.prospect, kind="funding_round")
    found.refresh_from_db()
    prospect = reload(request.prospect)
    prospect.facts_no = found.fact_no
    prospect.save(update_fields=["facts_no"])
    return "new signal: funding round"


def changed_stage(at_work, request):
    make.move(reload(request.prospect), at_work.version, "nurture")
    return "moved from qualified to nurture"


def changed_stops(at_work, request):
    Stop.objects.create(client=at_work.client, level="client", reason="Trade fair", created_by=at_work.reviewer)
    return "a stop was set: Trade fair"


def changed_version(at_work, request):
    newer = drafts.new_version(at_work.version.playbook, actor=None)
    lifecycle.publish(newer, actor=None, note="Otherwise.")
    return "version 2 of the playbook rules now"


def changed_request(at_work, request):
    ApprovalRequest.objects.filter(pk=request.pk).update(version=2)
    return "another decision was made"


@pytest.mark.parametrize(
    "change", [changed_facts, changed_stage, changed_stops, changed_version, changed_request], ids=lambda f: f.__name__
)
def test_a_decision_on_something_that_changed_is_refused_with_what_changed(at_work, change):
    request = at_work.request()
    seen = at_work.seen(request)
    words = change(at_work, request)
    with pytest.raises(StaleDecision) as refusal:
        decide.approve(request.pk, seen=seen, actor=at_work.reviewer, client=at_work.client)
    assert any(words in change for change in refusal.value.changes), refusal.value.changes
    assert Decision.objects.count() == 0


def test_what_was_seen_travels_through_a_form_and_nothing_else_does(at_work):
    seen = at_work.seen(at_work.request())
    assert decide.Seen.parse(seen.encode()) == seen
    for text in ("", "1|2", "x|a|1|s|l"):
        with pytest.raises(StaleDecision):
            decide.Seen.parse(text)


def test_two_approvers_are_two_people_and_the_same_words():
    at_work = scene(two_approvers=True)
    request, second = at_work.request(), make.user(at_work.client)
    first = at_work.approve(request)
    assert (first.dispatch, first.decision.kind, reload(request).status) == (None, "first_approve", "waiting")
    with pytest.raises(SecondApproverNeeded):
        at_work.approve(request)
    assert at_work.approve(request, by=second).dispatch


def test_an_edit_by_the_second_approver_needs_the_first_again():
    at_work = scene(two_approvers=True)
    request, second = at_work.request(), make.user(at_work.client)
    at_work.approve(request)
    edit = decide.approve_with_edits(
        request.pk,
        seen=at_work.seen(request),
        actor=second,
        client=at_work.client,
        subject="Your new hires",
        body=WORDS,
    )
    assert (edit.dispatch, edit.decision.kind) == (None, "first_approve")
    done = at_work.approve(request)
    assert done.dispatch.message == edit.decision.message
