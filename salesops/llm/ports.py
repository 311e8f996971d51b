"""What the package needs of whoever uses it: a place to keep answers, and a purse that can say no."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

#: The problem of a question that was not asked because the budget does not cover its worst case.
BUDGET = "budget: today's tokens or this month's money do not cover another question"


class Outcome(StrEnum):
    """What kind of answer came back and was paid for."""

    ANSWERED = "answered"
    REFUSED = "refused"
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a model, as it came. Money in the playbook's currency; ``key`` names the question and the model."""

    key: str
    prospect_id: int
    model: str
    prompt: str
    prompt_version: str
    outcome: Outcome
    text: str
    words: str
    tokens_in: int
    tokens_out: int
    cost: Decimal
    seconds: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored answer."""

    id: int
    outcome: Outcome
    text: str
    words: str


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens and money together: one question takes both."""

    tokens: int = 0
    money: Decimal = Decimal(0)

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.money + other.money)


class Store(Protocol):
    """Keeps answers for good, so that none is paid for twice."""

    def find(self, keys: Sequence[str]) -> Mapping[str, Kept]:
        """The stored answers among these keys, in one query."""
        ...

    def keep(self, answers: Sequence[Answer]) -> Mapping[str, Kept]:
        """Store answers at once and for good. Where another worker was faster, its answer is the one returned."""
        ...


class Purse(Protocol):
    """The budget of one playbook. What is reserved can never exceed the limit, however many workers ask."""

    def reserve(self, amount: Amount) -> datetime | None:
        """Take the worst case before a call; None, and nothing taken, when it does not fit."""
        ...

    def settle(self, at: datetime, reserved: Amount, used: Amount) -> None:
        """Put back what a call that was reserved ``at`` that time did not use."""
        ...
