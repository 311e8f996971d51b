"""Many people and workers at once: one decision, one winner, one hand-off."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from approvals.models import CapturedMail, Decision, Dispatch
from approvals.services import capture, decide, dispatch, suppress, undo
from approvals.services.refusals import AlreadyDecided, AlreadyGoingOut, StaleDecision
from playbooks import audit
from playbooks.models import AuditEntry, BudgetPeriod
from tests import factories as make
from tests.approvals.post_office import sandbox_server
from tests.approvals.scene import WORDS, reload, scene

pytestmark = pytest.mark.django_db(transaction=True)


def together(*acts: Callable[[], object]) -> list[object]:
    """Run every act in a thread of its own, all let go at once; what each returned or raised, in order."""
    gate, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Callable[[], object]) -> None:
        try:
            gate.wait(120)
            results[place] = act()
        except Exception as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=item) for item in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    return results


def test_fifty_people_deciding_one_request_make_one_decision():
    at_work = scene(undo_seconds=60)
    request = at_work.request()
    seen = at_work.seen(request)
    people = [make.user(at_work.client) for _ in range(50)]

    def act(place: int) -> Callable[[], object]:
        known = {"seen": seen, "actor": people[place], "client": at_work.client}
        return (
            lambda: decide.approve(request.pk, **known),
            lambda: decide.reject(request.pk, **known, reason_code="other"),
            lambda: decide.defer(request.pk, **known, until=timezone.now() + timedelta(days=1)),
            lambda: decide.approve_with_edits(request.pk, **known, subject=f"Your {place} hires"[:40], body=WORDS),
            lambda: decide.hand_back(request.pk, **known, words="Shorter."),
        )[place % 5]

    results = together(*(act(place) for place in range(50)))
    won = [result for result in results if isinstance(result, decide.Decided)]
    others = Counter(type(result).__name__ for result in results if not isinstance(result, decide.Decided))
    assert len(won) == 1, others
    # An edit naming a number has its own reason to be refused; everybody else hears that somebody was first.
    assert set(others) <= {"AlreadyDecided", "ContentRefused"}, others
    assert Decision.objects.count() == 1
    assert Dispatch.objects.count() == (1 if won[0].dispatch else 0)
    assert AuditEntry.objects.filter(event="decision.made").count() == 1
    assert audit.verify(at_work.client) is None


@pytest.mark.parametrize("attempt", range(4))
def test_undo_against_the_worker_has_one_winner(attempt):
    at_work = scene(undo_seconds=1)
    decided = at_work.approve(at_work.request())
    make.end_undo_windows(seconds_left=0.04)

    def take_back() -> object:
        return undo.undo(decided.decision.pk, actor=at_work.reviewer, client=at_work.client)

    def work() -> object:
        return [dispatch.queue_due(limit=10) for _ in range(40)]

    results = together(take_back, work, take_back, work)
    status = reload(decided.dispatch).status
    undone = [result for result in results if not isinstance(result, Exception | list)]
    lost = [result for result in results if isinstance(result, AlreadyGoingOut)]
    assert len(undone) + len(lost) == 2
    assert (len(undone), status) in [(1, "cancelled"), (0, "queued"), (0, "undo_hold")]
    assert reload(decided.request).status == ("waiting" if undone else "approved")


def test_many_workers_share_the_outbox_and_send_each_message_once(settings):
    at_work = scene()
    ids = [at_work.approved().pk for _ in range(12)]
    at = timezone.now() + timedelta(seconds=1)
    with sandbox_server(capture.store) as settings.SANDBOX_SMTP_PORT:
        results = together(*(lambda: dispatch.sweep(at=at) for _ in range(6)))
    assert not [result for result in results if isinstance(result, Exception)], results
    assert Dispatch.objects.filter(pk__in=ids, status="accepted").count() == 12
    receipts = Counter(CapturedMail.objects.values_list("dispatch_id", flat=True))
    assert receipts == Counter(ids)
    assert BudgetPeriod.objects.get(bucket="emails").used == 12
    assert audit.verify(at_work.client) is None


def test_the_last_unit_of_a_limit_goes_to_one_worker():
    at_work = scene(emails_per_day=3)
    for _ in range(8):
        at_work.approved()
    dispatch.queue_due(limit=20)
    at = timezone.now() + timedelta(seconds=1)
    claims = together(*(lambda: dispatch.claim_next(at=at) for _ in range(8)))
    assert sum(isinstance(claim, dispatch.Claim) for claim in claims) == 3, claims
    assert BudgetPeriod.objects.get(bucket="emails").used == 3


def test_two_clicks_on_unsubscribe_at_once_are_one_wish():
    at_work = scene()
    request = at_work.request()
    contact = suppress.contact_of_token(suppress.unsubscribe_url(at_work.client.pk, request.contact_id).split("/")[-2])
    results = together(*(lambda: suppress.unsubscribe(contact) for _ in range(8)))
    assert results == [None] * 8
    assert reload(request).status == "cancelled"
    assert AuditEntry.objects.filter(event="suppression.added").count() == 2
    assert audit.verify(at_work.client) is None


def test_deciding_while_the_person_unsubscribes_ends_without_a_deadlock_or_a_send():
    at_work = scene()
    request = at_work.request()
    seen = at_work.seen(request)
    results = together(
        lambda: at_work.approve(request), lambda: suppress.unsubscribe(request.contact),
        lambda: decide.approve(request.pk, seen=seen, actor=at_work.reviewer, client=at_work.client),
    )  # fmt: skip
    assert all(not isinstance(result, Exception) or isinstance(result, AlreadyDecided | StaleDecision)
               or "suppressed" in str(result) for result in results), results  # fmt: skip
    dispatch.queue_due(limit=5)
    claim = dispatch.claim_next(at=timezone.now() + timedelta(seconds=1))
    assert claim is None or isinstance(claim, dispatch.HeldBack)
