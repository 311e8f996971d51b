"""Funnel cells follow the facts: swept or rebuilt, they equal a count straight from the transitions."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models import Sum

from playbooks.rules import stages
from prospects.funnel.sql import onward_stages
from prospects.models import FunnelCell, FunnelChange, FunnelMark, Prospect, StageTransition
from prospects.rules.statistics import DURATION_EDGES
from prospects.services.funnel_cells import rebuild_funnel, sweep_funnel
from tests.prospects.lives import live, make_client, make_playbook, make_version, move

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 1, 9, tzinfo=UTC)
COLUMNS = (
    "span", "grain", "value", "segment", "basis", "day", "stage", "outcome", "stay_bucket", "outcome_bucket",
    "n", "entered_sum", "stay_sum",
)  # fmt: skip


@pytest.fixture
def playbook():
    return make_playbook(make_client())


@pytest.fixture
def version(playbook):
    return make_version(playbook)


def cells(playbook):
    return sorted(FunnelCell.objects.filter(playbook=playbook).values_list(*COLUMNS))


def random_life(rng, playbook, version):
    at = START + timedelta(hours=rng.randrange(24 * 12))
    born, stage, moves = at, stages.SOURCED, []
    for _ in range(rng.randrange(8)):
        onward = [target for source, target in stages.PROSPECT_MOVES if source == stage]
        if not onward:
            break
        stage = rng.choice(onward)
        at += timedelta(seconds=rng.choice([0, 40, 3_600, 86_400, 86_400 * 9]) + rng.random())
        moves.append((stage, at))
    return live(
        playbook, version, born, moves, segment=rng.choice(["B2B", "Health", ""]), source=rng.choice(["file", "web"]),
        route=rng.choice(["hot", "cold", ""]), tier=rng.choice(["TIER_1", ""]),
    )  # fmt: skip


def bucket(seconds):
    return -1 if seconds is None else bisect_right(DURATION_EDGES, seconds)


def life_of(prospect):
    """(stage, entered at, version) from birth on."""
    log = list(StageTransition.objects.filter(prospect=prospect, pipeline="prospect").order_by("seq"))
    born = (stages.SOURCED, prospect.created_at, log[0].playbook_version_id if log else "")
    return [born, *((t.to_stage, t.at, t.playbook_version_id) for t in log)]


def outcome_of(path, first):
    """What became of the entry at ``path[first]``, and when."""
    stage = path[first][0]
    onward = [at for name, at, _ in path[first + 1 :] if name in onward_stages(stage)]
    now_stage, now_since, _ = path[-1]
    if onward:
        return "on", onward[0]
    if now_stage == stage:
        return "open", None
    if now_stage in stages.LOST:
        return "lost", now_since
    return "aside", [path[i + 1][1] for i in range(len(path) - 1) if path[i][0] == stage][-1]


def filed_rows(prospect, path, stage):
    """(basis, at, stage, outcome, version, stay bucket, outcome bucket, epoch, seconds) of one prospect and stage."""
    first = next(i for i, (name, _, _) in enumerate(path) if name == stage)
    _, entered, version = path[first]
    outcome, outcome_at = outcome_of(path, first)
    stay = (path[first + 1][1] - entered).total_seconds() if first + 1 < len(path) else None
    wait = (outcome_at - entered).total_seconds() if outcome_at else None
    epoch = int(entered.timestamp() // 1)
    yield "entered", entered, stage, outcome, str(version), bucket(stay), bucket(wait), epoch, int(stay or 0)
    if outcome_at:
        yield "left", outcome_at, stage, outcome, str(version), bucket(wait), bucket(wait), epoch, int(wait)
    yield "reached", prospect.created_at, stage, "", str(path[0][2]), -1, -1, 0, 0


def brute_force(playbook):
    """Every cell, one prospect at a time, straight from the definition."""
    zone = ZoneInfo(playbook.client.time_zone)
    counts, entered_sums, stay_sums = Counter(), Counter(), Counter()

    def add(key, epoch, seconds):
        for span, day in (("day", key[4]), ("month", key[4].replace(day=1))):
            cell = (span, *key[:4], day, *key[5:])
            counts[cell] += 1
            entered_sums[cell] += epoch
            stay_sums[cell] += seconds

    for prospect in Prospect.objects.filter(playbook=playbook):
        path = life_of(prospect)
        for stage in {name for name, _, _ in path}:
            for basis, at, _, outcome, version, stay, wait, epoch, seconds in filed_rows(prospect, path, stage):
                day = at.astimezone(zone).date()
                others = {"source": prospect.source, "route": prospect.route, "tier": prospect.tier, "version": version}
                for grain, value in {"all": "", "segment": prospect.segment, **others}.items():
                    add((grain, value, "", basis, day, stage, outcome, stay, wait), epoch, seconds)
                if basis != "left":
                    for name, value in others.items():
                        add((f"segment+{name}", value, prospect.segment, basis, day, stage, "", -1, -1), 0, 0)
    return sorted((*cell, n, entered_sums[cell], stay_sums[cell]) for cell, n in counts.items())


@pytest.mark.parametrize(("seed", "zone"), [(1, "UTC"), (2, "Pacific/Auckland"), (3, "Asia/Kolkata")])
def test_a_rebuild_counts_what_brute_force_counts(seed, zone):
    playbook = make_playbook(make_client(time_zone=zone))
    version = make_version(playbook)
    rng = random.Random(seed)
    for _ in range(40):
        random_life(rng, playbook, version)
    rebuild_funnel(playbook)
    assert cells(playbook) == brute_force(playbook)


@pytest.mark.parametrize(
    ("zone", "night"),
    [
        ("America/New_York", "2026-03-08"),  # a day of 23 hours
        ("America/New_York", "2026-11-01"),  # one of 25
        ("Europe/Berlin", "2028-02-29"),
        ("Pacific/Auckland", "2027-01-01"),
    ],
)
def test_odd_days_begin_and_end_with_the_clients_own_nights(zone, night):
    playbook = make_playbook(make_client(time_zone=zone))
    version = make_version(playbook)
    midnight = datetime.fromisoformat(night).replace(tzinfo=ZoneInfo(zone))
    next_midnight = midnight + timedelta(days=1)  # by the clock on the wall
    edges = [at.astimezone(UTC) + timedelta(seconds=n) for at in (midnight, next_midnight) for n in (-1, 0, 1)]
    for at in edges:
        live(playbook, version, at, [(stages.RESEARCHED, at), (stages.QUALIFYING, at + timedelta(minutes=90))])
    rebuild_funnel(playbook)
    assert cells(playbook) == brute_force(playbook)
    came = FunnelCell.objects.filter(playbook=playbook, grain="all", basis="reached", span="day", stage=stages.SOURCED)
    day = date.fromisoformat(night)
    around = {day - timedelta(days=1): 1, day: 3, day + timedelta(days=1): 2}
    assert {row["day"]: row["n"] for row in came.values("day").annotate(n=Sum("n"))} == around


def test_sweeping_after_every_change_equals_one_rebuild(playbook, version):
    rng = random.Random(11)
    born = [random_life(rng, playbook, version) for _ in range(10)]
    sweep_funnel()
    for step in range(25):
        prospect = Prospect.objects.get(pk=rng.choice(born).pk)
        onward = [target for source, target in stages.PROSPECT_MOVES if source == prospect.stage]
        if step % 5 == 0:
            born.append(random_life(rng, playbook, version))
        elif step % 3 == 0 or not onward:
            Prospect.objects.filter(pk=prospect.pk).update(route=rng.choice(["hot", "warm", "cold"]))
        else:
            move(prospect, version, [(rng.choice(onward), prospect.stage_since + timedelta(days=rng.randrange(20)))])
        if step % 2:
            sweep_funnel()
    sweep_funnel()
    swept = cells(playbook)
    assert swept
    rebuild_funnel(playbook)
    assert cells(playbook) == swept
    assert FunnelChange.objects.count() == 0


def test_a_sweep_with_nothing_new_counts_nothing_and_still_says_as_of_when(playbook, version):
    live(playbook, version, START)
    (first,) = sweep_funnel()
    ids = set(FunnelCell.objects.values_list("pk", flat=True))
    (second,) = sweep_funnel()
    assert first.days == 1
    assert second.days == 0
    assert set(FunnelCell.objects.values_list("pk", flat=True)) == ids
    mark = FunnelMark.objects.get(playbook=playbook)
    assert mark.as_of == second.as_of > first.as_of
    assert mark.changed_at == first.as_of


def test_only_the_days_a_changed_prospect_touched_are_counted_again(playbook, version):
    live(playbook, version, START)
    late = live(playbook, version, START + timedelta(days=3))
    sweep_funnel()
    untouched = set(FunnelCell.objects.filter(span="day", day=START.date()).values_list("pk", flat=True))
    move(late, version, [(stages.RESEARCHED, START + timedelta(days=4))])
    (swept,) = sweep_funnel()
    assert swept.days == 2
    assert set(FunnelCell.objects.filter(span="day", day=START.date()).values_list("pk", flat=True)) == untouched


def test_a_write_that_changes_no_dimension_is_not_noted(playbook, version):
    prospect = live(playbook, version, START)
    sweep_funnel()
    Prospect.objects.filter(pk=prospect.pk).update(priority=0.7, next_action="Call")
    assert FunnelChange.objects.count() == 0


def test_a_client_that_changes_its_time_zone_gets_its_days_counted_again(playbook, version):
    live(playbook, version, datetime(2026, 9, 1, 23, tzinfo=UTC))
    sweep_funnel()
    playbook.client.time_zone = "Pacific/Auckland"
    playbook.client.save()
    sweep_funnel()
    days = set(FunnelCell.objects.filter(playbook=playbook, span="day").values_list("day", flat=True))
    assert days == {datetime(2026, 9, 2).date()}  # noqa: DTZ001


def test_cells_of_one_playbook_are_not_touched_by_another(playbook, version):
    other = make_playbook(playbook.client, "other")
    live(playbook, version, START)
    live(other, make_version(other), START)
    sweep_funnel()
    before = cells(playbook)
    rebuild_funnel(other)
    assert cells(playbook) == before
    theirs = FunnelCell.objects.get(playbook=other, grain="all", basis="entered", span="day")
    assert theirs.n == 1


def test_a_playbook_held_by_another_sweep_is_left_to_it(playbook, version, django_db_blocker):
    live(playbook, version, START)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(7010, %s)", [playbook.pk])
        assert sweep_funnel() == []
        assert rebuild_funnel(playbook) is None
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(7010, %s)", [playbook.pk])
    finally:
        other.close()
    assert len(sweep_funnel()) == 1
