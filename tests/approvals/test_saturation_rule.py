"""Fatigue: the caps of outreach, with what they were judged by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as some

from approvals.rules.saturation import DAY, Heard, saturation

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
ME = 5


def heard(*days_ago: float, **fields: object) -> Heard:
    touches = tuple(sorted(NOW - days * DAY for days in days_ago))
    return Heard(ME, touches, **fields)  # type: ignore[arg-type]


def test_whoever_has_heard_nothing_may_be_asked_for() -> None:
    found = saturation(heard(left_today={"E-mails a day": 3}), NOW)
    assert (found.allowed, found.until) == (True, None)
    assert found.saw["left_today"] == {"E-mails a day": 3}


def test_a_touch_yesterday_is_one_too_many_until_its_day_is_over() -> None:
    found = saturation(heard(0.5), NOW)
    assert (found.allowed, found.until) == (False, NOW + 0.5 * DAY)
    assert "It may go on from 11 June 2026, 00:00 UTC." in found.words


def test_two_in_a_week_and_five_in_a_month_are_enough() -> None:
    assert saturation(heard(2, 5), NOW).until == NOW + 2 * DAY
    rest = saturation(heard(10, 14, 18, 22, 26), NOW)
    assert rest.until == NOW + 80 * DAY
    assert "resting for 90 days" in rest.words


def test_a_fourth_person_of_a_company_waits_until_the_week_of_the_first_is_over() -> None:
    others = {person: NOW - days * DAY for person, days in ((1, 6), (2, 3), (3, 1))}
    assert saturation(heard(people=others), NOW).until == NOW + 1 * DAY
    assert saturation(heard(people={1: NOW - 6 * DAY}), NOW).allowed


def test_a_reply_from_the_company_stops_until_a_person_goes_on() -> None:
    found = saturation(heard(company_replied=True), NOW)
    assert (found.allowed, found.until) == (False, None)


def test_a_used_up_limit_is_shown_and_blocks_nothing() -> None:
    assert saturation(heard(left_today={"E-mails a day": 0}), NOW).allowed


@given(some.lists(some.floats(0, 120), max_size=12))
def test_what_is_blocked_is_allowed_when_it_says_it_will_be(days_ago: list[float]) -> None:
    had = heard(*days_ago)
    found = saturation(had, NOW)
    if not found.allowed:
        assert found.until is not None
        assert found.until > NOW
        later = saturation(had, found.until + timedelta(seconds=1))
        assert later.allowed or (later.until is not None and later.until > found.until)


def test_the_counts_are_of_the_last_day_week_and_month() -> None:
    people = {1: NOW - 6.9 * DAY, 2: NOW, 3: NOW - 7 * DAY, 4: NOW + DAY}
    found = saturation(heard(0, 0.9, 1, 6.9, 7, 29.9, 30, -1, people=people), NOW)
    counted = {name: found.saw[name] for name in ("day", "week", "month", "people_this_week")}
    assert counted == {"day": 2, "week": 4, "month": 6, "people_this_week": 2}
    assert found.saw["most"] == {"day": 1, "week": 2, "month": 5, "people_this_week": 3}


def test_what_was_heard_so_far_is_said_in_words() -> None:
    assert saturation(heard(), NOW).words == "Nobody here has heard from us."
    told = saturation(heard(3, 20, people={1: NOW - DAY, 2: NOW - 9 * DAY}), NOW).words
    assert told == ("This person: 1 of 2 touches in 7 days, 2 of 5 in 30; this company: 1 of 3 people in 7 days.")
    assert "this company: 1 of 3" in saturation(heard(people={1: NOW - DAY}), NOW).words
    assert "This person: 1 of 2" in saturation(heard(3), NOW).words
    assert saturation(heard(0.5), NOW).words.startswith("1 of 1 touches in 24 hours. It may go on from ")
    replied = saturation(heard(company_replied=True), NOW).words
    assert replied == "Somebody at this company has replied; a person goes on from here."
