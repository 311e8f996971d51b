"""A refusal is one answer wherever it is given: the same status and the same words on a page and in a fragment."""

from __future__ import annotations

import pytest
from django.test import Client as Browser
from django.urls import reverse

from playbooks.models import Role
from prospects.models import Suggestion
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("role", "status", "words"),
    [(Role.LEADER, 403, "Only an admin of"), (Role.ADMIN, 409, "Say in a sentence why not")],
)
def test_a_page_and_a_fragment_are_refused_alike(client: Browser, role: Role, status: int, words: str) -> None:
    who = factories.prospect()
    client.force_login(factories.user(who.client, role))
    note = Suggestion.objects.create(
        client=who.client, playbook=who.playbook, prospect=who, rule="Hot", truth="No.", by=factories.user(who.client)
    )
    url = reverse("prospects:answer_suggestion", args=[note.pk])
    page, fragment = (
        client.post(url, {"state": "declined"}, headers=headers) for headers in ({}, {"HX-Request": "true"})
    )
    assert (page.status_code, fragment.status_code) == (status, status)
    assert words in page.content.decode()
    assert words in fragment.content.decode()
    assert "<html" in page.content.decode()
    assert "<html" not in fragment.content.decode()
    assert fragment.headers["HX-Retarget"] == "#toasts"
    note.refresh_from_db()
    assert note.state == "open"
