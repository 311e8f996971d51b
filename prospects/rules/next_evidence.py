"""Which evidence to look for next, and when to stop looking. Pure.

    EVSI = Σ_o P(o) · max(0, p_o · V − C)  −  max(0, p · V − C)

p is the probability that the prospect qualifies, V what a qualified prospect is worth, C what pursuing one costs; o is
what an item may say (for or against), p_o the probability after it (Bayes). The item with the largest EVSI − cost comes
first; nothing is worth looking for once none is above 0. (Howard, 1966: "Information value theory".)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MOST_ITEMS = 6
MOST_DAYS = 10  # business days
#: An answer to a question of no weight is a coin; one to the weightiest question is right this often.
_COIN, _BEST = 0.5, 0.95


@dataclass(frozen=True, slots=True)
class Item:
    """Something that could be found out. ``cost`` in the playbook's money, ``days`` business days until it is there.

    ``sensitivity``: how often it speaks for a prospect that qualifies; ``specificity``: against one that does not.
    """

    key: str
    label: str
    sensitivity: float
    specificity: float
    cost: float
    days: int = 0
    how: str = ""


@dataclass(frozen=True, slots=True)
class Worth:
    """An item with what finding it out is worth."""

    item: Item
    evsi: float

    @property
    def net(self) -> float:
        """EVSI less cost: what is gained on average by looking."""
        return self.evsi - self.item.cost


def evsi(p: float, value: float, pursuit: float, sensitivity: float, specificity: float) -> float:
    """The expected value of one item of sample information; never negative. 0 when p is 0 or 1."""
    if not 0 < p < 1:
        return 0.0
    says_yes = p * sensitivity + (1 - p) * (1 - specificity)
    # P(o) · p_o is P(qualifies and o): no division, so nothing to guard where an outcome cannot happen.
    yes = max(0.0, p * sensitivity * value - says_yes * pursuit)
    no = max(0.0, p * (1 - sensitivity) * value - (1 - says_yes) * pursuit)
    return max(0.0, yes + no - max(0.0, p * value - pursuit))


def ranked(p: float, value: float, pursuit: float, items: Iterable[Item]) -> list[Worth]:
    """What is worth finding out, the best first: at most six items that take ten business days together.

    Empty means stop: decide with what is known.
    """
    worths = [Worth(item, evsi(p, value, pursuit, item.sensitivity, item.specificity)) for item in items]
    good = sorted((worth for worth in worths if worth.net > 0), key=lambda worth: (-worth.net, worth.item.key))
    chosen: list[Worth] = []
    days = 0
    for worth in good:
        if len(chosen) < MOST_ITEMS and days + worth.item.days <= MOST_DAYS:
            chosen.append(worth)
            days += worth.item.days
    return chosen


def probability(composite: float | None, coverage: float, *, qualified: bool, ruled_out: bool) -> float:
    """P(qualifies): the composite as far as it is known, an even chance for the rest. 0 or 1 when it is settled."""
    if ruled_out:
        return 0.0
    if qualified:
        return 1.0
    known = min(1.0, max(0.0, coverage))
    return known * (composite if composite is not None else 50.0) / 100 + (1 - known) * 0.5


def accuracy(weight: float, weightiest: float, *, is_missing: bool) -> float:
    """How often an answer is right about the prospect, from its weight in the model against the weightiest question's.

    What a gate is waiting for counts as much as the weightiest.
    """
    share = 1.0 if is_missing else (weight / weightiest if weightiest > 0 else 0.0)
    return _COIN + (_BEST - _COIN) * min(1.0, max(0.0, share))


#: How a fact of each kind of criterion is come by: in words, by which channel it is paid, and in how many days.
WAYS: Mapping[str, tuple[str, str, int]] = {
    "in_set": ("look it up", "", 0),
    "in_range": ("look it up", "", 0),
    "overlap": ("look it up", "", 0),
    "signal": ("watch the sources", "", 2),
    "measure": ("watch the sources", "", 2),
    "phrase": ("ask by e-mail", "email", 3),
    "answer": ("ask on a call", "call", 2),
}
