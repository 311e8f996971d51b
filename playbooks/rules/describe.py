"""What a criterion asks, in one sentence a founder understands. Pure: no Django."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from playbooks.rules.criteria import (
    ANYTHING,
    Answer,
    Flag,
    InRange,
    InSet,
    Measure,
    Overlap,
    Phrase,
    SignalSeen,
    parse_params,
)
from playbooks.rules.param_reader import ParamsError
from salesops.numerals import plain_number
from salesops.percent import percent

_SHOWN = 8
_YES_NO = {"true": "yes", "false": "no"}
#: The parameters of each kind, for the person who writes them.
PARAMS: Mapping[str, str] = {
    "in_set": "attribute, values (* for any at all); optional: partial (values and credit 0–1), otherwise (credit 0–1)",
    "in_range": "attribute, minimum and/or maximum; optional: soft (share outside), soft_credit (0–1)",
    "overlap": "attribute with values, or kinds; optional: enough (how many count as all), within_days (of kinds)",
    "signal": "kinds (a list, or name: credit 0–1); optional: min_count, within_days, min_value",
    "measure": "kinds or attribute, breakpoints [[number, points], …]; optional: statistic, field, within_days, unit",
    "phrase": "phrases (a trailing * matches any ending); optional: kinds, min_count, within_days",
    "answer": "question, credits (answer: points 0–100)",
    "flag": "attribute with values or above (a number), or kinds, or phrases; optional: within_days",
}


def describe(kind: str, params: Mapping[str, Any]) -> str:
    """The question in words; parameters that do not fit their kind are shown as they are."""
    try:
        typed = parse_params(kind, params)
    except ParamsError:
        return "; ".join(f"{key}: {value}" for key, value in params.items())
    return _WORDS[type(typed)](typed)


def _any_of(values: Iterable[str]) -> str:
    listed = [_YES_NO.get(value, value).replace("_", " ") for value in values]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more


def _named(attribute: str) -> str:
    return attribute.replace("_", " ").capitalize()


def _within(days: float | None) -> str:
    return f" in the last {days:g} days" if days else ""


def _in_set(p: InSet) -> str:
    if ANYTHING in p.values:
        return f"{_named(p.attribute)} is known."
    partial = "".join(f"; {percent(part.credit)} for {_any_of(part.values)}" for part in p.partial)
    alone = p.values[0] if len(p.values) == 1 else ""
    asked = ":" if alone in _YES_NO else " is" if alone else " is one of"
    return f"{_named(p.attribute)}{asked} {_any_of(p.values)}{partial}."


def _in_range(p: InRange) -> str:
    if p.minimum is None:
        span = f"at most {plain_number(cast(float, p.maximum))}"
    else:
        low = plain_number(p.minimum)
        span = f"at least {low}" if p.maximum is None else f"{low} to {plain_number(p.maximum)}"
    soft = f"; {percent(p.soft_credit)} up to {percent(p.soft)} outside" if p.soft and p.soft_credit else ""
    return f"{_named(p.attribute)} is {span}{soft}."


def _overlap(p: Overlap) -> str:
    if p.kinds:
        return f"Seen{_within(p.within_days)}: {p.enough} of {_any_of(p.kinds)}."
    return f"{_named(p.attribute)} include {p.enough} of {_any_of(p.values)}."


def _signal(p: SignalSeen) -> str:
    kinds = [kind if credit == 1 else f"{kind} ({percent(credit)})" for kind, credit in p.kinds]
    times = f", {p.min_count} times" if p.min_count > 1 else ""
    value = f", value at least {plain_number(p.min_value)}" if p.min_value is not None else ""
    return f"Seen: {_any_of(kinds)}{times}{value}{_within(p.within_days)}."


def _measure(p: Measure) -> str:
    unit = f" {p.unit}" if p.unit else ""
    what = _named(p.attribute) if p.attribute else f"{_named(p.statistic)} of {_any_of(p.kinds)}"
    points = ", ".join(f"{plain_number(x)}{unit} is worth {y:g}" for x, y in p.breakpoints)
    return f"{what}{_within(p.within_days)}: {points}."


def _phrase(p: Phrase) -> str:
    where = f" in {_any_of(p.kinds)}" if p.kinds else ""
    return f"Somebody said “{'”, “'.join(p.phrases[:_SHOWN])}”{where}{_within(p.within_days)}."


def _answer(p: Answer) -> str:
    points = ", ".join(f"{answer} is worth {value:g}" for answer, value in p.credits)
    return f"Answer to “{p.question.replace('_', ' ')}”: {points}."


def _flag(p: Flag) -> str:
    parts = []
    if p.values:
        parts.append(f"{_named(p.attribute).lower()} is {_any_of(p.values)}")
    if p.above is not None:
        parts.append(f"{_named(p.attribute).lower()} is above {plain_number(p.above)}")
    if p.kinds:
        parts.append(f"seen: {_any_of(p.kinds)}")
    if p.phrases:
        parts.append(f"said: “{'”, “'.join(p.phrases[:_SHOWN])}”")
    return f"Rules the prospect out when {' or '.join(parts)}{_within(p.within_days)}."


_WORDS: dict[type[Any], Callable[[Any], str]] = {
    InSet: _in_set,
    InRange: _in_range,
    Overlap: _overlap,
    SignalSeen: _signal,
    Measure: _measure,
    Phrase: _phrase,
    Answer: _answer,
    Flag: _flag,
}
