"""What a criterion may ask: the eight kinds and the parameters each one takes.

A playbook stores a criterion's parameters as plain data. :func:`parse_params` turns them into one of the frozen
dataclasses below or says, field by field, what was expected. It is used by the admin, by the YAML reader and by
the judging functions in ``prospects.rules.criteria``, so the three can never disagree about what is valid.
No Django here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, cast

from playbooks.spelling import did_you_mean, one_of

LAYERS = ("firmographic", "behavioral", "psychologic", "investment")
CATEGORIES = ("fit", "timing", "need", "risk", "commitment")
MISSING = ("unknown", "zero", "value")
STATISTICS = ("count", "sum", "max", "median", "latest", "days_since", "confidence")
#: A larger number is no business of anybody's, and would not come back from JSON as it went in.
LARGEST = 10**15
#: Among the values of a set: whatever is known at all.
ANYTHING = "*"


class ParamsError(ValueError):
    """Parameters that do not fit their kind. ``problems`` holds (field, what was expected) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{name}: {words}" if name else words for name, words in self.problems))


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


class _Reader:
    """Reads one parameter after the other out of raw data, collecting problems instead of stopping at the first."""

    def __init__(self, raw: Mapping[str, object]) -> None:
        self.raw = raw
        self.problems: list[tuple[str, str]] = []
        self.seen: set[str] = set()

    def fail(self, name: str, words: str) -> None:
        self.problems.append((name, words))

    def _take(self, name: str) -> object:
        self.seen.add(name)
        return self.raw.get(name)

    def word(self, name: str, *, required: bool = False, choices: Sequence[str] = (), default: str = "") -> str:
        value = self._take(name)
        if value is None or value == "":
            if required:
                self.fail(name, "a word is needed here")
            return default
        if not isinstance(value, str):
            self.fail(name, f"expected a word, got {value!r}")
            return default
        if choices and value not in choices:
            self.fail(name, one_of(choices, value))
            return default
        return value.strip()

    def words(self, name: str, *, required: bool = False) -> tuple[str, ...]:
        return self._words_of(name, self._take(name), required=required)

    def _words_of(self, name: str, value: object, *, required: bool) -> tuple[str, ...]:
        if value is None:
            value = []
        if not isinstance(value, (list, tuple)):
            self.fail(name, f"expected a list of values, got {value!r}")
            return ()
        out: list[str] = []
        for item in value:
            if isinstance(item, bool):
                out.append("true" if item else "false")
            elif isinstance(item, (str, int, float)) and str(item).strip():
                out.append(str(item).strip())
            else:
                self.fail(name, f"expected words or numbers in the list, got {item!r}")
        if required and not out:
            self.fail(name, "at least one value is needed")
        return tuple(out)

    def number(
        self, name: str, *, low: float | None = None, high: float | None = None, default: float | None = None
    ) -> float | None:
        value = self._take(name)
        if value is None or value == "":
            return default
        return self._number_of(name, value, low=low, high=high, default=default)

    def _number_of(
        self, name: str, value: object, *, low: float | None, high: float | None, default: float | None = None
    ) -> float | None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:  # NaN is no number
            self.fail(name, f"expected a number, got {value!r}")
            return default
        if abs(value) > LARGEST:
            self.fail(name, f"expected a number of at most {LARGEST:,} either way, got {value:g}")
            return default
        if (low is not None and value < low) or (high is not None and value > high):
            between = f"between {low:g} and {high:g}" if low is not None and high is not None else f"at least {low}"
            self.fail(name, f"expected a number {between}, got {value:g}")
            return default
        return float(value)

    def share(self, name: str, default: float) -> float:
        return cast(float, self.number(name, low=0, high=1, default=default))

    def whole(self, name: str, default: int, *, low: int = 1) -> int:
        value = cast(float, self.number(name, low=low, default=float(default)))
        if value != int(value):
            self.fail(name, f"expected a whole number, got {value:g}")
        return int(value)

    def days(self, name: str = "within_days") -> float | None:
        value = self.number(name)
        if value is not None and value <= 0:
            self.fail(name, f"expected more than 0 days, got {value:g}")
        return value

    def partial(self, name: str = "partial") -> tuple[PartialCredit, ...]:
        value = self._take(name)
        if value is None:
            return ()
        if not isinstance(value, (list, tuple)):
            self.fail(name, "expected a list of {values: […], credit: 0–1}")
            return ()
        out = []
        for number, item in enumerate(value):
            at = f"{name}[{number}]"
            if not isinstance(item, Mapping) or set(item) != {"values", "credit"}:
                self.fail(at, "expected exactly the two keys values and credit")
                continue
            values = self._words_of(f"{at}.values", item["values"], required=True)
            credit = self._number_of(f"{at}.credit", item["credit"], low=0, high=1)
            out.append(PartialCredit(values, credit or 0.0))
        return tuple(out)

    def points(self, name: str, *, high: float, required: bool = True) -> tuple[tuple[str, float], ...]:
        """A mapping of word → number in 0..high; a plain list gives each word the full number."""
        value = self._take(name)
        if isinstance(value, (list, tuple)):
            return tuple((word, high) for word in self._words_of(name, value, required=required))
        if not isinstance(value, Mapping) or (required and not value):
            self.fail(name, f"expected a mapping of name to a number between 0 and {high:g}, or a list of names")
            return ()
        out = []
        for key, item in value.items():
            word = ("true" if key else "false") if isinstance(key, bool) else str(key).strip()
            number = self._number_of(f"{name}.{word}", item, low=0, high=high)
            out.append((word, number or 0.0))
        return tuple(out)

    def breakpoints(self, name: str = "breakpoints") -> tuple[tuple[float, float], ...]:
        value = self._take(name)
        if not isinstance(value, (list, tuple)) or len(value) < 2:
            self.fail(name, "expected at least two [number, points] pairs")
            return ()
        out: list[tuple[float, float]] = []
        for index, pair in enumerate(value):
            at = f"{name}[{index}]"
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                self.fail(at, "expected a pair [number, points 0–100]")
                continue
            x = self._number_of(at, pair[0], low=None, high=None)
            y = self._number_of(at, pair[1], low=0, high=100)
            if x is not None and y is not None:
                out.append((x, y))
        if any(a[0] >= b[0] for a, b in itertools.pairwise(out)):
            self.fail(name, "expected the numbers in rising order, each once")
        return tuple(out)

    def finish(self) -> None:
        for name in self.raw:
            if name not in self.seen:
                known = sorted(self.seen)
                self.fail(str(name), f"unknown here; expected one of {', '.join(known)}{did_you_mean(name, known)}")
        if self.problems:
            raise ParamsError(self.problems)


def _in_set(r: _Reader) -> Params:
    return InSet(
        r.word("attribute", required=True), r.words("values", required=True), r.partial(), r.share("otherwise", 0)
    )


def _in_range(r: _Reader) -> Params:
    attribute = r.word("attribute", required=True)
    low, high = r.number("minimum"), r.number("maximum")
    if low is None and high is None and not r.problems:
        r.fail("minimum", "a minimum or a maximum is needed")
    if low is not None and high is not None and low > high:
        r.fail("maximum", f"expected at least the minimum {low:g}, got {high:g}")
    soft = cast(float, r.number("soft", low=0, high=10, default=0.5))
    return InRange(attribute, low, high, soft, r.share("soft_credit", 0.5))


def _overlap(r: _Reader) -> Params:
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


def _signal(r: _Reader) -> Params:
    return SignalSeen(r.points("kinds", high=1), r.whole("min_count", 1), r.days(), r.number("min_value"))


def _measure(r: _Reader) -> Params:
    kinds, attribute = r.words("kinds"), r.word("attribute")
    if bool(kinds) == bool(attribute):
        r.fail("kinds", "give either signal kinds or one attribute")
    statistic = r.word("statistic", choices=STATISTICS, default="count")
    return Measure(r.breakpoints(), kinds, attribute, statistic, r.word("field"), r.days(), r.word("unit"))


def _phrase(r: _Reader) -> Params:
    return Phrase(r.words("phrases", required=True), r.words("kinds"), r.whole("min_count", 1), r.days())


def _answer(r: _Reader) -> Params:
    return Answer(r.word("question", required=True), r.points("credits", high=100))


def _flag(r: _Reader) -> Params:
    attribute, values, kinds, phrases = r.word("attribute"), r.words("values"), r.words("kinds"), r.words("phrases")
    above = r.number("above")
    if bool(attribute) != (bool(values) or above is not None):
        r.fail("values" if attribute else "attribute", "an attribute belongs together with values, or with above")
    if not (attribute or kinds or phrases):
        r.fail("attribute", "give an attribute with values, signal kinds or phrases that raise the flag")
    return Flag(attribute, values, kinds, phrases, r.days(), above)


_READERS: dict[str, Callable[[_Reader], Params]] = {
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
    reader = _Reader(raw)
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
