"""The page that lets a client go live: what is missing, who may, and the way back with one click."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from approvals.models import Task
from playbooks.models import ModeSwitch, Role
from tests import factories as make
from tests.approvals.scene import Scene, reload, scene

pytestmark = pytest.mark.django_db
GIVEN = {"reason": "The list is clean.", "nobody": "on"}


@pytest.fixture
def at_work(in_public: Any) -> Scene:
    return scene()


@pytest.fixture
def page() -> str:
    return reverse("approvals:live")


def signed_in(at_work: Scene, role: Role) -> Browser:
    browser = Browser()
    browser.force_login(make.user(at_work.client, role))
    return browser


def test_an_admin_goes_live_with_a_plain_form_and_an_operator_comes_back(at_work: Scene, page: str) -> None:
    admin, operator = signed_in(at_work, Role.ADMIN), signed_in(at_work, Role.OPERATOR)
    shown = admin.get(page).content.decode()
    assert 'name="name"' in shown
    assert "the sandbox" in shown
    wrong = admin.post(page, GIVEN | {"name": "Somebody else"})
    assert (wrong.status_code, "to confirm" in wrong.content.decode()) == (422, True)
    untold = admin.post(page, {"reason": "x", "name": at_work.client.name})
    assert (untold.status_code, "people to leave alone" in untold.content.decode()) == (422, True)
    assert reload(at_work.client).sandbox
    assert admin.post(page, GIVEN | {"name": at_work.client.name}).status_code == 302
    assert not reload(at_work.client).sandbox
    live = operator.get(page).content.decode()
    assert "The list is clean." in live
    assert "Said: nobody" in live
    assert operator.post(reverse("approvals:sandbox")).status_code == 302
    assert reload(at_work.client).sandbox
    assert list(ModeSwitch.objects.values_list("mode", flat=True)) == ["sandbox", "live"]
    assert "in the sandbox already" in operator.post(reverse("approvals:sandbox"), follow=True).content.decode()


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.LEADER, Role.OPERATOR])
def test_whoever_may_not_is_told_whom_to_ask(at_work: Scene, page: str, role: Role) -> None:
    browser = signed_in(at_work, role)
    shown = browser.get(page)
    assert (shown.status_code, 'name="name"' in shown.content.decode()) == (200, False)
    assert "Only an admin of" in shown.content.decode()
    refused = browser.post(page, GIVEN | {"name": at_work.client.name})
    assert (refused.status_code, "Only an admin of" in refused.content.decode()) == (403, True)
    assert reload(at_work.client).sandbox
    make.go_live(at_work.client)
    if role != Role.OPERATOR:
        assert browser.post(reverse("approvals:sandbox")).status_code == 403
        assert not reload(at_work.client).sandbox


def test_what_is_missing_stands_there_with_what_to_do_and_without_a_form(
    at_work: Scene, page: str, settings: Any
) -> None:
    settings.PUBLIC_URL = "http://127.0.0.1:8000"
    browser = signed_in(at_work, Role.ADMIN)
    shown = browser.get(page).content.decode()
    assert "127.0.0.1 leads nowhere outside this network" in shown
    assert "Set PUBLIC_URL to the https address" in shown
    assert 'name="name"' not in shown
    assert browser.post(page, GIVEN | {"name": at_work.client.name}).status_code == 422
    assert reload(at_work.client).sandbox


@pytest.mark.parametrize(("live", "said"), [(False, True), (True, False)])
def test_a_call_that_was_approved_in_the_sandbox_says_so(at_work: Scene, live: bool, said: bool) -> None:
    if live:
        make.go_live(at_work.client)
    sent = at_work.approve(at_work.real()).dispatch
    Task.objects.create(client=at_work.client, kind="call", prospect=sent.prospect, dispatch=sent, title="Call Dana")
    Task.objects.create(client=at_work.client, kind="review", prospect=sent.prospect, dispatch=sent, title="Look")
    shown = signed_in(at_work, Role.REVIEWER).get(reverse("approvals:tasks")).content.decode()
    assert shown.count("Approved for practice: reach nobody.") == int(said)
