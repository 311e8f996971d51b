"""Funnel cells follow the facts: swept or rebuilt, they equal a count straight from the transitions."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from prospects import stages
from prospects.models import FunnelCell, FunnelChange, FunnelMark, Prospect, StageTransition
from prospects.rules.statistics import duration_bucket
from prospects.services.funnel_cells import onward_stages, rebuild_funnel, sweep_funnel
from tests.prospects.lives import live, make_client, make_playbook, make_version, move

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 1, 9, tzinfo=UTC)
COLUMNS = (
    "grain", "value", "basis", "day", "stage", "outcome", "segment", "source", "route", "tier", "version",
    "stay_bucket", "outcome_bucket", "n", "entered_sum", "stay_sum",
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


def brute_force(playbook):
    """Every cell of grain ``each``, one prospect at a time, straight from the definition."""
    zone = ZoneInfo(playbook.client.time_zone)
    counts, entered_sums, stay_sums = Counter(), Counter(), Counter()
    for prospect in Prospect.objects.filter(playbook=playbook):
        log = list(StageTransition.objects.filter(prospect=prospect, pipeline="prospect").order_by("seq"))
        path = [(stages.SOURCED, prospect.created_at, log[0].playbook_version_id if log else "")]
        path += [(t.to_stage, t.at, t.playbook_version_id) for t in log]
        for stage in {name for name, _, _ in path}:
            first = next(i for i, (name, _, _) in enumerate(path) if name == stage)
            entered, version = path[first][1], str(path[first][2])
            left = path[first + 1][1] if first + 1 < len(path) else None
            onward = [at for name, at, _ in path[first + 1 :] if name in onward_stages(stage)]
            now_stage, now_since, _ = path[-1]
            exits = [path[i + 1][1] for i in range(len(path) - 1) if path[i][0] == stage]
            if onward:
                outcome, outcome_at = "on", onward[0]
            elif now_stage == stage:
                outcome, outcome_at = "open", None
            elif now_stage in stages.LOST:
                outcome, outcome_at = "lost", now_since
            else:
                outcome, outcome_at = "aside", exits[-1]
            dims = (prospect.segment, prospect.source, prospect.route, prospect.tier)
            stay = (left - entered).total_seconds() if left else None
            wait = (outcome_at - entered).total_seconds() if outcome_at else None
            epoch = int(entered.timestamp() // 1)

            def bucket(seconds):
                return -1 if seconds is None else duration_bucket(seconds)

            rows = [("entered", entered, outcome, version, bucket(stay), bucket(wait), int(stay or 0))]
            if outcome_at:
                rows.append(("left", outcome_at, outcome, version, bucket(wait), bucket(wait), int(wait)))
            rows.append(("reached", prospect.created_at, "", str(path[0][2]), -1, -1, 0))
            for basis, at, became, of_version, stay_bucket, wait_bucket, seconds in rows:
                key = (
                    "each", "", basis, at.astimezone(zone).date(), stage, became, *dims, of_version,
                    stay_bucket, wait_bucket,
                )  # fmt: skip
                counts[key] += 1
                entered_sums[key] += epoch if basis != "reached" else 0
                stay_sums[key] += seconds
    return sorted((*key, n, entered_sums[key], stay_sums[key]) for key, n in counts.items())


@pytest.mark.parametrize(("seed", "zone"), [(1, "UTC"), (2, "Pacific/Auckland"), (3, "Asia/Kolkata")])
def test_a_rebuild_counts_what_brute_force_counts(seed, zone):
    playbook = make_playbook(make_client(time_zone=zone))
    version = make_version(playbook)
    rng = random.Random(seed)
    for _ in range(40):
        random_life(rng, playbook, version)
    rebuild_funnel(playbook)
    each = sorted(FunnelCell.objects.filter(playbook=playbook, grain="each").values_list(*COLUMNS))
    assert each == brute_force(playbook)


@pytest.mark.parametrize("grain", ["all", "segment", "source", "route", "tier", "version"])
def test_every_coarser_grain_adds_up_to_the_finest(playbook, version, grain):
    rng = random.Random(7)
    for _ in range(30):
        random_life(rng, playbook, version)
    rebuild_funnel(playbook)
    coarse, fine = Counter(), Counter()
    for cell in FunnelCell.objects.filter(playbook=playbook, grain=grain):
        coarse[cell.value, cell.basis, cell.day, cell.stage, cell.outcome] += cell.n
    for cell in FunnelCell.objects.filter(playbook=playbook, grain="each"):
        value = "" if grain == "all" else getattr(cell, grain)
        fine[value, cell.basis, cell.day, cell.stage, cell.outcome] += cell.n
    assert coarse == fine


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
    untouched = set(FunnelCell.objects.filter(day=START.date()).values_list("pk", flat=True))
    move(late, version, [(stages.RESEARCHED, START + timedelta(days=4))])
    (swept,) = sweep_funnel()
    assert swept.days == 2
    assert set(FunnelCell.objects.filter(day=START.date()).values_list("pk", flat=True)) == untouched


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
    days = set(FunnelCell.objects.filter(playbook=playbook).values_list("day", flat=True))
    assert days == {datetime(2026, 9, 2).date()}  # noqa: DTZ001


def test_cells_of_one_playbook_are_not_touched_by_another(playbook, version):
    other = make_playbook(playbook.client, "other")
    live(playbook, version, START)
    live(other, make_version(other), START)
    sweep_funnel()
    before = cells(playbook)
    rebuild_funnel(other)
    assert cells(playbook) == before
    assert sum(FunnelCell.objects.filter(playbook=other, grain="all", basis="entered").values_list("n", flat=True)) == 1


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
