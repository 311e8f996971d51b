from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.rules.criteria import Criterion
from prospects.rules.scoring import (
    IcpModel,
    Scorecard,
    composite,
    latest,
    priority,
    route,
    score,
    tier,
)
from tests.prospects.rule_facts import NOW, ago, criterion, item, patient


def asked(key: str, weight: float, **fields: object) -> Criterion:
    return criterion("in_set", {"attribute": "a", "values": ["x"]}, key=key, weight=weight, **fields)


def test_score_is_the_weighted_mean_of_what_is_known_and_coverage_its_share() -> None:
    card = Scorecard("icp", [asked("a", 30), asked("b", 10), asked("c", 60)])
    result = score(card, {"a": item("a", 100), "b": item("b", 20)}, NOW)
    assert result.value == pytest.approx((30 * 100 + 10 * 20) / 40)
    assert result.coverage == pytest.approx(0.4)


def test_a_missing_value_counted_as_zero_stays_in_the_sum_but_not_in_the_coverage() -> None:
    card = Scorecard("fit", [asked("a", 50, missing="zero"), asked("b", 50, missing="zero")])
    result = score(card, {"a": item("a", 80)}, NOW)
    assert (result.value, result.coverage) == (pytest.approx(40), pytest.approx(0.5))
    assert score(card, {}, NOW).value == 0
    assert score(Scorecard("icp", [asked("a", 50)]), {}, NOW).value is None


@pytest.mark.parametrize(("days", "fresh"), [(0, 1), (30, 0.5), (60, 0.25), (-5, 1)])
def test_evidence_fades_by_its_half_life(days: float, fresh: float) -> None:
    card = Scorecard("icp", [asked("a", 10, half_life_days=30)])
    assert score(card, {"a": item("a", 80, observed_at=ago(days))}, NOW).value == pytest.approx(80 * fresh)


@pytest.mark.parametrize(
    ("card", "days", "value"),
    [("bant", 89.99, 80), ("bant", 90, 0), ("meddpicc", 91, 0), ("icp", 91, 80), ("health", 400, 80)],
)
def test_what_is_said_of_a_letter_holds_for_ninety_days(card: str, days: float, value: float) -> None:
    asked_of = Scorecard(card, [asked("a", 10, missing="zero")])
    result = score(asked_of, {"a": item("a", 80, observed_at=ago(days))}, NOW)
    assert (result.value, result.has_evidence, result.coverage) == (value, value > 0, value / 80)


def test_the_smallest_weights_count_as_any_other() -> None:
    result = score(Scorecard("icp", [asked("a", 0.5)]), {"a": item("a", 60)}, NOW)
    assert (result.value, result.coverage, result.has_evidence) == (60, 1, True)
    assert list(result.columns()["contribution"]) == [60]
    model = IcpModel([asked("a", 0.5)], {"firmographic": 1, "investment": 99})
    whole = composite(model, {"a": item("a", 60)}, NOW)
    assert (whole.value, whole.coverage, list(whole.layers)) == (60, 0.01, ["firmographic"])


def test_where_nothing_weighs_nothing_is_known() -> None:
    for card in (Scorecard("icp", []), Scorecard("icp", [asked("a", 0)])):
        result = score(card, {"a": item("a", 60)}, NOW)
        assert (result.value, result.coverage, result.has_evidence) == (None, 0, False)
    whole = composite(IcpModel([asked("a", 10)], {}), {"a": item("a", 60)}, NOW)
    assert (whole.value, whole.coverage, whole.route) == (None, 0, "")


def test_the_breakdown_adds_up_to_the_score_and_names_the_evidence() -> None:
    card = Scorecard("icp", [asked("a", 3, half_life_days=9), asked("b", 2), asked("c", 5)])
    result = score(card, {"a": item("a", 70, id=7, observed_at=ago(4)), "b": item("b", 10, id=8)}, NOW)
    assert sum(line.contribution or 0 for line in result.breakdown) == pytest.approx(result.value)
    assert [line.evidence_id for line in result.breakdown] == [7, 8, None]
    assert result.columns()["criterion"][0] == "a"


def test_later_evidence_supersedes_earlier() -> None:
    old, new, tie = item("a", 10, id=5, observed_at=ago(2)), item("a", 90, id=1), item("a", 50, id=2)
    assert latest([old, new])["a"] is new
    assert latest([tie, new])["a"] is tie


MODEL = IcpModel(
    [
        asked("f", 10),
        asked("b1", 10, layer="behavioral", category="timing"),
        asked("b2", 30, layer="behavioral", category="timing"),
        asked("p", 10, layer="psychologic", category="need"),
    ],
    {"firmographic": 20, "behavioral": 25, "psychologic": 30, "investment": 25},
)


def test_the_composite_blends_only_layers_with_evidence() -> None:
    known = {"f": item("f", 100), "b1": item("b1", 40, layer="behavioral")}
    whole = composite(MODEL, known, NOW)
    assert whole.value == pytest.approx((20 * 100 + 25 * 40) / 45)
    assert whole.coverage == pytest.approx((20 * 1 + 25 * 0.25) / 100)
    assert whole.route == "warm"


def test_nothing_known_has_no_composite_and_no_route() -> None:
    whole = composite(MODEL, {}, NOW)
    assert (whole.value, whole.route, whole.coverage) == (None, "", 0)


def test_a_strong_negative_is_cold_whatever_the_sum() -> None:
    whole = composite(MODEL, {"f": item("f", 100), "p": item("p", 0, strong_negative=True)}, NOW)
    assert whole.route == "cold"
    assert whole.strong_negative is not None
    assert whole.strong_negative.criterion == "p"


@pytest.mark.parametrize(("value", "where"), [(70, "hot"), (69.9, "warm"), (40, "warm"), (39.9, "cold")])
def test_hot_begins_at_70_and_warm_at_40_where_a_playbook_says_nothing_else(value: float, where: str) -> None:
    assert composite(MODEL, {"f": item("f", value)}, NOW).route == where


def test_a_flag_never_adds_to_a_score() -> None:
    flag = criterion("flag", {"attribute": "status", "values": ["Closed"]}, key="flag", weight=50)
    card = Scorecard("icp", [asked("a", 10), flag])
    result = score(card, {"a": item("a", 40), "flag": item("flag", 100)}, NOW)
    assert (result.value, result.coverage) == (pytest.approx(40), pytest.approx(1))
    assert not score(card, {"flag": item("flag", 100)}, NOW).has_evidence


@pytest.mark.parametrize(
    ("value", "where"), [(70.0, "hot"), (69.999, "warm"), (40.0, "warm"), (39.9, "cold"), (0.0, "cold"), (None, "")]
)
def test_the_route_follows_the_thresholds(value: float | None, where: str) -> None:
    assert route(value, strong_negative=False, hot=70, warm=40) == where


@pytest.mark.parametrize(
    ("fit", "intent", "wanted"), [(100, 100, "TIER_1"), (50, 100, "TIER_1"), (100, 40, "TIER_2"), (100, 0, "TIER_3")]
)
def test_the_tier_follows_the_priority(fit: float, intent: float, wanted: str) -> None:
    assert tier(priority(fit, intent)) == wanted
    assert tier(priority(None, None)) == "TIER_4"
    assert (priority(None, 50), priority(50, None), priority(None, None)) == (30, 20, 0)


values = st.floats(0, 100)
keys = ["f", "b1", "b2", "p"]
evidence = st.dictionaries(st.sampled_from(keys), st.tuples(values, st.integers(0, 500)))


@patient
@given(evidence)
def test_a_composite_lies_between_zero_and_its_best_evidence(known: dict[str, tuple[float, int]]) -> None:
    rows = {key: item(key, value, observed_at=ago(days)) for key, (value, days) in known.items()}
    whole = composite(MODEL, rows, NOW)
    assert 0 <= whole.coverage <= 1
    assert (whole.value is None) == (not known)
    if whole.value is not None:
        assert -1e-9 <= whole.value <= max(value for value, _ in known.values()) + 1e-9


@patient
@given(evidence, st.sampled_from(keys), values)
def test_better_evidence_never_lowers_the_composite(
    known: dict[str, tuple[float, int]], key: str, better: float
) -> None:
    if key not in known:
        return
    rows = {k: item(k, value) for k, (value, _) in known.items()}
    raised = {**rows, key: item(key, max(better, rows[key].value))}
    assert (composite(MODEL, raised, NOW).value or 0) >= (composite(MODEL, rows, NOW).value or 0) - 1e-9


def test_scoring_is_fast_enough_for_a_million_prospects() -> None:
    """Guards against an accidental quadratic; the aim, 20,000 a second on a quiet core, is measured by the bench."""
    rows = {key: item(key, 50.0, observed_at=ago(9)) for key in keys}
    started = time.process_time()
    for _ in range(2000):
        composite(MODEL, rows, NOW)
    assert time.process_time() - started < 1.0
