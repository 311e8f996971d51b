"""What worked with similar prospects: counted honestly, and silent where the cases are few."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from approvals.rules.history import ENOUGH, LEAST, Cell, Kind, lift, past_of, record, size_band

SAAS = Kind("SaaS", "B2B", 1, "hot")
PRIORS = {"email": 0.05, "call": 0.04}


def cell(n: int, positive: int, kind: Kind = SAAS, channel: str = "email", angle: str = "direct") -> Cell:
    return Cell(kind, channel, angle, n, positive)


def test_below_five_cases_nothing_is_said() -> None:
    assert past_of(SAAS, [cell(LEAST - 1, 4)], PRIORS) is None
    assert past_of(SAAS, [], PRIORS) is None


@pytest.mark.parametrize(
    ("others", "alike"),
    [
        (SAAS, ("segment SaaS", "industry B2B", "11–50 people", "route hot")),
        (SAAS._replace(size=3), ("segment SaaS", "industry B2B", "route hot")),
        (SAAS._replace(route="warm"), ("segment SaaS", "industry B2B")),
        (SAAS._replace(industry="Fintech"), ("segment SaaS",)),
        (Kind("Shops", "Retail", 0, "cold"), ()),
    ],
)
def test_the_closest_likeness_with_enough_cases_speaks(others: Kind, alike: tuple[str, ...]) -> None:
    past = past_of(SAAS, [cell(3, 3), cell(6, 1, others)], PRIORS)
    assert past is not None
    assert past.alike == alike


def test_two_prospects_of_whom_nothing_is_known_are_not_alike_for_it() -> None:
    unknown = Kind("", "", None, "")
    past = past_of(unknown, [cell(9, 1, unknown)], PRIORS)
    assert past is not None
    assert past.alike == ()


def test_channels_and_angles_are_counted_apart_and_small_ones_left_out() -> None:
    cells = [cell(10, 3, angle="proof"), cell(12, 0), cell(4, 4, angle="rare"), cell(2, 0, channel="call")]
    past = past_of(SAAS, cells, PRIORS)
    assert past is not None
    assert [(r.channel, r.n, r.positive) for r in past.channels] == [("email", 26, 7)]
    assert [(r.angle, r.n, r.positive) for r in past.angles] == [("proof", 10, 3), ("direct", 12, 0)]


def test_few_cases_move_the_rate_little_and_many_a_lot() -> None:
    few, many = record("email", "", 5, 2, 0.05), record("email", "", 500, 200, 0.05)
    assert few.rate == pytest.approx(3 / 25)
    assert 0.05 < few.rate < 0.15 < many.rate < 0.4
    assert few.low < 0.4 < few.high
    assert many.high - many.low < few.high - few.low


@pytest.mark.parametrize(("employees", "band"), [(None, None), (1, 0), (10, 0), (11, 1), (50, 1), (200, 2), (5000, 4)])
def test_sizes_fall_into_bands(employees: int | None, band: int | None) -> None:
    assert size_band(employees) == band


def test_a_lift_is_bounded_because_few_cases_decide_nothing_by_themselves() -> None:
    assert (lift(0.5, 0.05), lift(0.001, 0.05), lift(0.05, 0.05), lift(0.3, 0.0)) == (2.0, 0.5, 1.0, 1.0)
    assert ENOUGH > LEAST


@given(some.integers(1, 300), some.floats(0, 1), some.floats(0, 1))
def test_a_rate_lies_between_what_was_seen_and_what_was_expected(n: int, share: float, prior: float) -> None:
    positive = round(n * share)
    found = record("email", "", n, positive, prior)
    low, high = sorted((positive / n, prior))
    assert low - 1e-6 <= found.rate <= high + 1e-6
    assert 0 <= found.low <= positive / n + 1e-6
    assert positive / n - 1e-6 <= found.high <= 1
