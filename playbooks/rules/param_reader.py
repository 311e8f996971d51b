"""Reads parameters out of plain data, saying field by field what was expected. Pure: no Django."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import cast

from playbooks.rules.spelling import did_you_mean, one_of

#: A larger number is no business of anybody's, and would not come back from JSON as it went in.
LARGEST = 10**15


class ParamsError(ValueError):
    """Parameters that do not fit their kind. ``problems`` holds (field, what was expected) pairs."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{name}: {words}" if name else words for name, words in self.problems))


class ParamReader:
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

    def partial(self, name: str = "partial") -> tuple[tuple[tuple[str, ...], float], ...]:
        """Lists of values, each with the share of the credit that it earns."""
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
            out.append((values, credit or 0.0))
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
