"""`explain` of an earlier time tells what was known then: what came later has not happened yet."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from approvals.models import ApprovalRequest, Dispatch
from approvals.reading import explain
from approvals.services import decide, dispatch, undo
from approvals.services import request as requests
from playbooks.services import stops
from tests.approvals.scene import Scene, scene

pytestmark = pytest.mark.django_db
MICRO = timedelta(microseconds=1)


@pytest.fixture
def at_work() -> Scene:
    return scene(undo_seconds=0)


def told(request: ApprovalRequest, at: datetime) -> str:
    [row] = explain.decisions(request.prospect_id, at)
    return str(row["status"])


def sent(row: Dispatch, at: datetime) -> dict[str, Any]:
    [found] = explain.dispatches(row.prospect_id, at)
    return found


def test_a_request_is_told_as_it_stood_each_time(at_work: Scene) -> None:
    request = at_work.request()
    asked = timezone.now()
    decided = at_work.approve(request)
    assert (told(request, asked), told(request, timezone.now())) == ("waiting", "approved")
    [row] = explain.decisions(request.prospect_id, asked)
    assert row["decisions"] == []
    assert decided.dispatch is not None
    assert explain.dispatches(request.prospect_id, asked) == []


def test_an_approval_that_was_undone_was_an_approval_before() -> None:
    at_work = scene(undo_seconds=60)
    request = at_work.request()
    decision = at_work.approve(request).decision
    meanwhile = timezone.now()
    undo.undo(decision.pk, actor=at_work.reviewer, client=at_work.client)
    assert [told(request, at) for at in (meanwhile, timezone.now())] == ["approved", "waiting"]
    [held] = Dispatch.objects.all()
    assert [sent(held, at)["status"] for at in (meanwhile, timezone.now())] == ["undo_hold", "cancelled"]


def test_a_deferral_holds_until_it_ends(at_work: Scene) -> None:
    request, until = at_work.request(), timezone.now() + timedelta(hours=5)
    decide.defer(
        request.pk,
        seen=at_work.seen(request),
        actor=at_work.reviewer,
        client=at_work.client,
        until=until,
        words="Later.",
    )
    said = timezone.now()
    requests.sweep(at=until + timedelta(minutes=1))
    assert [told(request, at) for at in (said, until - MICRO, until)] == ["deferred", "deferred", "waiting"]


def test_what_ran_out_was_waiting_before(at_work: Scene) -> None:
    request = at_work.request()
    asked = timezone.now()
    requests.sweep(at=request.expires_at + MICRO)
    assert [told(request, at) for at in (asked, timezone.now())] == ["waiting", "expired"]


def test_a_message_is_told_with_its_words_its_people_and_how_far_it_was(at_work: Scene, office: Any) -> None:
    approved = at_work.approved()
    held = timezone.now()
    dispatch.sweep(at=timezone.now())
    approved.refresh_from_db()
    assert approved.claimed_at is not None
    assert approved.finished_at is not None
    steps = [sent(approved, at) for at in (held, approved.claimed_at, approved.finished_at)]
    assert [step["status"] for step in steps] == ["undo_hold", "sending", "accepted"]
    assert [step["finished_at"] is None for step in steps] == [True, True, False]
    assert explain.outcomes(approved.prospect_id, held) == []
    assert steps[0]["to"] == approved.recipient
    [message] = explain.messages(approved.prospect_id, held)
    assert (message["to"], message["body"]) == (approved.recipient, approved.message.body)


def test_a_postponed_message_was_postponed_until_it_went(at_work: Scene, office: Any) -> None:
    approved = at_work.approved()
    client, actor = at_work.client, at_work.reviewer
    stop = stops.stop(client=client, actor=actor, level="client", reason="Look first.")
    dispatch.sweep(at=timezone.now())
    paused = timezone.now()
    stops.lift(stop.pk, client=client, actor=actor, reason="Looked.")
    dispatch.sweep(at=timezone.now())
    approved.refresh_from_db()
    assert approved.status == "accepted"
    assert [sent(approved, at)["status"] for at in (paused, timezone.now())] == ["postponed", "accepted"]
