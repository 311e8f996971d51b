"""The letters of BANT and MEDDIC: what makes them claimed, evidenced, contradicted, and unknown again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from prospects.rules.frameworks import (
    ELEMENTS,
    EXPIRES,
    LETTERS,
    POINTS,
    Letter,
    State,
    Statement,
    letter_of,
    standing,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
BUDGET, AUTHORITY = LETTERS["budget"], LETTERS["authority"]


def said(days_ago: float, *elements: str, denies: bool = False, number: int = 1) -> Statement:
    return Statement(number, NOW - timedelta(days=days_ago), frozenset(elements), denies)


WHOLE = ("amount", "owner", "cycle")


@pytest.mark.parametrize(
    ("letter", "statements", "state"),
    [
        (BUDGET, [], State.UNKNOWN),
        (BUDGET, [said(3)], State.CLAIMED),
        (BUDGET, [said(3, "amount", "owner")], State.CLAIMED),
        (BUDGET, [said(3, *WHOLE)], State.EVIDENCED),
        (BUDGET, [said(20, "amount"), said(3, "owner", "cycle")], State.EVIDENCED),
        (BUDGET, [said(3, *WHOLE), said(1, denies=True)], State.CONTRADICTED),
        (BUDGET, [said(3, denies=True), said(1)], State.CLAIMED),
        (BUDGET, [said(5, *WHOLE), said(3, denies=True), said(1, "amount")], State.CLAIMED),
        (BUDGET, [said(89.99, *WHOLE)], State.EVIDENCED),
        (BUDGET, [said(90, *WHOLE)], State.UNKNOWN),  # it holds for ninety days
        (BUDGET, [said(0, *WHOLE)], State.EVIDENCED),
        (BUDGET, [said(91, "amount"), said(1, "owner", "cycle")], State.CLAIMED),
        (BUDGET, [said(-1, *WHOLE)], State.UNKNOWN),
        (AUTHORITY, [said(3, "name", "decides_alone")], State.CLAIMED),
        (AUTHORITY, [said(3, "name", "decides_alone"), said(9, "name", "decides_alone")], State.EVIDENCED),
        (AUTHORITY, [said(3, "name", "decides_alone"), said(9, "amount")], State.CLAIMED),  # about something else
        (AUTHORITY, [said(3, "name", "decides_alone"), said(9)], State.CLAIMED),  # a claim confirms nothing
        (AUTHORITY, [said(3.1, "name", "decides_alone"), said(3, "decides_alone")], State.CLAIMED),
    ],
)
def test_a_letter_stands_where_the_newest_statements_put_it(
    letter: Letter, statements: list[Statement], state: State
) -> None:
    assert standing(letter, statements, NOW).state is state


def told(days_ago: float, *elements: str, given_ago: float = 0.0, number: int = 9, **also: bool) -> Statement:
    """What a person told us ``given_ago`` days ago about something said ``days_ago``."""
    given = NOW - timedelta(days=given_ago)
    return Statement(number, NOW - timedelta(days=days_ago), frozenset(elements), given=given, **also)


@pytest.mark.parametrize(
    ("statements", "state"),
    [
        ([said(3, denies=True), told(20, *WHOLE)], State.EVIDENCED),  # told today, of what was said before
        ([told(20, *WHOLE, given_ago=5), said(3, denies=True)], State.CONTRADICTED),  # they said it since
        ([said(0, denies=True), told(0, *WHOLE)], State.EVIDENCED),  # on one day a person's word counts
        ([said(3, *WHOLE), told(0, retracts=True)], State.UNKNOWN),
        ([said(3, *WHOLE), told(0, given_ago=2, retracts=True), said(1, "amount")], State.CLAIMED),
        ([said(3, *WHOLE), told(0, denies=True)], State.CONTRADICTED),
        ([told(91, *WHOLE)], State.UNKNOWN),  # old when it was told
    ],
)
def test_no_agent_overrules_a_persons_newer_word(statements: list[Statement], state: State) -> None:
    assert standing(BUDGET, statements, NOW).state is state


def test_every_element_of_every_letter_can_be_asked_of_a_person() -> None:
    assert {element for letter in LETTERS.values() for element in letter.elements} <= set(ELEMENTS)


def test_a_claim_says_what_it_lacks() -> None:
    assert standing(BUDGET, [said(3, "amount")], NOW).missing == ("owner", "cycle")
    assert standing(AUTHORITY, [said(3, "name", "decides_alone")], NOW).missing == ("a second confirmation",)


def test_evidence_names_only_what_proves_it() -> None:
    proof, claim, other = said(3, *WHOLE), said(2, number=2), said(1, "name", number=3)
    assert standing(BUDGET, [proof, claim, other], NOW).rests_on == (proof,)


def test_a_claim_counts_less_than_evidence_and_is_not_accepted_by_itself() -> None:
    assert POINTS[State.UNKNOWN] == 0 < POINTS[State.CLAIMED] < 50 < POINTS[State.EVIDENCED]


@pytest.mark.parametrize(
    ("key", "name"),
    [("economic_buyer", "authority"), ("Identify-Pain", "need"), ("timeline", "timing"), ("budget", "budget")],
)
def test_letters_are_found_however_a_playbook_spells_them(key: str, name: str) -> None:
    letter = letter_of(key)
    assert letter is not None
    assert letter.name == name


def test_other_keys_are_no_letters() -> None:
    assert letter_of("industry") is None


_statements = some.lists(
    some.builds(
        Statement,
        signal_id=some.integers(1, 5),
        at=some.datetimes(datetime(2026, 1, 1), datetime(2026, 7, 1), timezones=some.just(UTC)),  # noqa: DTZ001
        elements=some.frozensets(some.sampled_from([*WHOLE, "name", "decides_alone"])),
        denies=some.booleans(),
    ),
    max_size=6,
)


@given(some.sampled_from(sorted(LETTERS)), _statements)
def test_the_state_follows_from_what_was_said_in_the_last_ninety_days(name: str, statements: list[Statement]) -> None:
    found = standing(LETTERS[name], statements, NOW)
    assert all(NOW - EXPIRES < s.at <= NOW for s in found.rests_on)
    assert bool(found.rests_on) is (found.state is not State.UNKNOWN)
    assert bool(found.missing) is (found.state is State.CLAIMED)
    if found.state is State.EVIDENCED:
        assert set(LETTERS[name].elements) <= {e for s in found.rests_on for e in s.elements}


@given(_statements)
def test_a_denial_now_ends_whatever_was_known(statements: list[Statement]) -> None:
    now = [*statements, Statement(99, NOW, denies=True)]
    assert standing(BUDGET, now, NOW).state is State.CONTRADICTED
