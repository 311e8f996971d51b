"""Workers claim while a person stops: once the stop is set, nothing more is claimed."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from django.db import connection, transaction
from django.utils import timezone

from approvals.models import Dispatch
from approvals.services import decide, dispatch, undo
from playbooks import audit
from playbooks.models import Stop
from playbooks.services import stops
from salesops.errors import Refusal
from tests.approvals.scene import reload, scene, soon
from tests.approvals.test_races import together

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("kind", ["pause", "cancel"])
def test_nothing_is_claimed_once_a_stop_is_set(kind):
    at_work = scene()
    for _ in range(40):
        at_work.approved()
    dispatch.queue_due(limit=100)
    set_at, begun, over, taken = [], threading.Event(), threading.Event(), itertools.count(1)

    def claim_all():
        while (claim := dispatch.claim_next(at=soon())) is not None:
            if isinstance(claim, dispatch.Claim):
                begun.set()
                time.sleep(0.02)
                if next(taken) > 25:
                    over.wait(120)  # forty are not over before the stop, however busy the machine

    def stop():
        begun.wait(120)
        try:
            stops.stop(client=at_work.client, actor=at_work.reviewer, level="client", kind=kind, reason="Fire")
            set_at.append(set(Dispatch.objects.filter(status="sending").values_list("pk", flat=True)))
        finally:
            over.set()

    results = together(claim_all, claim_all, claim_all, stop)
    assert [result for result in results if isinstance(result, Exception)] == []
    claimed = set(Dispatch.objects.exclude(token=None).values_list("pk", flat=True))
    assert claimed == set_at[0]  # what was on its way when the stop was set, and nothing since
    assert len(claimed) < 40
    rest = set(Dispatch.objects.filter(token=None).values_list("status", flat=True))
    assert rest == {"postponed" if kind == "pause" else "cancelled"}


def test_a_stop_waits_for_the_claim_that_is_being_made():
    at_work = scene()
    sent = at_work.approved()
    dispatch.queue_due(limit=9)
    order: list[str] = []

    def set_it():
        stops.stop(client=at_work.client, actor=at_work.reviewer, level="client", reason="Fire")
        order.append("stopped")
        connection.close()

    with transaction.atomic():
        assert isinstance(dispatch.claim_next(at=soon()), dispatch.Claim)
        other = threading.Thread(target=set_it)
        other.start()
        other.join(0.5)
        assert not Stop.objects.exists()
        order.append("claimed")
    other.join(120)
    assert order == ["claimed", "stopped"]
    assert reload(sent).status == "sending"


def test_approvals_undos_claims_and_stops_at_once_wait_for_each_other_but_never_for_ever():
    at_work = scene(undo_seconds=60)
    requests = [at_work.request() for _ in range(12)]
    seen = {request.pk: at_work.seen(request) for request in requests}
    decided = [at_work.approve(request) for request in requests[:4]]
    client, person = at_work.client, at_work.reviewer

    def approve(request):
        return lambda: decide.approve(request.pk, seen=seen[request.pk], actor=person, client=client)

    def take_back(one):
        return lambda: undo.undo(one.decision.pk, actor=person, client=client)

    def stop(level, target):
        return lambda: stops.stop(
            client=client, actor=person, level=level, target_id=target, kind="cancel", reason="Over"
        )

    results = together(
        *(approve(request) for request in requests[4:]),
        *(take_back(one) for one in decided),
        stop("client", None), stop("playbook", at_work.version.playbook_id), stop("prospect", requests[5].prospect_id),
        lambda: dispatch.sweep(at=soon()), lambda: stops.sweep(at=timezone.now()),
    )  # fmt: skip
    failures = [result for result in results if isinstance(result, Exception)]
    assert [failure for failure in failures if not isinstance(failure, Refusal)] == []
    stops.sweep(at=timezone.now())
    assert set(Dispatch.objects.values_list("status", flat=True)) == {"cancelled"}
    assert audit.verify(client) is None


def test_an_approval_that_races_a_cancel_never_sends():
    for _ in range(4):
        at_work = scene()
        request = at_work.request()
        seen = at_work.seen(request)

        def approve(request=request, seen=seen, at_work=at_work):
            return decide.approve(request.pk, seen=seen, actor=at_work.reviewer, client=at_work.client)

        def cancel(at_work=at_work):
            return stops.stop(
                client=at_work.client, actor=at_work.reviewer, level="client", kind="cancel", reason="Over"
            )

        together(approve, cancel)
        stops.sweep(at=timezone.now())
        dispatch.sweep(at=soon())
        assert not Dispatch.objects.for_client(at_work.client).exclude(status="cancelled").exists()
        assert reload(request).status in ("cancelled", "approved")
