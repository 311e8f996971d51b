"""Message quality, 0–100: ten measured checks, each with the words that lost it points, and the hard failures.

The table is the rule book's "Message quality"; its numbers live in `quality_bands`. A grade never hides why: every
check says what it saw.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Literal

from approvals.rules import reading
from approvals.rules.content import split_footer
from approvals.rules.quality_bands import DEFAULT_BANDS, Bands
from approvals.rules.quality_hard import HardFailure, hard_failures
from approvals.rules.quality_words import Claim, Draft, Fact, Words, says, unresolved_placeholders

__all__ = [
    "DEFAULT_BANDS",
    "Bands",
    "Check",
    "Claim",
    "Draft",
    "Fact",
    "HardFailure",
    "Quality",
    "grade_message",
    "unresolved_placeholders",
]

Route = Literal["queue", "queue_with_hints", "redraft", "blocked"]
ROUTES: dict[str, Route] = {"A": "queue", "B+": "queue", "B": "queue_with_hints", "C": "redraft"}
Result = tuple[float, str, tuple[str, ...]]
FULL, HALF, NONE = 1.0, 0.5, 0.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the table: points of `possible`, what was seen, and the words that lost points."""

    key: str
    label: str
    points: float
    possible: float
    saw: str
    words: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.points == self.possible


@dataclass(frozen=True, slots=True)
class Quality:
    """The grade of one message and everything it follows from."""

    score: float
    grade: str
    checks: tuple[Check, ...]
    hard: tuple[HardFailure, ...]
    bands_version: str

    @property
    def route(self) -> Route:
        """Where the message goes: the queue, the queue with hints, one redraft, or nowhere."""
        return ROUTES.get(self.grade, "blocked")

    def as_dict(self) -> dict[str, object]:
        """For Message.quality: plain JSON."""
        return {
            "score": self.score,
            "grade": self.grade,
            "bands": self.bands_version,
            "checks": [
                {
                    "key": check.key,
                    "label": check.label,
                    "points": check.points,
                    "max": check.possible,
                    "saw": check.saw,
                    "words": list(check.words),
                }
                for check in self.checks
            ],
            "hard": [{"key": fail.key, "saw": fail.saw, "words": list(fail.words)} for fail in self.hard],
        }


def grade_message(draft: Draft, bands: Bands = DEFAULT_BANDS) -> Quality:
    """Measure one draft. Pure: the same draft and bands always give the same answer."""
    text = Words.of(draft)
    checks = tuple(_check(key, label, measure(text, bands), bands) for key, label, measure in CHECKS)
    hard = hard_failures(text, bands)
    score = sum(check.points for check in checks)
    grade = "F" if hard else next((name for least, name in bands.grades if score >= least), "F")
    return Quality(score=score, grade=grade, checks=checks, hard=hard, bands_version=bands.version)


def _check(key: str, label: str, result: Result, bands: Bands) -> Check:
    share, saw, words = result
    possible = bands.points[key]
    return Check(key=key, label=label, points=share * possible, possible=possible, saw=saw, words=words)


def _within(value: float, band: tuple[int, int]) -> bool:
    return band[0] <= value <= band[1]


def _length(text: Words, bands: Bands) -> Result:
    count = len(text.words)
    saw = f"{count} words"
    if text.draft.touch > 1:
        return (FULL, saw, ()) if _within(count, bands.follow_up_full) else (NONE, saw, ())
    if _within(count, bands.first_full):
        return FULL, saw, ()
    return (HALF if _within(count, bands.first_half) else NONE), saw, ()


def _reading(text: Words, bands: Bands) -> Result:
    grade = reading.school_grade(text.prose)
    saw = f"reads at school grade {grade:.1f}"
    if grade <= bands.reading_full:
        return FULL, saw, ()
    hard = sorted(
        {word for word in text.words if reading.syllables(word) >= 3}, key=lambda w: (-reading.syllables(w), w)
    )
    return (HALF if grade <= bands.reading_half else NONE), saw, tuple(hard[:8])


def _subject(text: Words, bands: Bands) -> Result:
    subject = text.draft.subject.strip()
    count = len(reading.words(subject))
    saw = f"{count} words, {len(subject)} characters"
    letters = [char for char in subject if char.isalpha()]
    shouting = len(letters) > 3 and all(char.isupper() for char in letters)
    if shouting or "!" in subject:
        return NONE, "shouts" if shouting else "has an exclamation mark", (subject,)
    if _within(count, bands.subject_full) and len(subject) <= bands.subject_characters:
        return FULL, saw, ()
    half = _within(count, bands.subject_half) or _within(count, bands.subject_full)
    return (HALF if half else NONE), saw, (subject,)


def _personalization(text: Words, bands: Bands) -> Result:
    used = {fact.key: fact for fact in text.facts_used}
    recent = [fact.key for fact in used.values() if _recent_company_fact(fact, text.draft.today, bands.recent_days)]
    if not used:
        return NONE, "no fact from the evidence is named", ()
    names = ", ".join(sorted(used)).replace("_", " ")
    if len(used) >= 2 and recent:
        return FULL, f"names {names}", ()
    missing = "a second fact" if len(used) < 2 else f"a company fact from the last {bands.recent_days} days"
    return HALF, f"names {names}; {missing} is missing", ()


def _recent_company_fact(fact: Fact, today: date, days: int) -> bool:
    return fact.about == "company" and fact.observed_on is not None and 0 <= (today - fact.observed_on).days <= days


def _call_to_action(text: Words, bands: Bands) -> Result:
    meeting = [sentence for sentence in text.sentences if says(bands.meeting_asks, sentence)]
    interest = [
        sentence for sentence in text.sentences if sentence not in meeting and says(bands.interest_asks, sentence)
    ]
    asks = meeting + interest
    if len(asks) != 1:
        return NONE, "nothing is asked" if not asks else f"{len(asks)} things are asked", tuple(asks)
    return (FULL, "one question of interest", ()) if interest else (HALF, "asks for time at once", tuple(meeting))


def _questions(text: Words, bands: Bands) -> Result:
    asked = [sentence for sentence in text.sentences if sentence.rstrip("\"'”’)").endswith("?")]
    count = len(asked)
    saw = f"{count} question{'' if count == 1 else 's'}"
    if _within(count, bands.questions_full):
        return FULL, saw, ()
    return (HALF if count == bands.questions_half else NONE), saw, tuple(asked)


def _links(text: Words, bands: Bands) -> Result:
    links = text.links
    extras = text.draft.images + text.draft.attachments
    saw = f"{len(links)} links, {text.draft.images} images, {text.draft.attachments} attachments"
    if extras:
        return NONE, saw, links
    if len(links) <= bands.links_full:
        return FULL, saw, ()
    return (HALF if len(links) <= bands.links_half else NONE), saw, links


def _hype(text: Words, bands: Bands) -> Result:
    found = tuple(term for term in bands.hype if text.has(term))
    share = (FULL, HALF, NONE)[min(len(found), 2)]
    return share, f"{len(found)} hype or spam terms", found


def _you_ratio(text: Words, bands: Bands) -> Result:
    plain = [word.casefold().replace("’", "'") for word in text.words]
    you = sum(word.split("'")[0] in ("you", "your", "yours", "yourself") for word in plain)
    we = [word for word in plain if word.split("'")[0] in ("i", "we", "me", "us", "my", "our", "ours", "mine")]
    ratio = you / len(we) if we else (float("inf") if you else 0.0)
    saw = f"{you} you/your to {len(we)} I/we"
    if ratio >= bands.you_full:
        return FULL, saw, ()
    return (HALF if ratio >= bands.you_half else NONE), saw, tuple(we)


def _proof(text: Words, bands: Bands) -> Result:
    proofs = [claim.sentence for claim in text.claims_used if claim.kind == "proof" and claim.covered]
    specific = next((sentence for sentence in proofs if _specific(sentence)), None)
    if specific is not None:
        return FULL, "one specific, evidenced proof", ()
    vague = proofs or [sentence for sentence in text.sentences if says(bands.vague_proof, sentence)]
    return (HALF, "the proof is vague", tuple(vague)) if vague else (NONE, "no proof", ())


def _specific(sentence: str) -> bool:
    """A number, or a name in the middle of the sentence."""
    return bool(re.search(r"\d", sentence) or re.search(r"(?<=[a-z,] )[A-Z][\w&.-]+", sentence))


CHECKS: tuple[tuple[str, str, Callable[[Words, Bands], Result]], ...] = (
    ("words", "Length", _length),
    ("reading", "Reading ease", _reading),
    ("subject", "Subject", _subject),
    ("personalization", "Personal facts", _personalization),
    ("call_to_action", "Call to action", _call_to_action),
    ("questions", "Questions", _questions),
    ("links", "Links and files", _links),
    ("hype", "Hype and spam terms", _hype),
    ("you_ratio", "You against I/we", _you_ratio),
    ("proof", "Proof", _proof),
)


def claims_after_edit(claims: tuple[Claim, ...], body: str) -> tuple[Claim, ...]:
    """Claims carried over to edited words.

    A sentence keeps the evidence of the claim it grew from when it says the same numbers and most of the same words;
    a new number or a rewritten claim is left without evidence, and so does not pass.
    """
    return tuple(_carried(claims, reading.sentences(split_footer(body)[0])))


def _carried(claims: tuple[Claim, ...], sentences: tuple[str, ...]) -> Iterator[Claim]:
    for sentence in sentences:
        tokens = _tokens(sentence)
        scored = [(_overlap(tokens, _tokens(claim.sentence)), -place) for place, claim in enumerate(claims)]
        best = max(scored, default=(0.0, 0))
        if best[0] >= 0.5:
            claim = claims[-best[1]]
            yield Claim(sentence, claim.evidence_ids, claim.source, claim.kind)


def _tokens(sentence: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in reading.words(sentence))


def _overlap(new: frozenset[str], old: frozenset[str]) -> float:
    numbers = {word for word in new if any(char.isdigit() for char in word)}
    if not new or not old or not numbers <= old:
        return 0.0
    return len(new & old) / min(len(new), len(old))
