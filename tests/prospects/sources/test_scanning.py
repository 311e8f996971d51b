"""Market scans: candidates from files and interfaces, page by page, never paid for twice."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from playbooks.models import BudgetPeriod, PlaybookVersion
from prospects.models import SourceAnswer, SourceState
from prospects.sources.config import SourceConfig
from prospects.sources.records import Seeds
from tests import factories
from tests.prospects.sources.looking import NOW, source, tool
from tests.prospects.sources.stand_in import Reply, Request, StandIn, as_json, office

pytestmark = pytest.mark.django_db
SEEDS = Seeds(industries=["B2B", "Health & Care"], countries=["US"], intent="Sell.")


@pytest.fixture
def version() -> PlaybookVersion:
    return factories.version()


def query(request: Request) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.path).query))


def market(server: StandIn, **more: object) -> SourceConfig:
    raw = {
        "key": "market", "url": f"{server.url}/companies?sector={{industry}}&in={{country}}", "delivers": ["candidate"],
        "params": {"items": "data", "fields": {"name": "n", "website": "w", "employees": "size"},
                   "paging": {"style": "page", "parameter": "page", "last": 3}},
        "weight": 0.6, "confidence": 0.7,
    }  # fmt: skip
    return source(**{**raw, **more})


def listing(request: Request) -> Reply:
    asked = query(request)
    n = int(asked["page"])
    data = [{"n": f"{asked['sector']} {n}.{i}", "w": f"https://{n}{i}.example", "size": 20 + i} for i in range(2)]
    return as_json({"data": data if n <= 2 else []})


def test_every_industry_and_country_of_the_seeds_is_scanned(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies"] = listing
    sources = tool(version, [market(server)], office(server))
    found = list(sources.scan(SEEDS))
    assert sources.problems == []
    assert [c.fields["name"] for c in found] == [
        f"{s} {n}.{i}" for s in SEEDS.industries for n in (1, 2) for i in (0, 1)
    ]
    first = found[0]
    assert (first.source, first.weight, first.confidence, first.observed_at) == ("market", 0.6, 0.7, NOW)
    assert first.fields["employees"] == "20"
    assert SourceAnswer.objects.filter(pk=first.answer_id).exists()


def test_a_scan_that_was_cut_short_goes_on_without_paying_twice(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies"] = listing
    config, desk = market(server, cost="2"), office(server)
    scan = tool(version, [config], desk).scan(SEEDS)
    for _ in range(3):
        next(scan)
    scan.close()
    assert len(server.asked) == 2
    assert len(list(tool(version, [config], desk).scan(SEEDS))) == 8
    assert len(server.asked) == 6, "three pages for each of two industries, each asked for once"
    assert BudgetPeriod.objects.get(bucket="money").used == Decimal("12")
    list(tool(version, [config], desk, now=NOW + timedelta(days=6)).scan(SEEDS))
    assert len(server.asked) == 6


def test_a_scan_ends_where_the_money_does_and_keeps_what_it_has(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies"] = listing
    sources = tool(version, [market(server, cost="40")], office(server))
    assert len(list(sources.scan(SEEDS))) == 4
    assert len(server.asked) == 2
    assert "money for this month is spent" in sources.problems[0]


def test_records_that_name_no_company_are_skipped_and_counted(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies"] = as_json(
        {"data": [{"n": "Acme"}, {"size": 3}, "x", None, {"n": "", "w": "b.example"}]}
    )
    config = market(
        server, url=f"{server.url}/companies", params={"items": "data", "fields": {"name": "n", "website": "w"}}
    )
    sources = tool(version, [config], office(server))
    assert [dict(c.fields) for c in sources.scan(SEEDS)] == [{"name": "Acme"}, {"website": "b.example"}]
    assert sources.problems == ["market: 3 of 5 records name no company and were skipped"]


def test_one_source_that_fails_does_not_end_the_scan(server: StandIn, version: PlaybookVersion, tmp_path: Path) -> None:
    server.routes["/companies"] = Reply(500)
    (tmp_path / "list.csv").write_text(
        "Company,Domain,Team\nAcme,acme.example,red\n,,\nOther,other.example,blue\n,,green\n"
    )
    listed = source(key="list", kind="file", url="list.csv", delivers=["candidate"])
    sources = tool(version, [market(server), listed], office(server, folder=tmp_path))
    found = list(sources.scan(SEEDS))
    assert [dict(c.fields) for c in found] == [
        {"name": "Acme", "domain": "acme.example", "team": "red"},
        {"name": "Other", "domain": "other.example", "team": "blue"},
    ]
    assert found[0].ref.endswith(":row 2")
    assert sources.problems == ["market: it failed (500)", "list: 1 rows name no company and were skipped"]
    assert SourceState.objects.get(source="market").failures == 3


def test_a_page_that_fails_is_replaced_by_the_last_one_there_is(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies"] = listing
    config, desk = market(server), office(server)
    before = [dict(c.fields) for c in tool(version, [config], desk).scan(SEEDS)]
    server.routes["/companies"] = Reply(503)
    sources = tool(version, [config], desk, now=NOW + timedelta(days=40))
    assert [dict(c.fields) for c in sources.scan(SEEDS)] == before
    assert "page of 2026-06-01 is used instead" in sources.problems[0]


def test_a_gone_interface_is_scanned_through_its_fallback(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies"] = Reply(410)
    server.routes["/v2"] = as_json({"data": [{"n": "Acme"}]})
    new = market(server, key="market2", url=f"{server.url}/v2", params={"items": "data", "fields": {"name": "n"}})
    old = market(server, fallback="market2")
    sources = tool(version, [old, new], office(server))
    assert [c.source for c in sources.scan(SEEDS)] == ["market2"]
    assert "gone (410)" in sources.problems[0]


def test_seeds_the_playbook_lacks_are_named(server: StandIn, version: PlaybookVersion) -> None:
    sources = tool(version, [market(server)], office(server))
    assert list(sources.scan(Seeds(countries=["US"]))) == []
    assert sources.problems == ["market: Not asked yet: the playbook names no industry to scan for"]
    assert server.asked == []
