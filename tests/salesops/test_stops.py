"""The emergency brake."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from playbooks.models import AuditEntry, Stop
from playbooks.services import stops
from salesops.errors import NotAllowed
from tests import factories

pytestmark = pytest.mark.django_db


def test_anybody_of_the_client_stops_it_with_a_reason_that_every_page_shows(client: Browser) -> None:
    of = factories.client()
    client.force_login(factories.user(of))
    answer = client.post(
        reverse("stops"), {"scope": "client:", "kind": "pause", "reason": "Wrong list", "hours": "1"}, follow=True
    )
    assert "Wrong list" in answer.content.decode()
    stop = Stop.objects.in_force().for_client(of).get()
    assert stop.until is not None
    entry = AuditEntry.objects.for_client(of).get()
    assert (entry.event, entry.subject_id) == ("stop.set", stop.pk)
    assert "Wrong list" not in str(entry.detail)


def test_a_stop_without_a_reason_is_refused_beside_the_field(client: Browser) -> None:
    client.force_login(factories.user(factories.client()))
    answer = client.post(reverse("stops"), {"scope": "client:", "kind": "pause", "reason": " "})
    assert answer.status_code == 422
    assert "whoever finds this stopped" in answer.content.decode()
    assert not Stop.objects.exists()


def test_only_an_admin_stops_every_client(client: Browser) -> None:
    of = factories.client()
    client.force_login(factories.user(of))
    answer = client.post(reverse("stops"), {"scope": "everything:", "kind": "pause", "reason": "Fire"})
    assert answer.status_code == 422
    assert "for every client" not in answer.content.decode()
    stop = stops.stop(client=of, actor=factories.user(of, "admin"), level="everything", reason="Fire")
    assert Stop.objects.in_force().for_client(factories.client()).get() == stop
    page = client.get(reverse("stops")).content.decode()
    assert "An admin can lift it." in page
    assert "Lift this stop" not in page
    with pytest.raises(NotAllowed):
        stops.lift(stop.pk, client=of, actor=factories.user(of), reason="Out")
    client.force_login(factories.user(of, "admin"))
    page = client.get(reverse("stops")).content.decode()
    assert 'value="everything:"' in page
    assert "Lift this stop" in page


def test_another_clients_prospect_cannot_be_stopped(client: Browser) -> None:
    foreign = factories.prospect()
    client.force_login(factories.user(factories.client()))
    scope = {"scope": f"prospect:{foreign.pk}", "kind": "pause", "reason": "Mine now"}
    answer = client.post(f"{reverse('stops')}?prospect={foreign.pk}", scope)
    assert answer.status_code == 422
    assert not Stop.objects.exists()


def test_a_stop_is_lifted_once_with_a_reason(client: Browser) -> None:
    of = factories.client()
    person = factories.user(of)
    stop = stops.stop(client=of, actor=person, level="client", reason="Wrong list")
    with pytest.raises(stops.ReasonMissing):
        stops.lift(stop.pk, client=of, actor=person, reason="")
    stops.lift(stop.pk, client=of, actor=person, reason="List mended")
    assert not Stop.objects.in_force().for_client(of).exists()
    with pytest.raises(stops.AlreadyLifted):
        stops.lift(stop.pk, client=of, actor=person, reason="Again")


def test_another_clients_stop_cannot_be_lifted(client: Browser) -> None:
    theirs = factories.client()
    stop = stops.stop(client=theirs, actor=factories.user(theirs), level="client", reason="Wrong list")
    client.force_login(factories.user(factories.client()))
    assert client.post(reverse("lift_stop", args=[stop.pk]), {"reason": "x"}).status_code == 404


def test_an_end_in_the_past_is_refused() -> None:
    of = factories.client()
    yesterday = timezone.now() - timedelta(days=1)
    with pytest.raises(stops.WrongTarget):
        stops.stop(client=of, actor=factories.user(of), level="client", reason="x", until=yesterday)


def test_the_dialog_is_a_fragment_of_the_page(client: Browser) -> None:
    client.force_login(factories.user(factories.client()))
    fragment = client.get(reverse("stops"), headers={"HX-Request": "true", "HX-Target": "dialog"})
    assert fragment.content.decode().lstrip().startswith('<div class="stack">')
    assert "HX-Target" in fragment["Vary"]


def test_the_agents_page_leads_to_a_stop_for_that_agent(client: Browser) -> None:
    client.force_login(factories.user(factories.client()))
    page = client.get(reverse("agents")).content.decode()
    links = re.findall(rf'href="({reverse("stops")}\?[^"]*)"', page)
    assert [link for link in links if link.endswith("agent=approval_gate")]
    assert "No agent has run" in page
    form = client.get(f"{reverse('stops')}?agent=approval_gate").context["form"]
    assert form["scope"].value() == "agent:approval_gate"
    assert client.get(f"{reverse('stops')}?agent=nobody").context["form"]["scope"].value() is None
