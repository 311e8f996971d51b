"""When a budget's period begins and ends on the client's clocks, and what PostgreSQL refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.models import BudgetPeriod, Client, PlaybookVersion
from playbooks.services import budgets
from tests import factories
from tests.refusals import refuses

Bucket = BudgetPeriod.Bucket
AT = datetime(2026, 6, 3, 12, tzinfo=UTC)


def of(zone: str) -> Client:
    return Client(time_zone=zone)


@pytest.mark.parametrize(
    ("bucket", "zone", "at", "start", "following"),
    [
        # New York's day of 1 November 2026 has 25 hours, that of 8 March 23.
        ("emails", "America/New_York", "2026-11-02T04:59:59", date(2026, 11, 1), "2026-11-02T05:00:00"),
        ("emails", "America/New_York", "2026-11-01T04:00:00", date(2026, 11, 1), "2026-11-02T05:00:00"),
        ("emails", "America/New_York", "2026-03-08T05:00:00", date(2026, 3, 8), "2026-03-09T04:00:00"),
        ("calls", "Asia/Tokyo", "2026-05-31T15:00:00", date(2026, 6, 1), "2026-06-01T15:00:00"),
        # Cairo's clocks skip midnight on 24 April 2026: that day begins at one o'clock.
        ("sms", "Africa/Cairo", "2026-04-23T21:59:59", date(2026, 4, 23), "2026-04-23T22:00:00"),
        ("sms", "Africa/Cairo", "2026-04-23T22:00:00", date(2026, 4, 24), "2026-04-24T21:00:00"),
        ("experiments", "Europe/Berlin", "2026-03-29T21:59:59", date(2026, 3, 23), "2026-03-29T22:00:00"),
        ("experiments", "Europe/Berlin", "2026-03-29T22:00:00", date(2026, 3, 30), "2026-04-05T22:00:00"),
        ("money", "Europe/Berlin", "2026-12-31T22:59:59", date(2026, 12, 1), "2026-12-31T23:00:00"),
        ("money", "Europe/Berlin", "2026-12-31T23:00:00", date(2027, 1, 1), "2027-01-31T23:00:00"),
        ("money", "America/New_York", "2026-03-01T04:59:59", date(2026, 2, 1), "2026-03-01T05:00:00"),
        ("tokens", "no such zone", "2026-06-01T00:00:00", date(2026, 6, 1), "2026-06-02T00:00:00"),
    ],
)
def test_periods_begin_and_end_at_the_clients_midnight(
    bucket: str, zone: str, at: str, start: date, following: str
) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert budgets.period_start(bucket, moment, of(zone)) == start
    ends = budgets.next_period(bucket, moment, of(zone)).astimezone(UTC)
    assert ends == datetime.fromisoformat(following).replace(tzinfo=UTC)


zones = st.sampled_from(
    ["UTC", "America/New_York", "Europe/Berlin", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu"]
)
moments = st.integers(0, 3 * 366 * 86400).map(lambda s: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


@given(st.sampled_from(Bucket.values), zones, moments)
def test_periods_follow_each_other_without_gap_or_overlap(bucket: str, zone: str, at: datetime) -> None:
    client = of(zone)
    ends = budgets.next_period(bucket, at, client)
    just_before = ends.astimezone(UTC) - timedelta(microseconds=1)
    assert ends > at
    assert budgets.period_start(bucket, just_before, client) == budgets.period_start(bucket, at, client)
    assert budgets.period_start(bucket, ends, client) > budgets.period_start(bucket, at, client)
    assert ends.astimezone(ZoneInfo(zone)).date() == budgets.period_start(bucket, ends, client)


@pytest.fixture
def version(db: Any) -> PlaybookVersion:
    return factories.version(
        factories.client(time_zone="America/New_York"), emails_per_day=5, tokens_per_day=1000, experiments_per_week=2
    )


def take(version: PlaybookVersion, wanted: int, *, at: datetime = AT, bucket: str = "emails", **more: Any) -> int:
    client = version.playbook.client
    return budgets.reserve_up_to(version, bucket, Decimal(1), wanted, client=client, at=at, **more)


def test_as_many_as_fit_are_taken(version: PlaybookVersion) -> None:
    assert [take(version, 3), take(version, 3), take(version, 3)] == [3, 2, 0]
    assert BudgetPeriod.objects.get().used == 5


def test_a_new_day_begins_at_the_clients_midnight_with_a_full_budget(version: PlaybookVersion) -> None:
    late = datetime(2026, 6, 4, 3, 59, tzinfo=UTC)  # 23:59 in New York
    assert [take(version, 9, at=late), take(version, 9, at=late)] == [5, 0]
    assert take(version, 9, at=late + timedelta(minutes=1)) == 5
    assert BudgetPeriod.objects.count() == 2


def test_a_week_is_full_again_on_monday(version: PlaybookVersion) -> None:
    sunday = datetime(2026, 6, 7, 12, tzinfo=UTC)
    assert [take(version, 9, at=sunday, bucket="experiments"), take(version, 1, at=sunday, bucket="experiments")] == [
        2,
        0,
    ]
    assert take(version, 9, at=sunday + timedelta(days=1), bucket="experiments") == 2


def test_a_tighter_cap_holds_and_a_later_lower_limit_takes_nothing_back(version: PlaybookVersion) -> None:
    assert take(version, 9, cap=Decimal(4)) == 4
    version.emails_per_day = 3
    assert take(version, 9) == 0
    assert BudgetPeriod.objects.get().used == 4


def test_nothing_wanted_takes_nothing_and_free_work_is_never_refused(version: PlaybookVersion) -> None:
    client = version.playbook.client
    assert take(version, 0) == 0
    assert budgets.reserve_up_to(version, "emails", Decimal(0), 7, client=client, at=AT) == 7
    assert not BudgetPeriod.objects.exists()


def settle(version: PlaybookVersion, reserved: int, actual: int) -> Decimal:
    client = version.playbook.client
    return budgets.settle(version, "tokens", Decimal(reserved), Decimal(actual), client=client, at=AT)


def test_what_was_really_used_replaces_what_was_reserved(version: PlaybookVersion) -> None:
    take(version, 600, bucket="tokens")
    assert (settle(version, 600, 450), BudgetPeriod.objects.get().used) == (0, 450)
    take(version, 100, bucket="tokens")
    assert (settle(version, 100, 300), BudgetPeriod.objects.get().used) == (0, 750)


def test_what_was_used_beyond_the_limit_is_told_and_the_period_is_spent(version: PlaybookVersion) -> None:
    take(version, 900, bucket="tokens")
    assert settle(version, 900, 1250) == 250
    assert BudgetPeriod.objects.get().used == 1000
    assert take(version, 1, bucket="tokens") == 0


def test_what_was_used_without_being_reserved_is_written_down_too(version: PlaybookVersion) -> None:
    assert settle(version, 0, 300) == 0
    assert BudgetPeriod.objects.get().used == 300
    assert settle(version, 0, 800) == 100


def test_a_release_never_goes_below_nothing(version: PlaybookVersion) -> None:
    take(version, 2)
    client = version.playbook.client
    budgets.release(version, "emails", Decimal(7), client=client, at=AT)
    assert BudgetPeriod.objects.get().used == 0
    assert take(version, 9) == 5


def test_postgresql_refuses_to_overspend_forget_or_relabel_a_period(version: PlaybookVersion) -> None:
    take(version, 5)
    row = [BudgetPeriod.objects.get().pk]
    refuses("UPDATE playbooks_budgetperiod SET used = used + 1 WHERE id = %s", row, because="budget_never_overspent")
    refuses("UPDATE playbooks_budgetperiod SET used = -1 WHERE id = %s", row, because="budget_never_overspent")
    refuses("DELETE FROM playbooks_budgetperiod WHERE id = %s", row, because="cannot be deleted")
    refuses("TRUNCATE playbooks_budgetperiod", because="cannot be truncated")
    other = "UPDATE playbooks_budgetperiod SET period_start = period_start - 1 WHERE id = %s"
    refuses(other, row, because="keeps what it was made with")
    again = (
        'INSERT INTO playbooks_budgetperiod (playbook_id, bucket, period_start, "limit", used)'
        " SELECT playbook_id, bucket, period_start, 99, 0 FROM playbooks_budgetperiod"
    )
    refuses(again, because="budget_period_once")
