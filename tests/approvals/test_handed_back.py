"""A founder asks for another draft, or lets a request lapse: what the agents do about it, and what the list says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from approvals.models import ApprovalRequest
from approvals.services import decide
from approvals.services import request as requests
from prospects.models import Prospect, Signal
from prospects.services.next_steps import rebuild
from tests import factories
from tests.approvals.scene import Scene
from tests.approvals.test_reaching_agents import write
from tests.runtime import scene

pytestmark = pytest.mark.django_db(transaction=True)


def hand_back(at_work: Scene, request: ApprovalRequest, words: str = "Shorter.") -> None:
    write("UPDATE approvals_approvalrequest SET expires_at = now() + interval '2 days'")  # its own clock is months ago
    decide.hand_back(request.pk, seen=at_work.seen(request), actor=at_work.reviewer, client=at_work.client, words=words)


def said_of(who: Prospect) -> str:
    return Prospect.objects.get(pk=who.pk).next_action


def test_a_draft_that_was_handed_back_is_asked_about_anew_in_other_words() -> None:
    under = scene.demo()
    at_work = Scene(under.playbook.client, under, factories.user(under.playbook.client, "reviewer"))
    who = scene.company(under, scene.GOOD)
    scene.run(under)
    first = ApprovalRequest.objects.get(prospect=who)
    hand_back(at_work, first, "Too expensive a tone.")

    scene.run(under, clock=scene.CLOCK + timedelta(hours=1))
    again = ApprovalRequest.objects.get(prospect=who, status="waiting")
    assert again.message.body != first.message.body
    assert said_of(who) == "Decide the waiting request."
    # What the reviewer wrote is no word of the prospect's: it stays with the decision.
    assert not Signal.objects.filter(prospect=who, text__contains="expensive").exists()

    scene.run(under, clock=scene.CLOCK + timedelta(hours=2))
    assert ApprovalRequest.objects.filter(prospect=who).count() == 2


@pytest.mark.parametrize("lapse", [requests.expire_due, None], ids=["expired", "called off"])
def test_what_nobody_answered_is_asked_again_once_something_new_is_known(lapse: Callable[..., int] | None) -> None:
    under = scene.demo()
    who = scene.company(under, scene.GOOD)
    scene.run(under)
    first = ApprovalRequest.objects.get(prospect=who)
    if lapse:
        lapse(at=first.expires_at)
    else:
        write("UPDATE approvals_approvalrequest SET status = 'cancelled'")
    scene.run(under, clock=scene.CLOCK + timedelta(hours=1))
    assert ApprovalRequest.objects.count() == 1, "nothing new is known yet"

    news = scene.CLOCK + timedelta(days=4)
    factories.signal(who, kind="news", text="They opened an office.", observed_at=news, dedup_key="news")
    scene.seen(who)
    scene.run(under, clock=news)
    again = ApprovalRequest.objects.get(prospect=who, status="waiting")
    assert again.message_id != first.message_id, "drafted from what is known now"
    assert again.facts_no > first.facts_no
    assert said_of(who) == "Decide the waiting request."
    scene.run(under, clock=news + timedelta(hours=1))
    assert ApprovalRequest.objects.count() == 2


def test_when_no_template_is_left_the_list_says_what_a_person_can_do() -> None:
    under = scene.demo()
    at_work = Scene(under.playbook.client, under, factories.user(under.playbook.client, "reviewer"))
    who = scene.company(under, scene.GOOD)
    for hour in range(9):
        scene.run(under, clock=scene.CLOCK + timedelta(hours=hour))
        asked = ApprovalRequest.objects.filter(prospect=who, status="waiting").first()
        if asked is None:
            break
        hand_back(at_work, asked)
        assert said_of(who) == "Draft a message."
    assert hour > 1
    assert said_of(who) == "No template can be filled: add one to the playbook, or give drafting to a person there."
    assert rebuild(under.playbook) == 0
