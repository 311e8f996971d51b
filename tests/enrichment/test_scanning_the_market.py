"""The market scan: companies nobody told us about come in from sources, once, with the place where they stand."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.urls import reverse

from playbooks.models import AgentPermission, AuditEntry, PlaybookVersion, Stop
from playbooks.services import stops
from prospects.models import AgentDay, Company, Convergence, MarketScan, Prospect, Signal
from prospects.services import market_scan
from prospects.services.converging import converge, convergences
from prospects.services.market_scan import NothingToScan
from prospects.sources.records import Candidate
from prospects.sources.tool import PlaybookSources
from tests import factories
from tests.enrichment import world
from tests.prospects.sources.stand_in import Reply, StandIn, as_json
from tests.runtime import scene

pytestmark = pytest.mark.django_db
ACME = {"n": "Acme Robotics", "w": "https://acme-robotics.example", "size": 12, "land": "US", "sector": "B2B",
        "link": "https://list.example/acme"}  # fmt: skip
BOLT = {"n": "Bolt Works", "w": "https://bolt.example", "size": 30, "land": "US", "sector": "B2B"}
FIELDS = {"name": "n", "website": "w", "employees": "size", "country": "land", "industry": "sector", "ref": "link",
          "pitch": "pitch"}  # fmt: skip


def market(server: StandIn, key: str = "market", **more: Any) -> dict[str, Any]:
    return {"key": key, "kind": "json", "url": f"{server.url}/{key}", "delivers": ["candidate"],
            "params": {"items": "data", "fields": FIELDS}, **more}  # fmt: skip


def lists(server: StandIn, *records: Any, key: str = "market") -> None:
    server.routes[f"/{key}"] = as_json({"data": list(records)})


def scan(under: PlaybookVersion, **fields: Any) -> MarketScan:
    return market_scan.scan(under, actor=None, **{"now": scene.CLOCK, **fields})


def test_candidates_become_companies_with_a_signal_that_says_where_they_stand(server: StandIn) -> None:
    under = world.playbook(market(server, weight=0.6, confidence=0.7))
    lists(server, {**ACME, "pitch": "Arms for all"}, BOLT)
    done = scan(under)
    assert (done.status, done.found, done.created, done.problems) == ("done", 2, 2, [])
    made = Prospect.objects.get(company__domain="acme-robotics.example")
    assert (made.source, made.stage, made.playbook_id) == ("market", "sourced", under.playbook_id)
    said = Signal.objects.get(prospect=made)
    assert (said.kind, said.source, said.source_ref) == ("profile", "market", "https://list.example/acme")
    assert (said.trace_id, said.observed_at) == (done.trace_id, scene.CLOCK)
    assert (said.data["employees_min"], said.data["pitch"]) == (12, "Arms for all")
    assert (said.data["confidence"], said.data["candidate_weight"]) == (0.7, 0.6)
    assert Signal.objects.get(prospect__company__domain="bolt.example").source_ref == "https://bolt.example"


def test_a_scan_done_again_changes_nothing(server: StandIn) -> None:
    under = world.playbook(market(server))
    lists(server, ACME, BOLT)
    scan(under)
    before = (Company.objects.count(), Prospect.objects.count(), Signal.objects.count(), len(server.asked))
    done = scan(under)
    assert (done.created, done.unchanged) == (0, 2)
    assert (Company.objects.count(), Prospect.objects.count(), Signal.objects.count(), len(server.asked)) == before
    lists(server, BOLT, {**ACME, "size": 15})
    done = scan(under, now=scene.CLOCK.replace(month=8))
    assert (done.created, done.updated, done.unchanged) == (0, 1, 1)


def test_a_company_that_is_known_already_is_recognised(server: StandIn) -> None:
    under = world.playbook(market(server))
    known = factories.prospect(under)
    assert known.company is not None
    lists(server, {"n": known.company.name, "w": f"https://www.{known.company.domain}/home", "size": 25})
    assert scan(under).created == 0
    assert Prospect.objects.count() == 1
    assert Signal.objects.filter(prospect=known, source="market").count() == 1


def test_the_heavier_source_states_the_facts_and_the_others_fill_gaps(server: StandIn) -> None:
    under = world.playbook(market(server, weight=0.2), market(server, "better", weight=0.9))
    lists(server, {**ACME, "size": 99, "pitch": "Arms"})
    lists(server, ACME, key="better")
    done = scan(under)
    assert list(done.sources) == ["better", "market"]
    assert (done.created, done.merged) == (1, 1)
    company = Company.objects.get()
    assert (company.employees_min, company.source) == (12, "better")
    assert company.attributes["pitch"] == "Arms"


def test_a_bad_record_is_skipped_and_named_and_the_rest_comes_in(server: StandIn) -> None:
    under = world.playbook(market(server))
    lists(server, {"n": "", "size": 3}, "text", ACME, {"w": "not a site"})
    done = scan(under)
    assert (done.status, done.created) == ("done", 1)
    assert any("skipped" in words for words in done.problems)


def test_a_dead_source_is_named_and_the_others_are_read(server: StandIn) -> None:
    under = world.playbook(market(server, "dead"), market(server))
    server.routes["/dead"] = Reply(500)
    lists(server, ACME)
    done = scan(under)
    assert (done.status, done.created) == ("done", 1)
    assert "dead: it failed (500)" in done.problems


def test_it_ends_where_the_money_does(server: StandIn) -> None:
    under = world.playbook(market(server, cost=60), edit={r"money_per_month: \d+": "money_per_month: 50"})
    lists(server, ACME)
    done = scan(under)
    assert done.found == 0
    assert "money for this month is spent" in done.problems[0]
    assert server.asked == []


def test_what_it_cost_is_on_record(server: StandIn) -> None:
    under = world.playbook(market(server, cost=0.5))
    lists(server, ACME)
    assert str(scan(under).cost).rstrip("0") == "0.5"


@pytest.mark.parametrize("stopped", [{"level": "agent", "agent": "market_scan"}, {"level": "client"}])
def test_a_stop_is_asked_first(server: StandIn, stopped: dict[str, str]) -> None:
    under = world.playbook(market(server))
    who = factories.user(under.playbook.client)
    Stop.objects.create(client=under.playbook.client, kind="pause", reason="Holidays", created_by=who, **stopped)
    done = scan(under)
    assert done.status == "refused"
    assert done.words
    assert server.asked == []


@pytest.fixture
def stopped_after_one(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Any]], None]:
    """Let something happen once a scan has its first candidate, and look after every one."""

    def arrange(happen: Callable[[], Any]) -> None:
        real, done = PlaybookSources.scan, []

        def scanned(self: PlaybookSources, seeds: Any) -> Iterator[Candidate]:
            for candidate in real(self, seeds):
                yield candidate
                if not done:
                    done.append(happen())

        monkeypatch.setattr(PlaybookSources, "scan", scanned)
        monkeypatch.setattr(market_scan, "LOOK_SECONDS", 0)

    return arrange


@pytest.mark.parametrize("kind", ["pause", "cancel"])
def test_a_stop_that_comes_while_it_is_at_work_ends_it(
    server: StandIn, stopped_after_one: Callable[..., None], kind: str
) -> None:
    under = world.playbook(market(server))
    lists(server, ACME, BOLT)
    client, who = under.playbook.client, factories.user(under.playbook.client)
    stopped_after_one(lambda: stops.stop(client=client, actor=who, level="client", kind=kind, reason="Wrong list"))
    done = scan(under)
    assert (done.status, done.created) == ("done", 1)
    assert done.words == "Stopped: Wrong list. What was found before that is kept."


def test_a_pause_lets_the_scan_of_a_convergence_go_on_with_it(
    server: StandIn, stopped_after_one: Callable[..., None]
) -> None:
    under = world.playbook(market(server))
    lists(server, ACME, BOLT)
    client, who = under.playbook.client, factories.user(under.playbook.client)
    stopped_after_one(lambda: stops.stop(client=client, actor=who, level="client", reason="Tea"))
    waiting = scene.run(under, depth="extended").convergence
    assert (waiting.status, MarketScan.objects.get().status, Prospect.objects.count()) == ("queued", "running", 1)
    stops.lift(Stop.objects.get().pk, client=client, actor=who, reason="Drunk")
    assert scene.run(under, depth="extended").convergence.pk == waiting.pk
    assert (MarketScan.objects.get().status, Prospect.objects.exclude(verdict="").count()) == ("done", 2)
    assert len(server.asked) == 1


def test_calling_the_agents_back_ends_the_scan_they_began_with(
    server: StandIn, stopped_after_one: Callable[..., None]
) -> None:
    under = world.playbook(market(server))
    lists(server, ACME, BOLT)
    client = under.playbook.client
    stopped_after_one(lambda: convergences.cancel(Convergence.objects.get().pk, client=client, actor=None))
    assert scene.run(under, depth="extended").convergence.status == "cancelled"
    done = MarketScan.objects.get()
    assert (done.status, done.created, done.words[:27]) == ("done", 1, "The agents were called back")


def test_without_the_right_to_write_contacts_it_is_refused_on_record(server: StandIn) -> None:
    under = world.playbook(market(server))
    AgentPermission.objects.create(client=under.playbook.client, team="lead_gen", resource="contact", access="read")
    done = scan(under)
    assert (done.status, done.words) == ("refused", "Team lead_gen may not write contact for this client.")
    assert AuditEntry.objects.filter(event="agent.permission_denied").exists()
    assert server.asked == []


def test_a_playbook_switches_it_off(server: StandIn) -> None:
    off = {"agents: \\[\\]": "agents: [{agent: market_scan, implementation: 'off'}]"}
    assert scan(world.playbook(market(server), edit=off)).status == "refused"


def test_an_extended_convergence_begins_with_it_and_works_whom_it_brought(server: StandIn) -> None:
    under = world.playbook(market(server))
    lists(server, ACME, BOLT)
    report = scene.run(under, depth="extended")
    convergence = Convergence.objects.get(pk=report.convergence.pk)
    done = MarketScan.objects.get(convergence=convergence)
    assert (done.status, done.created, done.trace_id) == ("done", 2, convergence.trace_id)
    assert (convergence.status, convergence.done, convergence.total) == ("done", 2, 2)
    assert not Prospect.objects.filter(verdict="").exists()
    scene.run(under, depth="primary")
    assert MarketScan.objects.count() == 1


def test_a_scan_whose_worker_died_is_done_by_the_next_one(server: StandIn) -> None:
    under = world.playbook(market(server))
    lists(server, ACME, BOLT)
    convergence = convergences.open_convergence(
        client=under.playbook.client, playbook=under.playbook, actor=None, depth="extended", clock=scene.CLOCK
    )
    MarketScan.objects.create(
        client=under.playbook.client, playbook=under.playbook, version=under, convergence=convergence, at=scene.CLOCK
    )
    done = market_scan.before(convergence)
    assert done is not None
    assert (done.status, done.created) == ("done", 2)
    assert market_scan.before(convergence) is None, "once"


def test_the_command_says_what_it_found(server: StandIn) -> None:
    under = world.playbook(market(server))
    lists(server, ACME)
    who = ["--client", under.playbook.client.slug, "--playbook", under.playbook.slug]
    out = StringIO()
    call_command("scan_market", *who, "--json", stdout=out)
    document = json.loads(out.getvalue())
    assert (document["created"], document["sources"]["market"]["found"]) == (1, 1)
    out = StringIO()
    call_command("scan_market", *who, stdout=out)
    assert "1 candidates: 0 new" in out.getvalue()


def test_without_a_source_of_candidates_there_is_nothing_to_scan(server: StandIn) -> None:
    under = world.playbook(world.facts(server))
    with pytest.raises(NothingToScan, match="delivers companies"):
        scan(under)
    with pytest.raises(CommandError, match="delivers companies"):
        call_command("scan_market", "--client", under.playbook.client.slug, "--playbook", under.playbook.slug)
    scene.run(under, depth="extended")
    assert not MarketScan.objects.exists()


def test_a_scan_is_its_agents_run_on_the_agents_page_its_own_page_the_job_and_the_trace(
    server: StandIn, client: Browser
) -> None:
    under = world.playbook(market(server, cost=0.25))
    lists(server, ACME, BOLT)
    converge.converge(client=under.playbook.client, playbook=under.playbook, actor=None, depth="extended")
    done = MarketScan.objects.get()
    day = AgentDay.objects.get(agent="market_scan")
    assert (day.runs, day.failed, day.proposed, day.promoted, day.refused, day.cost, sum(day.buckets)) == (
        1, 0, 2, 2, 0, done.cost, 1,
    )  # fmt: skip
    assert done.cost > 0
    client.force_login(factories.user(under.playbook.client))
    said = client.get(reverse("agents")).content.decode()
    row = said.split(reverse("agent", args=["market_scan"]))[1].split("</tr>")[0]
    assert "never" not in row
    assert '2 <span class="quiet">/ 0</span>' in row
    assert f"{done.cost:.2f}" in row
    own = client.get(reverse("agent", args=["market_scan"])).content.decode()
    assert f'id="scan-{done.pk}"' in own
    assert "No such run" not in own
    link = f"{reverse('agent', args=['market_scan'])}#scan-{done.pk}"
    for page in (reverse("job", args=[done.convergence_id]), reverse("trace", args=[done.trace_id])):
        assert link in client.get(page).content.decode()


def test_a_scan_that_broke_counts_as_failed_and_one_that_was_not_allowed_as_none(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    under = world.playbook(market(server))
    lists(server, ACME)
    owner, admin = under.playbook.client, factories.user(under.playbook.client, "admin")
    stop = stops.stop(client=owner, actor=admin, level="client", reason="Wrong list")
    assert scan(under).status == "refused"
    assert not AgentDay.objects.exists()
    stops.lift(stop.pk, client=owner, actor=admin, reason="Mended")
    monkeypatch.setattr(market_scan, "write", lambda plan, terms: 1 / 0)
    assert scan(under).status == "failed"
    assert AgentDay.objects.values_list("runs", "failed").get() == (1, 1)


@pytest.mark.parametrize("struck", ["prospects.sources.scan._of_source", "prospects.services.market_scan.write"])
def test_a_scan_whose_worker_ran_out_of_time_is_done_by_the_next_one(
    server: StandIn, monkeypatch: pytest.MonkeyPatch, struck: str
) -> None:
    under = world.playbook(market(server))
    lists(server, ACME)

    def interrupted(*_: Any) -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patch:
        patch.setattr(struck, interrupted)
        with pytest.raises(SoftTimeLimitExceeded):
            scene.run(under, depth="extended")
    assert MarketScan.objects.get().status == "running"
    scene.run(under, depth="extended")
    assert (MarketScan.objects.get().status, Prospect.objects.count()) == ("done", 1)


def test_scans_of_another_client_are_on_nobody_elses_page(server: StandIn, client: Browser) -> None:
    under = world.playbook(market(server))
    lists(server, ACME)
    done = scan(under)
    client.force_login(factories.user(factories.client()))
    assert f"scan-{done.pk}" not in client.get(reverse("agent", args=["market_scan"])).content.decode()
