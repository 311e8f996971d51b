"""The best hours to reach somebody, in their own time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from approvals.rules import compliance
from approvals.rules.calls import is_holiday
from approvals.rules.timing import BEST, LEAST, Timing, best_window, quiet_until

THREE_DAYS = timedelta(hours=72)
FRIDAY = datetime(2026, 6, 12, 20, tzinfo=UTC)  # 16:00 in New York


def window(channel: str, country: str, zone: str, now: datetime, within: timedelta = THREE_DAYS) -> Timing:
    return best_window(channel, country, zone, now, within=within, instead="UTC")


@pytest.mark.parametrize(
    ("channel", "country", "zone", "now", "local"),
    [
        # a midweek morning is worth waiting a night for
        ("email", "US", "America/New_York", datetime(2026, 6, 8, 21, tzinfo=UTC), "Tue 09:00–11:30"),
        # already in it
        ("email", "US", "America/New_York", datetime(2026, 6, 9, 14, tzinfo=UTC), "Tue 10:00–11:30"),
        # too little is left of this morning
        ("email", "US", "America/New_York", datetime(2026, 6, 9, 15, 15, tzinfo=UTC), "Wed 09:00–11:30"),
        # half an hour is enough
        ("email", "US", "America/New_York", datetime(2026, 6, 9, 15, tzinfo=UTC), "Tue 11:00–11:30"),
        # over the weekend
        ("email", "US", "America/New_York", FRIDAY, "Mon 09:30–11:30"),
        # a public holiday on Monday (4 May 2026 in Great Britain)
        ("email", "GB", "Europe/London", datetime(2026, 5, 2, 18, tzinfo=UTC), "Tue 09:00–11:30"),
        ("call", "US", "America/Los_Angeles", datetime(2026, 6, 8, 21, tzinfo=UTC), "Tue 10:00–11:30"),
        ("linkedin", "NZ", "Pacific/Auckland", datetime(2026, 6, 8, 21, tzinfo=UTC), "Tue 09:00–12:00"),
    ],
)
def test_the_best_hours_of_the_coming_days_are_advised(
    channel: str, country: str, zone: str, now: datetime, local: str
) -> None:
    found = window(channel, country, zone, now)
    assert found.not_before is not None
    assert found.until is not None
    begins, ends = found.not_before.astimezone(ZoneInfo(zone)), found.until.astimezone(ZoneInfo(zone))
    assert f"{begins:%a %H:%M}–{ends:%H:%M}" == local
    assert f"{begins:%H:%M}–{ends:%H:%M}" in found.words


@pytest.mark.parametrize(
    ("channel", "day", "hour", "hours", "local"),
    [
        ("email", 8, 9, 2, "Mon 09:30–11:30"),
        ("email", 9, 13, 2, "Tue 13:30–16:00"),
        ("call", 8, 9, 2, "Mon 10:00–11:30"),
        ("call", 8, 13, 2, "Mon 14:00–16:00"),
        ("call", 9, 15, 2, "Tue 16:00–17:30"),
        ("linkedin", 8, 8, 2, "Mon 09:00–17:00"),
        ("linkedin", 9, 8, 2, "Tue 09:00–12:00"),
        ("sms", 8, 8, 2, "Mon 10:00–17:00"),
    ],
)
def test_whoever_cannot_wait_takes_the_best_hours_of_this_day(
    channel: str, day: int, hour: int, hours: int, local: str
) -> None:
    zone = ZoneInfo("America/New_York")
    found = window(channel, "US", zone.key, datetime(2026, 6, day, hour, tzinfo=zone), timedelta(hours=hours))
    assert found.not_before is not None
    assert found.until is not None
    assert f"{found.not_before.astimezone(zone):%a %H:%M}–{found.until.astimezone(zone):%H:%M}" == local


def test_no_window_begins_later_than_the_time_there_is() -> None:
    evening = datetime(2026, 6, 8, 20, tzinfo=ZoneInfo("America/New_York"))  # the best hours begin 13 hours later
    short = window("email", "US", "America/New_York", evening, timedelta(hours=12, minutes=59))
    assert (short.not_before, short.words) == (None, "No good hour in the next 12 hours.")
    assert window("email", "US", "America/New_York", evening, timedelta(hours=13)).not_before is not None
    call = window("call", "XX", "America/New_York", evening)
    assert call.words.startswith("No good hour to call in the next 3 days: ")


def test_whoever_has_answered_before_is_written_to_at_their_own_hours() -> None:
    answered = [datetime(2026, 6, day, 19, 30, tzinfo=UTC) for day in (2, 3, 4)]  # 15:30 in New York
    now = datetime(2026, 6, 8, 21, tzinfo=UTC)
    found = best_window("email", "US", "America/New_York", now, within=THREE_DAYS, answered=answered)
    assert found.not_before == datetime(2026, 6, 9, 18, 30, tzinfo=UTC)
    assert "answered" in found.words
    twice = best_window("email", "US", "America/New_York", now, within=THREE_DAYS, answered=answered[:2])
    assert twice.not_before == datetime(2026, 6, 9, 13, tzinfo=UTC), "two times are no habit"


@pytest.mark.parametrize(
    ("hour", "minute", "local"), [(8, 10, "08:00–09:10"), (17, 50, "16:50–18:00"), (7, 50, "09:00–11:30")]
)
def test_their_own_hours_stay_within_the_day(hour: int, minute: int, local: str) -> None:
    zone = ZoneInfo("America/New_York")
    answered = [datetime(2026, 6, day, hour, minute, tzinfo=zone) for day in (2, 3, 4)]
    now = datetime(2026, 6, 8, 21, tzinfo=zone)
    found = best_window("email", "US", zone.key, now, within=THREE_DAYS, answered=answered)
    assert found.not_before is not None
    assert found.until is not None
    assert f"{found.not_before.astimezone(zone):%H:%M}–{found.until.astimezone(zone):%H:%M}" == local


def test_nobody_is_called_where_nobody_knows_what_time_it_is() -> None:
    found = window("call", "US", "", FRIDAY)
    assert (found.not_before, found.until) == (None, None)
    assert "time zone" in found.words


def test_writing_to_an_unknown_zone_keeps_to_our_own_hours_and_says_so() -> None:
    found = best_window("email", "US", "", FRIDAY, within=THREE_DAYS, instead="Europe/Paris")
    assert found.zone == "Europe/Paris"
    assert "our own time" in found.words


def test_nobody_is_called_in_a_country_without_known_hours() -> None:
    assert window("call", "XX", "Europe/Paris", FRIDAY).not_before is None


def test_a_phone_rings_only_in_the_hours_of_the_law() -> None:
    saturday = datetime(2026, 6, 13, 1, tzinfo=UTC)
    found = window("call", "AU", "Australia/Sydney", saturday)
    assert found.not_before is not None
    assert compliance.call_window("AU", ("Australia/Sydney",), found.not_before).open
    assert found.not_before.astimezone(ZoneInfo("Australia/Sydney")).weekday() < 5


_ZONES = {"US": "America/Chicago", "GB": "Europe/London", "AU": "Australia/Sydney", "NZ": "Pacific/Auckland"}
_times = some.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=some.just(UTC))  # noqa: DTZ001


@given(some.sampled_from(sorted(BEST)), some.sampled_from(sorted(_ZONES)), _times)
def test_a_window_lies_ahead_is_long_enough_and_never_on_a_weekend_or_holiday(
    channel: str, country: str, now: datetime
) -> None:
    found = window(channel, country, _ZONES[country], now, timedelta(days=7))
    if found.not_before is None or found.until is None:
        return
    assert now <= found.not_before <= now + timedelta(days=7)
    assert found.until - found.not_before >= LEAST
    local = found.not_before.astimezone(ZoneInfo(_ZONES[country]))
    assert local.weekday() < 5
    assert not is_holiday(country, local.date())
    if channel == "call":
        assert compliance.call_window(country, (_ZONES[country],), found.not_before).open
    assert quiet_until(channel, country, _ZONES[country], found.not_before) is None


@given(some.sampled_from(sorted(_ZONES)), _times)
def test_quiet_hours_end_when_they_say(country: str, now: datetime) -> None:
    until = quiet_until("email", country, _ZONES[country], now)
    if until is not None:
        assert until > now
        assert quiet_until("email", country, _ZONES[country], until) is None


def test_quiet_hours_are_nights_sundays_and_holidays_and_unknown_zones_have_none() -> None:
    assert quiet_until("email", "US", "America/New_York", datetime(2026, 6, 9, 3, tzinfo=UTC)) == datetime(
        2026, 6, 9, 11, tzinfo=UTC
    )
    assert quiet_until("email", "US", "America/New_York", datetime(2026, 6, 14, 15, tzinfo=UTC)) == datetime(
        2026, 6, 15, 11, tzinfo=UTC
    )
    assert quiet_until("email", "US", "America/New_York", datetime(2026, 12, 25, 15, tzinfo=UTC)) is not None
    assert quiet_until("email", "US", "", datetime(2026, 6, 9, 3, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("channel", "at", "until"),
    [
        ("email", "19:59", None),
        ("email", "20:00", "Wed 07:00"),
        ("email", "06:59", "Tue 07:00"),
        ("email", "07:00", None),
        ("sms", "08:59", "Tue 09:00"),
        ("sms", "09:00", None),
        ("sms", "20:00", "Wed 09:00"),
        ("linkedin", "03:00", None),
    ],
)
def test_where_quiet_hours_begin_and_end(channel: str, at: str, until: str | None) -> None:
    zone = ZoneInfo("America/New_York")
    found = quiet_until(channel, "US", zone.key, datetime.fromisoformat(f"2026-06-09T{at}").replace(tzinfo=zone))
    assert (f"{found.astimezone(zone):%a %H:%M}" if found else None) == until
