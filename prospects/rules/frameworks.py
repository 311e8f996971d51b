"""What is known of the letters of BANT, MEDDIC and MEDDPICC: unknown, claimed, evidenced or contradicted. Pure.

    unknown      → claimed       somebody said so, and something that would prove it is missing
    unknown      → evidenced     everything the letter asks for is there, as often as it asks for it
    claimed      → evidenced     what was missing has come
    any          → contradicted  somebody has since said the opposite
    contradicted → claimed …     only what is newer than the contradiction counts again

What was said more than 90 days ago has expired: a letter of which nothing newer is known is unknown again, and unknown
counts zero. A claim counts less than evidence, and too little to be accepted as evidence by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

#: The scorecards whose criteria are letters. Their evidence is the business of one agent alone.
FRAMEWORKS = frozenset({"bant", "meddic", "meddpicc"})
EXPIRES = timedelta(days=90)


class State(StrEnum):
    """What is known of one letter."""

    UNKNOWN = "unknown"
    CLAIMED = "claimed"
    EVIDENCED = "evidenced"
    CONTRADICTED = "contradicted"


#: Points of 100. Below 50 nothing is accepted as evidence: a claim alone qualifies nobody.
POINTS: Mapping[State, float] = MappingProxyType(
    {State.UNKNOWN: 0.0, State.CLAIMED: 40.0, State.EVIDENCED: 100.0, State.CONTRADICTED: 0.0}
)


@dataclass(frozen=True, slots=True)
class Letter:
    """What proves one letter: every element, from at least ``times`` different occasions."""

    name: str
    elements: tuple[str, ...]
    times: int = 1


_STEPS = ("steps", "owner", "date")
LETTERS: Mapping[str, Letter] = MappingProxyType(
    {
        letter.name: letter
        for letter in (
            Letter("budget", ("amount", "owner", "cycle")),
            Letter("authority", ("name", "decides_alone"), times=2),
            Letter("need", ("words", "cost_of_inaction")),
            Letter("timing", ("trigger", "date")),
            Letter("metrics", ("baseline", "target", "confirmed")),
            Letter("decision_criteria", ("list",)),
            Letter("decision_process", _STEPS),
            Letter("paper_process", _STEPS),
            Letter("champion", ("influence", "stake", "kept_action")),
            Letter("competition", ("rivals", "doing_nothing")),
        )
    }
)
_ALSO = MappingProxyType(
    {
        "economic_buyer": "authority", "pain": "need", "identify_pain": "need", "implicate_pain": "need",
        "timeline": "timing", "time": "timing", "needs": "need", "process": "decision_process",
        "criteria": "decision_criteria", "competitors": "competition",
    }
)  # fmt: skip


def letter_of(key: str) -> Letter | None:
    """The letter that a criterion's key names, however a playbook spells it; None for anything else."""
    name = key.casefold().replace("-", "_")
    return LETTERS.get(_ALSO.get(name, name))


@dataclass(frozen=True, slots=True)
class Statement:
    """What one signal says about a letter: elements it proves, or only that it is so, or that it is not."""

    signal_id: int
    at: datetime
    elements: frozenset[str] = frozenset()
    denies: bool = False
    quote: str = ""
    speaker: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a letter, the statements it rests on (newest first) and what is still missing."""

    state: State
    rests_on: tuple[Statement, ...] = ()
    missing: tuple[str, ...] = ()


UNKNOWN = Standing(State.UNKNOWN)


def standing(letter: Letter, statements: Iterable[Statement], now: datetime) -> Standing:
    """The state of a letter at ``now``. A contradiction voids whatever was said up to then."""
    heard = sorted(
        (s for s in statements if now - EXPIRES < s.at <= now), key=lambda s: (s.at, s.signal_id), reverse=True
    )
    if not heard:
        return UNKNOWN
    if heard[0].denies:
        return Standing(State.CONTRADICTED, (heard[0],))
    since = _until_denied(heard)
    proved = {element for s in since for element in s.elements} & set(letter.elements)
    missing = tuple(element for element in letter.elements if element not in proved)
    occasions = {s.at.date() for s in since if s.elements & set(letter.elements)}
    if not missing and len(occasions) >= letter.times:
        return Standing(State.EVIDENCED, tuple(s for s in since if s.elements & set(letter.elements)))
    if not missing:
        missing = ("a second confirmation",)
    return Standing(State.CLAIMED, since, missing)


def _until_denied(heard: Sequence[Statement]) -> tuple[Statement, ...]:
    for number, statement in enumerate(heard):
        if statement.denies:
            return tuple(heard[:number])
    return tuple(heard)
