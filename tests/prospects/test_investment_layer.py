"""The investment layer: meetings kept, people brought in, data shared and how they answer, each from signals alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from playbooks.rules.criteria import Criterion
from playbooks.rules.yaml_io import parse
from prospects.rules.criteria import judge
from prospects.rules.facts import Facts
from salesops.runtime.views import SignalView

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def signals(*kinds: str, quality: float = 3.0) -> list[SignalView]:
    at = NOW - timedelta(days=3)
    return [
        SignalView(n, kind, at, None, "", {"quality": quality}, "calendar", "", f"s{n}", n)
        for n, kind in enumerate(kinds, 1)
    ]


def solar() -> dict[str, Criterion]:
    document = parse(Path(settings.BASE_DIR, "playbooks/shipped/solar.yaml").read_text(encoding="utf-8"))
    fields = ("key", "kind", "params", "category", "layer", "scorecard", "label", "weight", "half_life_days")
    rows = [row for row in document.rows["criteria"] if row["layer"] == "investment" and row["scorecard"] == "icp"]
    return {row["key"]: Criterion.build(**{name: row[name] for name in fields}) for row in rows}


@pytest.mark.parametrize(
    ("key", "kinds", "value"),
    [
        ("meetings", ["site_visit_held"], 100),
        ("meetings", ["meeting_held"], 90),
        ("meetings", ["call_accepted"], 60),
        ("meetings", [], None),
        ("stakeholders", ["stakeholder_introduced"], 100),
        ("bills_shared", ["bills_shared"], 100),
        ("meetings_missed", ["meeting_missed"], 0),
        ("reply_quality", ["reply"], 100),
        ("reply_quality", [], None),
    ],
)
def test_what_they_put_in_is_judged_from_signals(key: str, kinds: list[str], value: float | None) -> None:
    assert judge(solar()[key], Facts(signals(*kinds), NOW)).value == value


@pytest.mark.parametrize(("points", "value"), [(0.0, 0), (1.0, 40), (2.0, 70), (3.0, 100)])
def test_a_full_answer_counts_more_than_a_word(points: float, value: float) -> None:
    """0 a word, 1 polite, 2 answers the question, 3 answers and asks back; the median of all answers counts."""
    found: Any = judge(solar()["reply_quality"], Facts(signals("reply", quality=points), NOW)).value
    assert found == pytest.approx(value)
