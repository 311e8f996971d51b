"""The prospect list, the prospect page and the funnel page: what they show, to whom, and at what cost."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playbooks.rules import stages
from prospects.funnel import combined
from prospects.models import Prospect
from prospects.reading.timeline import TimelineEvent, _providers, register_timeline
from prospects.services.funnel_cells import ask_for_count, sweep_funnel
from prospects.tasks import count_funnel
from prospects.views import prospects as prospect_views
from tests import factories
from tests.prospects.lives import live

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 1, 9, tzinfo=UTC)
PAGES = ("prospects:list", "prospects:funnel", "prospects:export", "prospects:funnel_csv", "prospects:segments_csv")


@pytest.fixture
def version():
    return factories.version()


@pytest.fixture
def member(client, version):
    user = factories.user(version.playbook.client)
    client.force_login(user)
    return client


def body(response):
    return b"".join(response.streaming_content).decode() if response.streaming else response.content.decode()


def lines(response):
    return list(csv.DictReader(StringIO(body(response).lstrip("\ufeff"))))


def queries(client, url):
    client.get(url)
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize("page", PAGES)
def test_a_signed_out_visitor_is_sent_to_sign_in(client, page):
    response = client.get(reverse(page))
    assert response.status_code == 302
    assert reverse("login") in response["Location"]


@pytest.mark.parametrize("page", PAGES)
def test_pages_only_read(member, page):
    assert member.post(reverse(page)).status_code == 405


@pytest.mark.parametrize("page", PAGES)
def test_a_client_without_a_playbook_gets_a_page_all_the_same(client, page):
    client.force_login(factories.user(factories.client()))
    assert client.get(reverse(page)).status_code == 200


def test_the_list_ranks_by_priority(member, version):
    for priority in (10, 90, 50):
        live(version.playbook, version, START, priority=priority, name=f"Rank {priority}")
    page = body(member.get(reverse("prospects:list")))
    assert page.index("Rank 90") < page.index("Rank 50") < page.index("Rank 10")


def test_pages_of_the_list_hold_everyone_once(member, version):
    for number in range(120):
        live(version.playbook, version, START, priority=number % 7)
    seen, url = [], reverse("prospects:list")
    while url:
        response = member.get(url)
        page = response.context["page"]
        seen += [row.id for row in page.items]
        url = f"{reverse('prospects:list')}?after={page.next}" if page.next else None
    assert len(seen) == 120
    assert seen == list(Prospect.objects.order_by("-priority", "-id").values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=acme", {"Acme Robotics"}),
        ("q=ACME+rob", {"Acme Robotics"}),
        ("q=robotics", set()),
        ("q=100%25", set()),
        ("q=_cme", set()),
        ("q=https://birch.example/about", {"Birch"}),
        ("q=dana", {"Cobalt"}),
        ("q=DANA+l", {"Cobalt"}),
        ("q=dana@cob", {"Cobalt"}),
        ("q=dana&segment=Health", {"Cobalt"}),
        ("q=dana&route=hot", set()),
        ("route=hot", {"Birch"}),
        ("tier=TIER_1&stage=researched", {"Acme Robotics"}),
        ("segment=Health", {"Cobalt"}),
        ("route=(none)", {"Acme Robotics", "Cobalt"}),
        ("stage=nonsense", {"Acme Robotics", "Birch", "Cobalt"}),
    ],
)
def test_filters_and_search_narrow_the_list(member, version, query, expected):
    playbook = version.playbook
    live(playbook, version, START, [(stages.RESEARCHED, START)], name="Acme Robotics", tier="TIER_1")
    birch = live(playbook, version, START, name="Birch", route="hot")
    type(birch.company).objects.filter(pk=birch.company_id).update(domain="birch.example")
    cobalt = live(playbook, version, START, name="Cobalt", segment="Health")
    person = factories.contact(playbook.client, name="Dana Lee", email="dana@cobalt.example")
    Prospect.objects.filter(pk=cobalt.pk).update(contact=person)
    page = member.get(f"{reverse('prospects:list')}?{query}").context["page"]
    assert {str(row) for row in page.items} == expected


def test_a_search_that_finds_too_many_shows_the_best_and_the_first_by_name_and_says_so(member, version, monkeypatch):
    for number in range(9):
        live(version.playbook, version, START, name=f"Ember {number}", priority=number)
    url = f"{reverse('prospects:list')}?q=ember"
    assert "type more letters" not in body(member.get(url))
    monkeypatch.setattr(prospect_views, "SEARCHED", 2)
    response = member.get(url)
    shown = [str(row) for row in response.context["page"].items]
    assert shown == [f"Ember {number}" for number in (8, 7, 6, 2, 1, 0)]
    assert "type more letters" in body(response)
    nobody = body(member.get(f"{url}&stage=qualified"))
    assert "No prospect matches" in nobody, "among nobody at all nobody is left out"
    everyone = [row["company"] for row in lines(member.get(f"{reverse('prospects:export')}?q=ember"))]
    assert everyone == [f"Ember {number}" for number in reversed(range(9))], "a download holds all of them"


def test_another_clients_prospects_are_nowhere(member, version):
    other = factories.version()
    hidden = live(other.playbook, other, START, name="Hidden Incorporated")
    live(version.playbook, version, START, name="Visible")
    sweep_funnel()
    assert member.get(reverse("prospects:detail", args=[hidden.pk])).status_code == 404
    for page in PAGES:
        for query in ("", f"?playbook={other.playbook_id}"):
            text = body(member.get(reverse(page) + query))
            assert "Hidden" not in text
    funnel = member.get(f"{reverse('prospects:funnel')}?period=all&playbook={other.playbook_id}").context["funnel"]
    assert funnel.rows[0].entered == 1


def test_the_list_costs_the_same_number_of_queries_whatever_it_shows(member, version):
    live(version.playbook, version, START)
    one = queries(member, reverse("prospects:list"))
    for _ in range(30):
        prospect = live(version.playbook, version, START)
        contact = factories.contact(version.playbook.client)
        Prospect.objects.filter(pk=prospect.pk).update(contact=contact)
    assert queries(member, reverse("prospects:list")) == one


def test_the_funnel_costs_the_same_number_of_queries_whatever_it_counts(member, version):
    live(version.playbook, version, START)
    sweep_funnel()
    url = f"{reverse('prospects:funnel')}?period=all"
    one = queries(member, url)
    for number in range(30):
        at = START + timedelta(days=number)
        live(version.playbook, version, at, [(stages.RESEARCHED, at)], segment=f"S{number}", source=f"f{number}")
    sweep_funnel()
    assert queries(member, url) == one


def test_the_prospect_page_costs_the_same_number_of_queries_whatever_happened(member, version):
    poor = factories.prospect(version)
    few = queries(member, poor.get_absolute_url())
    rich = factories.qualified(version)
    for _ in range(10):
        factories.signal(rich, kind="hiring_started")
        factories.evidence(rich, version)
    assert queries(member, rich.get_absolute_url()) <= few + 1


def test_the_prospect_page_tells_where_it_stands_and_why(member, version):
    who = factories.qualified(version)
    page = body(member.get(who.get_absolute_url()))
    for words in (str(who), "Qualified", "Firmographic", "Psychologic", "3 of 3", "B2B, which you asked for.",
                  "companies.csv", ", row ", "Researched → Qualifying", "Made-up contact"):  # fmt: skip
        assert words in page, words
    assert 'style="' not in page
    assert "onclick" not in page


def test_the_prospect_page_says_what_is_missing(member, version):
    who = factories.prospect(version)
    page = body(member.get(who.get_absolute_url()))
    assert "What is missing" in page
    assert "0 of 3" in page


def test_other_apps_speak_on_the_timeline_through_the_registry(member, version):
    who = factories.prospect(version)
    register_timeline("a test", lambda prospect, limit: [TimelineEvent(prospect.created_at, "mail", "They answered")])
    try:
        assert "They answered" in body(member.get(who.get_absolute_url()))
    finally:
        del _providers["a test"]


def test_untrusted_words_are_escaped(member, version):
    live(version.playbook, version, START, name="<script>alert(1)</script>", segment="<b>x</b>")
    sweep_funnel()
    for page in ("prospects:list", "prospects:funnel"):
        text = body(member.get(f"{reverse(page)}?period=all"))
        assert "<script>alert" not in text
        assert "<b>x" not in text


def test_the_csv_holds_every_prospect_and_no_formula(member, version):
    for number in range(3):
        live(version.playbook, version, START, priority=number, name=f"=cmd|{number}")
    rows = lines(member.get(reverse("prospects:export")))
    assert [row["company"] for row in rows] == ["'=cmd|2", "'=cmd|1", "'=cmd|0"]


def test_the_csv_passes_through_the_same_filters(member, version):
    live(version.playbook, version, START, name="Acme", route="hot")
    live(version.playbook, version, START, name="Birch", route="cold")
    assert [row["company"] for row in lines(member.get(f"{reverse('prospects:export')}?route=cold"))] == ["Birch"]


def test_funnel_tables_are_downloads_with_the_numbers_of_the_page(member, version):
    for number in range(12):
        moves = [(stages.RESEARCHED, START + timedelta(days=1))] if number < 6 else []
        live(version.playbook, version, START, moves, segment="-1+1")
    sweep_funnel()
    rows = lines(member.get(f"{reverse('prospects:funnel_csv')}?period=all"))
    sourced = next(row for row in rows if row["stage"] == "Sourced")
    assert (sourced["entered"], sourced["moved_on"], sourced["still_there"]) == ("12", "6", "6")
    assert float(sourced["next_step"]) == 0.5
    assert sourced["median_seconds"] == "86400.0"
    (segment,) = lines(member.get(f"{reverse('prospects:segments_csv')}?period=all"))
    assert segment["segment"] == "'-1+1"
    assert segment["researched"] == "6"


def test_every_link_of_the_funnel_opens_a_list_of_as_many_prospects_as_it_says(member, version):
    for number in range(14):
        moves = [(stages.RESEARCHED, START + timedelta(days=1))] if number % 2 else []
        live(version.playbook, version, START, moves, segment="" if number % 3 else "B2B")
    sweep_funnel()
    context = member.get(f"{reverse('prospects:funnel')}?period=all").context
    numbers = [n for row in context["main_line"] for n in (row.entered, row.on, row.still, row.reached_number)]
    numbers += [n for segment in context["segments"] for n in segment.numbers]
    for number in numbers:
        if number.n:
            assert member.get(number.url).context["count"] == number.n, number.url


def test_a_long_count_is_left_to_a_worker_and_old_numbers_say_their_age(member, version, monkeypatch):
    monkeypatch.setattr(combined, "COUNTED_WHILE_WAITING", 2)
    query = {"period": "all", "segment": "B2B", "route": "hot"}
    url = f"{reverse('prospects:funnel')}?{urlencode(query)}"

    def grow():
        for _ in range(3):
            live(version.playbook, version, START, segment="B2B", route="hot")
        sweep_funnel()

    def seen():
        response = member.get(url)
        funnel = response.context["funnel"]
        return (funnel.rows[0].entered if funnel.rows else None), funnel.is_behind, body(response)

    grow()
    entered, is_behind, page = seen()
    assert (entered, is_behind) == (None, True)
    assert "Being counted" in page
    assert 'hx-trigger="load delay:1s"' in page
    count_funnel(version.playbook_id, query)
    assert seen()[:2] == (3, False)
    grow()
    entered, is_behind, page = seen()
    assert (entered, is_behind) == (3, True), "the last numbers, until there are newer ones"
    assert "being counted again" in page
    (first, *_) = lines(member.get(f"{reverse('prospects:funnel_csv')}?{urlencode(query)}"))
    assert first["entered"] == "6", "who downloads a table waits for the newest"
    assert seen()[:2] == (6, False)


def test_one_worker_is_asked_for_one_count(version, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as asked:
        for _ in range(3):
            ask_for_count(version.playbook, {"segment": "B2B", "route": "hot"})
        ask_for_count(version.playbook, {"segment": "B2B", "tier": "TIER_1"})
    assert len(asked) == 2


def test_htmx_gets_only_the_part_it_asked_for(member, version):
    live(version.playbook, version, START)
    sweep_funnel()
    for page, target in (("prospects:funnel", "funnel"), ("prospects:list", "rows")):
        part = body(member.get(reverse(page), headers={"HX-Request": "true", "HX-Target": target}))
        assert f'id="{target}"' in part
        assert "<html" not in part


def test_few_cases_show_counts_and_many_show_an_interval(member, version):
    for _ in range(9):
        live(version.playbook, version, START, [(stages.RESEARCHED, START)])
    sweep_funnel()
    url = f"{reverse('prospects:funnel')}?period=all"
    assert "95\u202f% interval" not in body(member.get(url))
    live(version.playbook, version, START)
    sweep_funnel()
    assert "95\u202f% interval" in body(member.get(url))
