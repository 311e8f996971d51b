"""Days that are not like others: 29 February, the ends of years, and nights on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from approvals.rules import compliance, timing
from approvals.views.forms import DeferForm
from playbooks.models import BudgetPeriod, Client
from playbooks.rules.triggers import next_due
from playbooks.services import budgets

Bucket = BudgetPeriod.Bucket
#: Clocks that change at two, at one, at midnight (so that a day has none), by half an hour, or never.
ZONES = ("America/New_York", "Europe/Berlin", "Africa/Cairo", "America/Havana", "Australia/Lord_Howe", "Asia/Kathmandu")
DAYS = (
    "2028-02-28", "2028-02-29", "2027-02-28", "2026-12-31", "2027-01-01",
    "2026-03-07", "2026-03-08", "2026-11-01",  # New York and Havana
    "2026-03-28", "2026-03-29", "2026-10-25",  # Berlin
    "2026-04-23", "2026-04-24", "2026-10-29",  # Cairo
    "2026-04-04", "2026-04-05", "2026-10-04",  # Lord Howe
)  # fmt: skip
MOMENT = timedelta(microseconds=1)
INSTANTS = [
    (zone, datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) + timedelta(minutes=minutes))
    for zone in ZONES
    for day in DAYS
    for minutes in (-1, 0, 1, 59, 61, 119, 150, 181, 23 * 60 + 59)
]


@pytest.mark.parametrize("bucket", [Bucket.EMAILS, Bucket.EXPERIMENTS, Bucket.MONEY])
def test_a_budget_s_period_ends_where_the_next_begins(bucket: str) -> None:
    for zone, at in INSTANTS:
        client = Client(time_zone=zone)
        ends = budgets.next_period(bucket, at, client)
        begun = budgets.period_start(bucket, at, client)
        assert ends > at, (zone, at)
        assert budgets.period_start(bucket, ends, client) > begun, (zone, at)
        assert budgets.period_start(bucket, ends.astimezone(UTC) - MOMENT, client) == begun, (zone, at)


def test_the_next_day_is_the_first_moment_of_the_next_date() -> None:
    for zone, at in INSTANTS:
        client = Client(time_zone=zone)
        begins = budgets.next_day(at, client).astimezone(UTC)
        today = at.astimezone(ZoneInfo(zone)).date()
        assert begins.astimezone(ZoneInfo(zone)).date() == today + timedelta(days=1), (zone, at)
        assert (begins - MOMENT).astimezone(ZoneInfo(zone)).date() == today, (zone, at)


@pytest.mark.parametrize("channel", ["email", "sms"])
def test_quiet_hours_end_and_are_over_then(channel: str) -> None:
    for zone, at in INSTANTS:
        ends = timing.quiet_until(channel, "US", zone, at)
        if ends is None:
            local = at.astimezone(ZoneInfo(zone))
            assert 7 <= local.hour < 20, (zone, at)
        else:
            assert ends > at, (zone, at)
            assert timing.quiet_until(channel, "US", zone, ends) is None, (zone, at, ends)


@pytest.mark.parametrize("channel", ["email", "call", "linkedin"])
def test_a_window_to_write_in_lies_ahead_on_a_workday_of_the_recipient(channel: str) -> None:
    for zone, at in INSTANTS[::3]:
        window = timing.best_window(channel, "US", zone, at, within=timedelta(days=7))
        assert window.not_before is not None, (zone, at)
        assert window.until is not None
        begins, ends = (moment.astimezone(ZoneInfo(zone)) for moment in (window.not_before, window.until))
        assert window.not_before >= at, (zone, at)
        assert window.until - window.not_before >= timing.LEAST, (zone, at)
        assert begins.date() == ends.date(), (zone, at)
        assert begins.weekday() in timing.WORKDAYS, (zone, at)
        assert 7 <= begins.hour < 20, (zone, at)


def test_a_phone_may_ring_when_it_is_said_that_it_may() -> None:
    for zone, at in INSTANTS[::3]:
        window = compliance.call_window("US", (zone,), at)
        assert window.opens_at is not None, (zone, at)
        assert window.opens_at >= at, (zone, at)
        assert compliance.call_window("US", (zone,), window.opens_at).open, (zone, at)


@pytest.mark.parametrize(("when", "days"), [("tomorrow", 1), ("three_days", 3), ("two_weeks", 14)])
def test_what_is_put_off_comes_back_in_the_morning_of_its_day(when: str, days: int) -> None:
    for zone, at in INSTANTS[::3]:
        here = ZoneInfo(zone)
        with time_machine.travel(at, tick=False):
            form = DeferForm({"when": when}, zone=here)
            assert form.is_valid()
            until = form.until().astimezone(UTC).astimezone(here)
        assert (until.date() - at.astimezone(here).date()).days == days, (zone, at)
        assert (until.hour, until.minute) == (9, 0), (zone, at)
        assert until > at


@pytest.mark.parametrize("cron", ["30 2 * * *", "0 0 * * *", "0 9 * * *"])
def test_a_daily_trigger_comes_once_on_each_day(cron: str) -> None:
    for zone, at in INSTANTS[::9]:
        here, moment, days = ZoneInfo(zone), at, []
        for _ in range(4):
            moment = next_due(cron, moment, here)
            days.append(moment.astimezone(here).date())
        assert days == [days[0] + timedelta(days=n) for n in range(4)], (zone, at, cron)


def test_a_trigger_of_29_february_waits_for_the_next_one() -> None:
    assert next_due("0 9 29 2 *", datetime(2026, 3, 1, tzinfo=UTC), UTC) == datetime(2028, 2, 29, 9, tzinfo=UTC)
