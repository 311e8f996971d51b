"""The Agents page sets the agents to work, shows how far they are, and stops them."""

import pytest
from django.test import Client
from django.urls import reverse

from playbooks.models import AuditEntry, PlaybookVersion, User
from playbooks.services import stops
from prospects.models import Convergence, TriggerFiring
from salesops.all_agents import agent_names
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def version() -> object:
    return factories.version()


def signed_in(client: Client, version: object, *roles: str) -> Client:
    client.force_login(factories.user(version.playbook.client, *roles))
    return client


def test_it_says_what_is_due_and_offers_to_run(client: Client, version: object) -> None:
    factories.prospect(version)
    page = signed_in(client, version, "operator").get(reverse("agents")).content.decode()
    assert "1 prospect with something new" in page
    assert "Run the agents" in page


def test_running_opens_one_convergence_however_often_it_is_asked(client: Client, version: object) -> None:
    factories.prospect(version)
    signed_in(client, version, "operator")
    for _ in range(2):
        response = client.post(reverse("run_agents"), {"playbook": version.playbook_id})
        assert response.status_code == 302
    assert Convergence.objects.get().status == "queued"
    page = client.get(reverse("agents")).content.decode()
    assert "0 of 1 prospects" in page
    assert "Stop this run" in page


def test_the_live_part_alone_answers_htmx(client: Client, version: object) -> None:
    signed_in(client, version, "operator")
    part = client.get(reverse("agents"), headers={"HX-Request": "true", "HX-Target": "work"}).content.decode()
    assert part.lstrip().startswith('<div id="work"')
    assert "<html" not in part


def test_a_run_can_be_stopped_and_keeps_what_it_found(client: Client, version: object) -> None:
    factories.prospect(version)
    signed_in(client, version, "operator").post(reverse("run_agents"), {"playbook": version.playbook_id})
    run = Convergence.objects.get()
    assert client.post(reverse("cancel_run", args=[run.pk])).status_code == 302
    assert client.post(reverse("cancel_run", args=[run.pk])).status_code == 302
    run.refresh_from_db()
    assert run.cancel_requested
    said = AuditEntry.objects.get(event="convergence.cancelled")
    assert (said.subject_id, said.actor_id, said.trace_id) == (run.pk, User.objects.get().pk, run.trace_id)
    assert "Stopping after the prospects at hand" in client.get(reverse("agents")).content.decode()


def test_under_a_stop_of_the_whole_client_every_agent_is_paused_and_none_is_set_to_work(
    client: Client, version: PlaybookVersion
) -> None:
    factories.prospect(version)
    signed_in(client, version, "operator")
    assert "Run the agents" in client.get(reverse("agents")).content.decode()
    owner = version.playbook.client
    # The widest is the oldest, and there are more than a page counts.
    for level, agent in (("client", ""), *(("agent", name) for name in list(agent_names())[:6])):
        stops.stop(client=owner, actor=User.objects.get(), level=level, agent=agent, reason="Wrong words")
    page = client.get(reverse("agents")).content.decode()
    assert "Run the agents" not in page
    assert "No agent runs here until the stop is lifted" in page
    assert [state for state in ("Idle", "Ready", "Working") if f"{state}</span>" in page] == []


def test_a_playbook_that_is_stopped_is_not_offered_to_run(client: Client, version: object) -> None:
    of = version.playbook.client
    stops.stop(
        client=of, actor=factories.user(of), level="playbook", target_id=version.playbook_id, reason="Wrong list"
    )
    page = signed_in(client, version, "operator").get(reverse("agents")).content.decode()
    assert "no agent works on it until the stop is lifted" in page
    assert "Run the agents" not in page


def test_a_reviewer_alone_sees_but_does_not_start(client: Client, version: object) -> None:
    signed_in(client, version, "reviewer")
    assert "Run the agents" not in client.get(reverse("agents")).content.decode()
    assert client.post(reverse("run_agents"), {"playbook": version.playbook_id}).status_code == 403


def test_another_clients_playbook_and_run_do_not_exist(client: Client, version: object) -> None:
    other = factories.version()
    factories.prospect(other)
    run = Convergence.objects.create(
        client=other.playbook.client, playbook=other.playbook, version=other, clock=factories.SEEN_ON
    )
    signed_in(client, version, "operator")
    assert client.post(reverse("run_agents"), {"playbook": other.playbook_id}).status_code == 404
    assert client.post(reverse("cancel_run", args=[run.pk])).status_code == 404
    run.refresh_from_db()
    assert not run.cancel_requested


def test_whoever_or_whatever_set_the_agents_off_is_named(client: Client, version: object) -> None:
    owner, founder = version.playbook.client, factories.user(version.playbook.client, name="Mira Moss")

    def work(**fields: object) -> Convergence:
        return Convergence.objects.create(
            client=owner, playbook=version.playbook, version=version, clock=factories.SEEN_ON, status="done", **fields
        )

    triggered, by_person, by_nobody = work(), work(created_by=founder), work()
    TriggerFiring.objects.create(
        client=owner, playbook=version.playbook, version=version, key="funding-news", kind="event", occurrence="1",
        saw={}, convergence=triggered, trace_id=triggered.trace_id,
    )  # fmt: skip
    client.force_login(founder)
    for page in (reverse("agents"), reverse("jobs")):
        said = client.get(page).content.decode()
        rows = {
            run.pk: said.split(reverse("job", args=[run.pk]))[1].split("</tr>")[0] for run in Convergence.objects.all()
        }
        assert "trigger “funding-news”" in rows[triggered.pk]
        assert "Mira Moss" in rows[by_person.pk]
        assert "the system" in rows[by_nobody.pk]
    assert "trigger “funding-news”" in client.get(reverse("job", args=[triggered.pk])).content.decode()


def test_a_stop_is_named_instead_of_a_run(client: Client, version: object) -> None:
    owner = version.playbook.client
    stops.stop(client=owner, actor=factories.user(owner, "admin"), level="client", reason="Wrong list")
    response = signed_in(client, version, "operator").post(reverse("run_agents"), {"playbook": version.playbook_id})
    assert response.status_code == 409
    assert "Wrong list" in response.content.decode()
    assert not Convergence.objects.exists()
