"""A model to ask on this machine, with a store and a purse in memory: what is asked and paid can be looked at."""

from __future__ import annotations

import dataclasses
import itertools
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

from salesops.bench.standin import StandIn
from salesops.llm.asker import Asker
from salesops.llm.config import LLMConfig, Price
from salesops.llm.ports import Amount, Answer, Kept
from salesops.runtime.context import Context
from salesops.runtime.toolbox import Question

ANTHROPIC, OPENAI = "anthropic:claude-haiku-4-5", "openai:local-model"
RESPONSES, GOOGLE = "openai-responses:local-model", "google:local-model"
_AT = datetime(2026, 6, 1, tzinfo=UTC)


class Colour(BaseModel):
    """The colour seen."""

    model_config = ConfigDict(extra="forbid")

    name: str
    share: float = 0.0


class Memory:
    """A store in a dictionary."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, Answer]] = {}
        self._numbers = itertools.count(1)

    def find(self, keys: Sequence[str]) -> Mapping[str, Kept]:
        found = {key: self.answers[key] for key in keys if key in self.answers}
        return {key: Kept(number, a.outcome, a.text, a.words) for key, (number, a) in found.items()}

    def keep(self, answers: Sequence[Answer]) -> Mapping[str, Kept]:
        for answer in answers:
            self.answers.setdefault(answer.key, (next(self._numbers), answer))
        return self.find([answer.key for answer in answers])

    @property
    def all(self) -> list[Answer]:
        return [answer for _, answer in self.answers.values()]


class Purse:
    """Limits in memory. ``threads`` are those that touched it."""

    def __init__(self, tokens: int = 10_000_000, money: Decimal | int = 1000) -> None:
        self.left = Amount(tokens, Decimal(money))
        self.most_reserved = 0
        self.reserved = 0
        self.threads: set[int] = set()

    def reserve(self, amount: Amount) -> datetime | None:
        self.threads.add(threading.get_ident())
        if amount.tokens > self.left.tokens or amount.money > self.left.money:
            return None
        self.left = Amount(self.left.tokens - amount.tokens, self.left.money - amount.money)
        self.reserved += amount.tokens
        self.most_reserved = max(self.most_reserved, self.reserved)
        return _AT

    def settle(self, at: datetime, reserved: Amount, used: Amount) -> None:
        assert at == _AT
        self.threads.add(threading.get_ident())
        self.reserved -= reserved.tokens
        self.left = self.left + Amount(reserved.tokens - used.tokens, reserved.money - used.money)


def config(server: StandIn | None, **fields: Any) -> LLMConfig:
    """Both protocols at the stand-in; short times, so that failing is quick."""
    url = server.url if server is not None else "http://127.0.0.1:9"
    defaults: dict[str, Any] = {
        "models": {"fast": ANTHROPIC, "analysis": ANTHROPIC, "writing": OPENAI, "search": OPENAI},
        "prices": dict.fromkeys((ANTHROPIC, OPENAI, RESPONSES, GOOGLE), Price(Decimal(1), Decimal(5))),
        "keys": {},
        "base_urls": {"anthropic": url, "openai": f"{url}/v1", "google": url},
        "rates": {"USD": Decimal(1)},
        "timeout": 5.0,
        "ask_seconds": 30.0,
    }
    return LLMConfig(**{**defaults, **fields})


class Desk:
    """An asker with everything it touches."""

    def __init__(
        self, server: StandIn | None, *, wanted: str = "fast", purse: Purse | None = None, **fields: Any
    ) -> None:
        self.store = Memory()
        self.purse = purse or Purse()
        self.config = config(server, **fields)
        self.asker = Asker(self.config, self.store, self.purse, wanted=wanted)

    def other(self, **fields: Any) -> Asker:
        """Another asker over the same store and purse."""
        return Asker(dataclasses.replace(self.config, **fields), self.store, self.purse, wanted="fast")


def question(number: int = 1, kind: type[BaseModel] = Colour, **values: Any) -> Question[Any]:
    """A question about prospect ``number``; the prompt is signal_extraction's, whose values are three texts."""
    prospect = Context(id=number, key=f"p{number}", stage="sourced", facts_no=1).view()
    given = {"kinds": "red: it is red", "company": f"Company {number}", "texts": "The door is red."}
    return Question(prospect, "prospects/signal_extraction", {**given, **values}, kind)
