"""What signals say of the letters of qualification frameworks, and the evidence that follows. Pure.

A signal speaks of letters under ``letters`` in its data: each letter with the elements it proves, ``false`` where it
denies the letter, or ``null`` where a person says that it is not known. An answer to a letter's question counts as
said, or as denied; dated triggers and the buyer's own words come from the evidence there is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from playbooks.rules.criteria import Answer, Criterion
from prospects.rules.criteria import ACCEPTS, day_of, judge
from prospects.rules.facts import ANSWER, PERSON, Facts, confidence_of
from prospects.rules.frameworks import (
    EXPIRES,
    FRAMEWORKS,
    POINTS,
    Letter,
    Standing,
    State,
    Statement,
    letter_of,
    standing,
)
from salesops.runtime.views import EvidenceView, SignalView

ICP = "icp"
_SPOKEN = frozenset({"reply", "call_note", "meeting_note"})
_NO = frozenset({"no", "false", "none", "0"})
_CLAIM_SHARE = 0.5  # of the confidence in whoever claims it


@dataclass(frozen=True, slots=True)
class Known:
    """One letter of a playbook's frameworks, and what is known of it."""

    criterion: Criterion
    letter: Letter
    standing: Standing

    @property
    def newest(self) -> Statement | None:
        """What was said last of it."""
        return self.standing.rests_on[0] if self.standing.rests_on else None

    @property
    def expires(self) -> datetime | None:
        """When it will be unknown again unless somebody says more."""
        return self.newest.at + EXPIRES if self.newest is not None else None


def letters_in(criteria: Iterable[Criterion]) -> list[tuple[Criterion, Letter]]:
    """The criteria that are letters, with what proves each."""
    named = ((c, letter_of(c.key)) for c in criteria if c.scorecard in FRAMEWORKS)
    return [(criterion, letter) for criterion, letter in named if letter is not None]


def known(
    letters: Iterable[tuple[Criterion, Letter]],
    signals: Collection[SignalView],
    evidence: Collection[EvidenceView],
    facts: Facts,
) -> Iterator[Known]:
    """The state of every letter at the time of the facts."""
    for criterion, letter in letters:
        said = [*_stated(criterion, letter, signals), *_shown(letter, signals, evidence), *_claimed(criterion, facts)]
        yield Known(criterion, letter, standing(letter, _once(said), facts.now))


def _once(said: list[Statement]) -> list[Statement]:
    """One statement per signal, with everything it proves; a bare claim adds nothing to one that proves."""
    by_signal: dict[int, Statement] = {}
    for statement in said:
        before = by_signal.get(statement.signal_id)
        if before is None or _strength(statement) > _strength(before):
            by_signal[statement.signal_id] = statement
    return list(by_signal.values())


def _strength(statement: Statement) -> tuple[bool, int, bool]:
    return statement.retracts or statement.by_person, len(statement.elements), statement.denies


def _stated(criterion: Criterion, letter: Letter, signals: Iterable[SignalView]) -> Iterator[Statement]:
    """Signals that speak of the letter by name."""
    for signal in signals:
        letters = signal.data.get("letters")
        if isinstance(letters, Mapping):
            for key in (criterion.key, letter.name):
                if key in letters:
                    said = letters[key]
                    yield _statement(signal, _elements(said), denies=said is False, retracts=said is None)
                    break
        elif signal.kind == ANSWER and signal.data.get("question") in _questions(criterion):
            said_no = str(signal.data.get("answer", "")).strip().casefold() in _NO
            yield _statement(signal, _elements(signal.data.get("proves")), denies=said_no)


def _questions(criterion: Criterion) -> set[str]:
    asked = {criterion.key, f"{criterion.scorecard}.{criterion.key}"}
    return asked | {criterion.params.question} if isinstance(criterion.params, Answer) else asked


def _elements(given: object) -> frozenset[str]:
    """The elements named, those with an empty or false value left out."""
    if isinstance(given, Mapping):
        return frozenset(str(name) for name, value in given.items() if value)
    return frozenset(map(str, given)) if isinstance(given, list | tuple) else frozenset()


def _statement(
    signal: SignalView, elements: frozenset[str], *, denies: bool = False, retracts: bool = False
) -> Statement:
    speaker = str(signal.data.get("speaker") or "")
    given = _given(signal.data) if signal.data.get("by") == PERSON else None
    return Statement(
        signal.id, signal.observed_at, elements, denies, signal.text, speaker, signal.source,
        retracts=retracts and given is not None, given=given,
    )  # fmt: skip


def _given(data: Mapping[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(data.get("given_at")))
    except ValueError:
        return None


def _shown(letter: Letter, signals: Iterable[SignalView], evidence: Iterable[EvidenceView]) -> Iterator[Statement]:
    """What evidence already judged proves: a dated trigger from outside, the buyer's own words."""
    wanted = {"timing": frozenset({"trigger", "date"}), "need": frozenset({"words"})}.get(letter.name)
    if wanted is None:
        return
    kinds = {signal.id: signal.kind for signal in signals}
    for e in evidence:
        if e.scorecard != ICP or e.category != letter.name or e.value < ACCEPTS or e.strong_negative:
            continue
        for signal_id in e.signal_ids:
            if letter.name != "need" or kinds.get(signal_id) in _SPOKEN:
                yield Statement(signal_id, e.observed_at, wanted, quote=e.quote, source=e.source)


def _claimed(criterion: Criterion, facts: Facts) -> Iterator[Statement]:
    """What the criterion's own question finds is a claim and no more."""
    if isinstance(criterion.params, Answer):
        return
    judged = judge(criterion, facts)
    if judged.value is not None and judged.value >= ACCEPTS and judged.observed_at is not None:
        for signal_id in judged.signal_ids:
            yield Statement(signal_id, judged.observed_at, quote=judged.quote, source=judged.source)


def evidence_of(found: Known, signals: Mapping[int, SignalView], held: EvidenceView | None) -> dict[str, Any] | None:
    """The evidence that a letter's state is, by column; None where there is nothing to say.

    ``held`` is the evidence in force: what replaces it is never dated before it, else it would not come into force.
    """
    newest = found.newest
    if newest is None:
        return None
    criterion, where = found.criterion, found.standing
    ids = tuple(sorted({statement.signal_id for statement in where.rests_on}))
    sure = min(confidence_of(signals[i]) for i in ids)
    quote = newest.quote[:300]
    return {
        "scorecard": criterion.scorecard,
        "criterion": criterion.key,
        "layer": criterion.layer,
        "category": criterion.category,
        "value": POINTS[where.state],
        "confidence": sure * _CLAIM_SHARE if where.state is State.CLAIMED else sure,
        "rationale": in_words(found)[:500],
        "quote": quote if quote.strip() and quote in signals[newest.signal_id].quotable else "",
        "signal_ids": ids,
        "fact_ref": f"letter.{criterion.key}"[:160],
        "source": newest.source[:255],
        "observed_at": max(newest.at, held.observed_at) if held is not None else newest.at,
    }


def in_words(found: Known) -> str:
    """The state of a letter, who said so and when, and what is missing, in one sentence."""
    newest = found.newest
    label = found.criterion.label or found.criterion.key
    if newest is None:
        return f"{label}: {found.standing.state}."
    said = f"{label}: {found.standing.state} on {day_of(newest.at)}"
    said += f" by {newest.speaker}" if newest.speaker else ""
    if found.standing.missing:
        return f"{said}; to be evidenced it lacks {', '.join(m.replace('_', ' ') for m in found.standing.missing)}."
    return f"{said}."
