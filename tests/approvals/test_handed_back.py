"""A founder asks for another draft: the agents write one, from other words, without being told again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals.models import ApprovalRequest
from approvals.services import decide
from prospects.models import Signal
from tests import factories
from tests.approvals.scene import Scene
from tests.approvals.test_reaching_agents import write
from tests.runtime import scene

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_draft_that_was_handed_back_is_asked_about_anew_in_other_words() -> None:
    under = scene.demo()
    at_work = Scene(under.playbook.client, under, factories.user(under.playbook.client, "reviewer"))
    who = scene.company(under, scene.GOOD)
    scene.run(under)
    write("UPDATE approvals_approvalrequest SET expires_at = now() + interval '2 days'")  # its own clock is months ago
    first = ApprovalRequest.objects.get(prospect=who)
    decide.hand_back(
        first.pk, seen=at_work.seen(first), actor=at_work.reviewer, client=at_work.client, words="Too expensive a tone."
    )

    scene.run(under, clock=scene.CLOCK + timedelta(hours=1))
    again = ApprovalRequest.objects.get(prospect=who, status="waiting")
    assert again.message.body != first.message.body
    who.refresh_from_db()
    assert who.next_action == "Decide the waiting request."
    # What the reviewer wrote is no word of the prospect's: it stays with the decision.
    assert not Signal.objects.filter(prospect=who, text__contains="expensive").exists()

    scene.run(under, clock=scene.CLOCK + timedelta(hours=2))
    assert ApprovalRequest.objects.filter(prospect=who).count() == 2
