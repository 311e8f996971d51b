"""Wilson intervals and Kaplan–Meier quantiles against hand-worked tables and brute force."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prospects.rules.statistics import (
    DURATION_EDGES,
    HALF,
    NINE_IN_TEN,
    Z_95,
    Interval,
    WaitingGroup,
    bucket_of_window,
    proportion,
    survival_curve,
    waiting_times,
    wilson_interval,
)

# Worked by hand from the score equation; 81/263 and 15/148 are the cases of Newcombe's 1998 comparison (method 3).
WILSON_TABLE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
    (29, 29, 0.8830, 1.0),
    (5, 10, 0.2366, 0.7634),
]

# Remission weeks of 21 patients on 6-MP (Freireich 1963), the table every textbook works by hand.
FREIREICH_ENDED = [6, 6, 6, 7, 10, 13, 16, 22, 23]
FREIREICH_OPEN = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]


def stays(ended: list[float], still_open: list[float]) -> list[WaitingGroup]:
    return [WaitingGroup(t, 1, True) for t in ended] + [WaitingGroup(t, 1, False) for t in still_open]


@pytest.mark.parametrize(("successes", "n", "low", "high"), WILSON_TABLE)
def test_wilson_interval_matches_published_tables(successes, n, low, high):
    interval = wilson_interval(successes, n)
    assert interval.low == pytest.approx(low, abs=6e-5)
    assert interval.high == pytest.approx(high, abs=6e-5)


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_bounds_are_the_roots_of_the_score_test(case):
    successes, n = case
    interval = wilson_interval(successes, n)
    assert 0 <= interval.low <= successes / n <= interval.high <= 1
    for bound in (interval.low, interval.high):
        if 0 < bound < 1:
            z = abs(successes / n - bound) / sqrt(bound * (1 - bound) / n)
            assert z == pytest.approx(Z_95, rel=1e-6)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_is_mirrored_when_success_and_failure_swap(case):
    successes, n = case
    one, other = wilson_interval(successes, n), wilson_interval(n - successes, n)
    assert one.low == pytest.approx(1 - other.high, abs=1e-12)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5), (0, 0)])
def test_wilson_interval_refuses_what_is_not_a_share(successes, n):
    with pytest.raises(ValueError, match="is not a share"):
        wilson_interval(successes, n)


def test_no_cases_is_an_answer_and_small_samples_say_so():
    assert proportion(0, 0).share is None
    assert proportion(0, 0).interval is None
    assert not proportion(9, 9).is_large_enough
    assert proportion(5, 10).is_large_enough
    assert proportion(5, 10).interval == Interval(*[pytest.approx(v, abs=6e-5) for v in (0.2366, 0.7634)])


def waited(share, groups):
    (answer,) = waiting_times(groups, [share])
    return answer


def test_kaplan_meier_matches_the_textbook_table():
    curve = survival_curve(stays(FREIREICH_ENDED, FREIREICH_OPEN))
    assert [(s.seconds, s.at_risk, s.ended) for s in curve] == [
        (6, 21, 3), (7, 17, 1), (10, 15, 1), (13, 12, 1), (16, 11, 1), (22, 7, 1), (23, 6, 1),
    ]  # fmt: skip
    rounded = [round(float(s.still_there), 3) for s in curve]
    assert rounded == [0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448]


def test_the_textbook_median_is_reached_and_its_p90_is_not():
    groups = stays(FREIREICH_ENDED, FREIREICH_OPEN)
    assert waited(HALF, groups).seconds == 23
    late = waited(NINE_IN_TEN, groups)
    assert late.seconds is None
    assert late.observed_seconds == 35


def test_half_is_reached_exactly_when_half_have_ended():
    assert waited(HALF, stays([1, 2, 3, 4], [])).seconds == 2
    assert waited(NINE_IN_TEN, stays([float(t) for t in range(1, 11)], [])).seconds == 9


def test_nothing_observed_has_no_waiting_time():
    answer = waited(HALF, [])
    assert answer.seconds is None
    assert answer.observed_seconds is None
    assert survival_curve([WaitingGroup(5, 0, True)]) == []


def test_only_open_stays_never_reach_the_median():
    assert waited(HALF, stays([], [3, 9])).seconds is None


@pytest.mark.parametrize("share", [Fraction(0), Fraction(-1, 2), Fraction(3, 2)])
def test_a_share_outside_its_range_is_refused(share):
    with pytest.raises(ValueError, match="not a share"):
        waited(share, [])


def brute_force_quantile(ended, still_open, share):
    """The product-limit estimate straight from its definition, one case at a time."""
    everything = ended + still_open
    for t in sorted(set(ended)):
        survival = Fraction(1)
        for u in sorted({x for x in ended if x <= t}):
            at_risk = sum(1 for x in everything if x >= u)
            survival *= 1 - Fraction(ended.count(u), at_risk)
        if survival <= 1 - share:
            return t
    return None


times = st.lists(st.integers(0, 12), max_size=14)


@given(times, times, st.sampled_from([Fraction(1, 2), Fraction(9, 10), Fraction(1, 3)]))
def test_quantiles_equal_brute_force(ended, still_open, share):
    assert waited(share, stays(ended, still_open)).seconds == brute_force_quantile(ended, still_open, share)


@given(times, times)
def test_weighted_groups_equal_the_same_stays_one_by_one(ended, still_open):
    weighted = [WaitingGroup(t, ended.count(t), True) for t in set(ended)]
    weighted += [WaitingGroup(t, still_open.count(t), False) for t in set(still_open)]
    assert survival_curve(weighted) == survival_curve(stays(ended, still_open))


def test_every_duration_has_one_bucket():
    assert list(DURATION_EDGES) == sorted(set(DURATION_EDGES))


@pytest.mark.parametrize("days", [7, 14, 30, 90])
def test_windows_are_answered_exactly_by_buckets(days):
    first_outside = bucket_of_window(days)
    assert bisect_right(DURATION_EDGES, days * 86_400 - 1) < first_outside
    assert bisect_right(DURATION_EDGES, days * 86_400) >= first_outside


def test_a_window_between_edges_is_refused():
    with pytest.raises(ValueError, match="not the edge"):
        bucket_of_window(8)
