"""Numbers as people write them, and as files hold them."""

from __future__ import annotations

import pytest

from salesops.numerals import number_in, plain_number


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (12.0, "12"), (0.5, "0.5"), (1 / 3, "0.333333"), (999_999.0, "999999"), (1_000_000.0, "1000000"),
        (12_500_000.0, "12500000"), (-2_500_000.0, "-2500000"), (1e15, "1000000000000000"), (0.00002, "0.00002"),
        (0.0, "0"),
    ],
)  # fmt: skip
def test_a_number_is_written_without_an_exponent(value: float, words: str) -> None:
    assert plain_number(value) == words


@pytest.mark.parametrize(
    ("given", "number"),
    [("12", 12.0), (" 1.5 ", 1.5), (7, 7.0), (0, 0.0), ("inf", None), ("nan", None), ("1e999", None), (10**400, None),
     (True, None), (None, None), ("a few", None), ([1], None)],
)  # fmt: skip
def test_only_what_can_be_counted_with_is_a_number(given: object, number: float | None) -> None:
    assert number_in(given) == number
