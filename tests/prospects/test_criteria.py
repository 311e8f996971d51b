from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.rules.criteria import KINDS, parse_params
from playbooks.rules.param_reader import ParamsError
from prospects.rules.criteria import interpolate, judge, judge_all
from tests.prospects.rule_facts import Seen, ago, criterion, facts, patient, profile


def value_of(kind: str, params: dict[str, Any], *signals: Seen) -> float | None:
    return judge(criterion(kind, params), facts(*signals)).value


INDUSTRY = {
    "attribute": "industry",
    "values": ["B2B", "Fintech"],
    "partial": [{"values": ["Healthcare"], "credit": 0.6}],
}


@pytest.mark.parametrize(
    ("industry", "value"),
    [
        ("B2B", 100),
        ("b2b ", 100),
        ("Healthcare", 60),
        ("Consumer", 0),
        (None, None),
        ("", None),
        (["Toys", "B2B"], 100),
    ],
)
def test_in_set_gives_full_partial_or_no_credit(industry: Any, value: float | None) -> None:
    assert value_of("in_set", INDUSTRY, profile(industry=industry)) == value


def test_in_set_reads_yes_and_no() -> None:
    hiring = {"attribute": "hiring", "values": [True]}
    assert value_of("in_set", hiring, profile(hiring=True)) == 100
    assert value_of("in_set", hiring, profile(hiring=False)) == 0


@pytest.mark.parametrize(
    ("low", "high", "value"),
    [
        (10, 10, 100), (500, 500, 100), (9, 9, 50), (5, 5, 50), (4, 4, 0), (750, 750, 50), (751, 751, 0), (11, 50, 100),
        (1, 10, 50), (0, 0, 0), (None, 40, 100), (600, None, 50), (None, None, None),
    ],
)  # fmt: skip
def test_in_range_has_a_soft_edge_and_reads_ranges(low: int | None, high: int | None, value: float | None) -> None:
    params = {"attribute": "employees", "minimum": 10, "maximum": 500, "soft": 0.5, "soft_credit": 0.5}
    assert value_of("in_range", params, profile(employees_min=low, employees_max=high)) == value


def test_a_range_is_never_made_of_two_observations() -> None:
    params = {"attribute": "employees", "minimum": 10, "maximum": 20}
    older, newer = profile(1, days_ago=9, employees_max=500), profile(2, days_ago=1, employees_min=15)
    assert judge(criterion("in_range", params), facts(older, newer)).signal_ids == (2,)


@pytest.mark.parametrize(
    ("tags", "value"),
    [(["SaaS", "b2b"], 100), (["SaaS"], 50), (["SaaS", "B2B", "Sales"], 100), (["Toys"], 0), (None, None)],
)
def test_overlap_counts_the_share_of_what_is_enough(tags: list[str] | None, value: float | None) -> None:
    params = {"attribute": "tags", "values": ["SaaS", "B2B", "Sales"], "enough": 2}
    assert value_of("overlap", params, profile(tags=tags)) == value


def test_signal_takes_the_strongest_kind_and_cites_it() -> None:
    params = {"kinds": {"team_growth": 0.5, "hiring_started": 1}}
    seen = [Seen(1, "hiring_started", ago(30), text="Hiring is on"), Seen(2, "team_growth", ago(1))]
    judgement = judge(criterion("signal", params), facts(*seen))
    assert (judgement.value, judgement.signal_ids, judgement.fact_ref) == (100, (1,), "hiring_started")
    assert judgement.rationale == "Hiring started on 11 May 2026: Hiring is on"
    assert judgement.quote == "Hiring is on"


@pytest.mark.parametrize(("ages", "value"), [([1, 2], 100), ([1], 50), ([1, 20], 50), ([20], None), ([], None)])
def test_signal_counts_within_its_window(ages: list[float], value: float | None) -> None:
    params = {"kinds": ["pricing_viewed"], "min_count": 2, "within_days": 14}
    assert value_of("signal", params, *(Seen(n, "pricing_viewed", ago(a)) for n, a in enumerate(ages))) == value


def test_signal_may_ask_for_a_least_value() -> None:
    params = {"kinds": ["team_growth"], "min_value": 3}
    assert value_of("signal", params, Seen(1, "team_growth", value=2)) is None
    assert value_of("signal", params, Seen(1, "team_growth", value=3)) == 100


@pytest.mark.parametrize(
    ("statistic", "numbers", "value"),
    [
        ("median", [2, 2, 30], 100), ("median", [24], 60), ("median", [72], 35), ("max", [2, 200], 10),
        ("sum", [12, 12], 60), ("latest", [24, 2], 60), ("count", [1, 1], 100),
    ],
)  # fmt: skip
def test_measure_maps_a_number_through_breakpoints(statistic: str, numbers: list[float], value: float) -> None:
    params = {"kinds": ["reply_hours"], "statistic": statistic, "breakpoints": [[2, 100], [24, 60], [120, 10]]}
    seen = [Seen(n, "reply_hours", ago(n), value=number) for n, number in enumerate(numbers)]
    assert value_of("measure", params, *seen) == pytest.approx(value)


def test_measure_reads_days_since_attributes_and_data_fields() -> None:
    points = [[0, 100], [10, 0]]
    since = {"kinds": ["visit"], "statistic": "days_since", "breakpoints": points}
    assert value_of("measure", since, Seen(1, "visit", ago(5)), Seen(2, "visit", ago(50))) == pytest.approx(50)
    assert value_of("measure", {"attribute": "seats", "breakpoints": points}, profile(seats=3)) == pytest.approx(70)
    field = {"kinds": ["visit"], "statistic": "sum", "field": "pages", "breakpoints": points}
    assert value_of("measure", field, Seen(1, "visit", data={"pages": 4})) == pytest.approx(60)
    assert value_of("measure", field, Seen(1, "visit", data={"pages": "four"})) is None


def test_phrase_matches_whole_words_and_quotes_the_sentence() -> None:
    params = {"phrases": ["too expensive", "budget*"], "kinds": ["reply"]}
    said = Seen(1, "reply", ago(1), text="Thanks. It looks Too  Expensive for us! Bye.")
    judgement = judge(criterion("phrase", params), facts(said))
    assert (judgement.value, judgement.quote) == (100, "It looks Too  Expensive for us!")
    assert judgement.quote in said.text
    assert value_of("phrase", params, Seen(1, "reply", text="Our budgets are set")) == 100
    assert value_of("phrase", params, Seen(1, "reply", text="inexpensive, budge it")) == 0
    assert value_of("phrase", params, Seen(1, "post", text="too expensive")) is None


@pytest.mark.parametrize(("answer", "value"), [("Yes", 100), ("no", 0), ("partly", 50), ("perhaps", None)])
def test_answer_takes_the_newest_answer(answer: str, value: float | None) -> None:
    params = {"question": "economic_buyer", "credits": {"yes": 100, "partly": 50, "no": 0}}
    old = Seen(1, "answer", ago(9), data={"question": "economic_buyer", "answer": "yes"})
    new = Seen(2, "answer", ago(1), data={"question": "economic_buyer", "answer": answer})
    other = Seen(3, "answer", data={"question": "champion", "answer": "no"})
    assert value_of("answer", params, old, new, other) == value


def test_what_we_wrote_ourselves_was_not_said_by_anybody_there() -> None:
    ours = (
        Seen(3, "judgement", ago(1), text="Said they are happy without an in-house team."),
        Seen(4, "merged", ago(1), text="In-house Team Ltd was merged into it."),
    )
    assert value_of("flag", {"phrases": ["in-house team"]}, *ours) is None
    assert value_of("phrase", {"phrases": ["in-house team"]}, *ours) is None
    assert value_of("phrase", {"phrases": ["in-house team"], "kinds": ["judgement"]}, *ours) == 100


@pytest.mark.parametrize(
    ("raised_by", "signal"),
    [({"kinds": ["complaint"]}, Seen(4, "complaint", ago(31))),
     ({"phrases": ["in-house team"]}, Seen(4, "reply", ago(31), text="We have an in-house team."))],
)  # fmt: skip
def test_a_flag_comes_down_once_what_raised_it_is_too_old(raised_by: dict[str, Any], signal: Seen) -> None:
    asked = criterion("flag", {**raised_by, "within_days": 30})
    raised = judge(asked, facts(Seen(4, signal.kind, ago(29), text=signal.text)))
    lowered = judge(asked, facts(signal, profile(5, days_ago=1, status="Active")))
    assert (raised.strong_negative, lowered.strong_negative, lowered.value) == (True, False, 100)
    assert (lowered.signal_ids, lowered.observed_at) == ((4,), ago(31))  # no older than what it supersedes
    assert "too long ago" in lowered.rationale
    assert judge(asked, facts(profile(5, status="Active"))).value is None


def test_flag_is_a_strong_negative_only_when_it_is_true() -> None:
    asked = criterion("flag", {"attribute": "status", "values": ["Inactive"], "kinds": ["asked_not_to_be_contacted"]})
    raised = judge(asked, facts(profile(status="Inactive")))
    assert (raised.value, raised.strong_negative) == (0, True)
    clear = judge(asked, facts(profile(status="Active")))
    assert (clear.value, clear.strong_negative) == (100, False)
    assert judge(asked, facts(profile(industry="B2B"))).value is None
    refused = judge(asked, facts(profile(status="Active"), Seen(7, "asked_not_to_be_contacted")))
    assert (refused.strong_negative, refused.signal_ids) == (True, (7,))
    spoken = criterion("flag", {"phrases": ["in-house team"]})
    assert judge(spoken, facts(Seen(1, "reply", text="We have an in-house team."))).strong_negative
    assert judge(spoken, facts(Seen(1, "reply", text="We do not."))).value is None


def test_a_newer_profile_wins_and_a_signal_may_set_an_attribute() -> None:
    asked = criterion("in_set", {"attribute": "status", "values": ["Active"]})
    old, new = profile(1, days_ago=30, status="Inactive", industry="B2B"), profile(2, days_ago=2, status="Active")
    assert judge(asked, facts(old, new)).signal_ids == (2,)
    closed = Seen(3, "status_change", ago(1), data={"sets": {"status": "Inactive"}})
    assert judge(asked, facts(old, new, closed)).value == 0


def test_a_derived_signal_counts_as_the_fact_it_came_from() -> None:
    derived = Seen(9, "hiring", data={"derived_from": {"signal_id": 1, "attribute": "hiring"}, "confidence": 0.7})
    judgement = judge(criterion("signal", {"kinds": ["hiring"]}), facts(profile(1, hiring=True), derived))
    assert (judgement.origins, judgement.confidence) == (((1, "hiring"),), 0.7)
    assert facts(derived).origins((9,), "hiring") == ((1, "hiring"),)


@pytest.mark.parametrize(
    ("kind", "params", "field", "words"),
    [
        ("in_set", {}, "attribute", "needed"),
        ("in_set", {"attribute": "a", "values": "B2B"}, "values", "list"),
        ("in_set", {"attribute": "a", "values": ["x"], "valeus": 1}, "valeus", "unknown here"),
        ("in_set", {**INDUSTRY, "partial": [{"values": ["x"]}]}, "partial[0]", "exactly"),
        ("in_set", {**INDUSTRY, "partial": [{"values": ["x"], "credit": 60}]}, "partial[0].credit", "between 0 and 1"),
        ("in_range", {"attribute": "a"}, "minimum", "needed"),
        ("in_range", {"attribute": "a", "minimum": 5, "maximum": 1}, "maximum", "at least the minimum"),
        ("in_range", {"attribute": "a", "minimum": True}, "minimum", "number"),
        ("overlap", {"attribute": "a", "values": ["x"], "enough": 2}, "enough", "at most"),
        ("signal", {"kinds": {}}, "kinds", "mapping"),
        ("signal", {"kinds": ["a"], "min_count": 0}, "min_count", "at least 1"),
        ("signal", {"kinds": ["a"], "within_days": 0}, "within_days", "more than 0"),
        ("measure", {"kinds": ["a"], "breakpoints": [[1, 2]]}, "breakpoints", "two"),
        ("measure", {"kinds": ["a"], "breakpoints": [[2, 0], [1, 100]]}, "breakpoints", "rising"),
        ("measure", {"breakpoints": [[1, 0], [2, 100]]}, "kinds", "either"),
        ("measure", {"kinds": ["a"], "breakpoints": [[1, 0], [2, 100]], "statistic": "mode"}, "statistic", "one of"),
        ("phrase", {"phrases": []}, "phrases", "at least one"),
        ("answer", {"question": "q", "credits": {"yes": 101}}, "credits.yes", "between 0 and 100"),
        ("flag", {}, "attribute", "give an attribute"),
        ("flag", {"attribute": "status"}, "values", "together"),
        ("guess", {}, "kind", "in_set"),
    ],
)
def test_wrong_parameters_are_refused_by_name(kind: str, params: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(ParamsError) as refused:
        parse_params(kind, params)
    assert field in dict(refused.value.problems)
    assert words in dict(refused.value.problems)[field]


words = st.text("abx .é", max_size=4)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    ["attribute", "values", "kinds", "phrases", "minimum", "partial", "breakpoints", "credits", "x"]
)


@patient
@given(st.sampled_from([*KINDS, "other"]), st.dictionaries(names, json_values))
def test_any_parameters_are_either_parsed_or_refused_in_words(kind: str, params: dict[str, Any]) -> None:
    problems: list[tuple[str, str]] | None = None
    try:
        parse_params(kind, params)
    except ParamsError as refused:
        problems = refused.problems
    assert problems is None or all(words for _, words in problems)


ASKED = [
    criterion("in_set", INDUSTRY, key="industry"),
    criterion("in_range", {"attribute": "employees", "minimum": 2, "maximum": 50}, key="size"),
    criterion("overlap", {"attribute": "tags", "values": ["SaaS", "B2B"]}, key="tags"),
    criterion("signal", {"kinds": ["seen"], "within_days": 90}, key="seen"),
    criterion("measure", {"kinds": ["seen"], "statistic": "max", "breakpoints": [[0, 0], [9, 100]]}, key="most"),
    criterion("phrase", {"phrases": ["yes", "no*"]}, key="said"),
    criterion("flag", {"attribute": "status", "values": ["Inactive"], "phrases": ["stop"]}, key="flag"),
]
DATA_KEYS = ("industry", "employees_min", "tags", "status", "confidence", "sets")


def sane_sets(data: dict[str, Any]) -> dict[str, Any]:
    return data if isinstance(data.get("sets"), dict) else {**data, "sets": {}}


some_signals = st.lists(
    st.builds(
        Seen,
        id=st.integers(1, 10**6),
        kind=st.sampled_from(["profile", "seen", "reply"]),
        observed_at=st.integers(-5, 400).map(ago),
        value=st.none() | st.floats(-1e9, 1e9),
        text=st.text("abyesno .!?*\né", max_size=30),
        data=st.fixed_dictionaries({}, optional=dict.fromkeys(DATA_KEYS, json_values)).map(sane_sets),
    ),
    max_size=6,
    unique_by=lambda s: s.id,
)


@patient
@given(some_signals)
def test_every_judgement_is_in_range_names_its_signals_and_is_repeatable(signals: list[Seen]) -> None:
    known = {signal.id for signal in signals}
    judged = judge_all(ASKED, facts(*signals))
    for _, judgement in judged:
        assert judgement.value is not None
        assert 0 <= judgement.value <= 100
        assert 0 <= judgement.confidence <= 1
        assert judgement.signal_ids
        assert set(judgement.signal_ids) <= known
        assert judgement.rationale
        assert judgement.observed_at
    assert judged == judge_all(ASKED, facts(*reversed(signals)))


@patient
@given(st.lists(st.tuples(st.integers(0, 99), st.floats(0, 100)), min_size=2, unique_by=lambda p: p[0]), st.floats())
def test_interpolated_points_stay_between_the_breakpoints(pairs: list[tuple[int, float]], x: float) -> None:
    if x == x:
        points = sorted(pairs)
        heights = [y for _, y in points]
        assert min(heights) - 1e-9 <= interpolate(points, x) <= max(heights) + 1e-9
