"""Judging: one criterion, the facts of one prospect, one judgement that says what it saw.

A judgement with a value always names at least one signal. No value means unknown: nothing is said, nothing stored.
The same facts, criterion and clock give the same judgement.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from statistics import median
from typing import Any, cast

from playbooks.rules.criteria import (
    ANYTHING,
    Answer,
    Criterion,
    Flag,
    InRange,
    InSet,
    Measure,
    Overlap,
    Phrase,
    SignalSeen,
)
from prospects.rules.facts import ANSWER, OUR_WORDS, Attribute, FactKey, Facts, SignalLike, confidence_of, origin_of
from salesops.numerals import number_in, plain_number

QUOTE_LENGTH = 300
#: Evidence of this value or more speaks for the prospect.
ACCEPTS = 50.0
_LABELS = {"employees": "Team size", "hiring": "Hiring", "stage_label": "Stage"}


@dataclass(slots=True)
class Judgement:
    """What a criterion makes of the facts. ``value`` is 0–100, or None when the facts say nothing about it.

    ``fact_ref`` is the attribute or signal kind judged; ``origins`` are the original (signal id, fact) pairs behind
    it, which is what independence is counted over.
    """

    value: float | None
    rationale: str = ""
    fact_ref: str = ""
    signal_ids: tuple[int, ...] = ()
    observed_at: datetime | None = None
    confidence: float = 0.0
    strong_negative: bool = False
    quote: str = ""
    source: str = ""
    origins: tuple[FactKey, ...] = ()


UNKNOWN = Judgement(None)


def judge(criterion: Criterion, facts: Facts) -> Judgement:
    """What this criterion makes of these facts."""
    return _JUDGES[type(criterion.params)](criterion.params, facts)


def judge_all(criteria: Iterable[Criterion], facts: Facts) -> list[tuple[Criterion, Judgement]]:
    """The criteria the facts say something about, each with its judgement."""
    pairs = [(criterion, judge(criterion, facts)) for criterion in criteria]
    return [(criterion, judgement) for criterion, judgement in pairs if judgement.value is not None]


def label_of(name: str) -> str:
    """An attribute or signal kind as a person reads it."""
    return _LABELS.get(name) or name.replace("_", " ").capitalize()


def day_of(at: datetime) -> str:
    """A date as a person reads it: 7 May 2026."""
    return f"{at.day} {at:%b %Y}"


def _on_attribute(found: Attribute, value: float, words: str, *, strong_negative: bool = False) -> Judgement:
    signal = found.signal
    return Judgement(
        value=value,
        rationale=words,
        fact_ref=found.name,
        signal_ids=(signal.id,),
        observed_at=signal.observed_at,
        confidence=confidence_of(signal),
        strong_negative=strong_negative,
        quote=f"{label_of(found.name)}: {shown(found.value)}"[:QUOTE_LENGTH],
        source=signal.source,
        origins=(origin_of(signal, found.name),),
    )


def _on_signals(
    signals: Sequence[SignalLike], fact_ref: str, value: float, words: str, *, quote: str = "", negative: bool = False
) -> Judgement:
    newest = signals[0]
    return Judgement(
        value=value,
        rationale=words,
        fact_ref=fact_ref,
        signal_ids=tuple(signal.id for signal in signals),
        observed_at=newest.observed_at,
        confidence=min(confidence_of(signal) for signal in signals),
        strong_negative=negative,
        quote=(quote or newest.text)[:QUOTE_LENGTH],
        source=newest.source,
        origins=tuple(origin_of(signal, fact_ref) for signal in signals),
    )


def shown(value: Any) -> str:
    """A fact's value as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        low, high = value
        if low == high or high is None or low is None:
            return shown(low if low is not None else high) + ("+" if high is None else "")
        return f"{shown(low)}–{shown(high)}"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return plain_number(value) if isinstance(value, float) else str(value)


def _stated(found: Attribute) -> str:
    """The fact as the beginning of a sentence."""
    verb = "are" if isinstance(found.value, list) else "is"
    label, value = label_of(found.name), shown(found.value)
    return f"{label}: {value}" if isinstance(found.value, bool) else f"{label} {verb} {value}"


def _folded(value: Any) -> tuple[str, ...]:
    """The value, or each value of a list, in the form values are compared in."""
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, (list, tuple)):
        return tuple(str(item).strip().casefold() for item in value if item is not None)
    return (str(value).strip().casefold(),)


@lru_cache(maxsize=4096)
def _fold_set(values: tuple[str, ...]) -> frozenset[str]:
    return frozenset(value.casefold() for value in values)


def _judge_in_set(params: InSet, facts: Facts) -> Judgement:
    found = facts.attribute(params.attribute)
    if found is None:
        return UNKNOWN
    have = _folded(found.value)
    seen = _stated(found)
    if ANYTHING in params.values:
        return _on_attribute(found, 100.0, f"{label_of(found.name)} is known.")
    if not _fold_set(params.values).isdisjoint(have):
        return _on_attribute(found, 100.0, f"{seen}, as wanted.")
    best = max((p.credit for p in params.partial if not _fold_set(p.values).isdisjoint(have)), default=None)
    if best is not None:
        return _on_attribute(found, 100.0 * best, f"{seen}, close to what is wanted.")
    return _on_attribute(found, 100.0 * params.otherwise, f"{seen}, not among those wanted.")


def _as_number(value: Any) -> float | None:
    """A number, or the middle of a (low, high) range; an open range counts as its known end."""
    if isinstance(value, tuple):
        ends = [number for end in value if (number := number_in(end)) is not None]
        return sum(ends) / len(ends) if ends else None
    return number_in(value)  # also out of text: so arrives a column that no field of ours reads


def _wanted_range(params: InRange) -> str:
    if params.minimum is None:
        return f"at most {plain_number(cast(float, params.maximum))}"
    low = plain_number(params.minimum)
    return f"at least {low}" if params.maximum is None else f"{low}–{plain_number(params.maximum)}"


def _judge_in_range(params: InRange, facts: Facts) -> Judgement:
    found = facts.attribute(params.attribute)
    number = _as_number(found.value) if found is not None else None
    if found is None or number is None:
        return UNKNOWN
    seen = _stated(found)
    low, high = params.minimum, params.maximum
    if (low is None or number >= low) and (high is None or number <= high):
        return _on_attribute(found, 100.0, f"{seen}, within {_wanted_range(params)}.")
    near_low = low is not None and low > number >= low - params.soft * abs(low)
    near_high = high is not None and high < number <= high + params.soft * abs(high)
    if near_low or near_high:
        return _on_attribute(found, 100.0 * params.soft_credit, f"{seen}, just outside {_wanted_range(params)}.")
    return _on_attribute(found, 0.0, f"{seen}, outside {_wanted_range(params)}.")


def _judge_overlap(params: Overlap, facts: Facts) -> Judgement:
    if params.kinds:
        return _judge_kinds(params, facts)
    found = facts.attribute(params.attribute)
    if found is None:
        return UNKNOWN
    have = set(_folded(found.value))
    matched = [value for value in params.values if value.casefold() in have]
    value = 100.0 * min(1.0, len(matched) / params.enough)
    if matched:
        return _on_attribute(found, value, f"{label_of(found.name)} include {', '.join(matched)}.")
    return _on_attribute(found, 0.0, f"None of the wanted {label_of(found.name).lower()} is there.")


def _judge_kinds(params: Overlap, facts: Facts) -> Judgement:
    """Which share of the wanted kinds of signal was seen; the newest of each speaks for its kind."""
    newest: dict[str, SignalLike] = {}
    for signal in facts.recent(params.kinds, params.within_days):
        newest.setdefault(signal.kind, signal)
    if not newest:
        return UNKNOWN
    value = 100.0 * min(1.0, len(newest) / params.enough)
    seen = ", ".join(label_of(kind) for kind in newest)
    return _on_signals(list(newest.values()), next(iter(newest)), value, f"Seen: {seen}.")


def _judge_signal(params: SignalSeen, facts: Facts) -> Judgement:
    credits = dict(params.kinds)
    seen = facts.recent(credits, params.within_days)
    if params.min_value is not None:
        seen = [signal for signal in seen if signal.value is not None and signal.value >= params.min_value]
    if not seen:
        return UNKNOWN
    # The strongest kind speaks; among equals the newest (max keeps the first, and the list is newest first).
    kind = max(seen, key=lambda signal: credits[signal.kind]).kind
    cited = [signal for signal in seen if signal.kind == kind][: max(1, params.min_count)]
    share = min(1.0, len(seen) / params.min_count)
    text = f": {cited[0].text}" if cited[0].text else "."
    times = f" ({len(seen)} of {params.min_count} wanted)" if share < 1 else ""
    words = f"{label_of(kind)} on {day_of(cited[0].observed_at)}{times}{text}"
    return _on_signals(cited, kind, 100.0 * credits[kind] * share, words)


def _numbers(params: Measure, signals: Sequence[SignalLike]) -> list[tuple[SignalLike, float]]:
    if not params.field:
        return [(signal, float(signal.value)) for signal in signals if signal.value is not None]
    pairs = [(signal, _as_number(signal.data.get(params.field))) for signal in signals]
    return [(signal, number) for signal, number in pairs if number is not None]


_OF_SIGNALS: dict[str, Callable[[Sequence[SignalLike], Facts], float]] = {
    "count": lambda signals, _: float(len(signals)),
    "days_since": lambda signals, facts: facts.age_days(signals[0].observed_at),
    "confidence": lambda signals, _: max(map(confidence_of, signals)),
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "max": max,
    "median": median,
    "latest": lambda numbers: numbers[0],
}


def interpolate(breakpoints: Sequence[tuple[float, float]], x: float) -> float:
    """Points (0–100) at ``x``: straight lines between rising breakpoints, flat beyond both ends."""
    if x <= breakpoints[0][0]:
        return breakpoints[0][1]
    for (x0, y0), (x1, y1) in itertools.pairwise(breakpoints):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return breakpoints[-1][1]


def _judge_measure(params: Measure, facts: Facts) -> Judgement:
    unit = f" {params.unit}" if params.unit else ""
    if params.attribute:
        found = facts.attribute(params.attribute)
        number = _as_number(found.value) if found is not None else None
        if found is None or number is None:
            return UNKNOWN
        words = f"{label_of(found.name)} is {shown(found.value)}{unit}."
        return _on_attribute(found, interpolate(params.breakpoints, number), words)
    signals = facts.recent(params.kinds, params.within_days)
    if params.statistic in _OF_SIGNALS:
        if not signals:
            return UNKNOWN
        cited = signals
        number = _OF_SIGNALS[params.statistic](signals, facts)
    else:
        pairs = _numbers(params, signals)
        if not pairs:
            return UNKNOWN
        cited = [signal for signal, _ in pairs]
        number = _STATISTICS[params.statistic]([n for _, n in pairs])
    name = params.statistic.replace("_", " ").capitalize()
    what = label_of(cited[0].kind).lower()
    shown_number = plain_number(number if number.is_integer() else float(f"{number:.4g}"))
    words = f"{name} of {what} is {shown_number}{unit} as of {day_of(cited[0].observed_at)}."
    return _on_signals(cited, cited[0].kind, interpolate(params.breakpoints, number), words)


@lru_cache(maxsize=1024)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """Whole words in any case, any run of white space between them; only a trailing * is special."""
    parts = []
    for phrase in phrases:
        stem = phrase.rstrip("*")
        words = r"\s+".join(re.escape(word) for word in stem.split())
        parts.append(words + (r"\w*" if phrase.endswith("*") else ""))
    return re.compile(r"(?<!\w)(?:" + "|".join(parts) + r")(?!\w)", re.IGNORECASE)


def sentence_around(text: str, start: int, end: int) -> str:
    """The sentence or line of the text that holds the match, word for word; of a long one what begins with it."""
    left = max(text.rfind(mark, 0, start) for mark in ".!?\n") + 1
    rights = [at for mark in ".!?\n" if (at := text.find(mark, end)) >= 0]
    sentence = text[left : min(rights) + 1 if rights else len(text)].strip()
    return sentence if len(sentence) <= QUOTE_LENGTH else text[start : start + QUOTE_LENGTH]


_Spoken = tuple[list[SignalLike], list[tuple[SignalLike, re.Match[str]]]]


def _spoken(facts: Facts, phrases: tuple[str, ...], kinds: tuple[str, ...], within_days: float | None) -> _Spoken:
    heard_in = kinds or facts.by_kind.keys() - OUR_WORDS
    signals = [signal for signal in facts.recent(heard_in, within_days) if signal.text]
    pattern = _pattern(phrases)
    hits = [(signal, match) for signal in signals if (match := pattern.search(signal.text))]
    heard = {signal.id for signal, _ in hits}  # what an agent quoted out of one of them was not said a second time
    return signals, [(s, match) for s, match in hits if origin_of(s, "")[0] not in heard - {s.id}]


def _judge_phrase(params: Phrase, facts: Facts) -> Judgement:
    signals, hits = _spoken(facts, params.phrases, params.kinds, params.within_days)
    if not signals:
        return UNKNOWN
    if not hits:
        return _on_signals(signals[:1], signals[0].kind, 0.0, "None of the words looked for was said.", quote=" ")
    first, match = hits[0]
    value = 100.0 * min(1.0, len(hits) / params.min_count)
    words = f"“{match.group()}” was said on {day_of(first.observed_at)}."
    return _on_signals(
        [signal for signal, _ in hits],
        first.kind,
        value,
        words,
        quote=sentence_around(first.text, match.start(), match.end()),
    )


def _judge_answer(params: Answer, facts: Facts) -> Judgement:
    for signal in facts.by_kind.get(ANSWER, ()):
        if signal.data.get("question") != params.question:
            continue
        given = _folded(signal.data.get("answer", ""))[0]
        points = next((points for name, points in params.credits if name.casefold() == given), None)
        if points is None:
            return UNKNOWN
        words = f"{label_of(params.question)}: {given} ({day_of(signal.observed_at)})."
        return _on_signals([signal], params.question, points, words)
    return UNKNOWN


def _judge_flag(params: Flag, facts: Facts) -> Judgement:
    found = facts.attribute(params.attribute) if params.attribute else None
    number = _as_number(found.value) if found is not None and params.above is not None else None
    too_much = number is not None and params.above is not None and number > params.above
    if found is not None and (too_much or not _fold_set(params.values).isdisjoint(_folded(found.value))):
        words = f"{_stated(found)}: this rules the prospect out."
        return _on_attribute(found, 0.0, words, strong_negative=True)
    seen = facts.recent(params.kinds, params.within_days)
    if seen:
        words = f"{label_of(seen[0].kind)} on {day_of(seen[0].observed_at)}: this rules the prospect out."
        return _on_signals(seen, seen[0].kind, 0.0, words, negative=True)
    if params.phrases:
        _, hits = _spoken(facts, params.phrases, (), params.within_days)
        if hits:
            signal, match = hits[0]
            words = f"“{match.group()}” was said on {day_of(signal.observed_at)}: this rules the prospect out."
            quote = sentence_around(signal.text, match.start(), match.end())
            return _on_signals([signal], signal.kind, 0.0, words, quote=quote, negative=True)
    past = _raised_once(params, facts)
    if past is not None:
        words = f"{label_of(past.kind)} on {day_of(past.observed_at)}: too long ago to rule the prospect out."
        return _on_signals([past], past.kind, 100.0, words)
    if found is not None:
        return _on_attribute(found, 100.0, f"{_stated(found)}: nothing against it.")
    return UNKNOWN


def _raised_once(params: Flag, facts: Facts) -> SignalLike | None:
    """The newest signal that raised the flag until it was too old: said, so that the flag comes down again."""
    if params.within_days is None:
        return None
    heard = [signal for signal, _ in _spoken(facts, params.phrases, (), None)[1]] if params.phrases else []
    past = [*facts.recent(params.kinds, None), *heard]
    return max(past, key=lambda signal: (signal.observed_at, signal.id), default=None)


_JUDGES: dict[type[Any], Callable[[Any, Facts], Judgement]] = {
    InSet: _judge_in_set,
    InRange: _judge_in_range,
    Overlap: _judge_overlap,
    SignalSeen: _judge_signal,
    Measure: _judge_measure,
    Phrase: _judge_phrase,
    Answer: _judge_answer,
    Flag: _judge_flag,
}
