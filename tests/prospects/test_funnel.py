"""The funnel's numbers, and that every one of them leads to exactly the prospects it counts."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from playbooks.rules import stages
from prospects.funnel.drilldown import FunnelSlice, in_slice, read_slice
from prospects.funnel.filters import COHORT, NONE, PERIOD, FunnelFilters, read_filters
from prospects.funnel.reading import read_funnel
from prospects.models import Basis, Outcome, Prospect
from prospects.rules.statistics import Z_95
from prospects.services.funnel_cells import rebuild_funnel, sweep_funnel
from prospects.views.funnel import slice_of
from tests.prospects.lives import live, make_client, make_playbook, make_version
from tests.prospects.test_funnel_cells import random_life

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 1, 9, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def playbook():
    return make_playbook(make_client(time_zone="Pacific/Auckland"))


@pytest.fixture
def version(playbook):
    return make_version(playbook)


def row_of(funnel, stage):
    return next(row for row in funnel.rows if row.stage == stage)


ALL_TIME = FunnelFilters(period="all")


def test_a_cohort_says_what_became_of_those_who_entered(playbook, version):
    researched = (stages.RESEARCHED, START + DAY)
    live(playbook, version, START, [researched, (stages.QUALIFYING, START + 2 * DAY)])
    live(playbook, version, START, [researched, (stages.DISQUALIFIED, START + 3 * DAY)])
    live(playbook, version, START, [researched])
    live(playbook, version, START)
    sweep_funnel()
    funnel = read_funnel(playbook, ALL_TIME)
    row = row_of(funnel, stages.RESEARCHED)
    assert (row.entered, row.on, row.aside, row.lost, row.open) == (3, 1, 0, 1, 1)
    assert row.next_step.successes == 1
    assert row.next_step.n == 3
    assert not row.next_step.is_large_enough
    assert row.reached.successes == 3
    assert row.reached.n == 4
    assert row_of(funnel, stages.SOURCED).open == 1


def test_time_in_stage_counts_those_still_there_as_censored(playbook, version):
    for days in (1, 2, 4):
        live(playbook, version, START, [(stages.RESEARCHED, START + days * DAY)])
    for _ in range(5):
        live(playbook, version, START)
    sweep_funnel()
    row = row_of(read_funnel(playbook, ALL_TIME), stages.SOURCED)
    assert row.median.seconds is None
    assert row.median.observed_seconds > 4 * 86_400
    early = row_of(read_funnel(playbook, FunnelFilters(period="all", segment="B2B")), stages.RESEARCHED)
    assert early.entered == 3


def test_the_median_lies_in_the_bucket_of_the_true_median(playbook, version):
    for days in (1.2, 1.5, 2.5, 6, 8):
        live(playbook, version, START, [(stages.RESEARCHED, START + days * DAY)])
    sweep_funnel()
    row = row_of(read_funnel(playbook, ALL_TIME), stages.SOURCED)
    assert row.median.seconds == pytest.approx(2.5 * 86_400)
    assert row.p90.seconds == pytest.approx(8 * 86_400)


def test_a_side_track_is_set_aside_and_coming_back_is_moving_on(playbook, version):
    path = [(stages.RESEARCHED, START), (stages.QUALIFYING, START), (stages.STALLED, START + DAY)]
    live(playbook, version, START, path)
    back = [*path, (stages.QUALIFYING, START + 3 * DAY), (stages.QUALIFIED, START + 4 * DAY)]
    live(playbook, version, START, back)
    sweep_funnel()
    funnel = read_funnel(playbook, ALL_TIME)
    qualifying, stalled = row_of(funnel, stages.QUALIFYING), row_of(funnel, stages.STALLED)
    assert (qualifying.entered, qualifying.on, qualifying.aside) == (2, 1, 1)
    assert (stalled.entered, stalled.on, stalled.open) == (2, 1, 1)


def test_a_window_leaves_out_entries_too_young_to_judge(playbook, version):
    now = timezone.now()
    live(playbook, version, now - 20 * DAY, [(stages.RESEARCHED, now - 18 * DAY)])
    live(playbook, version, now - 20 * DAY, [(stages.RESEARCHED, now - 10 * DAY)])
    live(playbook, version, now - 3 * DAY, [(stages.RESEARCHED, now - 2 * DAY)])
    sweep_funnel()
    row = row_of(read_funnel(playbook, FunnelFilters(period="all", within=7)), stages.SOURCED)
    assert (row.entered, row.on, row.open) == (2, 1, 1)


def test_period_mode_counts_moves_of_the_period_whoever_entered_when(playbook, version):
    live(playbook, version, START, [(stages.RESEARCHED, START + 10 * DAY)])
    live(playbook, version, START + 9 * DAY)
    sweep_funnel()
    days = {"first": (START + 8 * DAY).date(), "last": (START + 12 * DAY).date()}
    funnel = read_funnel(playbook, FunnelFilters(mode=PERIOD, period="days", **days))
    row = row_of(funnel, stages.SOURCED)
    assert (row.entered, row.on, row.open) == (1, 1, 1)
    assert row.reached is None
    assert (row.next_step.successes, row.next_step.n) == (1, 1)
    cohort = row_of(read_funnel(playbook, FunnelFilters(mode=COHORT, period="days", **days)), stages.SOURCED)
    assert (cohort.entered, cohort.on, cohort.open) == (1, 0, 1)


def test_another_client_and_another_playbook_are_never_counted(playbook, version):
    other = make_playbook(make_client("other"))
    live(other, make_version(other), START)
    live(playbook, version, START)
    sweep_funnel()
    assert row_of(read_funnel(playbook, ALL_TIME), stages.SOURCED).entered == 1


def test_nothing_counted_yet_is_an_empty_funnel(playbook):
    funnel = read_funnel(playbook, FunnelFilters())
    assert funnel.as_of is None
    assert funnel.is_empty


NARROWED = (
    {"period": "all"},
    {"period": "days", "first": date(2026, 9, 4), "last": date(2026, 9, 11)},
    {"period": "all", "within": 7},
    {"period": "days", "first": date(2026, 9, 3), "last": date(2026, 9, 30), "route": "hot"},
    {"period": "all", "segment": NONE, "tier": "TIER_1"},
    {"period": "all", "version": "first"},
    {"period": "days", "first": date(2026, 8, 30), "last": date(2026, 10, 3)},
    {"period": "days", "first": date(2026, 9, 2), "last": date(2026, 9, 20), "source": "file", "version": "first"},
)


def test_every_number_leads_to_exactly_the_prospects_it_counts(playbook, version):
    second = make_version(playbook, 2, active=False)
    rng = random.Random(5)
    for number in range(60):
        random_life(rng, playbook, second if number % 3 == 0 else version)
    rebuild_funnel(playbook)
    for narrow in NARROWED:
        named = {**narrow, **({"version": str(version.pk)} if "version" in narrow else {})}
        assert _led_to(playbook, FunnelFilters(mode=COHORT, **named)), narrow
        named.pop("within", None)  # windows belong to cohorts
        assert _led_to(playbook, FunnelFilters(mode=PERIOD, **named)), narrow


def _led_to(playbook, filters):
    """How many prospects are behind the numbers of a funnel; each number has been looked up."""
    funnel = read_funnel(playbook, filters)
    dims = {name: value for name, value in funnel.filters.dimensions.items() if name != "version"}
    mine = Prospect.objects.for_client(playbook.client).filter(playbook=playbook, **dims)
    seen = 0
    for row in funnel.rows:
        numbers = {"": row.entered, **{o.value: getattr(row, o.value) for o in Outcome}}
        for outcome, n in numbers.items():
            piece = slice_of(funnel.filters, row.stage, outcome)
            assert in_slice(mine, piece, client=playbook.client).count() == n, (filters, row.stage, outcome, piece)
            assert read_slice(piece.as_query()) == piece
            seen += n
        if row.reached:
            piece = slice_of(funnel.filters, row.stage, "reached")
            assert in_slice(mine, piece, client=playbook.client).count() == row.reached.successes, (filters, row.stage)
    return seen


def test_every_segment_number_leads_to_its_prospects(playbook, version):
    rng = random.Random(8)
    for _ in range(40):
        random_life(rng, playbook, version)
    rebuild_funnel(playbook)
    funnel = read_funnel(playbook, ALL_TIME)
    assert {row.segment for row in funnel.segments} == {"B2B", "Health", ""}
    for row in funnel.segments:
        for stage, n in row.counts.items():
            piece = slice_of(funnel.filters, stage, "reached")
            found = in_slice(Prospect.objects.filter(segment=row.segment), piece, client=playbook.client)
            assert found.count() == n


def test_filters_survive_the_url_and_nonsense_falls_back(playbook):
    now = datetime(2026, 11, 1, 20, tzinfo=UTC)
    client = playbook.client
    given = {"mode": "period", "period": "30", "route": "hot", "segment": "B2B", "version": "7"}
    filters = read_filters(given, client=client, now=now)
    assert filters.as_query() == given
    assert filters.last == date(2026, 11, 2), "days are the client's, not UTC's"
    assert filters.first == date(2026, 10, 4)
    nonsense = {"mode": "x", "period": "-3", "route": "lukewarm", "version": "1;--", "within": "8", "from": "yesterday"}
    assert read_filters(nonsense, client=client, now=now) == read_filters({}, client=client, now=now)
    for day in ("0001-01-01", "9999-12-31"):
        given = {"period": "days", "from": day, "to": day}
        assert read_filters(given, client=client, now=now) == read_filters({}, client=client, now=now)
        assert read_slice({"funnel": "entered", "at": "sourced", "to": day}) == FunnelSlice("entered", "sourced")


def test_slices_refuse_what_they_do_not_know():
    assert read_slice({"funnel": "entered", "at": "nowhere"}) is None
    assert read_slice({"funnel": "left", "at": "sourced"}) is None
    assert read_slice({"funnel": "entered", "at": "sourced", "outcome": "x"}) is None
    assert read_slice({}) is None
    assert read_slice({"funnel": Basis.ENTERED, "at": "sourced"}) == FunnelSlice("entered", "sourced")


def test_conversion_carries_its_wilson_interval(playbook, version):
    for number in range(12):
        live(playbook, version, START, [(stages.RESEARCHED, START + DAY)] if number < 6 else [])
    sweep_funnel()
    step = row_of(read_funnel(playbook, ALL_TIME), stages.SOURCED).next_step
    assert step.share == 0.5
    half = Z_95 / 2 / (12 + Z_95**2) ** 0.5
    assert step.interval.low == pytest.approx(0.5 - half)
