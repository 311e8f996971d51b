"""Each agent's day is counted as it works, exactly, and without making workers wait for each other."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import close_old_connections, connections, transaction
from django.db.models import Count, Sum

from prospects.host.store import open_scope
from prospects.models import AgentDay, AgentRun
from prospects.rules.durations import BUCKETS, bucket_of, percentile
from prospects.services import agent_days
from salesops.runtime.ports import Run
from tests.runtime import scene


def test_the_counters_say_what_the_runs_say(db: None) -> None:
    under = scene.demo()
    for number in range(3):
        scene.company(under, {**scene.GOOD, "name": f"G{number}", "domain": f"g{number}.example"})
    scene.run(under)
    runs = AgentRun.objects.values_list("agent").annotate(Count("pk"), Sum("proposed"), Sum("promoted"), Sum("refused"))
    days = AgentDay.objects.filter(runs__gt=0).values_list("agent")
    counted = days.annotate(Sum("runs"), Sum("proposed"), Sum("promoted"), Sum("refused"))
    assert sorted(runs.order_by()) == sorted(counted.order_by())
    assert all(sum(day.buckets) == day.runs for day in AgentDay.objects.all())
    fit = AgentDay.objects.get(agent="fit_evidence")
    assert fit.marked == 3
    assert 0 < fit.marks <= 3


def test_counting_again_on_the_same_day_adds_up(db: None) -> None:
    under = scene.demo()
    scope = scope_of(under)
    for _ in range(3):
        agent_days.count_runs(scope, [run("fit_evidence", duration_us=900), run("enrichment", status="failed")])
    fit, enrichment = AgentDay.objects.order_by("-agent")
    assert (fit.runs, fit.failed, fit.buckets[bucket_of(900)]) == (3, 0, 3)
    assert (enrichment.runs, enrichment.failed) == (3, 3)


@pytest.mark.django_db(transaction=True)
def test_a_worker_never_waits_for_another_that_has_counted_and_not_committed() -> None:
    scope = scope_of(scene.demo())
    done = threading.Event()
    broke: list[BaseException] = []

    def other() -> None:
        try:
            with transaction.atomic(), connections["default"].cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '3s'")
                agent_days.count_runs(scope, [run("fit_evidence")])
        except BaseException as error:
            broke.append(error)
        finally:
            close_old_connections()
            connections.close_all()
            done.set()

    with transaction.atomic():
        agent_days.count_runs(scope, [run("fit_evidence")])
        worker = threading.Thread(target=other)
        worker.start()
        assert done.wait(20)
    worker.join()
    assert broke == []
    assert AgentDay.objects.aggregate(n=Sum("runs"))["n"] == 2
    assert sorted(AgentDay.objects.values_list("slot", flat=True)) == [0, 1]


def test_a_percentile_from_the_histogram_is_near_the_true_one() -> None:
    durations = [100 + 37 * n for n in range(1000)]
    counts = [0] * BUCKETS
    for duration in durations:
        counts[bucket_of(duration)] += 1
    found = percentile(counts, 0.95)
    assert found is not None
    assert found * 1e6 == pytest.approx(sorted(durations)[949], rel=0.2)


@pytest.mark.parametrize("duration", [1024, 1447, 100, 99_999, 60_000_000])
def test_a_percentile_of_equal_durations_is_within_a_fifth_of_them(duration: int) -> None:
    counts = [0] * BUCKETS
    counts[bucket_of(duration)] = 20
    for share in (0.01, 0.5, 1.0):
        assert (percentile(counts, share) or 0.0) * 1e6 == pytest.approx(duration, rel=0.2)


def test_nothing_counted_has_no_percentile() -> None:
    assert percentile([0] * BUCKETS, 0.95) is None


@pytest.mark.parametrize(("us", "bucket"), [(0, 0), (1, 0), (2, 2), (1000, 19), (10**12, BUCKETS - 1)])
def test_every_duration_has_a_bucket(us: int, bucket: int) -> None:
    assert bucket_of(us) == bucket


def scope_of(under: Any) -> Any:
    return open_scope(under.playbook.client, under.playbook, now=scene.CLOCK, convergence_id=1)


def run(agent: str, *, duration_us: int = 500, status: str = "ok") -> Run:
    return Run(1, 1, agent, "rules", "rules-1", 1, 1, duration_us=duration_us, status=status)
