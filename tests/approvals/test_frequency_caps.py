from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.rules.frequency import DEFAULT_CAPS, check

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def ago(*days):
    return [NOW - day * DAY for day in days]


@pytest.mark.parametrize(
    ("touches", "ok", "free_in_days"),
    [
        ([], True, None),
        (ago(0.5), False, 0.5),
        (ago(1), True, None),
        (ago(3), True, None),
        (ago(5, 3), False, 2),
        (ago(7, 3), True, None),
        (ago(28, 21, 14, 10, 4), False, 86),  # five within thirty days: ninety days of rest
        (ago(95, 88, 81, 74, 70), False, 20),
        (ago(125, 118, 111, 104, 90), True, None),
        (ago(40, 31, 22, 12, 8), True, None),  # five, but never within thirty days
        (ago(38, 30, 22, 14, 8), True, None),  # the first leaves the thirty days as the fifth comes
        (ago(37.5, 30, 22, 14, 8), False, 82),
        (ago(3, 5), False, 2),  # in whatever order they come
        (ago(8, 37.5, 14, 30, 22), False, 82),
    ],
)
def test_one_person(touches, ok, free_in_days):
    cap = check(touches, {}, 1, NOW)
    assert cap.ok is ok
    if free_in_days is not None:
        assert abs((cap.until - NOW) - free_in_days * DAY) < timedelta(seconds=1)
        assert cap.reason


def test_a_fourth_person_at_one_company_waits():
    people = {2: NOW - 1 * DAY, 3: NOW - 2 * DAY, 4: NOW - 3 * DAY}
    cap = check([], people, 1, NOW)
    assert not cap.ok
    assert cap.until == NOW + 4 * DAY
    assert check([], people, 4, NOW).ok
    again = check([], {1: NOW - 7.5 * DAY, **people}, 1, NOW)
    assert (again.ok, again.until) == (False, NOW + 4 * DAY), "last week's people are new ones this week"
    assert check([], {1: NOW - 6.9 * DAY, **people}, 1, NOW).ok
    assert check([], {**people, 4: NOW - 7 * DAY}, 1, NOW).ok
    assert check([], {2: NOW - 8 * DAY, **{k: v for k, v in people.items() if k > 2}}, 1, NOW).ok


def test_what_keeps_longest_says_until_when() -> None:
    people = {2: NOW - 1 * DAY, 3: NOW - 2 * DAY, 4: NOW - 3 * DAY}
    cap = check(ago(0.5), people, 1, NOW)
    assert (cap.until, cap.reason) == (NOW + 4 * DAY, "3 of 3 people at this company in 7 days")
    cap = check(ago(5, 0.25), people, 1, NOW)
    assert cap.until == NOW + 4 * DAY
    cap = check(ago(1.5, 0.25), {}, 1, NOW)
    assert (cap.until, cap.reason) == (NOW + 5.5 * DAY, "2 of 2 touches in 7 days")


def test_a_reply_from_the_company_halts_until_a_person_goes_on():
    cap = check([], {}, 1, NOW, company_replied=True)
    assert (cap.ok, cap.until) == (False, None)


@given(st.lists(st.floats(0, 200), max_size=12))
def test_waiting_until_the_time_given_is_long_enough(days):
    touches = ago(*days)
    cap = check(touches, {}, 1, NOW)
    while not cap.ok:
        assert cap.until is not None
        later = check(touches, {}, 1, cap.until + timedelta(microseconds=1))
        assert later.ok or later.until > cap.until
        cap = later


@given(st.lists(st.floats(0, 200), max_size=12))
def test_sending_whenever_allowed_never_breaks_a_cap(gaps):
    sent, now = [], NOW
    for gap in gaps:
        now += gap * DAY / 20
        if check(sent, {}, 1, now).ok:
            sent.append(now)
    for at in sent:
        window = [other for other in sent if at - 7 * DAY < other <= at]
        assert len(window) <= DEFAULT_CAPS.per_week
        assert sum(other > at - DAY for other in window) <= DEFAULT_CAPS.per_day
        assert sum(at - 30 * DAY < other <= at for other in sent) <= DEFAULT_CAPS.per_month
