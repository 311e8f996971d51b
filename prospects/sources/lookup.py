"""One batch looked up: what is held is used, what is missing is asked side by side, and all of it is stored.

Only the calling thread speaks to the database: one query for what is held, one for how the sources stand, and one
insert for every hundred answers or every second. Threads speak to the network.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from queue import Empty, SimpleQueue
from typing import Any

import structlog
from django.utils import timezone

from playbooks.models import Client, PlaybookVersion
from playbooks.rules.sources import SourceConfig
from playbooks.services import budgets
from prospects.models import SourceAnswer
from prospects.services import source_answers, source_states
from prospects.sources import cache
from prospects.sources.adapters import ASK
from prospects.sources.breaker import Brake
from prospects.sources.cache import Fetched, Held, Key, Stored
from prospects.sources.catalogue import Catalogue, brake_of
from prospects.sources.line import Line, Office
from prospects.sources.records import MAX_DOCUMENTS, Question, content_hash
from prospects.sources.troubles import NotAsked, NotKnown, Trouble

log = structlog.get_logger(__name__)

Status = SourceAnswer.Status
_FLUSH_AT = 100
_FLUSH_SECONDS = 1.0
_SMALLEST = Decimal("0.0001")  # what a budget counts in


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose sources are asked, for whom, and when that is."""

    client: Client
    version: PlaybookVersion
    catalogue: Catalogue
    office: Office
    now: datetime
    trace_id: str


@dataclass(slots=True)
class Job:
    """One question on its way: who wants to know, what is held, what came of it.

    ``open`` until there is an answer that need not be asked for; ``words`` say what went wrong.
    """

    config: SourceConfig
    question: Question
    prospects: list[int]
    held: Held = field(default_factory=Held)
    answer: Stored | None = None
    words: list[str] = field(default_factory=list)
    cost: Decimal = Decimal(0)
    open: bool = False

    @property
    def key(self) -> Key:
        return self.config.key, self.question.key

    @property
    def price(self) -> Decimal:
        """The most it can cost."""
        return (self.config.cost * self.question.most_requests).quantize(_SMALLEST, ROUND_CEILING)


@dataclass(frozen=True, slots=True)
class _Result:
    """What a thread brings back. ``fetched`` None: nothing to keep."""

    fetched: Fetched | None
    words: Sequence[str]
    cost: Decimal


class Asking:
    """Asks jobs of several sources. Brakes live as long as this does and are saved by ``settle``."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.until = self.until_again()
        self.standings = source_states.standings(desk.client, desk.catalogue.keys)
        self.brakes: dict[str, Brake] = {}

    def until_again(self) -> float:
        """When the time of a batch that begins now is over (monotonic seconds)."""
        return time.monotonic() + self.desk.office.reach.batch_seconds

    def brake(self, config: SourceConfig) -> Brake:
        if config.key not in self.brakes:
            self.brakes[config.key] = brake_of(config, self.standings.get(config.key))
        return self.brakes[config.key]

    def run(self, jobs: Sequence[Job]) -> None:
        """Fill every job's answer or say what went wrong."""
        held = cache.find(self.desk.client, [job.key for job in jobs])
        missing = []
        for job in jobs:
            job.held = held.get(job.key, Held())
            job.answer = job.held.answer
            if job.held.fresh(self.desk.now, job.config.params.cache_days):
                continue
            job.open = True
            if job.held.failing(self.desk.now):
                job.words.append(job.held.problem)
            else:
                missing.append(job)
        by_source: dict[str, list[Job]] = defaultdict(list)
        for job in missing:
            by_source[job.config.key].append(job)
        reserved = {key: self._afford(group) for key, group in by_source.items()}
        # Should this be cut off, what was reserved stays reserved: requests may have gone out.
        self._ask({key: group for key, (group, _) in reserved.items()})
        self._give_back(reserved)
        self.settle()

    def _afford(self, jobs: list[Job]) -> tuple[list[Job], tuple[Decimal, datetime]]:
        """The jobs there is money for, with what was reserved and when. The others are told."""
        price, at = max(job.price for job in jobs), timezone.now()
        if price <= 0:
            return jobs, (Decimal(0), at)
        desk = self.desk
        count = budgets.reserve_up_to(desk.version, budgets.Bucket.MONEY, price, len(jobs), client=desk.client, at=at)
        for job in jobs[count:]:
            job.words.append(str(NotAsked("the playbook's money for this month is spent")))
        return jobs[:count], (price * count, at)

    def _give_back(self, reserved: Mapping[str, tuple[list[Job], tuple[Decimal, datetime]]]) -> None:
        """Release what was reserved for requests that were not made or not answered."""
        for jobs, (amount, at) in reserved.values():
            spent = sum((job.cost for job in jobs), Decimal(0)).quantize(_SMALLEST, ROUND_CEILING)
            if amount > spent:
                desk = self.desk
                budgets.release(desk.version, budgets.Bucket.MONEY, amount - spent, client=desk.client, at=at)

    def settle(self) -> None:
        """Save what the brakes learnt."""
        learnt = {key: found for key, brake in self.brakes.items() if (found := brake.take()) is not None}
        source_states.save(self.desk.client, learnt)

    def _ask(self, by_source: Mapping[str, list[Job]]) -> None:
        """Each source gets threads of its own: one that makes us wait does not hold up the others."""
        groups = {key: jobs for key, jobs in by_source.items() if jobs}
        if not groups:
            return
        each = max(2, self.desk.office.reach.threads // len(groups))
        done: SimpleQueue[tuple[Job, _Result]] = SimpleQueue()
        pools: list[ThreadPoolExecutor] = []
        try:
            for key, jobs in groups.items():
                pool = ThreadPoolExecutor(min(each, len(jobs)), thread_name_prefix=f"source-{key}")
                pools.append(pool)
                brake = self.brake(jobs[0].config)
                for job in jobs:
                    pool.submit(self._bring, job, brake, done)
            self._collect(done, sum(map(len, groups.values())))
        finally:
            for pool in pools:
                pool.shutdown(wait=False, cancel_futures=True)

    def _bring(self, job: Job, brake: Brake, done: SimpleQueue[tuple[Job, _Result]]) -> None:
        try:
            result = self._one(job, brake)
        except Exception as error:  # whatever it is, somebody waits for an answer
            log.exception("source_broke", source=job.config.key, trace_id=self.desk.trace_id)
            result = _Result(
                None, [f"asking it broke ({type(error).__name__}). Trace {self.desk.trace_id}."], job.price
            )
        done.put((job, result))

    def _collect(self, done: SimpleQueue[tuple[Job, _Result]], expected: int) -> None:
        """Write answers as they come, so that a crash loses a second's worth at most."""
        waiting: list[tuple[Job, Fetched]] = []
        written = time.monotonic()
        while expected:
            try:
                job, result = done.get(timeout=_FLUSH_SECONDS)
            except Empty:
                job = None
            if job is not None:
                expected -= 1
                job.words.extend(result.words)
                if result.words:
                    log.info("source_trouble", source=job.config.key, words=result.words, trace_id=self.desk.trace_id)
                job.cost = result.cost
                if result.fetched is not None:
                    waiting.append((job, result.fetched))
            if len(waiting) >= _FLUSH_AT or time.monotonic() - written >= _FLUSH_SECONDS:
                self._write(waiting)
                written = time.monotonic()
            if any(brake.urgent for brake in self.brakes.values()):
                self.settle()  # others should hear of a halt at once
        self._write(waiting)

    def _write(self, waiting: list[tuple[Job, Fetched]]) -> None:
        if not waiting:
            return
        desk = self.desk
        ids = source_answers.keep(desk.client, [fetched for _, fetched in waiting], at=desk.now, trace_id=desk.trace_id)
        for job, fetched in waiting:
            if fetched.status != Status.FAILED:
                job.answer = Stored(ids[job.key], fetched.status, desk.now, fetched.documents, fetched.next_page)
                job.open = False
        waiting.clear()

    def _one(self, job: Job, brake: Brake) -> _Result:
        """In a thread: ask, and turn whatever happens into a result."""
        line = Line(job.config, self.desk.office, brake, until=self.until, most=job.question.most_requests)
        try:
            return self._answered(job, line)
        except NotKnown:
            return self._result(job, line, Status.EMPTY)
        except NotAsked as trouble:
            return _Result(None, [str(trouble)], job.config.cost * line.answered)
        except Trouble as trouble:
            return self._result(job, line, Status.FAILED, words=[str(trouble)])
        except Exception as error:
            log.exception("source_broke", source=job.config.key, trace_id=self.desk.trace_id)
            words = f"reading its answer broke ({type(error).__name__}). Trace {self.desk.trace_id}."
            return self._result(job, line, Status.FAILED, words=[words])

    def _answered(self, job: Job, line: Line) -> _Result:
        previous = job.held.answer.documents if job.held.answer is not None else ()
        said = ASK[job.config.kind](job.config, job.question, line, previous)
        documents = [doc.stored() for doc in said.documents[:MAX_DOCUMENTS]]
        return self._result(job, line, Status.OK if documents else Status.EMPTY, documents=documents, words=said.notes)

    def _result(
        self,
        job: Job,
        line: Line,
        status: str,
        *,
        documents: Sequence[Mapping[str, Any]] = (),
        words: Sequence[str] = (),
    ) -> _Result:
        cost = job.config.cost * line.answered
        if status == Status.FAILED and not line.tried:
            return _Result(None, words, cost)  # the brake spoke, not the source
        fetched = Fetched(
            job.config.key, job.config.type, job.question.key, job.question.subject, status,
            content_hash(documents), documents, problem="; ".join(words), cost=cost,
        )  # fmt: skip
        return _Result(fetched, words, cost)


def replaced(asking: Asking, jobs: Sequence[Job]) -> Iterator[tuple[SourceConfig, list[Job]]]:
    """Sources that turned out to be gone while they were asked, as their fallbacks, with the jobs left open."""
    by_source: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        if job.open and asking.brake(job.config).retired:
            by_source[job.config.key].append(job)
    for left in by_source.values():
        fallback = asking.desk.catalogue.fallback_of(left[0].config)
        if fallback is not None:
            yield fallback, left
