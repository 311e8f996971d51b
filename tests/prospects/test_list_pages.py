"""Pages of the list: the same prospects in the same order whichever index they are read from."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from prospects.models import ListPreference, Prospect
from prospects.reading.list_columns import COLUMNS
from prospects.reading.list_page import ids_of_page
from prospects.reading.prospect_list import RANKING, ranked_prospects, read_prospect_filters
from prospects.services.merging import merges
from prospects.services.route_overrides import lift_overrides, override_routes
from prospects.views import prospects as prospect_views
from salesops.paging import Place
from tests import factories
from tests.prospects.lives import live
from tests.prospects.pairs import pair

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 1, 9, tzinfo=UTC)


@pytest.fixture
def version():
    return factories.version()


@pytest.fixture
def leader(version):
    return factories.user(version.playbook.client, "leader")


@pytest.fixture
def member(client, leader):
    client.force_login(leader)
    return client


@pytest.mark.parametrize(
    "query",
    ["", "stage=sourced", "route=hot", "tier=(none)", "route=hot&tier=TIER_1", "q=pager", "by_hand=1&route=hot"],
)
def test_pages_go_down_and_up_again(member, leader, version, monkeypatch, query):
    monkeypatch.setattr(prospect_views, "PAGE_SIZE", 2)
    client, rows = version.playbook.client, []
    for number in range(18):
        where = {"route": ("hot", "warm", "")[number % 3], "tier": ("TIER_1", "")[number % 2]}
        rows.append(live(version.playbook, version, START, name=f"Pager {number}", priority=number % 4, **where))
    override_routes([row.pk for row in rows[:15]], "cold", client=client, actor=leader, reason="Slow year")
    url = f"{reverse('prospects:list')}?{query}"
    pages = [member.get(url).context["page"]]
    while pages[-1].next:
        pages.append(member.get(f"{url}&after={pages[-1].next}").context["page"])
    down = [row.id for page in pages for row in page.items]
    everybody = ranked_prospects(client, version.playbook, read_prospect_filters(dict(parse_qsl(query))))
    assert down == [row.pk for row in everybody.order_by(*RANKING)]
    assert len(pages) > 1
    up = pages[-1]
    for page in reversed(pages[:-1]):
        up = member.get(f"{url}&before={up.previous}").context["page"]
        assert [row.id for row in up.items] == [row.id for row in page.items]
    assert up.previous is None


def test_a_search_finds_who_was_merged_by_where_the_prospect_stands_that_took_it_in(member, version):
    admin = factories.user(version.playbook.client, "admin")
    kept = live(version.playbook, version, START, name="Kept", route="hot")
    gone = live(version.playbook, version, START, name="Gone", route="cold")
    question = pair(kept.company, gone.company)
    merges.merge(question.pk, keep=kept.company_id, actor=admin, client=version.playbook.client)
    assert Prospect.objects.get(pk=gone.pk).merged_into_id == kept.pk
    page = member.get(f"{reverse('prospects:list')}?q=gone&route=hot").context["page"]
    assert [row.id for row in page.items] == [kept.pk]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ({}, "prospect_ranked"),
        ({"route": "hot"}, "prospect_by_state"),
        ({"route": "hot", "tier": "TIER_4"}, "prospect_by_state"),
        ({"segment": "Health"}, "prospect_by_segment"),
        ({"source": "file"}, "prospect_by_source"),
        ({"owner": "1"}, "prospect_by_owner"),
        ({"by_hand": "1"}, "prospect_by_hand"),
    ],
)
def test_a_page_is_read_in_the_order_of_an_index(version, query, index):
    playbook = version.playbook
    with CaptureQueriesContext(connection) as captured:
        ids_of_page(playbook.client, playbook, read_prospect_filters(query), Place(), size=51, at_most=9)
    with connection.cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort"):  # as good as an index for so few rows as a test has
            cursor.execute(f"SET LOCAL enable_{way} = off")
        if index != "prospect_ranked":  # which gives any page in order
            cursor.execute("DROP INDEX prospect_ranked")
        cursor.execute(f"EXPLAIN {captured[0]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert f"using {index}" in plan
    assert plan.count("Sort Key") == (index == "prospect_by_state"), "only the best of each state are sorted"


def test_a_prospect_says_whether_its_route_was_set_by_hand(version, leader):
    client = version.playbook.client
    who, other = (live(version.playbook, version, START) for _ in range(2))

    def by_hand():
        return set(Prospect.objects.filter(routed_by_hand=True).values_list("pk", flat=True))

    override_routes([who.pk, other.pk], "hot", client=client, actor=leader, reason="Met at the fair")
    assert by_hand() == {who.pk, other.pk}
    override_routes([who.pk], "cold", client=client, actor=leader, reason="Left the market")
    lift_overrides([other.pk], client=client, actor=leader)
    assert by_hand() == {who.pk}
    for pk, claim in ((who.pk, "false"), (other.pk, "true")):
        refused = pytest.raises(IntegrityError, match="as long as an override is in force")
        with refused, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE prospects_prospect SET routed_by_hand = {claim} WHERE id = %s", [pk])


def test_nobody_is_born_routed_by_hand(version):
    factories.prospect(version)
    columns = "client_id, playbook_id, contact_id, external_id, source, segment, stage, stage_seq, stage_since,"
    columns += " coverage, provisional, route, tier, priority, verdict, verdict_reason, verdict_missing, next_action,"
    columns += " facts_no, converged_no, created_at"
    statement = f"INSERT INTO prospects_prospect ({columns}, routed_by_hand) SELECT {columns}, true"
    with pytest.raises(IntegrityError, match="has none yet"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{statement} FROM prospects_prospect")


def test_nothing_that_a_file_or_a_person_said_becomes_markup(member, leader, version):
    evil = "<script>'\"&"
    shown = "&lt;script&gt;&#x27;&quot;&amp;"
    client = version.playbook.client
    who = live(version.playbook, version, START, name=evil, segment=evil, source=evil)
    person = factories.contact(client, name=evil, title=evil)
    type(who.company).objects.filter(pk=who.company_id).update(industry=evil, city=evil, country="<>", domain=evil)
    Prospect.objects.filter(pk=who.pk).update(contact=person, next_action=evil, verdict_reason=evil, owner=leader)
    type(leader).objects.filter(pk=leader.pk).update(name=evil)
    override_routes([who.pk], "hot", client=client, actor=leader, reason=evil)
    ListPreference.objects.create(client=client, user=leader, columns=list(COLUMNS))
    body = member.get(reverse("prospects:list")).context["body"]
    assert "<script" not in body
    assert "<>" not in body
    # twice by name, then domain, person, title, segment, next, owner, reason, industry, city, source, and why the route
    assert body.count(shown) == 13
