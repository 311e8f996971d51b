"""Which evidence to look for next: the arithmetic stands in the cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prospects.rules.next_evidence import Item, accuracy, evsi, probability, ranked

shares = st.floats(0, 1)
sure = st.floats(0.5, 1)


@pytest.mark.parametrize(
    ("p", "value", "pursuit", "sensitivity", "specificity", "expected"),
    [
        # 0.4 · 100 < 50: without it nobody pursues. Yes: 0.4 · 0.9 · 100 − (0.36 + 0.06) · 50 = 36 − 21 = 15.
        (0.4, 100, 50, 0.9, 0.9, 15.0),
        # Pursued already (60 > 50: worth 10). Yes: 54 − 0.58 · 50 = 25; no: 6 − 0.42 · 50 < 0. Gain 25 − 10 = 15.
        (0.6, 100, 50, 0.9, 0.9, 15.0),
        # A perfect answer spares C where it would be lost: 0.4 · (100 − 50) = 20.
        (0.4, 100, 50, 1.0, 1.0, 20.0),
        # A coin tells nothing.
        (0.4, 100, 50, 0.5, 0.5, 0.0),
        # Too weak to turn anything: yes: 0.1 · 0.6 · 100 − (0.06 + 0.36) · 50 = 6 − 21 < 0.
        (0.1, 100, 50, 0.6, 0.6, 0.0),
        # Settled: nothing is worth knowing.
        (0.0, 100, 50, 0.9, 0.9, 0.0),
        (1.0, 100, 50, 0.9, 0.9, 0.0),
        # Sensitivity and specificity differ: yes: 0.5 · 0.8 · 200 − (0.4 + 0.5 · 0.1) · 120 = 80 − 54 = 26.
        (0.5, 200, 120, 0.8, 0.9, 26.0),
    ],
)
def test_the_worth_of_one_item(p, value, pursuit, sensitivity, specificity, expected):
    assert evsi(p, value, pursuit, sensitivity, specificity) == pytest.approx(expected, abs=1e-9)


@given(p=shares, value=st.floats(0, 1e6), bar=shares, right=sure)
def test_information_is_never_worth_less_than_nothing_nor_more_than_knowing(p, value, bar, right):
    pursuit = value * bar
    worth = evsi(p, value, pursuit, right, right)
    assert 0 <= worth <= evsi(p, value, pursuit, 1.0, 1.0) + 1e-6


@given(p=shares, bar=shares, right=sure, cost=st.floats(0, 50), more=st.floats(0, 50))
def test_a_dearer_item_is_never_chosen_more(p, bar, right, cost, more):
    def chosen(price):
        return bool(ranked(p, 100, 100 * bar, [Item("a", "A", right, right, price)]))

    assert chosen(cost) or not chosen(cost + more)


def test_the_best_comes_first_and_what_costs_more_than_it_tells_is_left_out():
    items = [
        Item("weak", "Weak", 0.7, 0.7, 1.0),  # 0.4·0.7·100 − (0.28 + 0.18)·50 = 5; less 1: 4
        Item("dear", "Dear", 0.9, 0.9, 16.0),  # 15 − 16 < 0
        Item("good", "Good", 0.9, 0.9, 9.0),  # 15 − 9 = 6
    ]
    found = ranked(0.4, 100, 50, items)
    assert [(worth.item.key, round(worth.net, 9)) for worth in found] == [("good", 6.0), ("weak", 4.0)]


def test_no_more_than_six_items_and_ten_days():
    many = [Item(f"k{n}", "K", 0.9, 0.9, 0.1) for n in range(9)]
    assert len(ranked(0.4, 100, 50, many)) == 6
    slow = [Item(f"k{n}", "K", 0.9, 0.9, 0.1, days=4) for n in range(4)]
    assert len(ranked(0.4, 100, 50, slow)) == 2


@pytest.mark.parametrize(
    ("composite", "coverage", "settled", "expected"),
    [
        (80, 0.5, {}, 0.65),  # 0.5 · 0.8 + 0.5 · 0.5
        (None, 0.0, {}, 0.5),
        (20, 1.0, {}, 0.2),
        (90, 0.9, {"ruled_out": True}, 0.0),
        (10, 0.1, {"qualified": True}, 1.0),
    ],
)
def test_the_chance_to_qualify(composite, coverage, settled, expected):
    told = {"qualified": False, "ruled_out": False, **settled}
    assert probability(composite, coverage, **told) == pytest.approx(expected)


def test_what_a_gate_waits_for_counts_like_the_weightiest_question():
    assert accuracy(5, 20, is_missing=True) == accuracy(20, 20, is_missing=False) == pytest.approx(0.95)
    assert accuracy(5, 20, is_missing=False) == pytest.approx(0.5 + 0.45 / 4)
    assert accuracy(0, 0, is_missing=False) == 0.5
