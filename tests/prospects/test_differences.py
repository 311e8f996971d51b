"""Why somebody would not stand where they stand, in sentences. Pure."""

from __future__ import annotations

import pytest

from prospects.rules.differences import Bounds, Stand, criterion_points, reasons

SAME = (Bounds(70, 40), Bounds(70, 40))


def stand(**fields: object) -> Stand:
    given = {"route": "warm", "tier": "TIER_2", "verdict": "stalled", "composite": 60.0, "priority": 62.0, **fields}
    return Stand(**given)  # type: ignore[arg-type]


def test_points_of_criteria_add_up_to_the_composite_and_layers_without_evidence_have_no_part() -> None:
    layers = [("firmographic", 20, 0.5), ("behavioral", 30, 1.0), ("investment", 50, 0.0)]
    lines = [("industry", "firmographic", 50.0), ("size", "firmographic", 30.0), ("visits", "behavioral", 40.0)]
    points = criterion_points(layers, lines)
    assert points == {"industry": 20.0, "size": 12.0, "visits": 24.0}
    assert sum(points.values()) == pytest.approx((20 * 80 + 30 * 40) / 50)


def test_nothing_known_gives_no_points() -> None:
    assert criterion_points([("firmographic", 20, 0.0)], [("industry", "firmographic", 50.0)]) == {}


def test_the_largest_moves_come_first_and_only_three_of_them() -> None:
    before = stand(points={"a": 10.0, "b": 20.0, "c": 5.0, "d": 1.0})
    after = stand(route="hot", composite=72.0, points={"a": 18.0, "b": 19.0, "c": 8.0, "d": 1.02, "e": 2.0})
    assert reasons(before, after, {"a": "Industry", "c": "Team size"}, SAME) == [
        "Composite 60.0 → 72.0: Industry +8.0; Team size +3.0; e +2.0."
    ]


def test_a_threshold_that_moved_past_the_composite_is_said() -> None:
    found = reasons(stand(composite=67.0), stand(route="hot", composite=67.0), {}, (Bounds(70, 40), Bounds(65, 40)))
    assert found == ["Hot begins at 65 instead of 70."]


def test_a_threshold_that_moved_elsewhere_is_not_blamed() -> None:
    found = reasons(stand(composite=60.0), stand(route="hot", composite=75.0), {}, (Bounds(70, 40), Bounds(65, 40)))
    assert found == ["Composite 60.0 → 75.0."]


def test_what_rules_out_is_said_and_so_is_when_nothing_does_any_more() -> None:
    found = reasons(stand(), stand(route="cold", ruled_out="Status is Inactive."), {}, SAME)
    assert found == ["Ruled out: Status is Inactive."]
    found = reasons(stand(route="cold", ruled_out="Status is Inactive."), stand(), {}, SAME)
    assert found == ["Nothing rules it out any more."]


def test_tier_and_verdict_are_told_with_the_numbers_and_what_is_lacking() -> None:
    after = stand(tier="TIER_1", priority=81.4, verdict="qualified", lacking="3 independent categories of evidence.")
    assert reasons(stand(), after, {}, SAME) == [
        "Tier 2 → tier 1: priority 62 → 81.",
        "Stalled → qualified: 3 independent categories of evidence.",
    ]


def test_unknown_is_said_as_unknown() -> None:
    after = stand(route="", tier="", composite=None, priority=0.0)
    assert reasons(stand(points={"a": 60.0}), after, {"a": "Industry"}, SAME) == [
        "Composite 60.0 → unknown: Industry −60.0.",
        "Tier 2 → no tier: priority 62 → 0.",
    ]
