from __future__ import annotations

from typing import Any

import pytest

from playbooks.rules.criteria import KINDS
from playbooks.rules.describe import PARAMS, describe


@pytest.mark.parametrize(
    ("kind", "params", "words"),
    [
        (
            "in_set",
            {"attribute": "industry", "values": ["B2B"], "partial": [{"values": ["Health"], "credit": 0.6}]},
            "Industry is B2B; 60\u202f% for Health.",
        ),
        ("in_set", {"attribute": "hiring", "values": ["true"]}, "Hiring: yes."),
        ("in_set", {"attribute": "country", "values": ["NZ", "AU"]}, "Country is one of NZ, AU."),
        ("in_range", {"attribute": "employees", "minimum": 3, "maximum": 40, "soft": 0}, "Employees is 3 to 40."),
        ("overlap", {"attribute": "tags", "values": ["SaaS", "B2B"], "enough": 1}, "Tags include 1 of SaaS, B2B."),
        (
            "signal",
            {"kinds": {"grew": 1, "left": 0.5}, "within_days": 9},
            "Seen: grew, left (50\u202f%) in the last 9 days.",
        ),
        (
            "measure",
            {"kinds": ["reply_hours"], "statistic": "median", "breakpoints": [[2, 100], [24, 60]], "unit": "h"},
            "Median of reply hours: 2 h is worth 100, 24 h is worth 60.",
        ),
        ("phrase", {"phrases": ["too dear"], "kinds": ["reply"]}, "Somebody said “too dear” in reply."),
        ("answer", {"question": "buyer_known", "credits": {"yes": 100}}, "Answer to “buyer known”: yes is worth 100."),
        (
            "flag",
            {"attribute": "status", "values": ["Closed"], "phrases": ["stop"]},
            "Rules the prospect out when status is Closed or said: “stop”.",
        ),
        ("in_range", {"attribute": "x"}, "attribute: x"),
    ],
)  # fmt: skip
def test_a_criterion_is_told_in_one_sentence(kind: str, params: dict[str, Any], words: str) -> None:
    assert describe(kind, params) == words


def test_every_kind_explains_its_parameters() -> None:
    assert tuple(PARAMS) == KINDS
