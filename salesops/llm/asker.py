"""Asks many questions side by side: the stored answer first, then the budget, then the model, and the answer stored.

Everything here runs in the thread that asks; it alone touches store and purse. The network is the loop's business
(:mod:`salesops.llm.loop`), which hands back finished attempts through a queue.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple, cast

import structlog
from pydantic import BaseModel, ValidationError

from salesops.llm import loop
from salesops.llm.config import LLMConfig, ModelChoice
from salesops.llm.pace import Pace, backoff, spread
from salesops.llm.ports import BUDGET, Amount, Answer, Kept, Outcome, Purse, Store
from salesops.llm.prompts import Prompt, load
from salesops.llm.wire import Attempt, Call, Result, worst_tokens_in
from salesops.runtime.toolbox import A, Question, Reply, Usage

log = structlog.get_logger(__name__)

_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")  # an even number of backslashes before it belongs to the text
_LATE = "There was no time left to ask."
_paces: dict[tuple[str, str, int, int], Pace] = {}
_making = threading.Lock()


@dataclass(slots=True)
class _Ask:
    """One distinct question on its way. ``reserved_at`` is None while the budget holds nothing for its next attempt."""

    key: str
    prompt: Prompt
    call: Call
    answer: type[BaseModel]
    worst: Amount
    prospects: list[int] = field(default_factory=list)
    tries: int = 0
    waits: int = 0
    reserved_at: datetime | None = None
    delay: float = 0.0
    flight: Future[Any] | None = None


class Problem(NamedTuple):
    """Why a question has no answer; ``passing``: the very same question may be answered another time."""

    words: str
    passing: bool


class Asker:
    """One agent's language model: see :class:`salesops.runtime.toolbox.LanguageModel`.

    ``wanted`` is the role or id the playbook names; empty leaves the choice to each prompt's role. ``rate`` is how much
    of the playbook's currency one unit of the price list's currency is.
    """

    def __init__(
        self, config: LLMConfig, store: Store, purse: Purse, *, wanted: str = "", rate: Decimal = Decimal(1)
    ) -> None:
        self._config = config
        self._store = store
        self._purse = purse
        self._wanted = wanted
        self._rate = rate
        self._usage: dict[int, Usage] = {}

    def usage(self) -> Mapping[int, Usage]:
        """Usage by prospect id since the last call, which forgets it."""
        used, self._usage = self._usage, {}
        return used

    def ask(self, questions: Sequence[Question[A]]) -> list[Reply[A]]:
        """Replies in the order of the questions, asked side by side. A stored answer is used again, not paid again."""
        asks: dict[str, _Ask] = {}
        keys: list[str] = []
        problems: dict[str, Problem] = {}
        for question in questions:
            key = self._register(question, asks, problems)
            keys.append(key)
        kept = dict(self._store.find(list(asks)))
        fresh = [ask for key, ask in asks.items() if key not in kept]
        if fresh:
            _Work(self, fresh, kept, problems).run()
        for key, answer in kept.items():
            for prospect in asks[key].prospects:
                self._use(prospect).answers.append(answer.id)
        return [_reply(q, kept.get(key), problems.get(key)) for q, key in zip(questions, keys, strict=True)]

    def _register(self, question: Question[Any], asks: dict[str, _Ask], problems: dict[str, Problem]) -> str:
        """The question's key; a new one is taken down in ``asks``, or in ``problems`` when nobody can be asked."""
        prompt = load(question.prompt)
        wanted = self._wanted or prompt.role
        choice = self._config.choose(wanted)
        if choice is None:
            problems[wanted] = Problem(f"No model can be asked: {self._config.why_not(wanted)}.", passing=False)
            return wanted
        call = _call(prompt, question, choice, self._config.timeout)
        key = _key(prompt, call)
        ask = asks.get(key)
        if ask is None:
            tokens_in = worst_tokens_in(call)
            money = choice.price.of(tokens_in, prompt.max_tokens, self._rate)
            worst = Amount(tokens_in + prompt.max_tokens, money)
            ask = asks[key] = _Ask(key, prompt, call, question.answer, worst)
        about = question.prospect.id if question.prospect is not None else 0
        if about not in ask.prospects:
            ask.prospects.append(about)
        return key

    def _use(self, prospect_id: int) -> Usage:
        return self._usage.setdefault(prospect_id, Usage())

    def pace(self, choice: ModelChoice) -> Pace:
        """The one pace at which this process asks this model."""
        config = self._config
        name = (choice.id, choice.base_url, config.concurrency, os.getpid())
        with _making:
            if name not in _paces:
                account = hashlib.sha256(f"{choice.provider}\n{choice.base_url}".encode()).hexdigest()[:12]
                _paces[name] = Pace(
                    config.concurrency, config.slots_folder, account, config.brake_after, config.brake_seconds,
                    config.longest_wait,
                )  # fmt: skip
            return _paces[name]


class _Work:
    """One round of questions that nobody has answered yet."""

    def __init__(self, asker: Asker, asks: Iterable[_Ask], kept: dict[str, Kept], problems: dict[str, Problem]) -> None:
        self.asker = asker
        self.config = asker._config
        self.waiting = deque(asks)
        self.flying: dict[str, _Ask] = {}
        self.kept = kept
        self.problems = problems
        self.landed: queue.SimpleQueue[tuple[str, Attempt | None]] = queue.SimpleQueue()
        self.ends_at = time.monotonic() + self.config.ask_seconds
        self.settling: dict[datetime, tuple[Amount, Amount]] = {}

    def run(self) -> None:
        """Until every question has an answer or a problem."""
        try:
            while self.waiting or self.flying:
                self._launch()
                if self.flying:
                    self._land()
        finally:
            # Broken off (a worker's time limit, Ctrl-C): what flies may be charged, so its reservation stays taken.
            for ask in self.flying.values():
                if ask.flight is not None:
                    ask.flight.cancel()
            self._settle()

    # --- out -----------------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        """Start questions, as far as the budget goes: twice as many as may ask at once, so no slot waits for us."""
        room = 2 * self.config.concurrency - len(self.flying)
        group = [self.waiting.popleft() for _ in range(min(room, len(self.waiting)))]
        group = [ask for ask in group if not self._hopeless(ask)]
        for ask in self._reserve(group):
            self._send(ask)

    def _hopeless(self, ask: _Ask) -> bool:
        pace = self.asker.pace(ask.call.model)
        braked = pace.brake()
        if braked or time.monotonic() >= self.ends_at:
            self._give_up(ask, braked or _LATE, passing=not (braked and pace.lasting))
            return True
        return False

    def _reserve(self, group: list[_Ask]) -> list[_Ask]:
        """Those of ``group`` the budget has room for; the others wait for what is under way, or are told no."""
        ready = [ask for ask in group if ask.reserved_at is not None]
        needy = [ask for ask in group if ask.reserved_at is None]
        while needy:
            part = needy
            at = self.asker._purse.reserve(_sum(ask.worst for ask in part))
            while at is None and len(part) > 1:
                part = part[: len(part) // 2]
                at = self.asker._purse.reserve(_sum(ask.worst for ask in part))
            if at is None:
                break
            for ask in part:
                ask.reserved_at = at
            ready += part
            needy = needy[len(part) :]
        if needy and (self.flying or ready):
            self.waiting.extendleft(reversed(needy))  # something will be given back when those have landed
        else:
            for ask in needy:
                self._give_up(ask, BUDGET, passing=True)
        return ready

    def _send(self, ask: _Ask) -> None:
        self.flying[ask.key] = ask
        ask.flight = loop.submit(self._fly(ask))

    async def _fly(self, ask: _Ask) -> None:
        """On the loop's thread. Whatever happens, something lands."""
        done: Attempt | None = None
        try:
            done = await self.asker.pace(ask.call.model).send(ask.call, ask.delay)
        except Exception:
            log.exception("question_broke", prompt=ask.prompt.name)
        finally:
            self.landed.put((ask.key, done))

    # --- in ------------------------------------------------------------------------------------------------------

    def _land(self) -> None:
        """Take in all that has finished, at least one; store the answers and settle the budget for all at once."""
        arrived = []
        # A question under way ends by itself after its timeout; the rest is for a loop that died.
        longest = max(0.0, self.ends_at - time.monotonic()) + self.config.timeout + 5.0
        with suppress(queue.Empty):
            arrived.append(self.landed.get(timeout=longest))
            while True:
                arrived.append(self.landed.get_nowait())
        if not arrived:
            arrived = [(key, None) for key in self.flying]
        answers = []
        for key, done in arrived:
            ask = self.flying.pop(key)
            if done is None:
                self._charge(ask, None)
                self._give_up(ask, "The question was broken off.", passing=True)
            elif done.result is Result.DONE:
                answers.append(self._answer(ask, done))
            else:
                self._again(ask, done)
        if answers:
            self.kept.update(self.asker._store.keep(answers))
        self._settle()

    def _answer(self, ask: _Ask, done: Attempt) -> Answer:
        used = self._charge(ask, done)
        outcome, words = done.outcome, done.words
        if outcome is Outcome.ANSWERED:
            words = _wrong_form(ask.answer, done.text)
            outcome = Outcome.MALFORMED if words else outcome
        return Answer(
            key=ask.key,
            prospect_id=ask.prospects[0],
            model=ask.call.model.id,
            prompt=ask.prompt.name,
            prompt_version=ask.prompt.edition,
            outcome=outcome,
            text=done.text,
            words=words,
            tokens_in=done.tokens_in,
            tokens_out=done.tokens_out,
            cost=used.money,
            seconds=round(done.seconds, 3),
        )

    def _again(self, ask: _Ask, done: Attempt) -> None:
        """Another attempt, if there may be one. A reservation whose attempt cost nothing serves the next one."""
        if done.is_charged is None:
            self._charge(ask, None)
        ask.delay = self._delay(ask, done)
        if ask.delay < 0 or time.monotonic() + ask.delay >= self.ends_at:
            self._give_up(ask, done.words, passing=done.result in (Result.WAIT, Result.AGAIN))
        else:
            self.waiting.append(ask)

    def _delay(self, ask: _Ask, done: Attempt) -> float:
        """Seconds until the next attempt; below 0 when there is none."""
        if done.result is Result.WAIT:
            ask.waits += 1
            told = done.wait if done.wait is not None else backoff(ask.waits)
            may = ask.waits < self.config.rate_limit_attempts and told <= self.config.longest_wait
            return told + spread(0.25) if may else -1.0
        if done.result is Result.AGAIN:
            ask.tries += 1
            wait = max(backoff(ask.tries), done.wait or 0.0)
            return wait if ask.tries < self.config.attempts and wait <= self.config.longest_wait else -1.0
        return -1.0

    def _give_up(self, ask: _Ask, words: str, *, passing: bool) -> None:
        self.problems[ask.key] = Problem(words, passing)
        if ask.reserved_at is not None:
            self._note_settled(ask.reserved_at, ask.worst, Amount())
            ask.reserved_at = None

    def _charge(self, ask: _Ask, done: Attempt | None) -> Amount:
        """Book an attempt: what it used, or its worst case when nobody can know."""
        if done is None or done.is_charged is None:
            used = ask.worst
        else:
            money = ask.call.model.price.of(done.tokens_in, done.tokens_out, self.asker._rate)
            used = Amount(done.tokens_in + done.tokens_out, money)
        if ask.reserved_at is not None:
            self._note_settled(ask.reserved_at, ask.worst, used)
            ask.reserved_at = None
        spent = self.asker._use(ask.prospects[0])
        spent.tokens += used.tokens
        spent.cost += used.money
        return used

    def _note_settled(self, at: datetime, reserved: Amount, used: Amount) -> None:
        before = self.settling.get(at, (Amount(), Amount()))
        self.settling[at] = before[0] + reserved, before[1] + used

    def _settle(self) -> None:
        while self.settling:
            at, (reserved, used) = self.settling.popitem()
            self.asker._purse.settle(at, reserved, used)


def _sum(amounts: Iterable[Amount]) -> Amount:
    return sum(amounts, Amount())


def _call(prompt: Prompt, question: Question[Any], choice: ModelChoice, timeout: float) -> Call:
    return Call(
        choice,
        prompt.fill(question.values),
        _schema(cast(Any, question.answer)),
        (question.answer.__doc__ or "The answer.").strip(),
        prompt.max_tokens,
        timeout,
    )


def _key(prompt: Prompt, call: Call) -> str:
    """The name of a question to a model: whatever could change the answer is in it, and nothing else."""
    parts = [
        call.model.id, prompt.name, prompt.edition, call.filled.system, call.filled.question, call.describes,
        json.dumps(call.schema, sort_keys=True), str(call.max_tokens),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _reply(question: Question[A], kept: Kept | None, problem: Problem | None) -> Reply[A]:
    """The stored answer read again by today's type: it is no more trusted for being stored."""
    if kept is None:
        found = problem or Problem("There was no answer.", passing=True)
        return Reply(None, found.words, found.passing)
    if kept.outcome is not Outcome.ANSWERED:
        return Reply(None, kept.words)
    wrong = _wrong_form(question.answer, kept.text)
    return Reply(None, wrong) if wrong else Reply(question.answer.model_validate_json(_without_nul(kept.text)))


def _wrong_form(kind: type[BaseModel], text: str) -> str:
    """What keeps the text from being an answer of that type; empty when nothing does."""
    try:
        kind.model_validate_json(_without_nul(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "answer"
        return f"The answer does not have the form asked for ({where[:80]}: {first['msg'][:120]})."
    return ""


def _without_nul(text: str) -> str:
    """JSON without the one character that JSON can say and no database takes."""
    return _NUL.sub(r"\1", text)


@cache
def _schema(kind: type[BaseModel]) -> dict[str, Any]:
    return kind.model_json_schema()
