"""A batch looked up: what is held is used, what is missing is asked, and what fails says so and harms nothing else."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from playbooks.models import BudgetPeriod, PlaybookVersion
from playbooks.services import budgets
from prospects.models import SourceAnswer, SourceState
from prospects.services import source_states
from prospects.sources import adapters
from tests import factories
from tests.prospects.sources.looking import NOW, prospect, source, tool
from tests.prospects.sources.stand_in import Naps, Reply, Request, StandIn, as_json, office, stand_in

pytestmark = pytest.mark.django_db
PROFILE = frozenset({"profile"})
FIELDS = {"industry": "sector", "employees": "size", "country": "where.country"}


@pytest.fixture
def version() -> PlaybookVersion:
    return factories.version()


def crunch(server: StandIn, **more: object) -> dict[str, object]:
    return {"url": f"{server.url}/companies/{{domain}}", "params": {"fields": FIELDS}, **more}


def known(sector: str = "Software") -> Reply:
    return as_json({"sector": sector, "size": "11-50", "where": {"country": "Germany"}})


def test_a_record_becomes_a_document_with_facts_spelled_as_imports_spell_them(
    server: StandIn, version: PlaybookVersion
) -> None:
    server.routes["/companies/acme.example"] = known()
    acme = prospect()
    sources = tool(version, [source(**crunch(server, confidence=0.7))], office(server))
    found = sources.look_up([acme], PROFILE)[acme.id]
    (document,) = found.documents
    assert found.problems == ()
    assert (document.source, document.kind, document.confidence) == ("crunch", "profile", 0.7)
    assert document.observed_at == NOW
    assert document.data["country"] == "DE"
    assert (document.data["employees_min"], document.data["employees_max"]) == (11, 50)
    stored = SourceAnswer.objects.get()
    assert document.id // 1000 == stored.pk
    assert stored.trace_id == "0" * 32
    assert sources.usage()[acme.id].answers == [stored.pk]
    assert sources.usage() == {}


def test_an_answer_is_used_again_for_thirty_days_and_by_every_prospect_of_the_company(
    server: StandIn, version: PlaybookVersion
) -> None:
    server.routes["/companies/acme.example"] = known()
    config, desk = source(**crunch(server)), office(server)
    one, two = prospect(), prospect()
    both = tool(version, [config], desk).look_up([one, two], PROFILE)
    assert both[one.id].documents == both[two.id].documents
    for days in (1, 29):
        tool(version, [config], desk, now=NOW + timedelta(days=days)).look_up([prospect()], PROFILE)
    assert len(server.asked) == 1
    tool(version, [config], desk, now=NOW + timedelta(days=31)).look_up([one], PROFILE)
    assert len(server.asked) == 2
    assert SourceAnswer.objects.count() == 2


def test_another_clients_answers_are_not_used(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies/acme.example"] = known()
    config, desk = source(**crunch(server)), office(server)
    tool(version, [config], desk).look_up([prospect()], PROFILE)
    tool(factories.version(), [config], desk).look_up([prospect()], PROFILE)
    assert len(server.asked) == 2


def test_a_changed_mapping_asks_anew(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies/acme.example"] = known()
    desk = office(server)
    for fields in (FIELDS, {"industry": "sector"}):
        tool(version, [source(**crunch(server, params={"fields": fields}))], desk).look_up([prospect()], PROFILE)
    assert len(server.asked) == 2


def test_a_source_that_fails_degrades_to_the_last_answer_there_is_and_says_so(
    server: StandIn, version: PlaybookVersion
) -> None:
    server.routes["/companies/acme.example"] = known()
    config, desk, acme = source(**crunch(server)), office(server), prospect()
    before = tool(version, [config], desk).look_up([acme], PROFILE)[acme.id]
    server.routes["/companies/acme.example"] = Reply(500)
    after = tool(version, [config], desk, now=NOW + timedelta(days=40)).look_up([acme], PROFILE)[acme.id]
    assert after.documents == before.documents
    assert any("it failed (500)" in words for words in after.problems)
    assert any("2026-06-01 is used instead" in words for words in after.problems)
    asked = len(server.asked)
    assert asked == 4  # once, then three tries
    tool(version, [config], desk, now=NOW + timedelta(days=40, minutes=30)).look_up([acme], PROFILE)
    assert len(server.asked) == asked, "a failure is left alone for an hour"


def test_that_nothing_is_known_is_an_answer_too(server: StandIn, version: PlaybookVersion) -> None:
    config, desk, acme = source(**crunch(server)), office(server), prospect()
    found = tool(version, [config], desk).look_up([acme], PROFILE)[acme.id]
    assert (found.documents, found.problems) == ((), ())
    assert SourceAnswer.objects.get().status == "empty"
    tool(version, [config], desk, now=NOW + timedelta(days=6)).look_up([acme], PROFILE)
    assert len(server.asked) == 1
    tool(version, [config], desk, now=NOW + timedelta(days=8)).look_up([acme], PROFILE)
    assert len(server.asked) == 2


def flaky(*replies: Reply) -> Callable[[Request], Reply]:
    waiting = list(replies)
    return lambda request: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def test_a_rate_limit_is_waited_for_as_told(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies/acme.example"] = flaky(Reply(429, headers={"Retry-After": "2"}), known())
    naps, acme = Naps(), prospect()
    desk = office(server, naps=naps)
    found = tool(version, [source(**crunch(server))], desk).look_up([acme], PROFILE)[acme.id]
    assert len(found.documents) == 1
    assert found.problems == ()
    assert 2 in naps.taken
    assert SourceState.objects.get().failures == 0, "being too fast is no failure of the source"


def test_a_rate_limit_beyond_the_batchs_time_is_put_off(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies/acme.example"] = Reply(429, headers={"Retry-After": "600"})
    acme = prospect()
    found = tool(version, [source(**crunch(server))], office(server)).look_up([acme], PROFILE)[acme.id]
    assert found.problems[0].startswith("crunch: Not asked yet:")
    assert not SourceAnswer.objects.exists()


def test_network_trouble_passes_unnoticed_when_a_later_try_succeeds(server: StandIn, version: PlaybookVersion) -> None:
    hang_up = Reply(raw=lambda handler: None)
    server.routes["/companies/acme.example"] = flaky(hang_up, Reply(502), known())
    acme = prospect()
    found = tool(version, [source(**crunch(server))], office(server)).look_up([acme], PROFILE)[acme.id]
    assert (len(found.documents), found.problems) == (1, ())


def test_a_refused_key_halts_the_source_at_once_until_a_person_resumes_it(
    server: StandIn, version: PlaybookVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_CRUNCH", "Bearer wrong")
    monkeypatch.setenv("SOURCE_CRUNCH_HOST", server.place)
    companies = [prospect(f"c{n}.example") for n in range(40)]
    for n in range(40):
        server.routes[f"/companies/c{n}.example"] = Reply(401)
    config, desk, client = source(**crunch(server, auth_env="SOURCE_CRUNCH")), office(server), version.playbook.client
    found = tool(version, [config], desk).look_up(companies, PROFILE)
    assert all("refused our key" in found[c.id].problems[0] for c in companies)
    assert len(server.asked) <= 8, "only those already on their way"
    asked = len(server.asked)
    state = SourceState.objects.get()
    assert state.halted_at is not None
    assert "401" in state.last_error
    tool(version, [config], desk, now=NOW + timedelta(days=1)).look_up(companies, PROFILE)
    assert len(server.asked) == asked

    leader = factories.user(client, "leader")
    source_states.resume(state.pk, client=client, actor=leader)
    server.routes["/companies/c0.example"] = known()
    monkeypatch.setenv("SOURCE_CRUNCH", "Bearer right")
    again = tool(version, [config], desk, now=NOW + timedelta(days=2)).look_up(companies[:1], PROFILE)
    assert len(again[companies[0].id].documents) == 1
    assert server.asked[-1].headers["Authorization"] == "Bearer right"
    state.refresh_from_db()
    assert (state.halted_at, state.resumed_by) == (None, leader)
    with pytest.raises(source_states.NotHalted):
        source_states.resume(state.pk, client=client, actor=leader)


@pytest.mark.parametrize("lacking", ["SOURCE_CRUNCH", "SOURCE_CRUNCH_HOST"])
def test_a_key_the_environment_lacks_halts_the_source_before_anything_is_sent(
    server: StandIn, version: PlaybookVersion, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    monkeypatch.setenv("SOURCE_CRUNCH", "word")
    monkeypatch.setenv("SOURCE_CRUNCH_HOST", server.place)
    monkeypatch.delenv(lacking)
    acme = prospect()
    config = source(**crunch(server, auth_env="SOURCE_CRUNCH"))
    found = tool(version, [config], office(server)).look_up([acme], PROFILE)[acme.id]
    assert f"{lacking} is not set" in found.problems[0]
    assert server.asked == []


def test_an_interface_that_is_gone_is_replaced_by_its_fallback(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies/acme.example"] = Reply(410)
    server.routes["/v2/acme.example"] = known()
    old = source(**crunch(server, fallback="crunch2"))
    new = source(key="crunch2", url=f"{server.url}/v2/{{domain}}", params={"fields": FIELDS})
    desk, acme = office(server), prospect()
    found = tool(version, [old, new], desk).look_up([acme], PROFILE)[acme.id]
    assert [d.source for d in found.documents] == ["crunch2"]
    assert "gone (410)" in found.problems[0]
    later = tool(version, [old, new], desk, now=NOW + timedelta(days=1)).look_up([acme], PROFILE)[acme.id]
    assert ([d.source for d in later.documents], later.problems) == (["crunch2"], ())
    assert server.paths() == ["/companies/acme.example", "/v2/acme.example"]


def test_a_fallback_is_not_asked_while_its_source_stands(server: StandIn, version: PlaybookVersion) -> None:
    server.routes["/companies/acme.example"] = known()
    new = source(key="crunch2", url=f"{server.url}/v2/{{domain}}", params={"fields": FIELDS})
    tool(version, [source(**crunch(server, fallback="crunch2")), new], office(server)).look_up([prospect()], PROFILE)
    assert server.paths() == ["/companies/acme.example"]


def test_an_announced_end_is_shown_on_the_sources_state(server: StandIn, version: PlaybookVersion) -> None:
    reply = known()
    reply.headers["Sunset"] = "Sat, 01 Aug 2026 00:00:00 GMT"
    server.routes["/companies/acme.example"] = reply
    tool(version, [source(**crunch(server))], office(server)).look_up([prospect()], PROFILE)
    assert "01 Aug 2026" in SourceState.objects.get().warning


def test_a_source_that_keeps_failing_is_left_to_rest(server: StandIn, version: PlaybookVersion) -> None:
    companies = [prospect(f"c{n}.example") for n in range(30)]
    for n in range(30):
        server.routes[f"/companies/c{n}.example"] = Reply(500)
    config, desk = source(**crunch(server)), office(server, threads=1)
    found = tool(version, [config], desk).look_up(companies, PROFILE)
    assert len(server.asked) <= 6
    assert sum("Not asked yet" in found[c.id].problems[0] for c in companies) >= 27
    state = SourceState.objects.get()
    assert state.failures >= 5
    assert state.open_until is not None
    asked = len(server.asked)
    tool(version, [config], desk).look_up([prospect("other.example")], PROFILE)
    assert len(server.asked) == asked


def test_after_its_rest_one_question_is_tried_first(server: StandIn, version: PlaybookVersion) -> None:
    companies = [prospect(f"c{n}.example") for n in range(20)]
    for n in range(20):
        server.routes[f"/companies/c{n}.example"] = Reply(500)
    client = version.playbook.client
    SourceState.objects.create(client=client, source="crunch", failures=5, open_until=NOW, last_error_at=NOW)
    config, desk = source(**crunch(server)), office(server)
    tool(version, [config], desk).look_up(companies, PROFILE)
    assert len(server.asked) == 1, "it still fails: nobody else is sent"
    SourceState.objects.update(open_until=NOW)
    for n in range(20):
        server.routes[f"/companies/c{n}.example"] = known()
    found = tool(version, [config], desk, now=NOW + timedelta(days=1)).look_up(companies, PROFILE)
    assert all(len(found[c.id].documents) == 1 for c in companies)
    assert SourceState.objects.get().failures == 0


def test_one_company_that_breaks_its_reader_fails_alone_and_shows_the_trace(
    server: StandIn, version: PlaybookVersion, monkeypatch: pytest.MonkeyPatch
) -> None:

    ask = adapters.ASK["json"]

    def buggy(config, question, line, previous):
        if question.subject == "bad.example":
            raise KeyError("a bug of ours")
        return ask(config, question, line, previous)

    monkeypatch.setattr("prospects.sources.lookup.ASK", {"json": buggy})
    for domain in ("good.example", "bad.example"):
        server.routes[f"/companies/{domain}"] = known()
    good, bad = prospect("good.example"), prospect("bad.example")
    found = tool(version, [source(**crunch(server))], office(server)).look_up([good, bad], PROFILE)
    assert len(found[good.id].documents) == 1
    assert found[bad.id].documents == ()
    assert "KeyError" in found[bad.id].problems[0]
    assert "0" * 32 in found[bad.id].problems[0]


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[" * 100_000, b"\xff\xfe"])
def test_broken_json_is_a_bad_answer_and_nothing_worse(server: StandIn, version: PlaybookVersion, body: bytes) -> None:
    server.routes["/companies/acme.example"] = Reply(200, body, {"Content-Type": "application/json"})
    acme = prospect()
    found = tool(version, [source(**crunch(server))], office(server)).look_up([acme], PROFILE)[acme.id]
    assert (found.problems, found.documents) == (("crunch: the answer is not valid JSON",), ())


def test_numbers_that_are_none_count_for_nothing(server: StandIn, version: PlaybookVersion) -> None:
    body = b'{"size": 1e999, "sector": NaN}'
    server.routes["/companies/acme.example"] = Reply(200, body, {"Content-Type": "application/json"})
    acme = prospect()
    (document,) = tool(version, [source(**crunch(server))], office(server)).look_up([acme], PROFILE)[acme.id].documents
    assert document.data == {"domain": "acme.example", "name": "Acme Tools", "employees_given": "inf"}


def test_text_no_database_takes_is_stored_all_the_same(server: StandIn, version: PlaybookVersion) -> None:
    said = b'{"sector": "So\\u0000ft\\ud800ware", "size": "5", "words": "x\\u0000\\ud83d"}'
    server.routes["/companies/acme.example"] = Reply(200, said, {"Content-Type": "application/json"})
    acme = prospect()
    config = source(**crunch(server, params={"fields": {**FIELDS, "text": "words"}}))
    (document,) = tool(version, [config], office(server)).look_up([acme], PROFILE)[acme.id].documents
    assert document.data["industry"] == "Software"
    assert document.text == "x"


def test_a_company_without_what_the_address_needs_is_not_asked_about(server: StandIn, version: PlaybookVersion) -> None:
    nameless = prospect("", "Acme Tools")
    found = tool(version, [source(**crunch(server))], office(server)).look_up([nameless], PROFILE)[nameless.id]
    assert found.problems == ("crunch: the company's domain is not known",)
    assert server.asked == []


def test_what_comes_from_a_company_cannot_change_the_address_it_is_put_into(
    server: StandIn, version: PlaybookVersion
) -> None:
    config = source(**crunch(server, url=f"{server.url}/find?name={{name}}&limit=1"))
    evil = prospect("acme.example", "A&limit=99#/../../x?y={domain}\r\nHost: b")
    tool(version, [config], office(server)).look_up([evil], PROFILE)
    assert server.paths() == ["/find?name=A%26limit%3D99%23%2F..%2F..%2Fx%3Fy%3D%7Bdomain%7D%0D%0AHost%3A%20b&limit=1"]


def test_money_is_reserved_before_and_released_where_nothing_was_answered(
    server: StandIn, version: PlaybookVersion
) -> None:
    client = version.playbook.client
    companies = [prospect(f"c{n}.example") for n in range(10)]
    for n in range(10):
        server.routes[f"/companies/c{n}.example"] = known() if n < 8 else Reply(400)
    sources = tool(version, [source(**crunch(server, cost="1.5"))], office(server))
    sources.look_up(companies, PROFILE)
    spent = {limit.name: limit.used for limit in budgets.usage(version, client=client, at=timezone.now())}
    assert spent["money"] == Decimal("12")
    assert sum(used.cost for used in sources.usage().values()) == Decimal("12")
    tool(version, [source(**crunch(server, cost="1.5"))], office(server)).look_up(companies[:8], PROFILE)
    assert BudgetPeriod.objects.get(bucket="money").used == Decimal("12"), "what is held costs nothing"


def test_not_one_request_goes_out_beyond_the_months_money(server: StandIn, version: PlaybookVersion) -> None:
    companies = [prospect(f"c{n}.example") for n in range(10)]
    for n in range(10):
        server.routes[f"/companies/c{n}.example"] = known()
    sources = tool(version, [source(**crunch(server, cost="30"))], office(server))  # the month has 100
    found = sources.look_up(companies, PROFILE)
    assert len(server.asked) == 3
    assert sum("money for this month is spent" in " ".join(found[c.id].problems) for c in companies) == 7
    assert BudgetPeriod.objects.get(bucket="money").used == Decimal("90")


def test_a_batch_takes_a_constant_number_of_queries(server: StandIn, version: PlaybookVersion) -> None:
    config, desk = source(**crunch(server, cost="0.01")), office(server)
    counts = []
    for size in (5, 60):
        companies = [prospect(f"s{size}c{n}.example") for n in range(size)]
        for company in companies:
            server.routes[f"/companies/{company.company.domain}"] = known()
        with CaptureQueriesContext(connection) as queries:
            tool(version, [config], desk).look_up(companies, PROFILE)
        counts.append(len(queries))
    assert counts[1] <= counts[0] <= 12


def test_a_slow_source_does_not_hold_up_another(server: StandIn, version: PlaybookVersion) -> None:
    with stand_in() as slow:
        gate = threading.Event()

        def late(request: Request) -> Reply:
            gate.wait(60)
            return known()

        companies = [prospect(f"c{n}.example") for n in range(20)]
        answered: list[str] = []

        def quick(request: Request) -> Reply:
            answered.append(request.path)
            if len(answered) == 20:
                gate.set()
            return known()

        for n in range(20):
            slow.routes[f"/companies/c{n}.example"] = late
            server.routes[f"/companies/c{n}.example"] = quick
        configs = [source(**crunch(slow)), source(**crunch(server, key="quick"))]
        found = tool(version, configs, office(server, slow)).look_up(companies, PROFILE)
        assert gate.is_set()
        assert all(len(found[c.id].documents) == 2 for c in companies)
