"""What the desk and the outbox say and offer, beside what their services do."""

from __future__ import annotations

import pytest
from django.test import Client as Browser
from django.urls import reverse

from approvals.models import ApprovalRequest
from approvals.services import undo
from tests.approvals.scene import Scene, scene
from tests.factories import user

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_work(client: Browser) -> Scene:
    made = scene(undo_seconds=60)
    client.force_login(made.reviewer)
    return made


def outbox_of(client: Browser) -> str:
    return client.get(reverse("approvals:outbox")).content.decode()


def test_the_outbox_offers_to_take_back_whatever_has_not_left(client: Browser, at_work: Scene) -> None:
    held = [at_work.approved() for _ in range(6)]  # more than the desk has room for
    offers = [reverse("approvals:undo", args=[dispatch.decision_id]) for dispatch in held]
    page = outbox_of(client)
    assert [offer for offer in offers if offer not in page] == []
    assert offers[0] in client.get(reverse("approvals:outbox_detail", args=[held[0].pk])).content.decode()
    desk = client.get(reverse("approvals:queue")).content.decode()
    assert sum(offer in desk for offer in offers) == 5
    assert "All that can still be undone" in desk

    assert client.post(offers[0]).status_code == 302
    assert ApprovalRequest.objects.get(pk=held[0].request_id).status == "waiting"
    assert offers[0] not in outbox_of(client)


def test_the_outbox_offers_no_undo_to_those_who_only_read(client: Browser, at_work: Scene) -> None:
    held = at_work.approved()
    client.force_login(user(at_work.client, "operator"))
    assert reverse("approvals:undo", args=[held.decision_id]) not in outbox_of(client)


def test_a_dossier_that_htmx_asks_for_brings_the_title_of_its_page(client: Browser, at_work: Scene) -> None:
    waiting = at_work.request()
    url = reverse("approvals:detail", args=[waiting.pk])
    part = client.get(url, headers={"HX-Request": "true", "HX-Target": "dossier"}).content.decode()
    assert part.lstrip().startswith(f"<title>{waiting.prospect} · Approvals · SalesOps</title>")
    page = client.get(url).content.decode()
    assert page.count("<title>") == 1
    assert f"<title>{waiting.prospect} · Approvals · SalesOps</title>" in page
    assert f'aria-label="Dossier: {waiting.prospect}"' in page


def test_what_is_said_about_a_decision_names_whom_it_is_about(client: Browser, at_work: Scene) -> None:
    waiting, gone = at_work.request(), at_work.request()
    seen = at_work.seen(waiting).encode()
    words = {"action": "reject", "seen": seen, "reason_code": "wrong_company", "words": "A bank."}
    page = client.post(reverse("approvals:decide", args=[waiting.pk]), words, follow=True).content.decode()
    assert f"{waiting.prospect}: rejected." in page

    later = at_work.request()
    chosen = {"action": "defer", "seen": at_work.seen(later).encode(), "when": "at", "day": "2999-11-25"}
    page = client.post(reverse("approvals:decide", args=[later.pk]), chosen, follow=True).content.decode()
    assert f"{later.prospect}: deferred until Monday 25 November." in page

    pick = f"{gone.pk}:{at_work.seen(gone).encode()}"
    dispatch = at_work.approve(gone).dispatch
    assert dispatch is not None
    undo.undo(dispatch.decision_id, actor=at_work.reviewer, client=at_work.client)
    page = client.post(reverse("approvals:bulk"), {"pick": [pick]}, follow=True).content.decode()
    assert f"{gone.prospect} was not approved: " in page


def test_more_than_can_be_approved_at_once_is_refused_whole_and_not_cut_short(client: Browser, at_work: Scene) -> None:
    waiting = at_work.request()
    seen = at_work.seen(waiting).encode()
    answer = client.post(reverse("approvals:bulk"), {"pick": [f"{waiting.pk + n}:{seen}" for n in range(201)]})
    assert (answer.status_code, b"at most 200" in answer.content) == (409, True)
    waiting.refresh_from_db()
    assert waiting.status == "waiting"
