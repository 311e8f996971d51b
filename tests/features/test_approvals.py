"""Steps of the executable invariants about outreach."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from approvals.models import Dispatch, Task
from approvals.services import decide, dispatch, suppress, undo
from approvals.services.decide import Decided, Seen
from approvals.services.refusals import CannotSend, StaleDecision
from playbooks import audit
from playbooks.models import Stop
from salesops.errors import Refusal
from tests import factories as make
from tests.approvals.post_office import PostOffice, bad_line, post_office
from tests.approvals.scene import WORDS, Scene, reload, scene, soon
from tests.approvals.test_ways_out import approved, asked

pytestmark = pytest.mark.django_db  # steps ask for the database too late for pytest-django to set it up by itself
scenarios("approvals.feature")


@dataclass
class Story:
    """What has happened so far in one scenario."""

    at_work: Scene
    office: PostOffice
    request: Any = None
    seen: Seen | None = None
    decided: Decided | None = None
    refusal: Refusal | None = None
    silent: list[Any] = field(default_factory=list)


@pytest.fixture
def story(db: None, settings: Any) -> Iterator[Story]:
    with post_office() as office:
        settings.SANDBOX_SMTP_PORT = office.port
        yield Story(scene(undo_seconds=60), office)


@given("a client with a reviewer")
def a_client(story: Story) -> None:
    assert story.at_work.reviewer.memberships.exists()


@given("a waiting request")
def a_request(story: Story) -> None:
    story.request = story.at_work.request()


@given("the reviewer is looking at the request")
def looking(story: Story) -> None:
    story.seen = story.at_work.seen(story.request)


@given("the request is a text message, which the law would let pass")
def a_text_message(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.request = asked(story.at_work, "sms")
    monkeypatch.setattr(decide, "_check_words", lambda case, message: None)


@given("it was approved all the same")
def approved_all_the_same(story: Story) -> None:
    approved(story.at_work, story.request)
    make.end_undo_windows()


@pytest.fixture
def silent_server(settings: Any, story: Story) -> Iterator[None]:
    with bad_line("end") as line:
        settings.SANDBOX_SMTP_PORT = line.port
        story.silent.append(line)
        yield


@given("a mail server that falls silent after taking a message")
def falls_silent(silent_server: None) -> None:
    """The fixture holds it open until the scenario ends."""


@when("the reviewer approves")
def approves(story: Story) -> None:
    story.decided = story.at_work.approve(story.request)


@when("the reviewer approves what they saw")
def approves_as_seen(story: Story) -> None:
    assert story.seen is not None
    try:
        decide.approve(story.request.pk, seen=story.seen, actor=story.at_work.reviewer, client=story.at_work.client)
    except StaleDecision as refusal:
        story.refusal = refusal


@when("the reviewer tries to approve it")
def tries_to_approve(story: Story) -> None:
    with pytest.raises(CannotSend) as refusal:
        story.at_work.approve(story.request)
    story.refusal = refusal.value


@when(parsers.parse('the reviewer approves with the subject "{subject}"'))
def approves_edited(story: Story, subject: str) -> None:
    story.decided = decide.approve_with_edits(
        story.request.pk, seen=story.at_work.seen(story.request), actor=story.at_work.reviewer,
        client=story.at_work.client, subject=subject, body=WORDS,
    )  # fmt: skip


@when(parsers.parse('the reviewer rejects it because "{reason}"'))
def rejects(story: Story, reason: str) -> None:
    decide.reject(
        story.request.pk, seen=story.at_work.seen(story.request), actor=story.at_work.reviewer,
        client=story.at_work.client, reason_code=reason,
    )  # fmt: skip


@when("the reviewer undoes it")
def undoes(story: Story) -> None:
    assert story.decided is not None
    undo.undo(story.decided.decision.pk, actor=story.at_work.reviewer, client=story.at_work.client)


@when("the undo window ends")
def window_ends() -> None:
    # PostgreSQL's own clock guards the window, so the window is moved rather than the clock.
    make.end_undo_windows()


@when("the outbox is worked")
def outbox_worked() -> None:
    dispatch.sweep(at=soon())


@when("something new becomes known about the prospect")
def something_new(story: Story) -> None:
    signal = make.signal(story.request.prospect, kind="funding_round")
    signal.refresh_from_db()
    type(story.request.prospect).objects.filter(pk=story.request.prospect_id).update(facts_no=signal.fact_no)


@when("the person unsubscribes")
def unsubscribes(story: Story) -> None:
    suppress.unsubscribe(story.request.contact)


@when("somebody stops the client")
def stops(story: Story) -> None:
    client, by = story.at_work.client, story.at_work.reviewer
    Stop.objects.create(client=client, level="client", reason="Trade fair", created_by=by)


@then("nothing has gone out")
def nothing_out(story: Story) -> None:
    assert story.office.received == []


@then("exactly one message has gone out")
def one_out(story: Story) -> None:
    assert len(story.office.received) == 1


@then("it says word for word what was approved")
def word_for_word(story: Story) -> None:
    assert story.decided is not None
    approved = story.decided.decision.message
    [mail] = story.office.mail
    assert mail.get_content().replace("\r\n", "\n") == approved.body
    assert (mail["Subject"], mail["To"], mail["From"]) == (approved.subject, approved.recipient, approved.sender)


@then(parsers.parse('its subject is "{subject}"'))
def subject_is(story: Story, subject: str) -> None:
    assert story.office.mail[0]["Subject"] == subject


@then("the words before the edit are still on record")
def words_kept(story: Story) -> None:
    assert story.decided is not None
    assert story.decided.decision.message.parent == story.request.message
    assert story.decided.decision.diff


@then(parsers.parse('the prospect is "{stage}"'))
def prospect_is(story: Story, stage: str) -> None:
    assert reload(story.request.prospect).stage == stage


@then("the audit log is intact")
def audit_intact(story: Story) -> None:
    assert audit.verify(story.at_work.client) is None


@then("the request waits again")
def waits_again(story: Story) -> None:
    assert (reload(story.request).status, reload(story.request).version) == ("waiting", 2)


@then(parsers.parse('the request is "{status}"'))
def request_is(story: Story, status: str) -> None:
    assert reload(story.request).status == status


@then(parsers.parse('the dispatch is "{status}"'))
def dispatch_is(story: Story, status: str) -> None:
    assert Dispatch.objects.get(request=story.request).status == status


@then(parsers.parse('the dispatch says "{words}"'))
def dispatch_says(story: Story, words: str) -> None:
    assert words in Dispatch.objects.get(request=story.request).reason


@then(parsers.parse('the decision is refused, saying "{words}"'))
def refused_saying(story: Story, words: str) -> None:
    assert story.refusal is not None
    assert words in story.refusal.message
    assert reload(story.request).status == "waiting"


@then("a task asks whether it went out")
def task_asks(story: Story) -> None:
    assert Task.objects.get(dispatch__request=story.request).kind == "unknown_dispatch"


@then("the mail server was given the message once")
def given_once(story: Story) -> None:
    assert len(story.silent[0].bodies) == 1
