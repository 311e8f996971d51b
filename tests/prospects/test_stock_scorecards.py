"""The stock scorecards give the numbers of their definition: every case carries its arithmetic."""

from __future__ import annotations

from typing import Any

import pytest

from playbooks.rules.criteria import Criterion
from playbooks.rules.scorecards import stock_cards, stock_rows
from prospects.rules import criteria as judging
from prospects.rules import people
from prospects.rules.facts import Facts
from prospects.rules.priority import CARD, prioritize, priority_model
from prospects.rules.scoring import IcpModel, Judged, Scorecard, ScoreResult, composite, score
from tests.prospects.rule_facts import NOW, Seen, ago, item, profile

PROFILE = {
    "icp_industries": ["B2B"],
    "icp_related_industries": ["Fintech"],
    "icp_employees_min": 10,
    "icp_employees_max": 500,
    "icp_countries": ["US"],
}


def card(name: str) -> list[Criterion]:
    rows, examples = stock_rows(stock_cards()[name], PROFILE)
    assert examples == []
    return [Criterion.build(position=n, **row) for n, row in enumerate(rows)]


def known(criteria: list[Criterion], *signals: Seen) -> dict[str, Judged]:
    """What the facts say of each criterion, as evidence of now."""
    judged = judging.judge_all(criteria, Facts(signals, NOW))
    return {
        c.key: Judged(n, j.value, j.observed_at, j.strong_negative)
        for n, (c, j) in enumerate(judged, 1)
        if j.value is not None and j.observed_at is not None
    }


def scored(name: str, *signals: Seen) -> ScoreResult:
    criteria = card(name)
    return score(Scorecard(name, criteria), known(criteria, *signals), NOW)


def seen(kind: str, *, days_ago: float = 0, id: int = 50, **fields: Any) -> Seen:
    return Seen(id, kind, ago(days_ago), **fields)


def often(kind: str, times: int) -> list[Seen]:
    return [seen(kind, id=100 + n, days_ago=n) for n in range(times)]


def about(**data: Any) -> list[Seen]:
    return [profile(**data)]


ALL_FIT = {"industry": "B2B", "employees_min": 50, "employees_max": 50, "revenue_min": 5e6, "revenue_max": 5e6}
IN_US = {**ALL_FIT, "country": "US"}
GROWTH = [seen(kind, id=60 + n) for n, kind in enumerate(("hiring_started", "team_growth", "funding", "expansion"))]
LAUNCH = seen("new_product", id=65)
PAIN = ["manual work", "slow replies", "missed deadlines", "rising costs"]

# (scorecard, signals, the sum in points of 100, what it comes to)
CASES: list[tuple[str, list[Seen], str, float]] = [
    # discovery_fit: industry 25 (related 60 %), employees 20, revenue 15, country 10, growth 15, pain 15; missing is 0
    ("discovery_fit", [], "0", 0.0),
    ("discovery_fit", about(industry="B2B"), "25", 25.0),
    ("discovery_fit", about(industry="Fintech"), "25*0.6", 15.0),
    ("discovery_fit", about(industry="Farming"), "25*0", 0.0),
    ("discovery_fit", about(**ALL_FIT), "25+20+15", 60.0),
    ("discovery_fit", about(**IN_US), "25+20+15+10", 70.0),
    ("discovery_fit", about(**{**IN_US, "employees_min": 501, "employees_max": 501}), "25+15+10", 50.0),
    ("discovery_fit", about(**{**IN_US, "employees_min": 10, "employees_max": 10}), "25+20+15+10", 70.0),
    ("discovery_fit", about(**{**IN_US, "revenue_min": 9e5, "revenue_max": 9e5}), "25+20+10", 55.0),
    ("discovery_fit", about(**{**IN_US, "country": "FR"}), "25+20+15", 60.0),
    ("discovery_fit", [*about(**IN_US), GROWTH[0]], "70+15*1/5", 73.0),
    ("discovery_fit", [*about(**IN_US), *GROWTH], "70+15*4/5", 82.0),
    ("discovery_fit", about(**IN_US, pain_points=PAIN[:1]), "70+15*1/4", 73.75),
    ("discovery_fit", [*about(**IN_US, pain_points=PAIN[:2]), *GROWTH[:2]], "70+15*2/5+15*2/4", 83.5),
    ("discovery_fit", [*about(**IN_US, pain_points=PAIN), *GROWTH, LAUNCH], "25+20+15+10+15+15", 100.0),
    ("discovery_fit", about(industry="fintech", country="us"), "25*0.6+10", 25.0),
    # composite_discovery: fit 35 (mean of 5, so 7 each), intent 35, reachability 20 (unknown .70), freshness 10 (.80)
    ("composite_discovery", [], "7*0.8 + 20*0.7 + 10*0.8", 27.6),
    ("composite_discovery", about(industry="B2B"), "7*(1+0.8) + 20*0.7 + 10*1", 36.6),
    ("composite_discovery", about(**IN_US), "35*(1+1+1+0+1)/5 + 20*0.7 + 10*1", 52.0),
    ("composite_discovery", about(**{**IN_US, "employees_min": 5, "employees_max": 5}), "35*3.5/5 + 14 + 10", 48.5),
    ("composite_discovery", about(**{**IN_US, "employees_min": 750, "employees_max": 750}), "35*3.5/5 + 24", 48.5),
    ("composite_discovery", about(**{**IN_US, "employees_min": 751, "employees_max": 751}), "35*3/5 + 24", 45.0),
    ("composite_discovery", about(**{**IN_US, "revenue_min": 1, "revenue_max": 1}), "35*3/5 + 24", 45.0),
    ("composite_discovery", about(**IN_US, technologies=["CRM"]), "35*(4+1/3)/5 + 14 + 10", 54.333333333333333),
    ("composite_discovery", [seen("funding")], "7*0.8 + 35*0.90 + 14 + 8", 59.1),
    ("composite_discovery", [seen("expansion")], "7*0.8 + 35*0.85 + 14 + 8", 57.35),
    ("composite_discovery", [seen("new_product")], "7*0.8 + 35*0.80 + 14 + 8", 55.6),
    ("composite_discovery", [seen("hiring")], "7*0.8 + 35*0.75 + 14 + 8", 53.85),
    ("composite_discovery", [seen("regulatory")], "7*0.8 + 35*0.70 + 14 + 8", 52.1),
    ("composite_discovery", [seen("partnership")], "7*0.8 + 35*0.65 + 14 + 8", 50.35),
    ("composite_discovery", [seen("media")], "7*0.8 + 35*0.60 + 14 + 8", 48.6),
    ("composite_discovery", [seen("media"), seen("funding", days_ago=30, id=51)], "7*0.8 + 35*0.90 + 22", 59.1),
    ("composite_discovery", about(**IN_US, email_verification_rate=0.95), "28 + 20*0.95 + 10", 57.0),
    ("composite_discovery", about(**IN_US, email_verification_rate="0.5"), "28 + 20*0.5 + 10", 48.0),
    ("composite_discovery", about(**IN_US, email_verification_rate=0), "28 + 20*0 + 10", 38.0),
    ("composite_discovery", [profile(days_ago=45, **IN_US)], "28 + 14 + 10*(1-45/90)", 47.0),
    ("composite_discovery", [profile(days_ago=90, **IN_US)], "28 + 14 + 10*0", 42.0),
    ("composite_discovery", [profile(days_ago=400, **IN_US)], "28 + 14 + 10*0", 42.0),
    (
        "composite_discovery",
        [*about(**IN_US, technologies=["CRM", "Marketing automation", "Analytics"], email_verification_rate=1.0),
         seen("funding")],
        "35 + 35*0.9 + 20 + 10",
        96.5,
    ),
    # intent: hiring velocity 30 (30, 15, 5), news 25, website changes 20 (5 each), reviews 15 (1 each), conference 10
    ("intent", [], "0", 0.0),
    ("intent", about(hiring_velocity="high"), "30", 30.0),
    ("intent", about(hiring_velocity="medium"), "15", 15.0),
    ("intent", about(hiring_velocity="low"), "5", 5.0),
    ("intent", about(hiring_velocity="none"), "0", 0.0),
    ("intent", [seen("funding", days_ago=10)], "25", 25.0),
    ("intent", [seen("expansion", days_ago=90)], "25", 25.0),
    ("intent", [seen("funding", days_ago=91)], "0", 0.0),
    ("intent", often("website_change", 1), "5*1", 5.0),
    ("intent", often("website_change", 3), "5*3", 15.0),
    ("intent", often("website_change", 9), "min(5*9, 20)", 20.0),
    ("intent", often("review", 7), "1*7", 7.0),
    ("intent", often("review", 40), "min(1*40, 15)", 15.0),
    ("intent", [seen("conference")], "10", 10.0),
    (
        "intent",
        [*about(hiring_velocity="low"), seen("funding"), *often("website_change", 2), *often("review", 3)],
        "5+25+5*2+1*3",
        43.0,
    ),
    # contact: title 40 (no match 10), seniority 30, verified e-mail 20, LinkedIn 10
    ("contact", [], "0", 0.0),
    ("contact", about(contact_role_match=1.0, contact_level="c_level"), "40+30*1.0", 70.0),
    ("contact", about(contact_role_match=0.0, contact_level="c_level"), "10+30*1.0", 40.0),
    ("contact", about(contact_role_match=1.0, contact_level="vp"), "40+30*0.9", 67.0),
    ("contact", about(contact_role_match=1.0, contact_level="director"), "40+30*0.8", 64.0),
    ("contact", about(contact_role_match=1.0, contact_level="manager"), "40+30*0.6", 58.0),
    ("contact", about(contact_role_match=1.0, contact_level="other"), "40+30*0.4", 52.0),
    (
        "contact",
        about(contact_role_match=1.0, contact_level="c_level", contact_email_status="verified", contact_linkedin=True),
        "40+30+20+10",
        100.0,
    ),
    (
        "contact",
        about(contact_role_match=0.0, contact_level="vp", contact_email_status="syntax_ok", contact_linkedin=True),
        "10+27+0+10",
        47.0,
    ),
    # data_quality: contact 40 in six parts, company 40 in eight, how sure the sources are 20
    ("data_quality", [], "0", 0.0),
    ("data_quality", about(name="Acme", domain="acme.example"), "5+5 + 10*0.9", 19.0),
    ("data_quality", about(industry="B2B", employees_min=5, revenue_min=1), "5+5+5 + 10*0.9", 24.0),
    ("data_quality", about(confidence=0.5, technologies=["CRM"], funding_stage="seed"), "5+5 + 10*0.5", 15.0),
    ("data_quality", about(has_phone=True, contact_country="US", contact_title="CEO"), "5+5+5 + 9", 24.0),
    ("data_quality", about(has_phone=False), "0 + 9", 9.0),
    ("data_quality", about(contact_email_status="verified", contact_linkedin=True), "10+10+5 + 9", 34.0),
    ("data_quality", about(contact_email_status="syntax_ok", contact_linkedin=False), "10+0+0 + 9", 19.0),
    ("data_quality", [seen("contact", data={"confidence": 0.8}), seen("funding", id=51)], "10*0.8 + 5", 13.0),
    # health: usage 30, breadth 20, sponsor 20, support 15, commercial 15; what is missing leaves the sum
    ("health", [seen("usage", value=0.8)], "(30*80)/30", 80.0),
    ("health", [seen("usage", value=0.8), seen("adoption", id=51, value=0.5)], "(30*80+20*50)/50", 68.0),
    ("health", about(days_overdue=15), "(15*(100-100*15/30))/15", 50.0),
    (
        "health",
        [seen("usage", value=1.0, days_ago=30), seen("support_load", id=51, value=5.0)],
        "(30*100*0.5 + 15*0)/45",
        33.33333333333333,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "signals", "arithmetic", "expected"), CASES)
def test_the_stock_formulas_give_their_numbers(
    name: str, signals: list[Seen], arithmetic: str, expected: float
) -> None:
    assert eval(arithmetic) == pytest.approx(expected, abs=1e-9)
    assert scored(name, *signals).value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "signals", "share"),
    [
        ("discovery_fit", about(industry="B2B", country="US"), "(25+10)/100"),
        ("composite_discovery", [], "0/100"),
        ("composite_discovery", about(**IN_US), "(7+7+7+7+10)/100"),
        ("health", [seen("usage", value=0.8)], "30/100"),
        ("data_quality", about(name="Acme"), "(5+10)/100"),
    ],
)
def test_what_counts_by_default_is_not_called_known(name: str, signals: list[Seen], share: str) -> None:
    assert scored(name, *signals).coverage == pytest.approx(eval(share), abs=1e-9)


FULL_FIT = [
    profile(**IN_US),
    seen("answer", id=70, data={"question": "budget", "answer": "yes"}),
    seen("answer", id=71, data={"question": "use_case", "answer": "yes"}),
]


@pytest.mark.parametrize(
    ("signals", "arithmetic", "tier"),
    [
        ([*FULL_FIT, profile(id=2, hiring_velocity="high"), seen("funding")], "0.4*100 + 0.6*55", "TIER_2"),
        (
            [*FULL_FIT, profile(id=2, hiring_velocity="high"), seen("funding"), *often("website_change", 4)],
            "0.4*100 + 0.6*75",
            "TIER_1",
        ),
        (FULL_FIT, "0.4*100 + 0.6*0", "TIER_3"),
        ([profile(**IN_US)], "0.4*60 + 0.6*0", "TIER_4"),
        ([seen("funding")], "0.4*0 + 0.6*25", "TIER_4"),
        ([*FULL_FIT, profile(id=2, hiring_velocity="low"), *often("review", 15)], "0.4*100 + 0.6*20", "TIER_3"),
        ([*FULL_FIT[:2], seen("funding"), seen("conference", id=52)], "0.4*80 + 0.6*35", "TIER_3"),
        ([profile(industry="B2B", country="FR"), seen("funding")], "0.4*20 + 0.6*25", "TIER_4"),
    ],
)
def test_the_priority_is_four_parts_fit_and_six_parts_intent(signals: list[Seen], arithmetic: str, tier: str) -> None:
    criteria = [*card("priority"), *card("intent")]
    cards = {name: known([c for c in criteria if c.scorecard == name], *signals) for name in (CARD, "intent")}
    found = prioritize(priority_model(criteria, (0.8, 0.6, 0.4), ()), cards, NOW)
    assert found is not None
    assert found.value == pytest.approx(eval(arithmetic), abs=1e-9)
    assert found.tier == tier


def test_a_sponsor_who_left_a_late_bill_and_a_notice_are_flags() -> None:
    criteria = card("health")
    for signal in (seen("sponsor_left"), profile(days_overdue=31), seen("cancel_notice")):
        assert any(e.strong_negative for e in known(criteria, signal).values())
    assert not any(e.strong_negative for e in known(criteria, profile(days_overdue=30)).values())


@pytest.mark.parametrize(
    ("title", "standing"),
    [
        ("Chief Executive Officer", 10), ("SVP Sales", 9), ("Vice President Sales", 8), ("Senior Director Sales", 7),
        ("Director of Sales", 6), ("Senior Manager Sales", 5), ("Sales Manager", 4), ("Senior Analyst", 3),
        ("Analyst", 2),
    ],
)  # fmt: skip
def test_standing_goes_from_one_to_ten(title: str, standing: int) -> None:
    assert people.judge(title, "", []).seniority == standing


def asked(key: str, layer: str, weight: float = 10, **fields: Any) -> Criterion:
    params = {"attribute": "a", "values": ["x"]}
    return Criterion.build(key=key, kind="in_set", params=params, category="fit", layer=layer, weight=weight, **fields)


ICP = IcpModel(
    [
        asked("size", "firmographic", 30),
        asked("place", "firmographic", 10),
        asked("news", "behavioral", half_life_days=30),
        asked("words", "psychologic", missing="value", missing_value=50),
        asked("pain", "psychologic"),
        asked("meets", "investment", missing="zero"),
        asked("data", "investment", 30),
    ],
    {"firmographic": 20, "behavioral": 25, "psychologic": 30, "investment": 25},
)


@pytest.mark.parametrize(
    ("values", "arithmetic", "coverage", "where"),
    [
        ({}, "None", "0", ""),
        ({"size": 80}, "80", "20*30/40/100", "hot"),
        ({"size": 80, "place": 40}, "(30*80+10*40)/40", "20/100", "hot"),
        ({"size": 100, "news": 0}, "(20*100+25*0)/45", "(20*30/40+25)/100", "warm"),
        ({"pain": 90}, "(10*50+10*90)/20", "30*0.5/100", "hot"),
        ({"words": 10}, "10", "30*0.5/100", "cold"),
        ({"data": 80}, "(10*0+30*80)/40", "25*0.75/100", "warm"),
        ({"size": 100, "pain": 70, "data": 100}, "(20*100 + 30*60 + 25*75)/75", "(15+15+18.75)/100", "hot"),
        ({"size": 70}, "70", "0.15", "hot"),
        ({"size": 40}, "40", "0.15", "warm"),
        ({"size": 39.999}, "39.999", "0.15", "cold"),
    ],
)
def test_the_four_layers_blend_by_the_weights_of_those_with_evidence(
    values: dict[str, float], arithmetic: str, coverage: str, where: str
) -> None:
    whole = composite(ICP, {key: item(key, value) for key, value in values.items()}, NOW)
    assert whole.value == (None if arithmetic == "None" else pytest.approx(eval(arithmetic), abs=1e-9))
    assert whole.coverage == pytest.approx(eval(coverage), abs=1e-9)
    assert whole.route == where


@pytest.mark.parametrize(
    ("days", "arithmetic"), [(0, "80"), (30, "80*0.5"), (60, "80*0.25"), (15, "80*0.5**0.5"), (300, "80*0.5**10")]
)
def test_evidence_fades_by_half_every_half_life(days: float, arithmetic: str) -> None:
    whole = composite(ICP, {"news": item("news", 80, observed_at=ago(days))}, NOW)
    assert whole.value == pytest.approx(eval(arithmetic), abs=1e-9)
