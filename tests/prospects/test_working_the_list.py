"""Working the list of prospects: filters that are kept, columns, one thing done to many, routes set by hand."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playbooks.models import AuditEntry, Stop
from playbooks.services import stops
from prospects.models import BulkAction, BulkItem, Prospect, RouteOverride, SavedFilter
from prospects.services import bulk, list_filters
from prospects.services.bulk import Wish
from prospects.services.route_overrides import ReasonMissing, lift_overrides, override_routes
from salesops.errors import NotAllowed
from tests import factories
from tests.prospects.lives import live

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 1, 9, tzinfo=UTC)
LIST = "/prospects/"
COLUMNS = "client_id, prospect_id, route, reason, created_by_id, created_at, trace_id"
INSERT = f"INSERT INTO prospects_routeoverride ({COLUMNS})"


@pytest.fixture
def version():
    return factories.version()


@pytest.fixture
def ours(version):
    return version.playbook.client


@pytest.fixture
def leader(ours):
    return factories.user(ours, "leader")


@pytest.fixture
def browser(leader):
    browser = Browser()
    browser.force_login(leader)
    return browser


@pytest.fixture
def three(version):
    return [
        live(version.playbook, version, START, priority=rank, name=name, route=route)
        for rank, name, route in ((30, "Acme", "hot"), (20, "Birch", "cold"), (10, "Cobalt", "cold"))
    ]


def begin(version, leader, kind, prospects=(), **wish):
    ids = [row.pk for row in prospects]
    return bulk.begin(
        Wish(kind, **wish), client=version.playbook.client, playbook=version.playbook, actor=leader, prospects=ids
    )


def names(response):
    return [row.company for row in response.context["page"].items]


# --- kept filters and columns ---


def test_a_kept_filter_comes_back_by_name_and_only_shared_ones_are_others(browser, ours, three):
    for name, shared in (("Cold ones", "1"), ("Mine alone", "")):
        browser.post("/prospects/filters/", {"name": name, "query": "route=cold&nonsense=1", "shared": shared})
    mine = SavedFilter.objects.get(name="Cold ones")
    assert mine.query == {"route": "cold"}
    page = browser.get(f"{LIST}?route=cold")
    assert names(page) == ["Birch", "Cobalt"]
    assert b"Mine alone" in page.content
    colleague, stranger = Browser(), Browser()
    colleague.force_login(factories.user(ours))
    stranger.force_login(factories.user(factories.version(factories.client()).playbook.client))
    seen = colleague.get(f"{LIST}?all=1").content
    assert b"Cold ones" in seen
    assert b"Mine alone" not in seen
    assert b"Cold ones" not in stranger.get(f"{LIST}?all=1").content
    assert colleague.post(f"/prospects/filters/{mine.pk}/remove/").status_code == 404
    assert stranger.post(f"/prospects/filters/{mine.pk}/open/", {"opens": "1"}).status_code == 404
    assert browser.post(f"/prospects/filters/{mine.pk}/remove/").status_code == 302
    assert not SavedFilter.objects.filter(name="Cold ones").exists()


def test_the_list_opens_with_the_filter_that_was_chosen_until_everybody_is_asked_for(browser, leader, ours, three):
    row = list_filters.save_filter("Cold", {"route": "cold"}, client=ours, actor=leader, shared=False, opens=True)
    assert browser.get(LIST)["Location"] == f"{LIST}?route=cold"
    assert len(names(browser.get(f"{LIST}?all=1"))) == 3
    browser.post(f"/prospects/filters/{row.pk}/open/", {})
    assert len(names(browser.get(LIST))) == 3


def test_a_filter_that_is_no_longer_shared_opens_nobody_elses_list(browser, ours, three):
    owner = factories.user(ours)
    row = list_filters.save_filter("Cold", {"route": "cold"}, client=ours, actor=owner, shared=True, opens=False)
    browser.post(f"/prospects/filters/{row.pk}/open/", {"opens": "1"})
    assert browser.get(LIST).status_code == 302
    list_filters.save_filter("cold", {"route": "cold"}, client=ours, actor=owner, shared=False, opens=False)
    assert SavedFilter.objects.count() == 1
    assert browser.get(LIST).status_code == 200


def test_a_filter_needs_a_name(browser):
    page = browser.post("/prospects/filters/", {"name": "  ", "query": ""}, follow=True)
    assert b"Give the filter a name" in page.content
    assert not SavedFilter.objects.exists()


def test_columns_are_remembered_in_their_order_by_the_page_and_the_csv(browser, three):
    browser.post(
        "/prospects/columns/",
        {"column": ["route", "owner", "evil"], "place-route": "2", "place-owner": "1", "query": ""},
    )
    page = browser.get(LIST)
    assert [column.key for column in page.context["columns"]] == ["owner", "route"]
    exported = b"".join(browser.get("/prospects/export.csv").streaming_content).decode().lstrip("\ufeff")
    rows = list(csv.DictReader(StringIO(exported)))
    assert list(rows[0]) == ["id", "company", "domain", "owner", "route", "route_by_hand", "score_route"]
    browser.post("/prospects/columns/", {"usual": "1"})
    assert len(browser.get(LIST).context["columns"]) == 9


def test_the_list_narrows_to_an_owner_and_to_routes_set_by_hand(browser, leader, ours, three):
    Prospect.objects.filter(pk=three[1].pk).update(owner=leader)
    override_routes([three[2].pk], "hot", client=ours, actor=leader, reason="Met at the fair")
    assert names(browser.get(f"{LIST}?owner={leader.pk}")) == ["Birch"]
    assert names(browser.get(f"{LIST}?owner={leader.pk}&q=bir")) == ["Birch"]
    assert names(browser.get(f"{LIST}?by_hand=1")) == ["Cobalt"]


# --- one thing done to many ---


def test_a_pause_of_many_stops_each_and_undo_lifts_only_those(version, leader, three):
    stops.stop(client=version.playbook.client, actor=leader, level="prospect", target_id=three[0].pk, reason="Before")
    action = begin(version, leader, "pause", three, reason="Trade fair week")
    assert (action.status, action.total, action.changed) == ("done", 3, 2)
    assert Stop.objects.in_force().filter(level="prospect").count() == 3
    undone = bulk.undo(action.pk, client=version.playbook.client, actor=leader)
    assert undone.status == "undone"
    assert [row.reason for row in Stop.objects.in_force()] == ["Before"]
    assert AuditEntry.objects.filter(event__in=["prospect.bulk_done", "prospect.bulk_undone"]).count() == 2
    again = begin(version, leader, "resume", three, reason="The fair is over")
    assert again.changed == 1
    assert not Stop.objects.in_force().exists()
    with pytest.raises(bulk.CannotUndo):
        bulk.undo(again.pk, client=version.playbook.client, actor=leader)


def test_owners_are_assigned_and_given_back_except_where_somebody_changed_it_since(version, ours, leader, three):
    before, later = factories.user(ours), factories.user(ours)
    Prospect.objects.filter(pk=three[0].pk).update(owner=before)
    action = begin(version, leader, "assign", three, owner=leader)
    assert set(Prospect.objects.values_list("owner", flat=True)) == {leader.pk}
    Prospect.objects.filter(pk=three[2].pk).update(owner=later)
    bulk.undo(action.pk, client=ours, actor=leader)
    assert [Prospect.objects.get(pk=row.pk).owner_id for row in three] == [before.pk, None, later.pk]
    with pytest.raises(bulk.CannotUndo):
        bulk.undo(action.pk, client=ours, actor=leader)
    with pytest.raises(NotAllowed):
        begin(version, leader, "assign", three, owner=factories.user(factories.client()))


def test_the_agents_run_again_on_the_chosen_ones(version, leader, three, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as waiting:
        action = begin(version, leader, "rerun", three[:2])
    assert action.changed == 2
    assert Prospect.objects.filter(due_again_at__isnull=False).count() == 2
    assert waiting, "nobody woke the agents"
    assert not action.can_be_undone


def test_prospects_of_another_client_are_refused_and_nothing_is_changed(version, leader, browser, three):
    theirs = factories.version(factories.client())
    foreign = live(theirs.playbook, theirs, START)
    with pytest.raises(bulk.NotYours):
        begin(version, leader, "assign", [three[0], foreign], owner=leader)
    page = browser.post(
        "/prospects/many/",
        {"playbook": version.playbook.pk, "kind": "assign", "owner": leader.pk, "prospect": [three[0].pk, foreign.pk]},
        follow=True,
    )
    assert b"not in this list" in page.content
    data = {"playbook": theirs.playbook.pk, "kind": "assign", "prospect": [foreign.pk]}
    assert browser.post("/prospects/many/", data).status_code == 404
    assert not BulkAction.objects.exists()
    assert not Prospect.objects.filter(owner__isnull=False).exists()
    other = Browser()
    other.force_login(factories.user(theirs.playbook.client, "leader"))
    mine = begin(version, leader, "assign", three, owner=leader)
    assert other.get(f"/prospects/many/{mine.pk}/").status_code == 404
    assert other.post(f"/prospects/many/{mine.pk}/undo/").status_code == 404


def test_all_that_match_are_counted_confirmed_and_worked_in_batches(
    version, leader, browser, monkeypatch, django_capture_on_commit_callbacks
):
    for number in range(7):
        live(version.playbook, version, START, name=f"Row {number}", route="hot" if number < 5 else "cold")
    monkeypatch.setattr(bulk, "BATCH", 2)
    nudged = []
    monkeypatch.setattr(bulk, "nudge", nudged.append)
    data = {"playbook": version.playbook.pk, "kind": "assign", "owner": leader.pk, "scope": "all", "query": "route=hot"}
    asked = browser.post("/prospects/many/", data)
    assert asked.context["count"] == 5
    assert not BulkAction.objects.exists()
    browser.post("/prospects/many/", {**data, "confirmed": "1"})
    action = BulkAction.objects.get()
    assert (action.status, action.total, action.done) == ("running", 5, 2)
    assert nudged == [action.pk]
    panel = browser.get(f"/prospects/many/{action.pk}/", headers={"HX-Request": "true", "HX-Target": "bulk"})
    assert b"2 of 5" in panel.content
    assert b"<html" not in panel.content
    live(version.playbook, version, START, name="Newcomer", route="hot")
    while bulk.work(action.pk):
        pass
    action.refresh_from_db()
    assert (action.status, action.changed) == ("done", 5)
    assert Prospect.objects.filter(owner=leader).count() == 5


def test_a_bulk_action_whose_worker_died_is_found_by_the_sweep(version, leader, monkeypatch):
    for _ in range(3):
        live(version.playbook, version, START)
    monkeypatch.setattr(bulk, "BATCH", 2)
    nudged = []
    monkeypatch.setattr(bulk, "nudge", nudged.append)
    action = begin(version, leader, "assign", Prospect.objects.all(), owner=leader)
    late = action.heartbeat_at + bulk.timedelta(seconds=bulk.SECONDS_QUIET + 1)
    assert bulk.sweep(at=action.heartbeat_at) == 0
    assert bulk.sweep(at=late) == 1
    assert nudged == [action.pk, action.pk]


def test_roles_decide_what_may_be_done_to_many(version, ours, three):
    reviewer, operator = factories.user(ours, "reviewer"), factories.user(ours, "operator")
    with pytest.raises(NotAllowed):
        begin(version, reviewer, "assign", three, owner=reviewer)
    with pytest.raises(NotAllowed):
        begin(version, operator, "route", three, route="hot", reason="Because")
    assert begin(version, reviewer, "route", three, route="hot", reason="Because").changed == 3


@pytest.mark.parametrize("kind", ["pause", "resume", "route"])
def test_pauses_and_routes_by_hand_need_a_reason(version, leader, three, kind):
    with pytest.raises(ReasonMissing):
        begin(version, leader, kind, three, route="hot", reason="  ")
    assert not BulkItem.objects.exists()


def test_more_pauses_than_anybody_should_read_are_refused(version, leader, three, monkeypatch):
    monkeypatch.setattr(bulk, "MOST_PAUSED", 2)
    with pytest.raises(bulk.TooMany, match="whole playbook"):
        begin(version, leader, "pause", three, reason="All of them")
    assert not Stop.objects.exists()


# --- routes set by hand ---


def test_a_route_by_hand_stands_beside_the_scores_and_undo_brings_back_the_one_before(version, ours, leader, three):
    acme = three[0]
    override_routes([acme.pk], "warm", client=ours, actor=leader, reason="Slow year")
    action = begin(version, leader, "route", three, route="cold", reason="Left the market")
    assert action.changed == 3
    acme.refresh_from_db()
    assert acme.route == "hot"
    assert RouteOverride.objects.in_force().filter(route="cold").count() == 3
    bulk.undo(action.pk, client=ours, actor=leader)
    (back,) = RouteOverride.objects.in_force()
    assert (back.prospect_id, back.route, back.reason) == (acme.pk, "warm", "Slow year")
    gone = begin(version, leader, "unroute", three)
    assert gone.changed == 1
    assert not RouteOverride.objects.in_force().exists()
    bulk.undo(gone.pk, client=ours, actor=leader)
    assert RouteOverride.objects.in_force().get().reason == "Slow year"
    assert RouteOverride.objects.count() == 6


def test_a_route_by_hand_is_seen_wherever_the_route_is(browser, ours, leader, three):
    override_routes([three[0].pk], "cold", client=ours, actor=leader, reason="Left the market")
    assert b"by hand; the score says hot" in browser.get(LIST).content
    page = browser.get(f"/prospects/{three[0].pk}/").content
    assert b"Left the market" in page
    assert str(leader).encode() in page


def test_lifting_names_the_one_that_is_meant(ours, leader, three):
    (first,) = override_routes([three[0].pk], "cold", client=ours, actor=leader, reason="A").values()
    override_routes([three[0].pk], "warm", client=ours, actor=leader, reason="B")
    assert lift_overrides([three[0].pk], client=ours, actor=leader, only={three[0].pk: first[0]}) == {}
    assert RouteOverride.objects.in_force().get().reason == "B"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE prospects_routeoverride SET reason = 'Other'",
        "UPDATE prospects_routeoverride SET route = 'warm'",
        "UPDATE prospects_routeoverride SET lifted_at = NULL, lifted_by_id = NULL WHERE lifted_at IS NOT NULL",
        "UPDATE prospects_routeoverride SET lifted_at = now(), lifted_by_id = NULL WHERE lifted_at IS NULL",
        "DELETE FROM prospects_routeoverride",
        INSERT
        + " SELECT client_id, prospect_id, 'cold', 'Twice', created_by_id, now(), trace_id FROM prospects_routeoverride"
        " WHERE lifted_at IS NULL",
        INSERT + " SELECT c.id, o.prospect_id, 'cold', 'Not theirs', o.created_by_id, now(), o.trace_id"
        " FROM prospects_routeoverride o, playbooks_client c WHERE o.lifted_at IS NOT NULL AND c.id <> o.client_id"
        " AND NOT EXISTS (SELECT 1 FROM prospects_routeoverride n WHERE n.lifted_at IS NULL"
        " AND n.prospect_id = o.prospect_id)",
        "UPDATE prospects_bulkaction SET reason = 'Other'",
        "DELETE FROM prospects_bulkaction",
    ],
)
def test_postgresql_refuses_what_would_rewrite_a_route_by_hand(version, ours, leader, three, sql):
    factories.client()
    begin(version, leader, "route", three[:2], route="cold", reason="First")
    lift_overrides([three[0].pk], client=ours, actor=leader)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


# --- cost ---


def test_the_list_asks_the_same_questions_however_much_was_done_by_hand(browser, version, ours, leader, three):
    def asked():
        with CaptureQueriesContext(connection) as captured:
            assert browser.get(f"{LIST}?all=1").status_code == 200
        return len(captured)

    asked()
    begin(version, leader, "route", three[:1], route="cold", reason="One")
    list_filters.save_filter("One", {}, client=ours, actor=leader, shared=True, opens=False)
    few = asked()
    for number in range(20):
        live(version.playbook, version, START)
        list_filters.save_filter(f"F {number}", {}, client=ours, actor=leader, shared=True, opens=False)
    begin(version, leader, "route", Prospect.objects.all(), route="warm", reason="All")
    begin(version, leader, "pause", Prospect.objects.all(), reason="All")
    assert asked() == few


def test_only_posts_change_anything(browser):
    for name in ("save_filter", "columns", "start_bulk"):
        assert browser.get(reverse(f"prospects:{name}")).status_code == 405
