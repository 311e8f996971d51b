from __future__ import annotations

from prospects.rules.criteria import judge
from prospects.rules.scoring import EvidenceItem
from prospects.rules.wording import fact_words, template_values
from tests.prospects.rule_facts import Seen, ago, criterion, facts, item, profile

ASKED = [
    criterion("overlap", {"attribute": "tags", "values": ["Sales", "SaaS"], "enough": 1}, key="tags"),
    criterion("in_set", {"attribute": "subindustry", "values": ["B2B -> Sales"]}, key="field"),
    criterion("in_range", {"attribute": "employees", "minimum": 2, "maximum": 50}, key="size"),
    criterion("in_set", {"attribute": "hiring", "values": [True]}, key="hiring_now"),
    criterion("signal", {"kinds": ["team_growth"]}, key="grew"),
    criterion("flag", {"attribute": "status", "values": ["Inactive"]}, key="gone"),
]


def test_evidence_is_put_in_the_words_of_its_source() -> None:
    known = facts(
        profile(
            1, tags=["saas", "Fintech"], subindustry="B2B -> Sales", employees_min=12, employees_max=12, hiring=True,
            status="Inactive",
        ),
        Seen(2, "team_growth", ago(30), value=12.0),
    )  # fmt: skip
    items = {}
    for number, asked in enumerate(ASKED):
        j = judge(asked, known)
        assert j.value is not None
        assert j.observed_at is not None
        items[asked.key] = EvidenceItem(
            number, asked.key, asked.layer, asked.category, j.value, j.confidence, j.strong_negative, j.observed_at,
            j.signal_ids, j.fact_ref,
        )  # fmt: skip
    values = template_values(fact_words(ASKED, items, known))
    assert {key: value for key, value in values.items() if key.startswith("fact")} == {
        "fact.tags": "saas",
        "fact.field": "Sales",
        "fact.size": "12",
        "fact.hiring_now": "hiring",
        "fact.grew": "12",
    }
    assert values["month.grew"] == "May"


def test_a_large_number_is_said_in_digits() -> None:
    asked = criterion("signal", {"kinds": ["funding"]}, key="raised")
    ranged = criterion("in_range", {"attribute": "turnover", "minimum": 1_000_000}, key="turnover")
    known = facts(Seen(1, "funding", ago(3), value=12_500_000.0), profile(2, turnover=2_500_000.0))
    found = judge(asked, known)
    assert found.observed_at is not None
    items = {"raised": item("raised", signal_ids=(1,), fact_ref="funding")}
    assert template_values(fact_words([asked], items, known))["fact.raised"] == "12500000"
    assert judge(ranged, known).rationale == "Turnover is 2500000, within at least 1000000."
