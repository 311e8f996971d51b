from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.rules.criteria import CATEGORIES
from prospects.rules.qualification import (
    Rule,
    Standing,
    accepted,
    card_name,
    independent_categories,
    qualify,
    rule_holds,
)
from prospects.rules.scoring import EvidenceItem, IcpModel, composite, latest
from tests.prospects.rule_facts import NOW, criterion, item, patient

WEIGHTS = {"firmographic": 50, "behavioral": 50}
LAYER = {"fit": "firmographic", "risk": "firmographic", "timing": "behavioral", "need": "behavioral"}
CRITERIA = [
    criterion("in_set", {"attribute": c, "values": ["x"]}, key=f"{c}_1", label=f"{c} one", category=c, layer=LAYER[c])
    for c in ("fit", "timing", "need", "risk")
]
MODEL = IcpModel(CRITERIA, WEIGHTS, hot=70, warm=40)
QUALIFY = Rule("prospect", "qualifying", "qualified", min_categories=3, min_score=60, min_coverage=0.5)


def evidence(category: str, value: float = 100, *, fact: str = "", id: int = 0, **fields: object) -> EvidenceItem:
    given_id = id or 1 + CATEGORIES.index(category)
    return item(
        f"{category}_1",
        value,
        id=given_id,
        category=category,
        layer=LAYER[category],
        fact_ref=fact or category,
        **fields,
    )


def standing(*items: EvidenceItem, model: IcpModel = MODEL) -> Standing:
    known = latest(items)
    return Standing(known, composite(model, known, NOW), model.criteria, 0.6)


def test_three_independent_categories_and_enough_score_qualify() -> None:
    verdict = qualify(standing(evidence("fit"), evidence("timing"), evidence("need", 50)), QUALIFY, 40)
    assert verdict.verdict == "qualified"
    assert verdict.evidence_ids == (1, 2, 3)
    assert all(gate.passed for gate in verdict.gates)


@pytest.mark.parametrize(
    ("weak", "words"),
    [
        ({"value": 49}, "Need: the best evidence, “need one”, is worth 49; 50 is needed."),
        ({"value": 49.9}, "is worth just under 50; 50 is needed"),
        ({"confidence": 0.5}, "Need: “need one” is 50\u202f% sure; 60\u202f% is needed."),
        ({"confidence": 0.5999}, "is just under 60\u202f% sure; 60\u202f% is needed"),
        ({"value": 50, "confidence": 0.5}, "Need: “need one” is 50\u202f% sure"),
    ],
)
def test_weak_or_unsure_evidence_does_not_count_and_says_why(weak: dict[str, float], words: str) -> None:
    verdict = qualify(standing(evidence("fit"), evidence("timing"), evidence("need", **weak)), QUALIFY, 40)  # type: ignore[arg-type]
    assert verdict.verdict == "stalled"
    assert words in verdict.reason


def test_what_is_missing_names_the_criteria_to_look_for() -> None:
    verdict = qualify(standing(evidence("fit"), evidence("risk")), QUALIFY, 40)
    assert verdict.verdict == "stalled"
    assert "2 independent categories are evidenced; 3 are needed." in verdict.missing[0]
    assert "look for: timing one" in verdict.missing[0]
    assert "look for: need one" in verdict.missing[0]


def test_what_is_missing_names_only_what_could_be_asked() -> None:
    missing = qualify(standing(evidence("fit"), evidence("risk")), QUALIFY, 40).missing[0]
    assert missing.split(". ")[0] == "2 independent categories are evidenced; 3 are needed"
    assert "Commitment" not in missing, "no criterion asks for it"
    assert "Fit" not in missing, "it has its place"


def test_of_several_that_fall_short_the_nearest_is_named() -> None:
    more = [criterion("in_set", {"attribute": k, "values": ["x"]}, key=k, label=k, category="need") for k in "ab"]
    model = IcpModel([*CRITERIA, *more], WEIGHTS)

    def said(*rows: tuple[str, int, float, float]) -> str:
        items = [item(k, value, id=id, category="need", confidence=sure) for k, id, value, sure in rows]
        asked = Rule("prospect", "a", "b", ("need",))
        return rule_holds(asked, standing(*items, evidence("need", 0, id=99), model=model)).missing[0]

    assert "“b” is 40" in said(("a", 1, 90, 0.3), ("b", 2, 60, 0.4))
    assert "“a” is 40" in said(("a", 1, 60, 0.4), ("b", 2, 90, 0.4)), "the earlier of two as sure"
    assert "“b”, is worth 30" in said(("a", 1, 20, 0.9), ("b", 2, 30, 0.9))
    assert "“a”, is worth 30" in said(("a", 1, 30, 0.9), ("b", 2, 30, 0.9)), "the earlier of two as good"


def test_two_categories_on_one_fact_count_once() -> None:
    shared = standing(evidence("fit"), evidence("timing", fact="hiring"), evidence("need", fact="hiring"))
    check = rule_holds(QUALIFY, shared)
    assert not check.holds
    assert "rests on the same fact" in check.missing[0]


def test_a_second_fact_frees_the_first() -> None:
    both = [
        evidence("timing", fact="hiring"),
        evidence("need", fact="hiring"),
        item("need_2", 60, id=9, category="need", layer="behavioral", fact_ref="tags"),
    ]
    assert set(independent_categories(accepted(both, 0.6))) == {"timing", "need"}


def test_a_derived_signal_does_not_make_a_second_fact() -> None:
    original = evidence("need", fact="hiring")
    derived = evidence("timing", fact="hiring_started", origins=((1, "hiring"),))
    assert len(independent_categories([original, derived])) == 1


def test_a_flag_that_is_not_raised_speaks_for_nobody() -> None:
    flag = criterion("flag", {"attribute": "status", "values": ["Closed"]}, key="gone", category="risk", weight=0)
    model = IcpModel([*CRITERIA, flag], WEIGHTS)
    clear = item("gone", 100, id=9, category="risk", fact_ref="status")
    check = rule_holds(QUALIFY, standing(evidence("fit"), evidence("timing"), clear, model=model))
    assert not check.holds
    assert "2 independent categories are evidenced" in check.missing[0]


def test_a_strong_negative_rejects_with_its_rationale() -> None:
    flag = evidence("risk", 0, strong_negative=True, rationale="Status is Inactive.", id=8)
    verdict = qualify(standing(evidence("fit"), evidence("timing"), evidence("need"), flag), QUALIFY, 40)
    assert (verdict.verdict, verdict.reason, verdict.evidence_ids) == ("rejected", "Status is Inactive.", (8,))
    silent = qualify(standing(evidence("risk", 0, strong_negative=True)), QUALIFY, 40)
    assert silent.reason == "A strong negative was found."
    assert silent.gates[-1].words == silent.reason


def test_a_cold_composite_rejects_only_when_enough_is_known() -> None:
    known = standing(evidence("fit", 10), evidence("timing", 10), evidence("need", 10))
    assert qualify(known, QUALIFY, 40).verdict == "rejected"
    assert "The composite is 10; prospects under 40" in qualify(known, QUALIFY, 40).reason
    assert qualify(standing(evidence("fit", 10)), QUALIFY, 40).verdict == "stalled"
    warm = standing(evidence("fit", 40), evidence("timing", 40), evidence("need", 40))
    assert qualify(warm, QUALIFY, 40).verdict == "stalled", "warm begins at 40"
    nearly = standing(evidence("fit", 39.9), evidence("timing", 39.9), evidence("need", 39.9))
    assert qualify(nearly, QUALIFY, 40).reason.startswith("The composite is just under 40; prospects under 40")
    assert qualify(standing(), QUALIFY, 40).verdict == "stalled"


def test_required_categories_layers_and_numbers_are_separate_gates() -> None:
    rule = Rule("prospect", "a", "b", ("need",), ("investment",), min_categories=1, min_score=90, min_coverage=0.9)
    check = rule_holds(rule, standing(evidence("fit", 60)))
    assert {gate.key: gate.passed for gate in check.gates} == {
        "category_need": False, "categories": True, "layer_investment": False, "score": False, "coverage": False,
        "strong_negative": True,
    }  # fmt: skip
    assert "The composite is 60; 90 is needed." in check.missing
    assert "25\u202f% of the weight has evidence; 90\u202f% is needed." in check.missing
    assert "The investment layer has no evidence yet." in check.missing
    assert "Need has no good evidence yet; look for: need one." in check.missing
    assert {gate.key: gate.actual for gate in check.gates}["score"] == 60


def test_a_gate_that_passes_says_so_too() -> None:
    rule = Rule("prospect", "a", "b", ("need",), ("behavioral",), min_score=60, min_coverage=0.25)
    check = rule_holds(rule, standing(evidence("need", 60, id=8), evidence("fit", 60, id=1)))
    assert check.holds
    assert [gate.words for gate in check.gates] == [
        "Need is evidenced.", "The behavioral layer has evidence.", "The composite is 60; 60 is needed.",
        "50\u202f% of the weight has evidence; 25\u202f% is needed.", "Nothing rules it out.",
    ]  # fmt: skip
    assert check.evidence_ids == (1, 8)


def test_what_is_not_known_is_no_score_of_zero() -> None:
    (gate, _) = rule_holds(Rule("prospect", "a", "b", min_score=0), standing()).gates
    assert (gate.passed, gate.actual, gate.words) == (False, 0, "The composite is not known yet; 0 is needed.")


def test_another_scorecard_may_be_asked_for() -> None:
    rule = Rule("deal", "discovery", "proposal", min_score=50, min_coverage=0.5, scorecard="bant")
    where = standing()
    where.cards = {"bant": (50.0, 0.5)}
    assert rule_holds(rule, where).holds
    where.cards = {"bant": (49.9, 0.499)}
    assert rule_holds(rule, where).missing == [
        "BANT is just under 50; 50 is needed.",
        "Just under 50\u202f% of the weight has evidence; 50\u202f% is needed.",
    ]
    where.cards = {"meddic": (100.0, 1.0)}
    assert "BANT is not known yet; 50 is needed." in rule_holds(rule, where).missing
    assert (card_name("meddic"), card_name("data_quality")) == ("MEDDIC", "Data quality")


@pytest.mark.parametrize(
    ("rule", "worth", "asks"),
    [
        ({}, 10**9, False),
        ({"needs_person": True}, None, True),
        ({"confirm_from_value": Decimal(1000)}, None, False),
        ({"confirm_from_value": Decimal(1000)}, Decimal("999.99"), False),
        ({"confirm_from_value": Decimal(1000)}, Decimal(1000), True),
        ({"confirm_from_value": Decimal(0)}, Decimal(0), True),
    ],
)
def test_a_person_confirms_what_the_rule_says_and_what_is_dear(
    rule: dict[str, object], worth: Decimal | None, asks: bool
) -> None:
    assert Rule("deal", "proposal", "won", **rule).asks_person(worth) is asks  # type: ignore[arg-type]


def test_a_required_category_is_kept_when_the_fact_is_contested() -> None:
    contested = [evidence("fit", fact="hiring"), evidence("need", fact="hiring")]
    assert set(independent_categories(contested, required=("need",))) == {"need"}


def test_an_empty_rule_holds_for_anyone() -> None:
    check = rule_holds(Rule("prospect", "sourced", "researched"), standing())
    assert (check.holds, [gate.key for gate in check.gates]) == (True, ["strong_negative"])


rows = st.lists(
    st.builds(
        lambda category, facts, id: item(
            f"{category}{id}", id=id, category=category, signal_ids=(1,), origins=tuple((1, f) for f in facts)
        ),
        category=st.sampled_from(CATEGORIES),
        facts=st.sets(st.sampled_from("abcd"), min_size=1, max_size=3).map(sorted),
        id=st.integers(1, 99),
    ),
    max_size=6,
)


@patient
@given(rows)
def test_the_matching_is_as_large_as_any_can_be(items: list[EvidenceItem]) -> None:
    placed = independent_categories(items)
    present = sorted({row.category for row in items})
    choices = [[None, *{fact for row in items if row.category == c for fact in row.facts}] for c in present]
    best = 0
    for pick in product(*choices):
        taken = [fact for fact in pick if fact is not None]
        if len(taken) == len(set(taken)):
            best = max(best, len(taken))
    assert len(placed) == best
    assert all(row.category == category for category, row in placed.items())
