"""The facts about one prospect, arranged for judging: attributes by name, signals by kind, each with its source.

Everything a criterion may read comes from signals, so every judgement can name the rows it rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

PROFILE = "profile"
ANSWER = "answer"
#: Under ``by`` in the data of what one of our people told us.
PERSON = "person"
#: What we wrote ourselves: whoever listens for what somebody said does not hear it, unless asked to.
OUR_WORDS = frozenset({"judgement", "merged", "merge_undone"})
DEFAULT_CONFIDENCE = 0.9
SECONDS_PER_DAY = 86_400.0

# Numbers that arrive as a range are stored as two columns; criteria name them once.
_RANGES = {"employees": ("employees_min", "employees_max"), "revenue": ("revenue_min", "revenue_max")}

FactKey = tuple[int, str]


class SignalLike(Protocol):
    """What judging needs of a signal. Views, model rows and plain test objects all fit."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def observed_at(self) -> datetime: ...
    @property
    def value(self) -> float | None: ...
    @property
    def text(self) -> str: ...
    @property
    def data(self) -> Mapping[str, Any]: ...
    @property
    def source(self) -> str: ...


@dataclass(slots=True)
class Attribute:
    """One property of the company or person, and the signal it was read from."""

    name: str
    value: Any
    signal: SignalLike


class Facts:
    """All signals of one prospect at one moment.

    ``by_kind`` lists signals newest first. ``attributes`` holds, per name, the value of the newest signal that gives
    one: ``profile`` signals give everything in their data, any other signal what its data lists under ``sets``.
    """

    __slots__ = ("attributes", "by_kind", "now", "signals")

    def __init__(self, signals: Iterable[SignalLike], now: datetime) -> None:
        self.now = now
        self.signals = sorted(signals, key=lambda s: (s.observed_at, s.id), reverse=True)
        self.by_kind: dict[str, list[SignalLike]] = {}
        self.attributes: dict[str, Attribute] = {}
        for signal in self.signals:
            self.by_kind.setdefault(signal.kind, []).append(signal)
            given = signal.data if signal.kind == PROFILE else signal.data.get("sets")
            if given:
                self._learn(given, signal)

    def _learn(self, given: Mapping[str, Any], signal: SignalLike) -> None:
        attributes = self.attributes
        for name, value in given.items():
            if name not in attributes and value is not None and value != "" and value != []:
                attributes[name] = Attribute(name, value, signal)

    def attribute(self, name: str) -> Attribute | None:
        """The attribute by name; ``employees`` and ``revenue`` are read from their lower and upper columns.

        A range comes back as a (low, high) pair, either of which may be None.
        """
        found = self.attributes.get(name)
        if found is not None or name not in _RANGES:
            return found
        low, high = (self.attributes.get(column) for column in _RANGES[name])
        given = low or high
        if given is None:
            return None
        if low is not None and high is not None and low.signal is not high.signal:
            # Never mix the two ends of two different observations: the newer observation is the fact.
            newer = max(low, high, key=lambda a: (a.signal.observed_at, a.signal.id))
            low, high, given = (low if newer is low else None), (high if newer is high else None), newer
        return Attribute(name, (low.value if low else None, high.value if high else None), given.signal)

    def age_days(self, at: datetime) -> float:
        """Days from ``at`` to now; 0 for anything dated later than now."""
        return max(0.0, (self.now - at).total_seconds() / SECONDS_PER_DAY)

    def recent(self, kinds: Iterable[str], within_days: float | None) -> list[SignalLike]:
        """Signals of these kinds, newest first, no older than ``within_days`` when that is given."""
        found = [signal for kind in kinds for signal in self.by_kind.get(kind, ())]
        if within_days is not None:
            found = [signal for signal in found if self.age_days(signal.observed_at) <= within_days]
        found.sort(key=lambda s: (s.observed_at, s.id), reverse=True)
        return found

    def origins(self, signal_ids: Iterable[int], fact_ref: str) -> tuple[FactKey, ...]:
        """The original facts behind these signals: a derived signal counts as the fact it was derived from."""
        wanted = set(signal_ids)
        return tuple(origin_of(signal, fact_ref) for signal in self.signals if signal.id in wanted)


def origin_of(signal: SignalLike, fact_ref: str) -> FactKey:
    """(signal id, attribute or kind) of the original observation behind a signal."""
    derived = signal.data.get("derived_from") if signal.data else None
    if isinstance(derived, Mapping) and derived.get("signal_id"):
        return int(derived["signal_id"]), str(derived.get("attribute") or fact_ref)
    return signal.id, fact_ref


def confidence_of(signal: SignalLike) -> float:
    """How sure the source is of this signal, 0–1."""
    given = signal.data.get("confidence") if signal.data else None
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return min(1.0, max(0.0, float(given)))
    return DEFAULT_CONFIDENCE
