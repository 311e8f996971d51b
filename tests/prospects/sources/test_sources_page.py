"""The page that shows how each source is doing."""

from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from playbooks.models import AuditEntry, Client, Role
from prospects.models import SourceState
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> Client:
    return factories.client()


def signed_in(owner: Client, *roles: str) -> Browser:
    browser = Browser()
    browser.force_login(factories.user(owner, *roles))
    return browser


def state(owner: Client, **fields: object) -> SourceState:
    return SourceState.objects.create(client=owner, **{"source": "crunch", **fields})


@pytest.mark.parametrize(
    ("fields", "shown"),
    [({}, "Working"), ({"failures": 2, "last_error": "it failed (500)"}, "Failing"),
     ({"failures": 5, "open_until": timezone.now() + timedelta(hours=1)}, "Resting"),
     ({"halted_at": timezone.now(), "last_error": "it refused our key (401)"}, "Halted"),
     ({"retired_at": timezone.now()}, "Gone"), ({"warning": "crunch announced its end"}, "announced its end")],
)  # fmt: skip
def test_a_source_shows_how_it_is_doing(owner: Client, fields: dict[str, object], shown: str) -> None:
    state(owner, **fields)
    page = signed_in(owner).get(reverse("prospects:sources")).content.decode()
    assert shown in page
    assert str(fields.get("last_error", "")) in page
    assert "Resume" not in page, "a reviewer looks on"


def test_an_operator_resumes_a_halted_source_and_it_is_audited(owner: Client) -> None:
    halted = state(owner, halted_at=timezone.now())
    browser = signed_in(owner, Role.OPERATOR)
    assert "Resume" in browser.get(reverse("prospects:sources")).content.decode()
    answer = browser.post(reverse("prospects:resume_source", args=[halted.pk]), follow=True)
    assert "crunch is asked again" in answer.content.decode()
    halted.refresh_from_db()
    assert halted.halted_at is None
    assert AuditEntry.objects.filter(client=owner, event="source.resumed").count() == 1
    again = browser.post(reverse("prospects:resume_source", args=[halted.pk]), follow=True)
    assert "is not halted" in again.content.decode()


def test_nobody_resumes_what_is_not_theirs(owner: Client) -> None:
    halted = state(owner, halted_at=timezone.now())
    address = reverse("prospects:resume_source", args=[halted.pk])
    assert signed_in(owner).post(address).status_code == 403
    assert signed_in(owner, Role.LEADER).get(address).status_code == 405
    assert signed_in(factories.client(), Role.ADMIN).post(address).status_code == 404
    halted.refresh_from_db()
    assert halted.halted_at is not None


def test_other_clients_sources_are_not_shown(owner: Client) -> None:
    state(factories.client(), source="theirs")
    assert "theirs" not in signed_in(owner).get(reverse("prospects:sources")).content.decode()
