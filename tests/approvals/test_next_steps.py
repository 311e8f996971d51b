"""What the list says should happen next follows what people decide; the agents need not come by first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals.models import ApprovalRequest
from approvals.services import decide, suppress, undo
from approvals.services import request as requests
from playbooks.services import stops
from prospects.models import Prospect
from prospects.rules.next_step import next_step
from tests.approvals.scene import Scene, scene

pytestmark = pytest.mark.django_db(transaction=True)


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
    assert said_of(approved) == "Wait for an answer."
    undo.undo(decision.pk, actor=at_work.reviewer, client=at_work.client)
    assert said_of(approved) == "Decide the waiting request."
    decide.reject(rejected.pk, **by(rejected), reason_code="other")
    assert said_of(rejected) == "Draft a message."
    until = timezone.now() + timedelta(hours=1)
    decide.defer(deferred.pk, **by(deferred), until=until)
    assert said_of(deferred) == "Wait until the deferred request comes back."
    requests.sweep(at=until)
    assert said_of(deferred) == "Decide the waiting request."
    requests.sweep(at=until + timedelta(days=9))
    assert said_of(deferred) == "Draft a message."


def test_what_is_called_off_is_not_waited_for(at_work: Scene) -> None:
    stopped, withdrawn, other = (asked(at_work) for _ in range(3))
    aim = {"level": "prospect", "target_id": stopped.prospect_id, "kind": "cancel", "reason": "Look first."}
    stops.stop(client=at_work.client, actor=at_work.reviewer, **aim)
    suppress.suppress_contact(withdrawn.contact, client=at_work.client, actor=None, reason="asked", source="test")
    assert said_of(stopped) == said_of(withdrawn) == "Draft a message."
    assert said_of(other) == "Decide the waiting request."


def test_nothing_is_said_of_those_who_are_not_qualified(at_work: Scene) -> None:
    request = asked(at_work)
    Prospect.objects.filter(pk=request.prospect_id).update(verdict="stalled", next_action="Find out who decides.")
    at_work.approve(request)
    assert said_of(request) == "Find out who decides."
