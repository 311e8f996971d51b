"""A message never tells its reader what moves them, and answers what holds them back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils import timezone

from approvals.models import Message
from approvals.rules.compliance import evaluate
from approvals.rules.motives import asserted
from approvals.services import gate
from tests import factories
from tests.approvals.test_compliance_gate import CASE
from tests.runtime import scene

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
    assert (
        asserted("Last Project Failed On Her", ["the LAST project failed on her watch"]) == "Last Project Failed On Her"
    )
    assert asserted("So one last project failed on her watch", ["last project failed on her"]) != ""
    assert asserted("The last project failed.", ["The last project failed."]) == "", "four words are chance"
    blocked = evaluate(replace(CASE, body=f"The last project failed on her watch.\n{CASE.body}", unsaid=(guess,)))
    assert blocked.verdict == "BLOCK"


ANSWERING = {r"(?m)^  - key: hiring-direct$": "  - key: hiring-direct\n    addresses: habit"}


@pytest.mark.django_db
def test_a_message_answers_what_holds_them_back() -> None:
    under = scene.demo(edit=ANSWERING)
    free, held = (scene.company(under, {**scene.GOOD, "domain": f"{name}.example"}) for name in ("free", "held"))
    factories.signal(
        held, kind="switch_force", text="We know our sheets.", data={"force": "habit", "strength": 2},
        observed_at=scene.CHANGED,
    )  # fmt: skip
    scene.seen(held)
    scene.run(under)
    drafted = Message.objects.filter(prospect=held)
    assert set(drafted.values_list("template_key", flat=True)) == {"hiring-direct"}
    assert "It answers their habit" in drafted.get().rationale
    assert Message.objects.filter(prospect=free).values("template_key").distinct().count() > 1


@pytest.mark.django_db
def test_nobody_sends_the_guess_on_record_whoever_wrote_the_words() -> None:
    version = factories.version()
    who = factories.qualified(version)
    words = factories.message(who, version, body="Hi Dana, the last project failed on your watch, they say.\n")
    person = gate.person_of(words.contact, client=who.client)

    def blocked() -> bool:
        found = gate.compliance_of(
            words, person, version=version, client=who.client, moment="decision", at=timezone.now()
        )
        return "any.motive" in {rule.rule for rule in found.findings if rule.verdict == "BLOCK"}

    assert not blocked()
    guess = {"hypothesis": "blame", "why": "Cautious since the last project failed on your watch."}
    factories.signal(who, kind="motive", data=guess, observed_at=timezone.now())
    assert blocked()
