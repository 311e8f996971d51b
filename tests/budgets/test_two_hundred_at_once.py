"""Two hundred connections of four processes spend every budget at once: to its limit, and not by one beyond."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from playbooks.models import BudgetPeriod, PlaybookVersion
from playbooks.services import budgets
from salesops.engines.layout import CHECKOUT
from tests import factories
from tests.budgets.worker import GUN

# One crowd for all of them, so one worker.
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.xdist_group("crowd")]
PROCESSES, THREADS = 4, 50
AT = datetime(2026, 6, 3, 12, tzinfo=UTC)
BUCKETS = [str(bucket) for bucket in BudgetPeriod.Bucket.values]
LIMITS = {
    "calls_per_day": 120, "emails_per_day": 137, "linkedin_per_day": 1, "sms_per_day": 199, "money_per_month": 90,
    "experiments_per_week": 2, "tokens_per_day": 150,
}  # fmt: skip


@pytest.fixture(scope="module")
def crowd() -> Iterator[list[subprocess.Popen[str]]]:
    """Four processes that wait for work: to start one costs more than what it does here."""
    command = [sys.executable, "-m", "tests.budgets.worker"]
    started = [
        subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    yield started
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def version() -> PlaybookVersion:
    return factories.version(**LIMITS)


def everybody(
    crowd: list[subprocess.Popen[str]], version: PlaybookVersion, act: str, unit: str, buckets: list[str]
) -> dict[str, list[int]]:
    """What each of two hundred got from each bucket."""
    given = {
        "version": version.pk, "at": AT.isoformat(), "unit": unit, "act": act, "buckets": buckets, "threads": THREADS,
        "database": connection.settings_dict["NAME"],
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('max_connections')::int")
        if cursor.fetchone()[0] < PROCESSES * THREADS + 20:
            pytest.skip("this server takes too few connections")
        for round_ in range(len(buckets)):
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [GUN, round_])
    for process in crowd:
        process.stdin.write(f"{json.dumps(given)}\n")
        process.stdin.flush()
    too_long = threading.Timer(300, lambda: [process.kill() for process in crowd])
    too_long.start()
    try:
        for round_ in range(len(buckets)):
            until_waiting(round_, crowd)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [GUN, round_])
        said = [process.stdout.readline() for process in crowd]
    finally:
        too_long.cancel()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
    assert all(said), [process.poll() for process in crowd]
    answers = [json.loads(line) for line in said]
    return {bucket: [taken for answer in answers for taken in answer[bucket]] for bucket in buckets}


def until_waiting(round_: int, crowd: list[Any]) -> None:
    """Until all two hundred connections stand at the start."""
    deadline = time.monotonic() + 240
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s"
                " AND NOT granted",
                [GUN, round_],
            )
            waiting = cursor.fetchone()[0]
        if waiting == PROCESSES * THREADS:
            return
        assert time.monotonic() < deadline, f"{waiting} stand at the start"
        assert all(process.poll() is None for process in crowd), [process.returncode for process in crowd]
        time.sleep(0.05)


def used(bucket: str) -> Decimal:
    return BudgetPeriod.objects.get(bucket=bucket).used


def test_every_budget_is_spent_to_its_limit_and_not_by_one_beyond(crowd: list[Any], version: PlaybookVersion) -> None:
    taken = everybody(crowd, version, "reserve", "1", BUCKETS)
    for bucket, limit in budgets.limits_of(version).items():
        assert len(taken[bucket]) == PROCESSES * THREADS
        assert sum(taken[bucket]) == limit == used(bucket), bucket


def test_a_unit_that_does_not_divide_the_limit_leaves_less_than_a_unit(
    crowd: list[Any], version: PlaybookVersion
) -> None:
    taken = everybody(crowd, version, "reserve", "0.7", ["money"])
    assert sum(taken["money"]) == 128  # 128 × 0.70 = 89.60 of 90
    assert used("money") == Decimal("89.6")


def test_two_hundred_releases_of_what_was_taken_end_at_nothing_and_not_below(
    crowd: list[Any], version: PlaybookVersion
) -> None:
    for bucket in ("emails", "linkedin"):
        client = version.playbook.client
        assert budgets.reserve_up_to(version, bucket, Decimal(1), 500, client=client, at=AT) > 0
    everybody(crowd, version, "release", "1", ["emails", "linkedin"])
    assert (used("emails"), used("linkedin")) == (0, 0)
