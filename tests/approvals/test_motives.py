"""A message never tells its reader what moves them, and answers what holds them back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from approvals.rules.compliance import evaluate
from approvals.rules.motives import asserted
from tests.approvals.test_compliance_gate import CASE

TELLING = (
    "You are probably afraid of a change.",
    "You seem worried about looking slow.",
    "What you really want is to be left alone.",
    "Deep down, you know it is late.",
    "With us nobody can blame you.",
    "It makes you look good before the board.",
    "You don't want to take the blame again.",
    "Your need for control is no secret.",
    "Impress your boss with it.",
)
HARMLESS = (
    "You are hiring two people in sales.",
    "Are you looking for a second supplier?",
    "What you want to see first is up to you.",
    "You can stop at any time; nothing is signed.",
    "Your board approved the budget in May.",
    "Nobody signs before you have seen the numbers.",
)


@pytest.mark.parametrize("words", TELLING)
def test_words_that_name_the_readers_motive_block(words: str) -> None:
    result = evaluate(replace(CASE, body=f"{words}\n{CASE.body}"))
    assert "any.motive" in {finding.rule for finding in result.findings if finding.verdict == "BLOCK"}
    assert result.verdict == "BLOCK"


@pytest.mark.parametrize("words", HARMLESS)
def test_words_about_facts_pass(words: str) -> None:
    assert asserted(words) == ""


def test_the_guess_on_record_is_not_said_word_for_word() -> None:
    guess = "She asks who else signs off because the last project failed on her watch."
    assert asserted("I heard the last project failed, on her watch.", [guess]) == "the last project failed, on"
    assert asserted("The last project went well.", [guess]) == ""
    blocked = evaluate(replace(CASE, body=f"The last project failed on her watch.\n{CASE.body}", unsaid=(guess,)))
    assert blocked.verdict == "BLOCK"
