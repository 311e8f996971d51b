"""Stopping and resuming from wherever the work is seen, and the list of what is and was stopped."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from approvals.models import ApprovalRequest
from playbooks.models import Client, Stop, User
from playbooks.services import stops
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked() -> ApprovalRequest:
    return factories.request()


@pytest.fixture
def owner(asked: ApprovalRequest) -> Client:
    return asked.client


@pytest.fixture
def person(owner: Client) -> User:
    return factories.user(owner, "reviewer", "admin", name="Mira Moss")


@pytest.fixture
def browser(client: Browser, person: User) -> Browser:
    client.force_login(person)
    return client


def read(browser: Browser, name: str, *args: object, **query: object) -> str:
    return browser.get(reverse(name, args=args), query).content.decode()


@pytest.mark.parametrize("level", ["prospect", "playbook"])
def test_a_page_stops_and_resumes_what_it_shows(browser: Browser, asked: ApprovalRequest, level: str) -> None:
    prospect = asked.prospect
    target = {"prospect": prospect.pk, "playbook": prospect.playbook_id}[level]
    here = {"prospect": reverse("prospects:detail", args=[prospect.pk]), "playbook": reverse("playbooks:list")}[level]
    assert f"{level}={target}" in browser.get(here).content.decode()
    form = browser.get(
        reverse("stops"), {level: target, "next": here}, headers={"HX-Target": "dialog"}
    ).content.decode()
    chosen = {"prospect": form.partition("</option>")[0], "playbook": form.partition(" selected")[0]}[level]
    assert chosen.rpartition("<option ")[2].startswith(f'value="{level}:{target}"'), "first of all, or chosen"
    address = f"{reverse('stops')}?{level}={target}&next={here}"
    answer = browser.post(address, {"scope": f"{level}:{target}", "kind": "pause", "reason": "Ask Dana", "hours": "24"})
    assert answer.headers["Location"] == here
    page = browser.get(here).content.decode()
    assert "Ask Dana" in page
    assert "Mira Moss" in page
    assert "Resume" in page
    stop = Stop.objects.get()
    assert (stop.level, stop.target_id) == (level, target)
    lifted = browser.post(reverse("lift_stop", args=[stop.pk]), {"reason": "Asked", "next": here})
    assert lifted.headers["Location"] == here
    assert "Resume" not in browser.get(here).content.decode()


def test_a_dossier_says_what_stops_it_and_leads_to_the_brake(
    browser: Browser, asked: ApprovalRequest, owner: Client, person: User
) -> None:
    assert f"request={asked.pk}" in read(browser, "approvals:detail", asked.pk)
    stops.stop(client=owner, actor=person, level="request", target_id=asked.pk, reason="Wrong tone")
    page = read(browser, "approvals:detail", asked.pk)
    assert "Paused: this request" in page
    assert "Wrong tone" in page
    other = factories.request(asked.playbook_version, words=None)
    assert "Wrong tone" not in read(browser, "approvals:detail", other.pk)


def test_the_way_back_leads_nowhere_else(browser: Browser, owner: Client, person: User) -> None:
    stop = stops.stop(client=owner, actor=person, level="client", reason="Fair")
    answer = browser.post(reverse("lift_stop", args=[stop.pk]), {"reason": "Over", "next": "https://evil.example/"})
    assert answer.headers["Location"] == reverse("stops")
    stop = stops.stop(client=owner, actor=person, level="client", reason="Fair")
    answer = browser.post(reverse("lift_stop", args=[stop.pk]), {"reason": "Over", "next": "no-name-of-a-page"})
    assert answer.status_code == 302


def test_the_list_tells_stops_in_force_from_those_that_are_over(
    browser: Browser, asked: ApprovalRequest, owner: Client, person: User
) -> None:
    prospect = asked.prospect
    soon = timezone.now() + timedelta(hours=1)
    stops.stop(client=owner, actor=person, level="agent", agent="fit_evidence", reason="Ends by itself", until=soon)
    lifted = stops.stop(client=owner, actor=person, level="prospect", target_id=prospect.pk, reason="Was wrong")
    stops.lift(lifted.pk, client=owner, actor=person, reason="Is right")
    stops.stop(client=owner, actor=person, level="client", kind="cancel", reason="Shut the shop")
    other = factories.client()
    stops.stop(client=other, actor=factories.user(other), level="client", reason="Theirs alone")
    now, over, every = (read(browser, "stops", state=state) for state in ("now", "over", "all"))
    with time_machine.travel(soon + timedelta(minutes=1)):
        browser.force_login(person)
        later_now, later_over = (read(browser, "stops", state=state) for state in ("now", "over"))
    listed = [page[page.index('id="list"') :] for page in (now, over, every, later_now, later_over)]
    assert [("Ends by itself" in page, "Was wrong" in page, "Shut the shop" in page) for page in listed] == [
        (True, False, True), (False, True, False), (True, True, True), (False, False, True), (True, True, False),
    ]  # fmt: skip
    assert "Theirs alone" not in "".join(listed)
    assert "called off: 1 waiting request" in listed[0]
    assert str(prospect) in listed[1]
    assert "Is right" in listed[1]
    assert "Expired" in listed[4]
    narrowed = read(browser, "stops", state="all", level="agent")
    assert "Ends by itself" in narrowed
    assert "Was wrong" not in narrowed[narrowed.index('id="list"') :]


def test_the_list_costs_the_same_for_any_number_of_stops(
    browser: Browser, asked: ApprovalRequest, owner: Client, person: User
) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as found:
            read(browser, "stops")
        return len(found)

    targets = {"prospect": asked.prospect_id, "request": asked.pk, "playbook": asked.prospect.playbook_id}
    for level, target in targets.items():
        stops.stop(client=owner, actor=person, level=level, target_id=target, reason="One")
    few = cost()
    for _ in range(5):
        for level, target in targets.items():
            stops.stop(client=owner, actor=person, level=level, target_id=target, reason="More")
    assert cost() == few


def test_many_brakes_on_a_page_ask_once(browser: Browser, owner: Client, person: User) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as found:
            read(browser, "playbooks:list")
        return sum("playbooks_stop" in query["sql"] and "lift_reason" in query["sql"] for query in found)

    factories.version(owner)
    stops.stop(client=owner, actor=person, level="agent", agent="fit_evidence", reason="x")
    assert cost() == 1


def test_what_a_cancel_called_off_is_said_at_once(browser: Browser, asked: ApprovalRequest) -> None:
    chosen = {"scope": "client:", "kind": "cancel", "reason": "Over"}
    answer = browser.post(reverse("stops"), chosen, follow=True)
    assert "Called off: 1 waiting request." in answer.content.decode()
    asked.refresh_from_db()
    assert asked.status == "cancelled"


@pytest.mark.parametrize("level", ["client", "request"])
def test_a_request_that_was_called_off_names_its_stop_even_when_that_was_lifted(
    browser: Browser, asked: ApprovalRequest, owner: Client, person: User, level: str
) -> None:
    target = asked.pk if level == "request" else None
    stop = stops.stop(client=owner, actor=person, level=level, target_id=target, kind="cancel", reason="Wrong list")
    held = read(browser, "approvals:detail", asked.pk)
    assert held.count("Wrong list") >= 1
    assert "Called off by a stop" not in held  # the stop itself is named while it holds
    stops.lift(stop.pk, client=owner, actor=person, reason="A new list")
    page = read(browser, "approvals:detail", asked.pk)
    assert "Called off by a stop" in page
    assert "Wrong list" in page
    assert "A new list" in page
    other = factories.request(asked.playbook_version, words=None)
    assert "Called off by a stop" not in read(browser, "approvals:detail", other.pk)
