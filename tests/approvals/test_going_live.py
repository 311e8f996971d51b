"""Out of the sandbox by an admin alone, past a checklist; and nobody is written to who was approved before that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from approvals.host.store import PORT
from approvals.models import ApprovalRequest, Dispatch, Task
from approvals.reading.checklist import NO_LIST, checklist
from approvals.services import decide, dispatch, gate, going_live, suppress
from approvals.services.refusals import CannotSend, ContentRefused, StaleDecision
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, Client, ModeSwitch, Role, User
from prospects.host import loading
from prospects.host.store import open_scope
from salesops.runtime.views import TouchView
from tests import factories as make
from tests.approvals.scene import Scene, reload, scene, soon
from tests.refusals import refuses

pytestmark = pytest.mark.django_db
UPDATE = "UPDATE playbooks_client SET sandbox = false WHERE id = %s"


@pytest.fixture
def at_work(in_public: Any) -> Scene:
    return scene()


@pytest.fixture
def admin(at_work: Scene) -> User:
    return make.user(at_work.client, Role.ADMIN)


def go_live(at_work: Scene, by: User, **changed: Any) -> ModeSwitch:
    given = {"reason": "The list is clean.", "typed_name": at_work.client.name, "acknowledged": [NO_LIST], **changed}
    switch = going_live.go_live(at_work.client, actor=by, **given)
    at_work.client.refresh_from_db()
    return switch


def back(at_work: Scene, by: User) -> ModeSwitch:
    switch = going_live.back_to_sandbox(at_work.client, actor=by)
    at_work.client.refresh_from_db()
    return switch


# --- The checklist ----------------------------------------------------------------------------------------------------


def test_a_client_that_has_everything_goes_live_on_record(at_work: Scene, admin: User) -> None:
    switch = go_live(at_work, admin)
    assert not reload(at_work.client).sandbox
    entry = AuditEntry.objects.get(event=AuditEvent.CLIENT_WENT_LIVE)
    assert (entry.actor, entry.subject_id, entry.detail["reason"]) == (admin, switch.pk, "The list is clean.")
    assert switch.checked["acknowledged"] == [NO_LIST]
    assert {key for key, passed in switch.checked.items() if not passed} == {NO_LIST, "practice"}
    assert audit.verify(at_work.client) is None
    with pytest.raises(going_live.AlreadyThere):
        go_live(at_work, admin)


def _client(**changed: Any) -> Callable[[Scene, Any], None]:
    return lambda at_work, _: Client.objects.filter(pk=at_work.client.pk).update(**changed) and None


def _setting(**changed: Any) -> Callable[[Scene, Any], None]:
    return lambda _, settings: [setattr(settings, name, value) for name, value in changed.items()] and None


def _sandbox_server(_: Scene, settings: Any) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT = settings.SANDBOX_SMTP_HOST, settings.SANDBOX_SMTP_PORT = ("127.0.0.1", 9)


def _retired(at_work: Scene, _: Any) -> None:
    make.on_record(at_work.version, "retire")


def _nobody_approves(at_work: Scene, _: Any) -> None:
    at_work.client.memberships.update(role=Role.OPERATOR)


@pytest.mark.parametrize(
    ("line", "spoil"),
    [
        ("public_url", _setting(PUBLIC_URL="http://127.0.0.1:8000")),
        ("public_url", _setting(PUBLIC_URL="http://sales.example")),
        ("mail_server", _setting(EMAIL_BACKEND="django.core.mail.backends.console.EmailBackend")),
        ("mail_server", _sandbox_server),
        ("debug", _setting(DEBUG=True)),
        ("sender", _client(sender_email="")),
        ("sender", _client(sender_name="  ")),
        ("postal_address", _client(postal_address="")),
        ("playbook", _retired),
        ("reviewers", _nobody_approves),
    ],
)
def test_a_line_that_does_not_hold_keeps_the_client_in(
    at_work: Scene, settings: Any, line: str, spoil: Callable[[Scene, Any], None]
) -> None:
    spoil(at_work, settings)
    root = make.user(is_superuser=True)
    with pytest.raises(going_live.NotReady) as refusal:
        go_live(at_work, root)
    (missing, *others) = refusal.value.missing
    assert missing.key == line
    assert missing.saw
    assert missing.todo
    assert {other.key for other in others} <= {"limits"}
    assert reload(at_work.client).sandbox
    assert not ModeSwitch.objects.exists()


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("reviewers", {"two_approvers": True}),
        ("privacy_notice", {"countries": ["FR"]}),
    ],
)
def test_what_the_playbook_says_decides_what_is_asked(in_public: Any, line: str, version: dict[str, Any]) -> None:
    strict = scene(**version)
    assert [found.key for found in checklist(strict.client).missing([NO_LIST])] == [line]


def test_a_playbook_without_an_open_channel_reaches_nobody(in_public: Any) -> None:
    silent = make.version(active=False)
    silent.channel_policies.update(enabled=False)
    make.activate(silent)
    make.user(silent.playbook.client)
    assert [found.key for found in checklist(silent.playbook.client).missing([NO_LIST])] == ["limits"]


def test_a_suppression_list_is_there_or_somebody_says_that_nobody_is_on_it(at_work: Scene, admin: User) -> None:
    with pytest.raises(going_live.NotReady):
        go_live(at_work, admin, acknowledged=[])
    suppress.add([("domain", "left.example")], client=at_work.client, actor=admin, reason="asked", source="phone")
    go_live(at_work, admin, acknowledged=[])
    assert not reload(at_work.client).sandbox


@pytest.mark.parametrize("given", [{"typed_name": "Another"}, {"reason": "  "}])
def test_going_live_is_confirmed_by_name_and_with_a_reason(at_work: Scene, admin: User, given: dict[str, str]) -> None:
    with pytest.raises(going_live.NotConfirmed):
        go_live(at_work, admin, **given)
    assert reload(at_work.client).sandbox


# --- What was approved before -----------------------------------------------------------------------------------------


def test_what_was_approved_in_the_sandbox_is_asked_again_and_reaches_nobody_before(
    at_work: Scene, admin: User, in_public: Any
) -> None:
    request = at_work.real()
    seen = at_work.seen(request)
    sent = at_work.approve(request).dispatch
    assert go_live(at_work, admin).asked_again == 1
    dispatch.sweep(at=soon())
    assert (reload(sent).status, reload(sent).mode, in_public.received) == ("cancelled", "sandbox", [])
    assert (reload(request).status, reload(request).version) == ("waiting", request.version + 1)
    with pytest.raises(StaleDecision, match="live now"):
        decide.approve(request.pk, seen=seen, actor=at_work.reviewer, client=at_work.client)
    again = at_work.approve(reload(request)).dispatch
    dispatch.sweep(at=soon())
    assert (reload(again).status, reload(again).mode) == ("accepted", "live")
    assert len(in_public.received) == 1


def test_back_in_the_sandbox_nothing_more_reaches_anybody(at_work: Scene, admin: User, in_public: Any) -> None:
    go_live(at_work, admin)
    sent = at_work.approve(at_work.real()).dispatch
    switch = back(at_work, make.user(at_work.client, Role.OPERATOR))
    dispatch.sweep(at=soon())
    assert (switch.mode, switch.asked_again, in_public.received) == ("sandbox", 1, [])
    assert (reload(sent).status, reload(sent).request.status) == ("cancelled", "waiting")
    assert AuditEntry.objects.filter(event=AuditEvent.CLIENT_TOOK_IN).count() == 1
    assert audit.verify(at_work.client) is None
    with pytest.raises(going_live.AlreadyThere):
        back(at_work, admin)


def test_a_call_that_nobody_has_made_yet_is_called_off(at_work: Scene, admin: User) -> None:
    sent = at_work.approved()
    task = Task.objects.create(
        client=at_work.client, kind="call", prospect=sent.prospect, dispatch=sent, title="Call Dana"
    )
    look = Task.objects.create(client=at_work.client, kind="review", prospect=sent.prospect, title="Look")
    go_live(at_work, admin)
    assert (reload(task).status, reload(task).resolution) == ("done", "called_off")
    assert reload(look).status == "open"


def test_a_first_approval_in_the_sandbox_is_none_once_the_client_is_live(in_public: Any) -> None:
    careful = scene(two_approvers=True)
    second = make.user(careful.client)
    request = careful.real()
    careful.approve(request)
    go_live(careful, make.user(careful.client, Role.ADMIN))
    assert careful.approve(reload(request), by=second).dispatch is None
    assert careful.approve(reload(request)).dispatch is not None


def test_what_slips_through_a_switch_is_cancelled_at_the_last_look(at_work: Scene, in_public: Any) -> None:
    sent = at_work.approve(at_work.real()).dispatch
    make.go_live(at_work.client)  # as a commit that came between the two
    dispatch.sweep(at=soon())
    assert reload(sent).reason == "approved while this client was in the sandbox, and it is live now"
    assert (reload(sent).status, in_public.received) == ("cancelled", [])


def touches_of(request: ApprovalRequest) -> list[TouchView]:
    """What agents are told that its prospect heard."""
    version = request.playbook_version
    scope = open_scope(version.playbook.client, version.playbook, now=timezone.now(), version=version)
    contexts = loading.new_contexts([request.prospect_id], version.pk)
    PORT.load(scope, contexts)
    return contexts[request.prospect_id].touches


def test_practice_counts_as_a_touch_in_the_sandbox_alone(at_work: Scene, settings: Any, in_public: Any) -> None:
    settings.SANDBOX_SMTP_PORT = in_public.port
    request = at_work.real()
    practised = at_work.approve(request).dispatch
    dispatch.sweep(at=soon())
    assert reload(practised).status == "accepted"

    def again() -> Dispatch:
        words = at_work.words(request.contact)
        message = make.message(request.prospect, at_work.version, **words, rule_version=request.message.rule_version)
        sent = at_work.approve(make.request(words=message)).dispatch
        dispatch.sweep(at=soon())
        return reload(sent)

    def moved() -> list[str]:
        return [line.saw for line in checklist(at_work.client).lines if line.key == "moved_in_practice"]

    assert gate.person_of(request.contact, client=at_work.client).touches == 1
    assert moved() == ["1 prospect was written to in the sandbox alone; the funnel goes on counting it as contacted"]
    assert again().status == "postponed", "one a day"
    make.go_live(at_work.client)
    Dispatch.objects.filter(status="postponed").update(status="cancelled")
    assert gate.person_of(request.contact, client=at_work.client).touches == 0
    assert touches_of(request) == []
    assert (again().status, len(in_public.received)) == ("accepted", 2)
    assert len(touches_of(request)) == 1
    assert moved() == [], "somebody heard from us after all"


# --- Live mail -------------------------------------------------------------------------------------------------------


def test_words_with_a_dead_link_are_approved_for_nobody(at_work: Scene, settings: Any) -> None:
    public, settings.PUBLIC_URL = settings.PUBLIC_URL, "http://127.0.0.1:8000"
    request = at_work.real()
    settings.PUBLIC_URL = public
    assert not next(line for line in checklist(at_work.client).lines if line.key == "old_links").passed
    make.go_live(at_work.client)
    with pytest.raises(ContentRefused, match=r"127\.0\.0\.1 leads nowhere"):
        at_work.approve(request)


@pytest.mark.parametrize(
    ("public", "status", "reason"),
    [
        ("https://sales.example", "cancelled", "the unsubscribe link in the words is dead"),
        ("http://127.0.0.1:8000", "postponed", "nobody outside can open PUBLIC_URL"),
    ],
)
def test_nothing_leaves_whose_reader_could_not_unsubscribe(
    at_work: Scene, settings: Any, in_public: Any, public: str, status: str, reason: str
) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    request = at_work.real()
    settings.PUBLIC_URL = public
    make.go_live(at_work.client)
    sent = make.dispatch(make.decision(request, at_work.reviewer))
    dispatch.sweep(at=soon())
    assert reload(sent).status == status
    assert reload(sent).reason.startswith(reason)
    assert in_public.received == []


def test_nobody_who_was_made_up_is_written_to(at_work: Scene, in_public: Any) -> None:
    request, other = at_work.request(), at_work.request()
    make.go_live(at_work.client)
    with pytest.raises(CannotSend, match="made up"):
        at_work.approve(request)
    sent = make.dispatch(make.decision(other, at_work.reviewer))
    dispatch.sweep(at=soon())
    assert (reload(sent).reason, in_public.received) == ("this person is made up for the demo", [])


# --- What PostgreSQL refuses ------------------------------------------------------------------------------------------


def test_sql_alone_lets_no_client_go_live(at_work: Scene, admin: User) -> None:
    client = at_work.client
    because = "goes live by an admin alone, and on record"
    refuses(UPDATE, [client.pk], because=because)
    refuses(
        "INSERT INTO playbooks_client (slug, name, sandbox, sender_name, sender_email, postal_address, privacy_url,"
        " time_zone, created_at) VALUES ('x', 'X', false, '', '', '', '', 'UTC', now())",
        because=because,
    )
    ModeSwitch.objects.create(client=client, mode="live", by=admin, reason="No entry follows.")
    refuses(UPDATE, [client.pk], because=because)
    with transaction.atomic():
        switch = ModeSwitch.objects.create(client=client, mode="sandbox", by=admin)
        audit.record(client=client, event=AuditEvent.CLIENT_WENT_LIVE, subject=switch, actor=admin)
    refuses(UPDATE, [client.pk], because=because)
    for sql in ("UPDATE playbooks_modeswitch SET reason = 'x'", "DELETE FROM playbooks_modeswitch"):
        refuses(sql, because="append-only")


@pytest.mark.django_db(transaction=True)
def test_yesterdays_switch_opens_nothing_today() -> None:
    client = make.go_live(make.client())
    client.sandbox = True
    client.save(update_fields=["sandbox"])
    refuses(UPDATE, [client.pk], because="goes live by an admin alone, and on record")


@pytest.mark.parametrize("who", ["reviewer", "a stranger", "left"])
def test_sql_makes_no_switch_by_somebody_who_may_not(at_work: Scene, who: str) -> None:
    people = {
        "reviewer": at_work.reviewer,
        "a stranger": make.user(make.client(), Role.ADMIN),
        "left": make.user(at_work.client, Role.ADMIN, is_active=False),
    }
    refuses(
        "INSERT INTO playbooks_modeswitch (client_id, mode, by_id, reason, checked, asked_again, at, transaction,"
        " trace_id) VALUES (%s, 'live', %s, 'Why not', '{}', 0, now(), 0, 'x')",
        [at_work.client.pk, people[who].pk],
        because="may not do that here",
    )


def test_a_sending_goes_where_it_was_approved_to_go(at_work: Scene) -> None:
    sent = at_work.approve(at_work.real()).dispatch
    refuses("UPDATE approvals_dispatch SET mode = 'live' WHERE id = %s", [sent.pk], because="keeps what was approved")
    Dispatch.objects.filter(pk=sent.pk).update(status="queued")
    make.go_live(at_work.client)
    refuses(
        "UPDATE approvals_dispatch SET status = 'sending', attempts = attempts + 1, token = gen_random_uuid()"
        " WHERE id = %s",
        [sent.pk],
        because="goes out as it was approved, or not at all",
    )
    decision = make.decision(at_work.real(), at_work.reviewer)
    ApprovalRequest.objects.filter(pk=decision.request_id).update(status="approved")
    words = decision.message
    refuses(
        "INSERT INTO approvals_dispatch (client_id, decision_id, request_id, prospect_id, contact_id, channel,"
        " message_id, content_hash, recipient, idempotency_key, status, not_before, expires_at, mode, attempts,"
        " budget_reserved, reason, created_at, trace_id) VALUES (%s, %s, %s, %s, %s, 'email', %s, %s, %s, 'k',"
        " 'undo_hold', %s, now() + interval '1 hour', 'sandbox', 0, false, '', now(), 'x')",
        [
            at_work.client.pk, decision.pk, decision.request_id, words.prospect_id, words.contact_id, words.pk,
            words.content_hash, words.recipient, timezone.now(),
        ],
        because="goes where its client is when it is approved",
    )  # fmt: skip
