"""What the list says should happen next follows what people decide; the agents need not come by first.

Nor can a crash keep it from following: what was not said is found again.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from approvals.models import ApprovalRequest, NextStepChange
from approvals.services import decide, dispatch, going_live, next_steps, recover, suppress, undo
from approvals.services import request as requests
from playbooks.models import Role
from playbooks.services import stops
from prospects.models import Prospect
from prospects.rules.next_step import next_action, next_step
from prospects.services.merging import merges
from prospects.services.next_steps import rebuild
from tests import factories as make
from tests.approvals.post_office import PostOffice
from tests.approvals.scene import Scene, scene, soon
from tests.prospects.pairs import pair

pytestmark = pytest.mark.django_db(transaction=True)

CALLED_OFF = "The request was called off: agents ask again once something new is known."
LEFT_ALONE = "They want to be left alone: find somebody else to write to, or end it."
NOT_SENT = "What was approved did not leave: the outbox says why."
NO_TEMPLATE = "No template can be filled: add one to the playbook, or give drafting to a person there."


@pytest.fixture
def at_work() -> Scene:
    return scene(undo_seconds=60)


def asked(at_work: Scene) -> ApprovalRequest:
    """A waiting request about somebody that agents found qualified."""
    request = at_work.request()
    Prospect.objects.filter(pk=request.prospect_id).update(
        verdict="qualified", next_action=next_step(["waiting"], has_person=True)
    )
    return request


def said_of(request: ApprovalRequest) -> str:
    return Prospect.objects.get(pk=request.prospect_id).next_action


def test_each_decision_says_what_comes_next(at_work: Scene) -> None:
    def by(request: ApprovalRequest) -> dict[str, Any]:
        return {"seen": at_work.seen(request), "actor": at_work.reviewer, "client": at_work.client}

    approved, rejected, deferred = (asked(at_work) for _ in range(3))
    assert said_of(approved) == "Decide the waiting request."
    decision = decide.approve(approved.pk, **by(approved)).decision
    assert said_of(approved) == "Wait until the message leaves."
    undo.undo(decision.pk, actor=at_work.reviewer, client=at_work.client)
    assert said_of(approved) == "Decide the waiting request."
    decide.reject(rejected.pk, **by(rejected), reason_code="other")
    assert said_of(rejected) == "A person rejected the message: set it aside or end it."
    until = timezone.now() + timedelta(hours=1)
    decide.defer(deferred.pk, **by(deferred), until=until)
    assert said_of(deferred) == "Wait until the deferred request comes back."
    requests.sweep(at=until)
    assert said_of(deferred) == "Decide the waiting request."
    requests.sweep(at=until + timedelta(days=9))
    assert said_of(deferred) == "Nobody decided in time: agents ask again once something new is known."


def test_what_is_called_off_is_not_waited_for(at_work: Scene) -> None:
    stopped, withdrawn, other = (asked(at_work) for _ in range(3))
    aim = {"level": "prospect", "target_id": stopped.prospect_id, "kind": "cancel", "reason": "Look first."}
    stops.stop(client=at_work.client, actor=at_work.reviewer, **aim)
    suppress.suppress_contact(withdrawn.contact, client=at_work.client, actor=None, reason="asked", source="test")
    assert said_of(stopped) == CALLED_OFF
    assert said_of(withdrawn) == LEFT_ALONE
    assert said_of(other) == "Decide the waiting request."


def test_whoever_unsubscribes_from_what_was_sent_is_not_waited_for(office: PostOffice) -> None:
    at_work = scene()
    request, by_domain = asked(at_work), asked(at_work)
    for sent in (request, by_domain):
        approve(at_work, sent)
    send(at_work, request)
    assert said_of(request) == said_of(by_domain) == "Wait for an answer."
    suppress.unsubscribe(request.contact)
    assert said_of(request) == LEFT_ALONE
    domain = by_domain.contact.email.rpartition("@")[2]
    suppress.add([("domain", domain)], client=at_work.client, actor=None, reason="asked", source="phone")
    assert said_of(by_domain) == LEFT_ALONE
    assert rebuild(at_work.version.playbook) == 0


def test_nothing_is_said_of_those_who_are_not_qualified(at_work: Scene) -> None:
    request = asked(at_work)
    Prospect.objects.filter(pk=request.prospect_id).update(verdict="stalled", next_action="Find out who decides.")
    at_work.approve(request)
    assert said_of(request) == "Find out who decides."


class Killed(BaseException):
    """The process ends here. Nothing catches it, as nothing catches the end of a process."""


def _by(at_work: Scene, request: ApprovalRequest) -> dict[str, Any]:
    return {"seen": at_work.seen(request), "actor": at_work.reviewer, "client": at_work.client}


def send(at_work: Scene, request: ApprovalRequest) -> None:
    dispatch.sweep(at=soon())


def approve(at_work: Scene, request: ApprovalRequest) -> None:
    decide.approve(request.pk, **_by(at_work, request))


def reject(at_work: Scene, request: ApprovalRequest) -> None:
    decide.reject(request.pk, **_by(at_work, request), reason_code="other")


def defer(at_work: Scene, request: ApprovalRequest) -> None:
    decide.defer(request.pk, **_by(at_work, request), until=timezone.now() + timedelta(hours=1))


def hand_back(at_work: Scene, request: ApprovalRequest) -> None:
    decide.hand_back(request.pk, **_by(at_work, request), words="Shorter.")


def take_back(at_work: Scene, request: ApprovalRequest) -> None:
    undo.undo(request.decisions.get().pk, actor=at_work.reviewer, client=at_work.client)


def expire(at_work: Scene, request: ApprovalRequest) -> None:
    requests.expire_due(at=request.expires_at)


def bring_back(at_work: Scene, request: ApprovalRequest) -> None:
    requests.return_deferred(at=timezone.now() + timedelta(hours=2))


def call_off(at_work: Scene, request: ApprovalRequest) -> None:
    aim = {"level": "prospect", "target_id": request.prospect_id, "kind": "cancel", "reason": "Look first."}
    stops.stop(client=at_work.client, actor=at_work.reviewer, **aim)


def withdraw(at_work: Scene, request: ApprovalRequest) -> None:
    suppress.suppress_contact(request.contact, client=at_work.client, actor=None, reason="asked", source="test")


def recall(at_work: Scene, request: ApprovalRequest) -> None:
    with transaction.atomic():
        going_live._recall(at_work.client, going_live.Mode.LIVE)


def merge_away(at_work: Scene, request: ApprovalRequest) -> None:
    other = at_work.request().prospect.company
    found = pair(other, request.prospect.company)
    merges.merge(found.pk, actor=make.user(at_work.client, Role.ADMIN), client=at_work.client, keep=other.pk)


def lose_track(at_work: Scene, request: ApprovalRequest) -> None:
    dispatch.queue_due(limit=10)
    assert dispatch.claim_next(at=soon()) is not None
    recover.recover_stale(at=timezone.now() + timedelta(hours=1))


Verb = Callable[[Scene, ApprovalRequest], None]
VERBS: dict[str, tuple[tuple[Verb, ...], Verb, str, str]] = {
    "approving": ((), approve, "Decide the waiting request.", "Wait until the message leaves."),
    "rejecting": (
        (),
        reject,
        "Decide the waiting request.",
        "A person rejected the message: set it aside or end it.",
    ),
    "deferring": ((), defer, "Decide the waiting request.", "Wait until the deferred request comes back."),
    "handing back": ((), hand_back, "Decide the waiting request.", "Draft a message."),
    "undoing": ((approve,), take_back, "Wait until the message leaves.", "Decide the waiting request."),
    "expiring": (
        (),
        expire,
        "Decide the waiting request.",
        "Nobody decided in time: agents ask again once something new is known.",
    ),
    "coming back": ((defer,), bring_back, "Wait until the deferred request comes back.", "Decide the waiting request."),
    "a stop that cancels": ((), call_off, "Decide the waiting request.", CALLED_OFF),
    "a stop before it leaves": ((approve,), call_off, "Wait until the message leaves.", NOT_SENT),
    "a wish to be left alone": ((), withdraw, "Decide the waiting request.", LEFT_ALONE),
    "a switch of the client": ((approve,), recall, "Wait until the message leaves.", "Decide the waiting request."),
    "a merge": ((), merge_away, "Decide the waiting request.", CALLED_OFF),
    "sending": ((approve,), send, "Wait until the message leaves.", "Wait for an answer."),
    "losing track": (
        (approve,),
        lose_track,
        "Wait until the message leaves.",
        "Find out whether the message went out.",
    ),
}


@pytest.mark.parametrize("name", VERBS)
def test_a_crash_right_after_the_commit_leaves_nothing_wrong_for_long(
    name: str, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, verb, before, after = VERBS[name]
    at_work = scene(undo_seconds=60 if verb is take_back else 0)
    request = asked(at_work)
    for step in first:
        step(at_work, request)

    def killed(_: object) -> int:
        raise Killed

    with monkeypatch.context() as process:
        process.setattr(next_steps, "_follow", killed)
        with pytest.raises(Killed):
            verb(at_work, request)
    assert said_of(request) == before, "the process ended before it was said"
    next_steps.sweep()
    assert said_of(request) == after
    assert not NextStepChange.objects.exists(), "what was followed is not followed again"
    assert rebuild(request.playbook_version.playbook) == 0


def test_after_a_refusal_the_list_says_where_to_look(office: PostOffice) -> None:
    at_work = scene()
    request = asked(at_work)
    approve(at_work, request)
    office.answers.append("550 no such person")
    send(at_work, request)
    assert said_of(request) == NOT_SENT


def test_what_happens_while_the_list_follows_is_followed_next(at_work: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between what the sweep reads and what it clears away somebody decides: their note stays."""
    request = asked(at_work)
    defer(at_work, request)
    requests.return_deferred(at=timezone.now() + timedelta(hours=2))
    say, decided = next_steps.next_steps.say, []

    def slow(prospects: Any) -> int:
        said = say(prospects)
        if not decided:
            decided.append(True)
            NextStepChange.objects.create(prospect_id=request.prospect_id)
        return said

    NextStepChange.objects.create(prospect_id=request.prospect_id)
    monkeypatch.setattr(next_steps.next_steps, "say", slow)
    assert next_steps._follow(None) == 1
    assert NextStepChange.objects.count() == 1


def test_the_next_action_can_be_rebuilt_from_what_is_stored(at_work: Scene) -> None:
    waiting, stalled, rejected = (asked(at_work) for _ in range(3))
    rows = Prospect.objects.order_by("pk")
    rows.filter(pk=stalled.prospect_id).update(verdict="stalled", verdict_missing=["Find out who decides."])
    rows.filter(pk=rejected.prospect_id).update(verdict="rejected")
    untouched = make.prospect(at_work.version)
    rows.update(next_action="Something else.")
    assert rebuild(at_work.version.playbook) == 3
    assert [said_of(request) for request in (waiting, stalled, rejected)] == [
        "Decide the waiting request.", "Find out who decides.", "",
    ]  # fmt: skip
    assert Prospect.objects.get(pk=untouched.pk).next_action == "Something else.", "nobody has judged them yet"
    assert rebuild(at_work.version.playbook) == 0


def test_whoever_was_merged_in_may_be_the_person_to_write_to(at_work: Scene) -> None:
    request = asked(at_work)
    reject(at_work, request)
    alone = at_work.request()
    Prospect.objects.filter(pk=alone.prospect_id).update(verdict="qualified", contact=None)
    hand_back(at_work, alone)
    assert said_of(alone) == "Find a person to write to."
    found = pair(alone.prospect.company, request.prospect.company)
    admin = make.user(at_work.client, Role.ADMIN)
    merges.merge(found.pk, actor=admin, client=at_work.client, keep=alone.prospect.company_id)
    rebuild(at_work.version.playbook)
    assert said_of(alone) == "Draft a message."


@pytest.mark.parametrize(
    ("verdict", "missing", "asked", "has_person", "words"),
    [
        ("qualified", [], [], True, "Draft a message."),
        ("qualified", [], [], False, "Find a person to write to."),
        ("qualified", [], ["rejected", "waiting"], True, "Decide the waiting request."),
        ("qualified", [], ["rejected"], True, "A person rejected the message: set it aside or end it."),
        ("qualified", [], ["accepted", "not sent"], True, NOT_SENT),
        ("qualified", [], ["not sent", "accepted"], True, "Wait for an answer."),
        ("qualified", [], ["redraft"], True, "Draft a message."),
        ("qualified", [], ["redraft", "no template"], True, NO_TEMPLATE),
        ("qualified", [], ["rejected", "left alone"], True, LEFT_ALONE),
        ("qualified", [], ["left alone"], False, "Find a person to write to."),
        ("qualified", [], ["accepted", "left alone"], True, LEFT_ALONE),
        ("qualified", [], ["accepted", "unknown"], True, "Find out whether the message went out."),
        ("stalled", ["Look again.", "x"], ["waiting"], True, "Look again."),
        ("stalled", [], [], True, "Look for more evidence."),
        ("rejected", ["x"], ["waiting"], True, ""),
    ],
)
def test_the_rule_itself(verdict: str, missing: list[str], asked: list[str], has_person: bool, words: str) -> None:
    assert next_action(verdict, missing, asked, has_person=has_person) == words
