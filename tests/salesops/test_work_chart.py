"""The work chart follows the active version's assignments, and never lets an agent alone with what leaves the house."""

from __future__ import annotations

import pytest
from django.test import Client as Browser
from django.urls import reverse

from playbooks.models import AgentAssignment
from playbooks.services import stops
from salesops.all_agents import registry
from salesops.reading.work_chart import JOBS, Who, chart
from salesops.runtime.words import ImplementationKind, Phase
from tests import factories

RULES, OFF, HUMAN = ImplementationKind.RULES, ImplementationKind.OFF, ImplementationKind.HUMAN


def who(kinds: dict[str, ImplementationKind]) -> dict[str, Who]:
    return {line.job.name: line.who for line in chart(registry(), kinds, {})}


def all_by(kind: ImplementationKind) -> dict[str, ImplementationKind]:
    return {agent.name: kind for agent in registry()}


def test_every_agent_has_exactly_one_job() -> None:
    lines = chart(registry(), all_by(RULES), {})
    named = [part.name for line in lines for part in line.parts]
    assert sorted(named) == sorted(agent.name for agent in registry())
    assert {job.phase for job in JOBS} == set(Phase)


def test_agents_work_alone_only_inside_the_house() -> None:
    found = who(all_by(RULES))
    assert {name for name, does in found.items() if does is Who.AGENT} <= {"Research", "Qualify", "Learn"}
    assert (found["Research"], found["Qualify"]) == (Who.AGENT, Who.AGENT)
    assert (found["Write"], found["Send e-mail"]) == (Who.TOGETHER, Who.TOGETHER)
    assert (found["Decide"], found["Call"], found["Connect and text"]) == (Who.PERSON,) * 3


@pytest.mark.parametrize("kind", [OFF, HUMAN])
def test_where_no_agent_acts_a_person_does_the_job(kind: ImplementationKind) -> None:
    assert set(who(all_by(kind)).values()) == {Who.PERSON}


def test_one_agent_of_a_job_is_enough_to_draft_it() -> None:
    found = who({**all_by(OFF), "message_hypothesis": RULES})
    assert found.pop("Write") is Who.TOGETHER
    assert set(found.values()) == {Who.PERSON}


@pytest.mark.django_db
def test_the_page_shows_what_the_active_version_assigns(client: Browser) -> None:
    owner = factories.client()
    version = factories.version(owner, active=False)
    for agent in registry():
        if agent.phase is Phase.STRATEGY:
            AgentAssignment.objects.create(version=version, agent=agent.name, implementation="off")
    factories.activate(version)
    person = factories.user(owner)
    client.force_login(person)
    stops.stop(client=owner, actor=person, level="agent", agent="fit_evidence", reason="Wrong list")
    page = client.get(reverse("work")).content.decode()
    write = page[page.index(">Write<") : page.index(">Choose channel")]
    assert "A person" in write
    assert "drafts" not in write
    assert "off" in write
    qualify = page[page.index(">Qualify<") : page.index(">Write<")]
    assert "An agent alone" in qualify
    assert "stopped" in qualify


@pytest.mark.django_db
def test_a_client_without_a_playbook_is_told_so_and_other_clients_stay_out(client: Browser) -> None:
    other = factories.version()
    client.force_login(factories.user(factories.client()))
    page = client.get(reverse("work"), {"playbook": other.playbook_id}).content.decode()
    assert "No playbook rules yet" in page
    assert str(other.playbook) not in page


@pytest.mark.django_db
def test_the_agents_and_playbook_pages_lead_there(client: Browser) -> None:
    version = factories.version()
    client.force_login(factories.user(version.playbook.client))
    for name in ("agents", "playbooks:list"):
        assert reverse("work") in client.get(reverse(name)).content.decode()
