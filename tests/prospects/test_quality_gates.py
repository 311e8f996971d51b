"""Gates on data: what the stock scorecards are asked for, and nothing where a playbook has none."""

from __future__ import annotations

import pytest

from playbooks.rules.criteria import Criterion
from playbooks.rules.scorecards import stock_cards, stock_rows
from prospects.rules.quality_gates import ENRICH, GATES, KEEP, Asked, passing
from tests.prospects.rule_facts import NOW, Seen, profile
from tests.prospects.test_stock_scorecards import IN_US, PROFILE, seen


def asked(gate: object = KEEP, threshold: float = 0.7) -> Asked:
    assert gate in GATES
    rows = [
        row for name in ("discovery_fit", "composite_discovery") for row in stock_rows(stock_cards()[name], PROFILE)[0]
    ]
    criteria = {(row["scorecard"], row["key"]): Criterion.build(**row) for row in rows}
    return Asked(gate, criteria, threshold)  # type: ignore[arg-type]


def test_a_gate_says_what_is_there_and_what_is_needed() -> None:
    found = asked().of([profile(**IN_US)], NOW)
    assert (found.passed, found.value, found.words) == (True, 70.0, "70, needs 70")
    short = asked().of([profile(industry="Fintech")], NOW)
    assert (short.passed, short.words) == (False, "15, needs 70")


@pytest.mark.parametrize(("value", "passed"), [(None, False), (69.999, False), (70 - 1e-12, True), (70.0, True)])
def test_the_threshold_itself_passes_and_nothing_known_does_not(value: float | None, passed: bool) -> None:
    assert passing(value, 0.7).passed is passed


def test_a_playbook_without_the_scorecard_keeps_nobody_back() -> None:
    assert not Asked(ENRICH, {}, 0.75).holds


def test_sources_are_worth_asking_from_the_threshold_on() -> None:
    gate = asked(ENRICH, 0.75)
    fits = profile(**IN_US, technologies=["CRM", "Marketing automation", "Analytics"])
    news: list[Seen] = [fits, seen("media")]
    assert gate.of([fits], NOW).passed is False  # 35 + 0 + 14 + 10
    assert gate.of(news, NOW).value == pytest.approx(80)  # 35 + 35·0.6 + 14 + 10
    assert gate.of(news, NOW).passed is True
