"""Priority, tier and sequence: one rule for the agent and for re-scoring."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from playbooks.rules.criteria import Criterion
from prospects.rules.priority import PriorityModel, evidence_by_card, prioritize, priority_model

NOW = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    scorecard: str
    criterion: str
    value: float
    id: int = 1
    observed_at: datetime = NOW


def criterion(key: str, layer: str = "firmographic", scorecard: str = "icp", weight: float = 10) -> Criterion:
    params = {"attribute": "industry", "values": ["B2B"]}
    return Criterion.build(
        key=key, kind="in_set", params=params, category="fit", layer=layer, scorecard=scorecard, label=key,
        weight=weight, half_life_days=None, missing="unknown", position=0,
    )  # fmt: skip


def model(*criteria: Criterion) -> PriorityModel:
    steps = ["TIER_1"] * 7 + ["TIER_2"] * 5
    return priority_model(criteria, (0.8, 0.6, 0.4), steps)


LAYERS = (criterion("size"), criterion("news", "behavioral"), criterion("words", "psychologic"))


@pytest.mark.parametrize(
    ("fit", "intent", "value", "tier", "touches"),
    [
        (100, 100, 100, "TIER_1", 7),
        (100, 50, 70, "TIER_2", 5),
        (100, 0, 40, "TIER_3", 0),
        (90, None, 36, "TIER_4", 0),
        (None, 80, 48, "TIER_3", 0),
    ],
)
def test_priority_is_four_parts_fit_and_six_parts_intent_and_picks_tier_and_sequence(
    fit: float | None, intent: float | None, value: float, tier: str, touches: int
) -> None:
    known = {"size": fit, "news": intent}
    rows = [Row("icp", key, v, number) for number, (key, v) in enumerate(known.items(), 1) if v is not None]
    found = prioritize(model(*LAYERS), evidence_by_card(rows), NOW)
    assert found is not None
    assert found.value == pytest.approx(value)
    assert (found.tier, found.touches, found.sequence) == (tier, touches, tier if touches else "")
    assert found.evidence_ids == tuple(row.id for row in rows)


def test_nothing_known_has_no_priority() -> None:
    assert prioritize(model(*LAYERS), {}, NOW) is None
    flagged = evidence_by_card([Row("icp", "gone", 0)])
    assert prioritize(model(*LAYERS, criterion("gone", weight=0)), flagged, NOW) is None


def test_what_is_known_in_other_layers_alone_ranks_last_and_says_what_it_rests_on() -> None:
    found = prioritize(model(*LAYERS), evidence_by_card([Row("icp", "words", 100, 9)]), NOW)
    assert found is not None
    assert (found.value, found.tier, found.evidence_ids) == (0.0, "TIER_4", (9,))


def test_scorecards_of_their_own_go_before_the_layers() -> None:
    own = (criterion("budget", scorecard="priority"), criterion("ads", "behavioral", scorecard="intent"))
    rows = [Row("priority", "budget", 100), Row("intent", "ads", 50, 2), Row("icp", "size", 0, 3)]
    found = prioritize(model(*LAYERS, *own), evidence_by_card(rows), NOW)
    assert found is not None
    assert found.value == pytest.approx(70)
    assert [part.source for part in found.parts] == ["priority", "intent"]


def test_a_layer_is_what_the_icp_card_asks_and_no_other_card() -> None:
    rows = [Row("icp", "size", 100), Row("icp", "title", 0, 2)]
    found = prioritize(model(*LAYERS, criterion("title", scorecard="contact")), evidence_by_card(rows), NOW)
    assert found is not None
    assert (found.value, found.evidence_ids) == (40, (1,))


def test_the_breakdown_adds_up() -> None:
    rows = [Row("icp", "size", 80, 8), Row("icp", "news", 30, 1)]
    found = prioritize(model(*LAYERS), evidence_by_card(rows), NOW)
    assert found is not None
    said = found.breakdown()
    assert [(part["weight"], part["contribution"]) for part in said["parts"]] == [(40, 32), (60, 18)]
    assert sum(part["contribution"] for part in said["parts"]) == pytest.approx(found.value)
    assert (said["tier"], said["evidence_ids"]) == (found.tier, (1, 8))


@given(some.floats(0, 100), some.floats(0, 100), some.floats(0, 100))
def test_more_fit_or_intent_never_ranks_lower(fit: float, intent: float, better: float) -> None:
    def tier(fit: float, intent: float) -> tuple[float, str]:
        rows = [Row("icp", "size", fit), Row("icp", "news", intent, 2)]
        found = prioritize(model(*LAYERS), evidence_by_card(rows), NOW)
        assert found is not None
        assert 0 <= found.value <= 100
        return round(found.value, 9), found.tier

    low, high = tier(fit, intent), tier(max(fit, better), intent)
    assert low[0] <= high[0]
    assert low[1] >= high[1]
