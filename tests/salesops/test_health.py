"""/healthz says the process is up; /readyz says whether the whole works, and what does not."""

import time
from collections.abc import Iterator

import pytest
from celery.signals import task_failure, task_success
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from salesops import health
from salesops.sweeps import Unfinished

pytestmark = pytest.mark.django_db

SWEEP = "approvals.tasks.sweep_outbox"
DAILY = "playbooks.tasks.something_slow"


@pytest.fixture(autouse=True)
def _empty_redis() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def _schedule(settings: Settings) -> None:
    settings.CELERY_BEAT_SCHEDULE = {
        "sweep": {"task": SWEEP, "schedule": 5.0},
        "daily": {"task": DAILY, "schedule": 24 * 3600.0},
    }


def everything_seen() -> None:
    health.note_worker(list(health.QUEUES))
    health.note_task(SWEEP)


def test_the_process_answers_without_touching_the_database(client: Client, django_assert_num_queries: object) -> None:
    with django_assert_num_queries(0):
        response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


def test_it_is_ready_when_everything_was_seen(client: Client) -> None:
    everything_seen()
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response.json()["ready"] is True
    assert set(response.json()["checks"]) == {"database", "redis", "workers", "sweeps"}
    assert "no-store" in response["Cache-Control"]


def test_a_flushed_redis_is_unready_until_workers_and_sweeps_come_round(client: Client) -> None:
    everything_seen()
    cache.clear()
    response = client.get("/readyz")
    assert response.status_code == 503
    checks = response.json()["checks"]
    assert not checks["workers"]["ok"]
    assert checks["sweeps"]["late"] == [SWEEP]
    everything_seen()
    assert client.get("/readyz").status_code == 200


def test_a_queue_nobody_serves_is_named(client: Client) -> None:
    everything_seen()
    cache.delete("health:queue:research")
    checks = client.get("/readyz").json()["checks"]
    assert checks["workers"]["ok"] is False
    assert checks["workers"]["seconds_since"]["research"] is None


def test_a_worker_not_seen_for_long_is_not_ready(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    everything_seen()
    monkeypatch.setattr(health, "WORKER_SECONDS", 0.0)
    assert client.get("/readyz").status_code == 503


def test_a_slow_sweep_is_not_held_against_a_flushed_redis(client: Client) -> None:
    everything_seen()
    assert DAILY not in client.get("/readyz").json()["checks"]["sweeps"]["late"]


def test_only_scheduled_tasks_leave_a_mark() -> None:
    health.note_task("prospects.tasks.one_of_thousands")
    health.note_failure("prospects.tasks.one_of_thousands", ValueError("Dana"))
    for what in ("task", "failing"):
        assert cache.get(f"health:{what}:prospects.tasks.one_of_thousands") is None


def test_a_sweep_that_breaks_is_named_at_once_and_held_against_us_when_it_goes_on(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything_seen()
    health.note_failure(SWEEP, ValueError("dana@acme.example"))
    health.note_failure(DAILY, Unfinished("forgetting: what models said (DataError)"))
    response = client.get("/readyz")
    failing = response.json()["checks"]["sweeps"]["failing"]
    assert response.status_code == 200, "the next try may do what this one could not"
    assert {task: broken["error"] for task, broken in failing.items()} == {
        SWEEP: "ValueError",
        DAILY: "forgetting: what models said (DataError)",
    }
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3700)
    health.note_failure(DAILY, ValueError("again"))
    everything_seen()
    response = client.get("/readyz")
    assert (response.status_code, response.json()["checks"]["sweeps"]["late"]) == (503, [DAILY])
    assert SWEEP not in response.json()["checks"]["sweeps"]["failing"]
    health.note_task(DAILY)
    assert client.get("/readyz").status_code == 200


class Sender:
    """A task, as Celery's signals hand it on."""

    name = SWEEP


def test_a_task_of_the_schedule_reports_how_it_ended() -> None:
    task_failure.send(sender=Sender(), exception=ValueError("x"))
    assert cache.get(f"health:failing:{SWEEP}")["error"] == "ValueError"
    task_success.send(sender=Sender())
    assert cache.get(f"health:failing:{SWEEP}") is None


def test_a_failing_check_says_no_more_than_its_kind(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> dict[str, object]:
        raise ConnectionError("password=secret")

    monkeypatch.setitem(health._CHECKS, "redis", broken)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert b"secret" not in response.content
    assert response.json()["checks"]["redis"]["error"] == "ConnectionError"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_they_are_for_reading(client: Client, path: str) -> None:
    assert client.post(path).status_code == 405
