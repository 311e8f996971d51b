"""The letters of BANT, MEDDIC and MEDDPICC, as far as signals prove them. Says nothing about the others.

A signal speaks of letters under ``letters`` in its data: each letter with the elements it proves, or ``false`` where it
denies the letter. An answer to a letter's question counts as said, or as denied; dated triggers and the buyer's own
words come from the evidence there is. A playbook without such a scorecard has no work for this agent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from playbooks.criteria import Answer, Criterion
from prospects.agents.by_hand import evidence_by_hand
from prospects.agents.judging import criteria_of, facts_of
from prospects.rules.criteria import ACCEPTS, day_of, judge
from prospects.rules.facts import ANSWER, Facts, confidence_of
from prospects.rules.frameworks import FRAMEWORKS, POINTS, Letter, Standing, State, Statement, letter_of, standing
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import EvidenceProposal
from salesops.runtime.views import PlaybookView, ProspectView, SignalView
from salesops.runtime.words import ImplementationKind, Key, Phase, Team

_ICP = "icp"
_SPOKEN = frozenset({"reply", "call_note", "meeting_note"})
_NO = frozenset({"no", "false", "none", "0"})
_CLAIM_SHARE = 0.5  # of the confidence in whoever claims it


def run(batch: Batch, tools: Tools) -> Answers:
    """Evidence for every letter about which something is known."""
    letters = tools.memo("letters", lambda: _letters(tools))
    return {prospect.id: list(_found(prospect, letters, tools)) for prospect in batch}


def letters_of(tools: Tools) -> dict[Any, Criterion]:
    """The playbook's criteria that are letters."""
    return {key: c for key, c in criteria_of(tools).items() if c.scorecard in FRAMEWORKS}


def _letters(tools: Tools) -> list[tuple[Criterion, Letter]]:
    named = ((criterion, letter_of(criterion.key)) for criterion in letters_of(tools).values())
    return [(criterion, letter) for criterion, letter in named if letter is not None]


def _found(prospect: ProspectView, letters: list[tuple[Criterion, Letter]], tools: Tools) -> Iterator[EvidenceProposal]:
    facts = facts_of(prospect, tools)
    signals = {signal.id: signal for signal in prospect.signals}
    for criterion, letter in letters:
        said = [*_stated(criterion, letter, prospect), *_shown(letter, prospect), *_claimed(criterion, facts)]
        where = standing(letter, _once(said), tools.now)
        if where.state is not State.UNKNOWN:
            yield _proposal(criterion, where, signals)


def _once(said: list[Statement]) -> list[Statement]:
    """One statement per signal, with everything it proves; a bare claim adds nothing to one that proves."""
    by_signal: dict[int, Statement] = {}
    for statement in said:
        known = by_signal.get(statement.signal_id)
        if known is None or (len(statement.elements), statement.denies) > (len(known.elements), known.denies):
            by_signal[statement.signal_id] = statement
    return list(by_signal.values())


def _stated(criterion: Criterion, letter: Letter, prospect: ProspectView) -> Iterator[Statement]:
    """Signals that speak of the letter by name."""
    for signal in prospect.signals:
        letters = signal.data.get("letters")
        if isinstance(letters, Mapping):
            for key in (criterion.key, letter.name):
                if key in letters:
                    yield _statement(signal, _elements(letters[key]), denies=letters[key] is False)
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


def _statement(signal: SignalView, elements: frozenset[str], *, denies: bool = False) -> Statement:
    speaker = str(signal.data.get("speaker", ""))
    return Statement(signal.id, signal.observed_at, elements, denies, signal.text, speaker, signal.source)


def _shown(letter: Letter, prospect: ProspectView) -> Iterator[Statement]:
    """What evidence already judged proves: a dated trigger from outside, the buyer's own words."""
    wanted = {"timing": frozenset({"trigger", "date"}), "need": frozenset({"words"})}.get(letter.name)
    if wanted is None:
        return
    kinds = {signal.id: signal.kind for signal in prospect.signals}
    for e in prospect.evidence:
        if e.scorecard != _ICP or e.category != letter.name or e.value < ACCEPTS or e.strong_negative:
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


def _proposal(criterion: Criterion, where: Standing, signals: Mapping[int, SignalView]) -> EvidenceProposal:
    newest = where.rests_on[0]
    ids = tuple(sorted({statement.signal_id for statement in where.rests_on}))
    sure = min(confidence_of(signals[i]) for i in ids)
    quote = newest.quote[:300]
    return EvidenceProposal(
        scorecard=criterion.scorecard,
        criterion=criterion.key,
        layer=criterion.layer,
        category=criterion.category,
        value=POINTS[where.state],
        confidence=sure * _CLAIM_SHARE if where.state is State.CLAIMED else sure,
        rationale=_words(criterion, where, newest)[:500],
        quote=quote if quote.strip() and quote in signals[newest.signal_id].quotable else "",
        signal_ids=ids,
        fact_ref=f"letter.{criterion.key}"[:160],
        source=newest.source[:255],
        observed_at=newest.at,
    )


def _words(criterion: Criterion, where: Standing, newest: Statement) -> str:
    label = criterion.label or criterion.key
    said = f"{label}: {where.state} on {day_of(newest.at)}"
    said += f" by {newest.speaker}" if newest.speaker else ""
    if where.missing:
        return f"{said}; to be evidenced it lacks {', '.join(m.replace('_', ' ') for m in where.missing)}."
    return f"{said}."


def _concerns(playbook: PlaybookView) -> bool:
    return any(c.scorecard in FRAMEWORKS for c in playbook.criteria)


AGENT = Agent(
    name="framework_qualification",
    team=Team.QUALIFICATION,
    phase=Phase.QUALIFICATION,
    order=8,
    reads=frozenset({Key.HYPOTHESES, Key.SIGNALS}),
    writes=frozenset({Key.HYPOTHESES}),
    implementations={
        ImplementationKind.RULES: Implementation(run),
        ImplementationKind.HUMAN: evidence_by_hand("BANT and MEDDIC", letters_of),
    },
    concerns=_concerns,
)
