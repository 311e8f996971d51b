"""Chart geometry: to scale, zero-based, and nothing that was counted is invisible."""

from __future__ import annotations

import pytest

from salesops.charts import sparkline, stacked_bar, whisker


def test_parts_are_to_scale_and_touch():
    bar = stacked_bar("x", [("on", 50), ("lost", 25), ("aside", 0), ("open", 25)], largest=200, width=200)
    drawn = [(p.tone, p.x, p.width) for p in bar.parts]
    assert drawn == [("on", "0", "50"), ("lost", "50", "25"), ("open", "75", "25")]
    assert bar.width == "100"


def test_one_of_a_million_can_still_be_seen():
    bar = stacked_bar("x", [("on", 1)], largest=1_000_000)
    assert float(bar.parts[0].width) > 0.5


def test_an_empty_bar_has_no_parts():
    assert stacked_bar("x", [("on", 0)], largest=0).parts == ()


def test_whiskers_stay_inside_their_axis():
    whole = whisker("x", 0.5, 0.0, 1.0, width=100, margin=5)
    assert (whole.low, whole.at, whole.high, whole.length) == ("5", "50", "95", "90")
    beyond = whisker("x", 1.2, -1, 2, width=100, margin=5)
    assert (beyond.low, beyond.high) == ("5", "95")


def test_sparklines_are_zero_based():
    line = sparkline("x", [0, 5, 10], width=104, height=24)
    assert line.points == "2,22 52,12 102,2"
    assert (line.end_x, line.end_y) == ("102", "2")


@pytest.mark.parametrize("values", [[], [3]])
def test_one_value_is_no_line(values):
    assert sparkline("x", values) is None


def test_a_flat_zero_line_does_not_divide_by_zero():
    assert sparkline("x", [0, 0]).points == "2,18 94,18"
