"""The Sources page with a life behind it: what sources cost and spared, and what market scans brought."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from playbooks.models import Client
from prospects.models import Prospect
from prospects.reading import source_numbers
from prospects.services import market_scan
from tests import factories
from tests.enrichment import world
from tests.enrichment.test_scanning_the_market import ACME, lists, market
from tests.prospects.sources.stand_in import StandIn
from tests.runtime import scene

pytestmark = pytest.mark.django_db


def page(owner: Client) -> str:
    browser = Browser()
    browser.force_login(factories.user(owner), backend="django.contrib.auth.backends.ModelBackend")
    return browser.get(reverse("prospects:sources")).content.decode()


def test_the_cost_of_today_and_what_the_cache_spared_are_shown(server: StandIn) -> None:
    now = timezone.now()
    under = world.playbook(world.facts(server, cost=0.25), {**world.site(server), "enabled": False})
    good = scene.company(under, scene.GOOD)
    world.open_doors(server, good)
    scene.run(under, clock=now)
    client = under.playbook.client
    with time_machine.travel(now, tick=False):  # "today" is the day of the runs, also when midnight has passed since
        facts, site = source_numbers.rows(client)
    assert (facts.key, facts.standing, facts.asked, str(facts.cost.normalize()), facts.spared) == (
        "facts", "working", 1, "0.25", 0.0,
    )  # fmt: skip
    assert (site.key, site.standing, site.playbooks) == ("site", "off", [under.playbook.name])
    Prospect.objects.filter(pk=good.pk).update(converged_no=0)
    scene.run(under, depth="extended", clock=now + timedelta(seconds=1))
    assert source_numbers.rows(client)[0].spared == 1.0
    with time_machine.travel(now, tick=False):
        assert "0.25" in page(client)


def test_the_last_market_scans_are_shown_with_their_trouble(server: StandIn) -> None:
    under = world.playbook(market(server), market(server, "dead"))
    lists(server, ACME)
    server.routes["/dead"] = world.BROKEN
    market_scan.scan(under, actor=None)
    words = page(under.playbook.client)
    assert "Market scans" in words
    assert "dead: it failed (500)" in words
    assert "Market scans" not in page(factories.client())


def test_a_missing_key_is_said_before_the_source_is_asked_for_the_first_time(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = world.facts(server, auth_env="SOURCE_FACTS_KEY")
    client = world.playbook(locked, {**locked, "key": "unused", "enabled": False}).playbook.client
    keyless, unused = source_numbers.rows(client)
    assert (keyless.key, keyless.standing, keyless.keyless) == ("facts", "keyless", "SOURCE_FACTS_KEY is not set")
    assert unused.standing == "off"
    assert "SOURCE_FACTS_KEY is not set; until then it is not asked" in page(client)
    monkeypatch.setenv("SOURCE_FACTS_KEY", "s3cret")
    assert "SOURCE_FACTS_KEY_HOST is not set" in page(client)
    monkeypatch.setenv("SOURCE_FACTS_KEY_HOST", "127.0.0.1")
    assert {row.standing for row in source_numbers.rows(client)} == {"idle", "off"}
    assert "s3cret" not in page(client)


def test_the_page_asks_as_much_for_many_sources_as_for_one(server: StandIn) -> None:
    counts = []
    for many in (1, 12):
        under = world.playbook(*(market(server, f"m{n}") for n in range(many)))
        lists(server, ACME, key="m0")
        market_scan.scan(under, actor=None)
        with CaptureQueriesContext(
            connection,
        ) as asked:
            source_numbers.rows(under.playbook.client)
        counts.append(len(asked))
    assert counts[0] == counts[1]
