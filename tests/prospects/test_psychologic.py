"""What moves somebody and what holds them: forces with quotes, the larger resistor, hypotheses with their grounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from playbooks.rules.criteria import Criterion
from prospects.rules.criteria import judge
from prospects.rules.facts import Facts
from prospects.rules.psychologic import Force, forces_of, hypothesis_problems, largest_resistor, motive_of
from salesops.runtime.views import SignalView

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PHRASES = {"anxiety": ["too risky", "what if"], "habit": ["always done it"], "push": ["too slow"], "pull": ["love to"]}
CARD = [
    Criterion.build(
        key=name, kind="phrase", params={"phrases": phrases, "kinds": ["reply"], "min_count": 3},
        category="risk", layer="psychologic", scorecard="switch", label=name, weight=25,
    )
    for name, phrases in PHRASES.items()
]  # fmt: skip


def signal(kind: str, text: str = "", days_ago: float = 1, number: int = 1, **data: Any) -> SignalView:
    at = NOW - timedelta(days=days_ago)
    return SignalView(number, kind, at, None, text, data, "inbox", "", f"s{number}", number)


def forces(*signals: SignalView) -> dict[str, Force]:
    return forces_of(CARD, Facts(signals, NOW))


def test_a_force_is_as_strong_as_it_was_heard_and_says_where() -> None:
    one = forces(signal("reply", "It looks too risky to me."))
    three = forces(*(signal("reply", "What if it breaks?", number=n) for n in (1, 2, 3)))
    assert (one["anxiety"].strength, three["anxiety"].strength) == (1, 3)
    assert "too risky" in one["anxiety"].quote
    assert (one["habit"].strength, one["habit"].quote) == (0, "")


def test_a_persons_word_on_the_same_day_counts_and_an_older_one_gives_way() -> None:
    heard = signal("reply", "We have always done it like this.", days_ago=2)
    same_day = signal("switch_force", "Nothing will change here.", 2, 2, force="habit", strength=3)
    older = signal("switch_force", "Nothing will change here.", 9, 2, force="habit", strength=3)
    assert forces(heard, same_day)["habit"].strength == 3
    assert forces(heard, older)["habit"].strength == 1


@pytest.mark.parametrize(
    "told",
    [
        signal("switch_force", "", force="habit", strength=3),  # without a quote
        signal("switch_force", "Old words.", 91, force="habit", strength=3),
        signal("switch_force", "Words.", force="gravity", strength=3),
        signal("switch_force", "Words.", force="habit", strength="3"),
    ],
)
def test_a_force_without_words_or_with_old_ones_is_none(told: SignalView) -> None:
    assert forces(told)["habit"].strength == 0


def test_strength_is_never_beyond_three() -> None:
    assert forces(signal("switch_force", "Never!", force="habit", strength=9))["habit"].strength == 3


def test_the_larger_resistor_is_answered_and_pushes_are_none() -> None:
    def held(**strengths: int) -> str | None:
        found = largest_resistor({name: Force(name, value, "“…”") for name, value in strengths.items()})
        return found.name if found else None

    assert held(anxiety=1, habit=2) == "habit"
    assert held(anxiety=2, habit=2) == "anxiety"
    assert held(push=3, pull=3, anxiety=0, habit=0) is None


@pytest.mark.parametrize(
    ("hypothesis", "kinds", "wrong_if", "refused"),
    [
        ("blame", ["pricing_viewed", "demo_cancelled"], "They book by themselves.", 0),
        ("blame", ["pricing_viewed", "reply"], "They book by themselves.", 1),
        ("blame", ["pricing_viewed"], "They book by themselves.", 1),
        ("status", ["pricing_viewed", "demo_cancelled"], "  ", 1),
        ("greed", ["profile"], "", 3),
    ],
)
def test_a_hypothesis_needs_two_things_they_did_and_one_that_would_prove_it_wrong(
    hypothesis: str, kinds: list[str], wrong_if: str, refused: int
) -> None:
    assert len(hypothesis_problems(hypothesis, dict(enumerate(kinds)), wrong_if)) == refused


def test_the_newest_motive_counts_until_it_expires() -> None:
    old = signal("motive", "To save time.", 20, 1)
    new = signal("motive", "To grow.", 2, 2, hypothesis="status", supports=[5, 6], disconfirmer="x")
    found = motive_of([new, old], NOW)
    assert found is not None
    assert (found.stated, found.hypothesis, found.supports) == ("To grow.", "status", (5, 6))
    assert motive_of([signal("motive", "Old.", 91)], NOW) is None


def test_of_one_day_a_persons_word_counts_before_a_readers_and_that_before_phrases() -> None:
    heard = signal("reply", "What if it breaks?", 2, 1)
    read = signal("switch_force", "What if it breaks?", 2, 2, force="anxiety", strength=3)
    told = signal("switch_force", "She is calm about it.", 2.2, 3, force="anxiety", strength=2, by="person")
    assert forces(heard)["anxiety"].strength == 1
    assert forces(heard, read)["anxiety"].strength == 3
    assert forces(heard, read, told)["anxiety"].strength == 2
    later = signal("switch_force", "What if it breaks?", 0, 4, force="anxiety", strength=1)
    assert forces(read, told, later)["anxiety"].strength == 1


def test_a_persons_motive_of_the_same_day_counts_before_a_readers() -> None:
    told = signal("motive", "To grow.", 2.2, 1, by="person")
    read = signal("motive", "To rest.", 2, 2)
    found = motive_of([told, read], NOW)
    assert found is not None
    assert found.stated == "To grow."


def test_what_was_quoted_out_of_a_text_was_not_said_twice() -> None:
    said = signal("reply", "It looks too risky to me.", number=1)
    quoted = signal("switch_force", "too risky", number=2, derived_from={"signal_id": 1, "attribute": "anxiety"})
    any_text = Criterion.build(
        key="objects", kind="phrase", params={"phrases": ["too risky"], "min_count": 2}, category="risk",
        layer="psychologic", scorecard="icp", label="Objects", weight=10,
    )  # fmt: skip
    assert judge(any_text, Facts([said, quoted], NOW)).value == 50
    assert judge(any_text, Facts([quoted], NOW)).value == 50
