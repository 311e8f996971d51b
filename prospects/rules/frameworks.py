"""What is known of the letters of BANT, MEDDIC and MEDDPICC: unknown, claimed, evidenced or contradicted. Pure.

    unknown      → claimed       somebody said so, and something that would prove it is missing
    unknown      → evidenced     everything the letter asks for is there, as often as it asks for it
    claimed      → evidenced     what was missing has come
    any          → contradicted  somebody has since said the opposite
    contradicted → claimed …     only what is newer than the contradiction counts again
    any          → unknown       a person says that it is not known (any more)

Words count by the day they were given: a person's word replaces what agents found up to that day, and no agent
overrules it with anything older.

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


@dataclass(frozen=True, slots=True)
class Element:
    """One thing a letter asks for, as a person fills it in: words, a day, or a yes."""

    name: str
    label: str
    kind: str = "words"


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
#: How people are asked for an element.
ELEMENTS: Mapping[str, Element] = MappingProxyType(
    {
        element.name: element
        for element in (
            Element("amount", "Range or budget line"),
            Element("owner", "Who owns it"),
            Element("cycle", "When it is decided on", "day"),
            Element("name", "Who decides"),
            Element("decides_alone", "Can approve alone", "yes"),
            Element("words", "In the buyer's own words"),
            Element("cost_of_inaction", "What it costs to do nothing"),
            Element("trigger", "What forces it from outside"),
            Element("date", "By which day", "day"),
            Element("baseline", "Where they are now"),
            Element("target", "Where they want to be"),
            Element("confirmed", "The buyer confirmed both numbers", "yes"),
            Element("list", "What they will judge by, one by one"),
            Element("steps", "The steps to a signature"),
            Element("influence", "What influence they have"),
            Element("stake", "What they have to win or lose"),
            Element("kept_action", "What they promised us and did"),
            Element("rivals", "Who else they look at"),
            Element("doing_nothing", "Doing nothing was talked about", "yes"),
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
    """What one signal says about a letter: elements it proves, or only that it is so, or that it is not.

    ``at`` is when it was said, ``given`` when a person told us (None: as it was said). ``retracts``: a person says that
    it is not known any more.
    """

    signal_id: int
    at: datetime
    elements: frozenset[str] = frozenset()
    denies: bool = False
    quote: str = ""
    speaker: str = ""
    source: str = ""
    retracts: bool = False
    given: datetime | None = None

    @property
    def by_person(self) -> bool:
        """Whether a person told us."""
        return self.given is not None

    @property
    def order(self) -> tuple[object, ...]:
        """Sorts by the day the word was given; on one day a person's word comes after an agent's."""
        told = self.given or self.at
        return told.date(), self.by_person, told, self.signal_id


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a letter, the statements it rests on (newest first) and what is still missing."""

    state: State
    rests_on: tuple[Statement, ...] = ()
    missing: tuple[str, ...] = ()


UNKNOWN = Standing(State.UNKNOWN)


def standing(letter: Letter, statements: Iterable[Statement], now: datetime) -> Standing:
    """The state of a letter at ``now``. A contradiction, or a person's "not known", voids what was said up to then."""
    heard = sorted((s for s in statements if now - EXPIRES < s.at <= now), key=lambda s: s.order, reverse=True)
    if not heard:
        return UNKNOWN
    if heard[0].denies or heard[0].retracts:
        return Standing(State.CONTRADICTED if heard[0].denies else State.UNKNOWN, (heard[0],))
    since = _until_voided(heard)
    proved = {element for s in since for element in s.elements} & set(letter.elements)
    missing = tuple(element for element in letter.elements if element not in proved)
    occasions = {s.at.date() for s in since if s.elements & set(letter.elements)}
    if not missing and len(occasions) >= letter.times:
        return Standing(State.EVIDENCED, tuple(s for s in since if s.elements & set(letter.elements)))
    if not missing:
        missing = ("a second confirmation",)
    return Standing(State.CLAIMED, since, missing)


def _until_voided(heard: Sequence[Statement]) -> tuple[Statement, ...]:
    for number, statement in enumerate(heard):
        if statement.denies or statement.retracts:
            return tuple(heard[:number])
    return tuple(heard)
