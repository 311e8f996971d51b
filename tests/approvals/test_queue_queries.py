"""The queue, the dossier and approving many at once: constant queries, and no shortcut round looking."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from approvals.models import ApprovalRequest, Task
from approvals.reading.dossiers import dossier
from approvals.reading.outbox import dispatches_of
from approvals.reading.queue import queue_page, undoable
from approvals.reading.tasks import tasks_of
from approvals.services import bulk, decide
from approvals.services import request as requests
from approvals.services.refusals import NotBulkApprovable
from playbooks.services import stops
from tests import factories as make
from tests.approvals.scene import WORDS, reload, scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_work():
    return scene(undo_seconds=60)


def count(act):
    with CaptureQueriesContext(
        connection,
    ) as caught:
        act()
    return len(caught)


def test_the_queue_pages_by_importance_without_losing_or_repeating(at_work):
    made = [at_work.request(priority=priority) for priority in (0.1, 0.9, 0.5, 0.5, 0.7)]
    seen, after = [], ""
    while True:
        page = queue_page(at_work.client, user=at_work.reviewer, after=after, size=2)
        seen += [row.pk for row in page.rows]
        after = page.next
        if not after:
            break
    assert seen == [made[1].pk, made[4].pk, made[3].pk, made[2].pk, made[0].pk]
    assert queue_page(at_work.client, after="nonsense").rows[0].pk == made[1].pk


def test_the_queue_and_a_dossier_cost_the_same_whatever_their_size(at_work):
    request = at_work.request()
    one = count(lambda: queue_page(at_work.client, user=at_work.reviewer))
    single = count(lambda: dossier(at_work.client, request.pk))
    for _ in range(6):
        other = at_work.request()
        make.evidence(request.prospect, at_work.version)
        requests.mark_opened(other.pk, actor=at_work.reviewer, client=at_work.client)
    assert count(lambda: queue_page(at_work.client, user=at_work.reviewer)) == one <= 4
    assert count(lambda: dossier(at_work.client, request.pk)) <= single + 2 <= 9


def test_the_rows_carry_what_their_forms_send_back(at_work):
    request = at_work.request()
    [row] = queue_page(at_work.client, user=at_work.reviewer).rows
    assert decide.Seen.parse(row.seen.encode()) == at_work.seen(request)
    assert not row.opened
    requests.mark_opened(request.pk, actor=at_work.reviewer, client=at_work.client)
    [row] = queue_page(at_work.client, user=at_work.reviewer).rows
    assert row.opened


def test_after_a_first_approval_the_second_person_sees_the_words_it_left():
    at_work = scene(two_approvers=True)
    request, second = at_work.request(), make.user(at_work.client)
    first = decide.approve_with_edits(
        request.pk,
        seen=at_work.seen(request),
        actor=at_work.reviewer,
        client=at_work.client,
        subject="Your new hires",
        body=WORDS,
    )
    [row] = queue_page(at_work.client, user=second).rows
    found = dossier(at_work.client, request.pk)
    assert row.seen == found.seen == at_work.seen(request)
    assert row.seen.content_hash == first.decision.message.content_hash != request.content_hash
    assert found.message.subject == "Your new hires"


def test_a_stop_shows_in_the_state_of_the_requests_it_touches_alone(at_work):
    stopped, free = at_work.request(priority=0.9), at_work.request(priority=0.1)
    before = [row.seen for row in queue_page(at_work.client).rows]
    stops.stop(
        client=at_work.client, actor=at_work.reviewer, level="prospect", target_id=stopped.prospect_id, reason="Wait"
    )
    after = [row.seen for row in queue_page(at_work.client).rows]
    assert after[0] != before[0]
    assert after[1] == before[1]
    assert dossier(at_work.client, stopped.pk).seen == after[0]
    assert dossier(at_work.client, free.pk).seen == after[1]


def test_tasks_are_leafed_through_both_ways(at_work, client):
    client.force_login(at_work.reviewer)
    Task.objects.bulk_create(Task(client=at_work.client, kind="review", title=f"Look {n}") for n in range(51))
    address = reverse("approvals:tasks")
    first = client.get(address).context["page"]
    second = client.get(address, {"after": first.next}).context["page"]
    assert [task.title for task in second.items] == ["Look 0"]
    back = client.get(address, {"before": second.previous}).context["page"]
    assert (back.items, back.previous) == (first.items, None)


def test_no_client_sees_another_clients_queue(at_work):
    request = at_work.request()
    other = make.client()
    assert queue_page(other).rows == []
    assert not tasks_of(other)
    assert not dispatches_of(other)
    from django.http import Http404

    with pytest.raises(Http404):
        dossier(other, request.pk)


def test_the_dossier_shows_words_footer_limits_and_what_changed(at_work):
    request = at_work.request()
    found = dossier(at_work.client, request.pk)
    assert found.words.strip() == WORDS.strip()
    assert at_work.client.postal_address in found.footer
    assert found.changed_since == []
    assert {limit.label: limit.limit for limit in found.limits}["E-mails a day"] == 200
    signal = make.signal(request.prospect, kind="funding_round")
    signal.refresh_from_db()
    type(request.prospect).objects.filter(pk=request.prospect_id).update(facts_no=signal.fact_no)
    assert "new signal: funding round" in dossier(at_work.client, request.pk).changed_since


def test_undoable_lists_this_persons_held_approvals(at_work):
    decided = at_work.approve(at_work.request())
    [held] = undoable(at_work.client, at_work.reviewer, decided.decision.at)
    assert (held.decision_id, held.request_id) == (decided.decision.pk, decided.request.pk)
    assert undoable(at_work.client, make.user(at_work.client), decided.decision.at) == []


def approve_all(at_work, *rows):
    items = [(row.pk, at_work.seen(row)) for row in rows]
    return bulk.approve_many(items, actor=at_work.reviewer, client=at_work.client)


def test_alike_at_grade_a_may_be_approved_together(at_work):
    result = approve_all(at_work, *(at_work.request() for _ in range(3)))
    assert (len(result.approved), result.refused) == (3, [])


def test_the_rest_only_after_opening_each(at_work):
    plain, weaker = at_work.request(), at_work.request(grade="B+")
    result = approve_all(at_work, plain, weaker)
    assert result.approved == []
    for row in (plain, weaker):
        requests.mark_opened(row.pk, actor=at_work.reviewer, client=at_work.client)
    assert len(approve_all(at_work, plain, weaker).approved) == 2


def test_opening_an_earlier_version_is_not_opening_this_one(at_work):
    row = at_work.request(grade="B+")
    requests.mark_opened(row.pk, actor=at_work.reviewer, client=at_work.client)
    ApprovalRequest.objects.filter(pk=row.pk).update(version=2)
    assert approve_all(at_work, row).approved == []


def test_calls_are_never_approved_together(at_work):
    person = make.contact(at_work.client, None, phone="+15555550100", time_zone="America/New_York")
    prospect = make.qualified(at_work.version, contact=person)
    call = make.request(words=make.message(prospect, at_work.version, channel="call", recipient=person.phone))
    requests.mark_opened(call.pk, actor=at_work.reviewer, client=at_work.client)
    result = approve_all(at_work, call)
    assert "one by one" in result.refused[0][1]


def test_one_refusal_leaves_the_others_approved(at_work):
    fine, stale = at_work.request(), at_work.request()
    items = [(row.pk, at_work.seen(row)) for row in (fine, stale)]
    ApprovalRequest.objects.filter(pk=stale.pk).update(version=2)
    result = bulk.approve_many(items, actor=at_work.reviewer, client=at_work.client)
    assert [done.request.pk for done in result.approved] == [fine.pk]
    assert [pk for pk, _ in result.refused] == [stale.pk]
    assert reload(stale).status == "waiting"


def test_too_many_at_once_are_refused(at_work):
    seen = at_work.seen(at_work.request())
    with pytest.raises(NotBulkApprovable):
        bulk.approve_many([(pk, seen) for pk in range(201)], actor=at_work.reviewer, client=at_work.client)
