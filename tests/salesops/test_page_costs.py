"""What pages may ask of the database: the benchmark's pages on a few prospects, each within its number of queries."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

from prospects.services.funnel_cells import sweep_funnel
from salesops.bench.agents import make_agent_history
from salesops.bench.pages import pages_of
from salesops.bench.population import make_population

pytestmark = pytest.mark.django_db
# Four of them are the shell's: the session, the person, their clients, and what waits for people.
MOST = {
    "queue": 16,  # two of them: how long the rest takes, and the filters that people keep
    "dossier": 16,
    "prospect list": 14,  # who is on the page is one question, what it shows of them another
    "prospect list, filtered": 14,
    "prospect list, searched": 14,
    "prospect page": 15,
    "prospect page, handed over": 15,
    "funnel": 8,
    "funnel, all time": 8,
    "funnel, one filter": 8,
    "funnel, two filters": 8,
    "agents": 15,
    "one agent's runs": 10,
    "its refused runs": 10,
    "tasks": 5,
    "jobs": 6,
}


@pytest.fixture
def measured(client: Browser) -> dict[str, str]:
    population = make_population(60)
    make_agent_history(population)
    sweep_funnel()
    client.force_login(population.user)
    return dict(pages_of(population))


def test_no_page_asks_more_than_it_may(client: Browser, measured: dict[str, str]) -> None:
    asked = {}
    for name, url in measured.items():
        assert client.get(url).status_code == 200, name
        with CaptureQueriesContext(connection) as captured:
            client.get(url)
        asked[name] = len(captured)
    assert asked.keys() == MOST.keys()
    assert {name: count for name, count in asked.items() if count > MOST[name]} == {}
