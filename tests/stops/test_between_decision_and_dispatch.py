"""A stop that arrives after a person approved and before anything has left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from approvals.models import Dispatch
from approvals.services import decide, dispatch
from approvals.services.refusals import AlreadyDecided
from playbooks import audit
from playbooks.models import AuditEntry, Stop
from playbooks.services import stops
from tests import factories
from tests.approvals.conftest import office as office
from tests.approvals.post_office import PostOffice
from tests.approvals.scene import Scene, reload, scene, soon
from tests.database import triggers_off
from tests.refusals import refuses
from tests.stops.levels import LEVELS, set_one

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_work() -> Scene:
    found = scene()
    found.reviewer = factories.user(found.client, "reviewer", "admin")
    return found


def stop_it(at_work: Scene, sent: Dispatch, level: str, kind: str, **more: Any) -> Stop:
    return set_one(
        level, kind, client=at_work.client, by=at_work.reviewer, playbook=at_work.version.playbook_id,
        prospect=sent.prospect_id, request=sent.request_id, agent="email_execution", **more,
    )  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
def test_a_pause_holds_it_back_until_somebody_lifts_it(at_work: Scene, office: PostOffice, level: str) -> None:
    sent = at_work.approved()
    stop = stop_it(at_work, sent, level, "pause")
    for _ in range(3):
        dispatch.sweep(at=soon())
    assert (reload(sent).status, reload(sent).reason, office.received) == ("postponed", "paused: Look first", [])
    assert AuditEntry.objects.filter(event="dispatch.postponed", subject_id=sent.pk).count() == 1
    stops.lift(stop.pk, client=at_work.client, actor=at_work.reviewer, reason="Looked")
    dispatch.sweep(at=soon())
    assert (reload(sent).status, len(office.received)) == ("accepted", 1)


@pytest.mark.parametrize("level", LEVELS)
def test_a_pause_that_ends_lets_it_go_by_itself(at_work: Scene, office: PostOffice, level: str) -> None:
    sent = at_work.approved()
    stop_it(at_work, sent, level, "pause", until=timezone.now() + timedelta(seconds=90))
    dispatch.sweep(at=soon())
    after = reload(sent)
    assert after.status == "postponed"
    assert after.not_before <= timezone.now() + timedelta(seconds=90)  # no later than the pause ends
    Dispatch.objects.filter(pk=sent.pk).update(not_before=timezone.now())
    dispatch.sweep(at=timezone.now() + timedelta(seconds=89))
    assert office.received == []
    Dispatch.objects.filter(pk=sent.pk).update(not_before=timezone.now())
    with triggers_off() as cursor:  # as if the minute and a half were over, on PostgreSQL's clock too
        cursor.execute("UPDATE playbooks_stop SET until = clock_timestamp()")
    dispatch.sweep(at=soon())
    assert (reload(sent).status, len(office.received)) == ("accepted", 1)


@pytest.mark.parametrize("level", LEVELS)
def test_a_cancel_calls_it_off_for_good(at_work: Scene, office: PostOffice, level: str) -> None:
    sent, waiting = at_work.approved(), at_work.request()
    stop = stop_it(at_work, sent, level, "cancel")
    after = reload(sent)
    assert (after.status, after.reason) == ("cancelled", "stopped: Look first")
    assert after.finished_at is not None
    reached = level not in ("prospect", "request")
    assert reload(waiting).status == ("cancelled" if reached else "waiting")
    assert stop.called_off == {"messages": 1} | ({"requests": 1} if reached else {})
    entry = AuditEntry.objects.get(event="dispatch.cancelled", subject_id=sent.pk)
    assert (entry.actor, entry.detail["stop"]) == (at_work.reviewer, stop.pk)
    assert AuditEntry.objects.filter(event="request.cancelled").count() == int(reached)
    stops.lift(stop.pk, client=at_work.client, actor=at_work.reviewer, reason="Looked")
    dispatch.sweep(at=soon())
    assert (reload(sent).status, office.received) == ("cancelled", [])
    assert audit.verify(at_work.client) is None


@pytest.mark.parametrize("kind", ["pause", "cancel"])
@pytest.mark.parametrize("level", LEVELS)
def test_other_clients_send_on(at_work: Scene, office: PostOffice, level: str, kind: str) -> None:
    mine, other = at_work.approved(), scene()
    theirs, waiting = other.approved(), other.request()
    stop = set_one(
        level, kind, client=at_work.client, by=at_work.reviewer, playbook=other.version.playbook_id,
        prospect=theirs.prospect_id, request=theirs.request_id, agent="email_execution",
    )  # fmt: skip
    dispatch.sweep(at=soon())
    everything = level == "everything"
    assert (reload(theirs).status == "accepted") == (not everything)
    assert reload(waiting).status == ("cancelled" if everything and kind == "cancel" else "waiting")
    if everything and kind == "cancel":
        assert AuditEntry.objects.for_client(other.client).get(event="dispatch.cancelled").detail["stop"] == stop.pk
        assert audit.verify(other.client) is None
    touched = level in ("everything", "client", "agent")
    assert (reload(mine).status == "accepted") == (not touched)


def test_a_pause_leaves_requests_waiting_and_shows_on_them(at_work: Scene) -> None:
    request = at_work.request()
    before = at_work.seen(request)
    stops.stop(client=at_work.client, actor=at_work.reviewer, level="client", reason="Fair")
    assert reload(request).status == "waiting"
    assert at_work.seen(request).limits != before.limits


def test_stopping_an_agent_for_good_calls_off_what_it_drafted_and_nobody_decided(at_work: Scene) -> None:
    drafted, decided = at_work.request(), at_work.approved()
    stop = stops.stop(
        client=at_work.client,
        actor=at_work.reviewer,
        level="agent",
        agent="approval_gate",
        kind="cancel",
        reason="Tone",
    )
    assert (reload(drafted).status, reload(decided).status) == ("cancelled", "undo_hold")
    assert stop.called_off == {"requests": 1}


def test_a_deferred_request_is_called_off_too_and_a_decided_one_is_not(at_work: Scene) -> None:
    deferred, rejected = at_work.request(), at_work.request()
    seen = at_work.seen(deferred)
    later = timezone.now() + timedelta(days=1)
    decide.defer(deferred.pk, seen=seen, actor=at_work.reviewer, client=at_work.client, until=later)
    decide.reject(
        rejected.pk, seen=at_work.seen(rejected), actor=at_work.reviewer, client=at_work.client, reason_code="other"
    )
    stops.stop(client=at_work.client, actor=at_work.reviewer, level="client", kind="cancel", reason="Over")
    assert (reload(deferred).status, reload(rejected).status) == ("cancelled", "rejected")


def test_what_was_called_off_can_no_longer_be_approved(at_work: Scene) -> None:
    request = at_work.request()
    seen = at_work.seen(request)
    stops.stop(client=at_work.client, actor=at_work.reviewer, level="client", kind="cancel", reason="Over")
    with pytest.raises(AlreadyDecided, match="ancelled"):
        decide.approve(request.pk, seen=seen, actor=at_work.reviewer, client=at_work.client)


def test_what_slips_in_under_a_cancel_is_called_off_by_the_sweep(at_work: Scene) -> None:
    stop = stops.stop(client=at_work.client, actor=at_work.reviewer, level="client", kind="cancel", reason="Over")
    late = at_work.request()
    assert stops.sweep(at=timezone.now()) == 1
    assert (reload(late).status, reload(stop).called_off) == ("cancelled", {"requests": 1})
    assert stops.sweep(at=timezone.now()) == 0
    stops.lift(stop.pk, client=at_work.client, actor=at_work.reviewer, reason="On again")
    after = at_work.request()
    assert (stops.sweep(at=timezone.now()), reload(after).status) == (0, "waiting")


def test_a_message_on_its_way_is_not_called_back(at_work: Scene) -> None:
    sent = at_work.approved()
    dispatch.queue_due(limit=9)
    claim = dispatch.claim_next(at=soon())
    assert isinstance(claim, dispatch.Claim)
    stop = stops.stop(client=at_work.client, actor=at_work.reviewer, level="client", kind="cancel", reason="Over")
    assert (reload(sent).status, stop.called_off) == ("sending", {})


def test_a_pause_never_outlives_the_approval(at_work: Scene, office: PostOffice) -> None:
    sent = at_work.approved()
    stops.stop(client=at_work.client, actor=at_work.reviewer, level="client", reason="Long")
    Dispatch.objects.filter(pk=sent.pk).update(expires_at=timezone.now() + timedelta(minutes=2))
    dispatch.sweep(at=soon())
    assert reload(sent).status == "postponed"
    with time_machine.travel(timezone.now() + timedelta(minutes=3)):
        Dispatch.objects.filter(pk=sent.pk).update(not_before=timezone.now() - timedelta(minutes=4))
        dispatch.sweep(at=soon())
    assert (reload(sent).status, reload(sent).reason) == ("cancelled", "the approval has expired")
    assert office.received == []


def test_postgresql_keeps_stops_as_they_were_set(at_work: Scene) -> None:
    stop = stops.stop(client=at_work.client, actor=at_work.reviewer, level="client", reason="Wrong list")
    one = [stop.pk]
    refuses("DELETE FROM playbooks_stop WHERE id = %s", one, because="cannot be deleted")
    refuses("TRUNCATE playbooks_stop CASCADE", because="cannot be truncated")
    for change in ("reason = 'Fine'", "level = 'agent', agent = 'x'", "kind = 'cancel'", "until = now()"):
        refuses(f"UPDATE playbooks_stop SET {change} WHERE id = %s", one, because="keeps what it was made with")
    stops.lift(stop.pk, client=at_work.client, actor=at_work.reviewer, reason="List mended")
    refuses("UPDATE playbooks_stop SET lifted_at = NULL WHERE id = %s", one, because="was lifted, and stays so")
    refuses("UPDATE playbooks_stop SET lift_reason = 'x' WHERE id = %s", one, because="was lifted, and stays so")
