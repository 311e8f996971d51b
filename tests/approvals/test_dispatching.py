"""From approval to hand-off: once, exactly, and only while nothing speaks against it."""

import uuid
from datetime import timedelta
from decimal import Decimal

import environ
import pytest
from django.utils import timezone

from approvals.models import ApprovalRequest, DeliveryEvent, Dispatch, Task
from approvals.services import decide, dispatch, suppress, task, undo
from approvals.services.refusals import AlreadyGoingOut
from playbooks import audit
from playbooks.models import AuditEntry, BudgetPeriod, ChannelPolicy, Stop
from playbooks.services import drafts
from prospects.models import Signal, StageTransition
from tests import factories as make
from tests.approvals.scene import WORDS, reload, scene, soon

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_work():
    return scene()


def words(mail):
    return mail.get_content().replace("\r\n", "\n")


def used(at_work, bucket):
    row = BudgetPeriod.objects.filter(playbook=at_work.version.playbook, bucket=bucket).first()
    return row.used if row else 0


def test_an_approved_message_goes_out_once_exactly_as_approved(at_work, office):
    sent = at_work.approved()
    for _ in range(3):
        dispatch.sweep(at=soon())
    [mail] = office.mail
    assert words(mail) == sent.message.body
    assert (mail["To"], mail["Subject"], mail["From"]) == (sent.recipient, sent.message.subject, sent.message.sender)
    assert mail["Message-ID"] == sent.idempotency_key
    assert suppress.unsubscribe_url(at_work.client.pk, sent.contact_id) in mail["List-Unsubscribe"]
    after = reload(sent)
    assert (after.status, after.mode, after.attempts) == ("accepted", "sandbox", 1)


def test_a_move_to_another_address_of_ours_does_not_void_what_was_approved(at_work, office, settings):
    at_work.approved()
    settings.PUBLIC_URL = "https://new.example"
    dispatch.sweep(at=soon())
    [mail] = office.mail
    assert mail["List-Unsubscribe"].strip("<>") in words(mail)


def test_what_went_out_becomes_an_event_a_signal_a_stage_and_an_audit_entry(at_work, office):
    sent = at_work.approved()
    dispatch.sweep(at=soon())
    prospect = reload(sent.prospect)
    signal = Signal.objects.get(prospect=prospect, kind="outreach_sent")
    assert prospect.stage == "contacted"
    assert prospect.facts_no >= signal.fact_no
    assert StageTransition.objects.get(prospect=prospect, to_stage="contacted").agent == "email_execution"
    assert DeliveryEvent.objects.get(dispatch=sent).kind == "accepted"
    assert AuditEntry.objects.filter(event="dispatch.accepted", subject_id=sent.pk).exists()
    assert {signal.trace_id, DeliveryEvent.objects.get().trace_id} == {sent.trace_id}
    assert audit.verify(at_work.client) is None
    assert (used(at_work, "emails"), used(at_work, "money")) == (1, Decimal("0.01"))


def test_nothing_leaves_inside_the_undo_window(office):
    at_work = scene(undo_seconds=60)
    held = at_work.approved()
    dispatch.sweep(at=timezone.now() + timedelta(seconds=120))
    assert reload(held).status == "undo_hold"
    assert office.received == []


def test_undone_it_never_leaves_and_can_be_decided_again(office):
    at_work = scene(undo_seconds=60)
    request = at_work.request()
    first = at_work.approve(request)
    back = undo.undo(first.decision.pk, actor=at_work.reviewer, client=at_work.client)
    assert (back.status, back.version, reload(first.dispatch).status) == ("waiting", 2, "cancelled")
    with pytest.raises(AlreadyGoingOut):
        undo.undo(first.decision.pk, actor=at_work.reviewer, client=at_work.client)
    second = at_work.approve(request)
    assert second.dispatch.pk != first.dispatch.pk
    assert AuditEntry.objects.filter(event="decision.undone").count() == 1
    assert Dispatch.objects.exclude(status="cancelled").count() == 1


def test_after_the_window_it_is_too_late_to_undo(at_work, office):
    sent = at_work.approved()
    with pytest.raises(AlreadyGoingOut):
        undo.undo(sent.decision_id, actor=at_work.reviewer, client=at_work.client)


def stop_pause(at_work, sent):
    Stop.objects.create(client=at_work.client, level="prospect", target_id=sent.prospect_id, reason="Wait",
                        created_by=at_work.reviewer)  # fmt: skip


def stop_everything(at_work, sent):
    Stop.objects.create(level="everything", reason="Wait", created_by=at_work.reviewer)


def no_budget(at_work, sent):
    BudgetPeriod.objects.create(playbook=at_work.version.playbook, bucket="emails", limit=200, used=200,
                                period_start=timezone.now().date())  # fmt: skip


def touched_today(at_work, sent):
    touched(at_work, sent, hours=2)


@pytest.mark.parametrize("obstacle", [stop_pause, stop_everything, no_budget, touched_today], ids=lambda f: f.__name__)
def test_what_passes_in_time_postpones(at_work, office, obstacle):
    sent = at_work.approved()
    obstacle(at_work, sent)
    dispatch.sweep(at=soon())
    after = reload(sent)
    assert (after.status, office.received) == ("postponed", [])
    assert after.reason
    assert after.not_before > timezone.now()
    assert AuditEntry.objects.filter(event="dispatch.postponed", subject_id=sent.pk).count() == 1


def test_a_pause_lifted_lets_it_go(at_work, office):
    sent = at_work.approved()
    stop_pause(at_work, sent)
    dispatch.sweep(at=soon())
    Stop.objects.update(lifted_at=timezone.now(), lifted_by=at_work.reviewer, lift_reason="Seen to")
    Dispatch.objects.filter(pk=sent.pk).update(not_before=timezone.now())
    dispatch.sweep(at=soon())
    assert (reload(sent).status, len(office.received)) == ("accepted", 1)


def touched(at_work, sent, *, hours):
    """An earlier accepted dispatch to the same person."""
    message = make.message(sent.prospect, at_work.version, **at_work.words(sent.contact, WORDS + "More soon."))
    # The channel allows one open request; the earlier one is long approved.
    request = make.request(words=message)
    earlier = make.dispatch(make.decision(request, at_work.reviewer))
    at = timezone.now() - timedelta(hours=hours)
    for step in ({"status": "queued"}, {"status": "sending", "token": uuid.uuid4(), "attempts": 1, "claimed_at": at},
                 {"status": "accepted", "finished_at": at}):  # fmt: skip
        Dispatch.objects.filter(pk=earlier.pk).update(**step)


def suppressed_person(at_work, sent):
    suppress.suppress_contact(sent.contact, client=at_work.client, actor=None, reason="asked", source="test")


def suppressed_domain(at_work, sent):
    domain = sent.contact.email.partition("@")[2]
    suppress.add([("domain", domain)], client=at_work.client, actor=None, reason="complaint", source="test")


def replied(at_work, sent):
    make.signal(sent.prospect, kind="reply")


def lost(at_work, sent):
    make.move(reload(sent.prospect), at_work.version, "disqualified")


def cancelled_by_stop(at_work, sent):
    Stop.objects.create(
        client=at_work.client, level="client", kind="cancel", reason="Over", created_by=at_work.reviewer
    )


def moved_away(at_work, sent):
    sent.contact.country = "DE"
    sent.contact.save()


def expired(at_work, sent):
    Dispatch.objects.filter(pk=sent.pk).update(expires_at=timezone.now())


@pytest.mark.parametrize(
    "obstacle",
    [suppressed_person, suppressed_domain, replied, lost, cancelled_by_stop, moved_away, expired],
    ids=lambda f: f.__name__,
)
def test_what_speaks_against_it_for_good_cancels_with_the_reason(at_work, office, obstacle):
    sent = at_work.approved()
    obstacle(at_work, sent)
    dispatch.sweep(at=soon())
    after = reload(sent)
    assert (after.status, office.received) == ("cancelled", [])
    assert after.reason
    assert AuditEntry.objects.filter(event="dispatch.cancelled", subject_id=sent.pk).count() == 1
    assert used(at_work, "emails") == 0


def test_a_channel_switched_off_since_sends_nothing(office):
    at_work = scene()
    sent = at_work.approved()
    newer = drafts.new_version(at_work.version.playbook, actor=None)
    ChannelPolicy.objects.filter(version=newer).update(enabled=False)
    make.on_record(at_work.version, "retire")
    make.activate(newer)
    dispatch.sweep(at=soon())
    assert (reload(sent).status, office.received) == ("cancelled", [])


def test_a_daily_limit_is_never_overspent(office):
    at_work = scene(emails_per_day=2)
    for _ in range(4):
        at_work.approved()
    dispatch.sweep(at=soon())
    assert len(office.received) == 2
    assert Dispatch.objects.filter(status="postponed", reason__contains="limit").count() == 2
    assert used(at_work, "emails") == 2


def test_nobody_at_home_is_tried_again_later_and_not_lost(at_work, office, nowhere, settings):
    port, settings.SANDBOX_SMTP_PORT = settings.SANDBOX_SMTP_PORT, nowhere
    sent = at_work.approved()
    dispatch.sweep(at=soon())
    waiting = reload(sent)
    assert (waiting.status, waiting.attempts, used(at_work, "emails")) == ("queued", 1, 0)
    assert waiting.not_before > timezone.now() + timedelta(seconds=10)
    settings.SANDBOX_SMTP_PORT = port
    dispatch.sweep(at=soon())
    assert office.received == []
    Dispatch.objects.filter(pk=sent.pk).update(not_before=timezone.now())
    dispatch.sweep(at=soon())
    assert (reload(sent).status, reload(sent).attempts, len(office.received)) == ("accepted", 2, 1)


def test_trying_ends_and_a_person_hears_of_it(at_work, nowhere, settings):
    settings.SANDBOX_SMTP_PORT = nowhere
    sent = at_work.approved()
    for _ in range(7):
        Dispatch.objects.filter(pk=sent.pk).update(not_before=timezone.now())
        dispatch.sweep(at=soon())
    assert reload(sent).status == "refused"
    assert Task.objects.get(dispatch=sent).kind == "refused_dispatch"


def test_a_refusal_is_final_gives_the_budget_back_and_makes_a_task(at_work, office):
    office.answers = ["554 no"]
    sent = at_work.approved()
    for _ in range(2):
        dispatch.sweep(at=soon())
    assert (reload(sent).status, used(at_work, "emails"), used(at_work, "money")) == ("refused", 0, 0)
    assert Task.objects.get(dispatch=sent).kind == "refused_dispatch"
    assert reload(sent.prospect).stage == "qualified"


def test_a_call_becomes_a_task_for_a_person_and_contact_when_it_was_made():
    at_work = scene(active=False)
    ChannelPolicy.objects.create(version=at_work.version, channel="call", daily_cap=10)
    make.activate(at_work.version)
    noon = {"country": "US", "time_zone": "UTC", "phone": "+15555550100"}
    prospect = make.qualified(at_work.version, contact=make.contact(at_work.client, None, **noon))
    message = make.message(
        prospect, at_work.version, channel="call", body="Ask about hiring.", recipient="+15555550100"
    )
    sent = at_work.approve(make.request(words=message)).dispatch
    at = timezone.now().replace(hour=12) + timedelta(days=1)
    dispatch.queue_due(limit=5)
    dispatch.act(dispatch.claim_next(at=at))
    found = Task.objects.get(dispatch=sent)
    assert (found.kind, reload(sent).status, reload(sent.prospect).stage) == ("call", "accepted", "qualified")
    task.close(found.pk, actor=at_work.reviewer, client=at_work.client, resolution="done", words="Interested.")
    assert reload(sent.prospect).stage == "contacted"


def test_a_call_outside_its_hours_waits_for_them():
    at_work = scene(active=False)
    ChannelPolicy.objects.create(version=at_work.version, channel="call", daily_cap=10)
    make.activate(at_work.version)
    night = {"country": "US", "time_zone": "UTC", "phone": "+15555550100"}
    prospect = make.qualified(at_work.version, contact=make.contact(at_work.client, None, **night))
    message = make.message(
        prospect, at_work.version, channel="call", body="Ask about hiring.", recipient="+15555550100"
    )
    sent = at_work.approve(make.request(words=message)).dispatch
    dispatch.queue_due(limit=5)
    three = (timezone.now() + timedelta(days=1)).replace(hour=3, minute=0)
    held = dispatch.claim_next(at=three)
    assert isinstance(held, dispatch.HeldBack)
    assert (reload(sent).status, reload(sent).not_before) == (
        "postponed",
        three.replace(hour=8, second=0, microsecond=0),
    )


def test_the_lifted_words_of_an_edit_are_what_goes_out(at_work, office):
    request = at_work.request()
    decide.approve_with_edits(
        request.pk, seen=at_work.seen(request), actor=at_work.reviewer, client=at_work.client,
        subject="Your first sales hires", body=WORDS.replace("short list", "shorter list"),
    )  # fmt: skip
    dispatch.sweep(at=soon())
    [mail] = office.mail
    assert mail["Subject"] == "Your first sales hires"
    assert "shorter list" in words(mail)


def test_a_dispatch_whose_check_breaks_does_not_block_the_outbox(at_work, office):
    broken = at_work.request()
    nameless = make.message(broken.prospect, at_work.version, sender="nobody at all")
    ApprovalRequest.objects.filter(pk=broken.pk).update(status="cancelled")
    bad = make.dispatch(make.decision(make.request(words=nameless), at_work.reviewer))
    ApprovalRequest.objects.filter(pk=bad.request_id).update(status="approved")
    good = at_work.approved()
    dispatch.sweep(at=soon())
    assert (reload(good).status, len(office.received)) == ("accepted", 1)
    assert reload(bad).status == "postponed"
    assert bad.trace_id in reload(bad).reason


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("smtp+tls://u:p@mail.example:587", ("mail.example", 587, "u", "p", "starttls")),
        ("smtp+ssl://u:p@mail.example:465", ("mail.example", 465, "u", "p", "ssl")),
        ("smtp://mail.example", ("mail.example", 25, "", "", "")),
    ],
)
def test_live_mail_goes_to_the_server_that_the_environment_names(settings, setting, expected):
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    for name, value in environ.Env.email_url_config(setting).items():
        setattr(settings, name, value)
    server = dispatch.server_for("live")
    assert (server.host, server.port, server.username or "", server.password or "", server.tls) == expected


def test_a_live_client_without_a_mail_server_waits(at_work, in_public, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    make.go_live(at_work.client)
    sent = at_work.approve(at_work.real()).dispatch
    dispatch.sweep(at=soon())
    assert (reload(sent).status, reload(sent).reason) == ("postponed", "no mail server is set for live sending")


def test_a_live_mailbox_warms_up(at_work, in_public):
    make.go_live(at_work.client)
    for _ in range(7):
        at_work.approve(at_work.real())
    dispatch.sweep(at=soon())
    assert (len(in_public.received), Dispatch.objects.filter(mode="live", status="accepted").count()) == (5, 5)
    assert Dispatch.objects.filter(status="postponed", reason__contains="warming up").count() == 2
