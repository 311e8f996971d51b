"""What a criterion may ask: the eight kinds and the parameters each one takes.

A playbook stores a criterion's parameters as plain data. :func:`parse_params` turns them into one of the frozen
dataclasses below or says, field by field, what was expected. It is used by the admin, by the YAML reader and by
the judging functions in ``prospects.rules.criteria``, so the three can never disagree about what is valid.
No Django here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, cast

from playbooks.rules.param_reader import ParamReader, ParamsError

LAYERS = ("firmographic", "behavioral", "psychologic", "investment")
CATEGORIES = ("fit", "timing", "need", "risk", "commitment")
MISSING = ("unknown", "zero", "value")
STATISTICS = ("count", "sum", "max", "median", "latest", "days_since", "confidence")
#: Among the values of a set: whatever is known at all.
ANYTHING = "*"


@dataclass(frozen=True, slots=True)
class PartialCredit:
    """A second set of values that earns a share (0–1) of the credit."""

    values: tuple[str, ...]
    credit: float


@dataclass(frozen=True, slots=True)
class InSet:
    """Is the attribute one of these (``*``: is it known at all)? ``otherwise`` is the credit of a value in no set."""

    attribute: str
    values: tuple[str, ...]
    partial: tuple[PartialCredit, ...] = ()
    otherwise: float = 0.0


@dataclass(frozen=True, slots=True)
class InRange:
    """Is the number within [minimum, maximum]?

    Outside by up to ``soft`` (a share of the nearer edge) it still earns ``soft_credit`` (0–1), farther out nothing.
    """

    attribute: str
    minimum: float | None = None
    maximum: float | None = None
    soft: float = 0.5
    soft_credit: float = 0.5


@dataclass(frozen=True, slots=True)
class Overlap:
    """Which share of the wanted values, or kinds of signal, is present? ``enough`` matches count as all of them."""

    attribute: str = ""
    values: tuple[str, ...] = ()
    enough: int = 1
    kinds: tuple[str, ...] = ()
    within_days: float | None = None


@dataclass(frozen=True, slots=True)
class SignalSeen:
    """Did one of these kinds of signal happen, at least ``min_count`` times, in the last ``within_days``?

    ``kinds`` pairs each kind with the credit (0–1) it earns; the strongest one present counts.
    """

    kinds: tuple[tuple[str, float], ...]
    min_count: int = 1
    within_days: float | None = None
    min_value: float | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """A number from signals, or a numeric attribute, mapped to 0–100 through (number, points) breakpoints.

    The statistic ``confidence`` is how sure the surest of these signals is, 0–1. Between two breakpoints the points are
    interpolated in a straight line; outside, the end point holds.
    """

    breakpoints: tuple[tuple[float, float], ...]
    kinds: tuple[str, ...] = ()
    attribute: str = ""
    statistic: str = "count"
    field: str = ""
    within_days: float | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Phrase:
    """Do these words or phrases appear in the text of signals? A trailing ``*`` matches any ending."""

    phrases: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    min_count: int = 1
    within_days: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A person's or an agent's structured answer to ``question``; ``credits`` maps the answer to 0–100 points."""

    question: str
    credits: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """A strong negative when the attribute holds one of ``values`` or is a number above ``above``, a kind was seen or
    a phrase appears.
    """

    attribute: str = ""
    values: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    within_days: float | None = None
    above: float | None = None


Params = InSet | InRange | Overlap | SignalSeen | Measure | Phrase | Answer | Flag


def _in_set(r: ParamReader) -> Params:
    return InSet(
        r.word("attribute", required=True),
        r.words("values", required=True),
        tuple(PartialCredit(*pair) for pair in r.partial()),
        r.share("otherwise", 0),
    )


def _in_range(r: ParamReader) -> Params:
    attribute = r.word("attribute", required=True)
    low, high = r.number("minimum"), r.number("maximum")
    if low is None and high is None and not r.problems:
        r.fail("minimum", "a minimum or a maximum is needed")
    if low is not None and high is not None and low > high:
        r.fail("maximum", f"expected at least the minimum {low:g}, got {high:g}")
    soft = cast(float, r.number("soft", low=0, high=10, default=0.5))
    return InRange(attribute, low, high, soft, r.share("soft_credit", 0.5))


def _overlap(r: ParamReader) -> Params:
    attribute, values, kinds = r.word("attribute"), r.words("values"), r.words("kinds")
    if bool(attribute) == bool(kinds):
        r.fail("attribute", "give either one attribute with the values wanted, or the kinds of signal wanted")
    elif bool(attribute) != bool(values):
        r.fail("values", "at least one value is needed" if attribute else "values belong to an attribute")
    wanted = values or kinds
    enough = r.whole("enough", max(1, len(wanted)))
    if wanted and enough > len(wanted):
        r.fail("enough", f"expected at most the number of values, {len(wanted)}, got {enough}")
    within_days = r.days()
    if within_days is not None and attribute:
        r.fail("within_days", "belongs to kinds of signal: an attribute has no age")
    return Overlap(attribute, values, enough, kinds, within_days)


def _signal(r: ParamReader) -> Params:
    return SignalSeen(r.points("kinds", high=1), r.whole("min_count", 1), r.days(), r.number("min_value"))


def _measure(r: ParamReader) -> Params:
    kinds, attribute = r.words("kinds"), r.word("attribute")
    if bool(kinds) == bool(attribute):
        r.fail("kinds", "give either signal kinds or one attribute")
    statistic = r.word("statistic", choices=STATISTICS, default="count")
    return Measure(r.breakpoints(), kinds, attribute, statistic, r.word("field"), r.days(), r.word("unit"))


def _phrase(r: ParamReader) -> Params:
    return Phrase(r.words("phrases", required=True), r.words("kinds"), r.whole("min_count", 1), r.days())


def _answer(r: ParamReader) -> Params:
    return Answer(r.word("question", required=True), r.points("credits", high=100))


def _flag(r: ParamReader) -> Params:
    attribute, values, kinds, phrases = r.word("attribute"), r.words("values"), r.words("kinds"), r.words("phrases")
    above = r.number("above")
    if bool(attribute) != (bool(values) or above is not None):
        r.fail("values" if attribute else "attribute", "an attribute belongs together with values, or with above")
    if not (attribute or kinds or phrases):
        r.fail("attribute", "give an attribute with values, signal kinds or phrases that raise the flag")
    return Flag(attribute, values, kinds, phrases, r.days(), above)


_READERS: dict[str, Callable[[ParamReader], Params]] = {
    "in_set": _in_set,
    "in_range": _in_range,
    "overlap": _overlap,
    "signal": _signal,
    "measure": _measure,
    "phrase": _phrase,
    "answer": _answer,
    "flag": _flag,
}
KINDS = tuple(_READERS)


def parse_params(kind: str, raw: Mapping[str, object]) -> Params:
    """The typed parameters of a criterion of this kind.

    Raises :class:`ParamsError` naming every field that is wrong, missing or unknown, and what was expected there.
    """
    reader_of_kind = _READERS.get(kind)
    if reader_of_kind is None:
        raise ParamsError([("kind", f"expected one of {', '.join(KINDS)}, got {kind!r}")])
    if not isinstance(raw, Mapping):
        raise ParamsError([("", f"expected a mapping of parameters, got {raw!r}")])
    reader = ParamReader(raw)
    params = reader_of_kind(reader)
    reader.finish()
    return params


@dataclass(frozen=True, slots=True)
class Criterion:
    """One weighted, declarative question of a scorecard, with its parameters parsed. Build once, judge many."""

    key: str
    kind: str
    params: Params
    category: str = ""
    layer: str = ""
    scorecard: str = "icp"
    label: str = ""
    weight: float = 0
    half_life_days: float | None = None
    missing: str = "unknown"
    missing_value: float | None = None
    position: int = dataclass_field(default=0, compare=False)

    @property
    def when_missing(self) -> float | None:
        """The points (0–100) that count while nothing is known; None leaves the criterion out of the sum."""
        if self.missing == "value":
            return self.missing_value
        return 0.0 if self.missing == "zero" else None

    @classmethod
    def build(cls, *, kind: str, params: Mapping[str, object], **fields: Any) -> Criterion:
        """A criterion from a stored row's fields; raises :class:`ParamsError` when the parameters do not fit."""
        return cls(kind=kind, params=parse_params(kind, params), **fields)
