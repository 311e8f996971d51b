"""What the queue says beside its rows: how long the rest takes at one's own pace, and the filters people keep."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from approvals.models import ApprovalRequest
from approvals.reading.pace import left_for
from approvals.rules.pace import seconds_each, time_left
from playbooks.models import User
from prospects.models import Prospect, SavedFilter
from prospects.rules.next_step import DRAFT, NO_TEMPLATE, WORDLESS
from prospects.services import list_filters
from salesops.errors import NotAllowed
from tests import factories as make
from tests.approvals.scene import Scene, scene
from tests.approvals.test_reaching_agents import write

QUEUE, KEEP = reverse("approvals:queue"), reverse("approvals:save_filter")


@pytest.mark.parametrize(
    ("took", "each"),
    [([], None), ([20, 40], None), ([10, 20, 60], 20), ([0.1, 0.2, 0.1, 30, 40, 50], 40), ([9, 10, 11, 40_000], 10)],
    ids=["nothing", "too few", "the median", "approved together", "a night between"],
)
def test_the_pace_is_what_single_decisions_take(took: list[float], each: float | None) -> None:
    assert seconds_each(took) == each


@pytest.mark.parametrize(
    ("waiting", "each", "words"),
    [(38, 19.0, "12 min"), (1, 10.0, "< 1 min"), (125, 60.0, "2 h 5 min"), (400, 60.0, "7 h"), (0, 9.0, ""),
     (9, None, "")],
)  # fmt: skip
def test_the_time_left_reads_as_people_say_it(waiting: int, each: float | None, words: str) -> None:
    assert time_left(waiting, each) == words


@pytest.fixture
def here(db: None, client: Browser) -> Scene:
    made = scene()
    client.force_login(made.reviewer)
    return made


def decided(at_work: Scene, by: User, *, seconds: list[int]) -> None:
    """Decisions of one person, each opened when the one before it was made, the last one just now."""
    at = timezone.now() - timedelta(seconds=sum(seconds))
    for took in seconds:
        request = at_work.request(created_at=at - timedelta(minutes=1))
        view = request.views.create(client=at_work.client, user=by, version=request.version)
        write(f"UPDATE approvals_requestview SET at = '{at.isoformat()}' WHERE id = {view.pk}")
        at += timedelta(seconds=took)
        make.decision(request, by, kind="reject", reason_code="other", at=at)


def page(client: Browser, address: str = QUEUE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_the_queue_says_how_long_the_rest_takes_at_ones_own_pace(here: Scene, client: Browser) -> None:
    other = make.user(here.client)
    decided(here, here.reviewer, seconds=[60, 120, 90])
    for _ in range(8 - ApprovalRequest.objects.waiting().count()):
        here.request()
    waiting = ApprovalRequest.objects.waiting().count()
    assert left_for(here.client, here.reviewer, waiting).time == "12 min"
    assert left_for(here.client, other, waiting).time == "", "at their own pace, which nobody knows yet"
    assert left_for(here.client, here.reviewer, 1000).time == "25 h+"
    assert "12 min" in page(client)
    client.force_login(other)
    assert "no pace yet" in page(client)


def test_what_is_left_is_counted_as_the_queue_is_narrowed(here: Scene, client: Browser) -> None:
    for grade in ("A", "A", "B"):
        here.request(grade=grade)
    assert "3 left" in page(client)
    assert "2 left" in page(client, f"{QUEUE}?grade=A")
    assert "0 left" in page(client, f"{QUEUE}?channel=call")


def test_a_filter_of_the_queue_is_kept_shared_and_forgotten(here: Scene, client: Browser) -> None:
    def keep(query: str, **more: Any) -> str:
        return str(client.post(KEEP, {"query": query, "name": " The  good ones", **more}, follow=True).content.decode())

    assert "Choose a channel or a grade first" in keep("grade=none&after=9")
    assert "Kept as" in keep("grade=A&after=0.5:3&act=edit")
    row = SavedFilter.objects.get()
    assert (row.name, row.query, row.page) == ("The good ones", {"grade": "A"}, "approvals")
    assert f'href="{QUEUE}?grade=A" aria-current="true"' in page(client, f"{QUEUE}?grade=A")
    assert "The good ones" not in page(client, reverse("prospects:list")), "each list keeps its own"
    keep("grade=B&channel=email", shared="1")
    assert SavedFilter.objects.get().query == {"channel": "email", "grade": "B"}

    client.force_login(make.user(here.client))
    assert "The good ones" in page(client)
    gone = reverse("approvals:remove_filter", args=[row.pk])
    assert client.post(gone).status_code == 404, "only whoever kept it forgets it"
    client.force_login(here.reviewer)
    with pytest.raises(NotAllowed):
        list_filters.open_with(row, client=here.client, actor=here.reviewer)
    assert client.post(reverse("prospects:open_with", args=[row.pk])).status_code == 404
    client.post(gone, {"query": "grade=B"})
    assert not SavedFilter.objects.exists()


def test_the_queue_costs_the_same_however_much_was_decided_and_kept(here: Scene, client: Browser) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as caught:
            page(client, f"{QUEUE}?grade=A")
        return len(caught)

    here.request()
    cost()
    once = cost()
    decided(here, here.reviewer, seconds=[30] * 4)
    for number in range(3):
        client.post(KEEP, {"query": "grade=A", "name": f"Kept {number}"})
    page(client)  # what the notices cost
    assert cost() == once


def test_an_empty_queue_says_who_waits_for_words_and_what_to_do(here: Scene, client: Browser) -> None:
    assert "wait for words" not in page(client)
    for words in (*WORDLESS.values(), DRAFT):
        make.qualified(here.version, next_action=words)
    theirs = make.qualified(make.version(make.client()))
    Prospect.objects.filter(pk=theirs.pk).update(next_action=WORDLESS[NO_TEMPLATE])
    empty = page(client)
    assert "2 qualified prospects wait for words" in empty
    assert reverse("playbooks:list") in empty
