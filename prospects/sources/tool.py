"""A playbook version's sources as the agents' tool, and as the market scan's way to candidates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from playbooks.models import Client, PlaybookVersion
from playbooks.rules.sources import SourceConfig
from prospects.models.sources import DOCUMENTS_PER_ANSWER
from prospects.sources.cache import Stored
from prospects.sources.catalogue import Catalogue, filled_of, is_about, question_of, wanted
from prospects.sources.config import Reach
from prospects.sources.fetch import Fetcher
from prospects.sources.limits import Limiter
from prospects.sources.line import Office
from prospects.sources.lookup import Asking, Desk, Job, replaced
from prospects.sources.records import Candidate, Seeds
from prospects.sources.robots import Robots
from prospects.sources.scan import scan
from prospects.sources.verification import SourceVerifier
from salesops import engines
from salesops.runtime.toolbox import Checked, Document, Found, Usage
from salesops.runtime.views import ProspectView


@lru_cache(maxsize=1)
def shared_office() -> Office:
    """What all sources of this process share: limits, robots rules, reach."""
    reach = Reach.of_settings()
    fetcher = Fetcher(reach)
    return Office(reach, fetcher, Limiter(engines.urls().cache_url), Robots(fetcher))


class PlaybookSources:
    """See :class:`salesops.runtime.toolbox.Sources`. Call it outside any transaction: it writes as it goes.

    ``now`` is the time the agents are told: answers are dated and aged by it. Limits, rests and budgets run by the
    clock on the wall.
    """

    def __init__(
        self,
        *,
        version: PlaybookVersion,
        client: Client,
        configs: Sequence[SourceConfig],
        now: datetime,
        trace_id: str,
        office: Office | None = None,
    ) -> None:
        self._desk = Desk(client, version, Catalogue(configs), office or shared_office(), now, trace_id)
        self._used: dict[int, Usage] = {}
        self.problems: list[str] = []

    def look_up(self, batch: Sequence[ProspectView], kinds: frozenset[str]) -> Mapping[int, Found]:
        """What the sources that deliver ``kinds`` know about each prospect, and what went wrong, by prospect id."""
        asking = Asking(self._desk)
        filled = {p.id: filled_of(p, self._desk.version.root_intent) for p in batch}
        words: dict[int, list[str]] = defaultdict(list)
        jobs: list[Job] = []
        pending = [(c, list(filled)) for c in self._desk.catalogue.delivering(kinds, asking.standings)]
        asked = {config.key for config, _ in pending}
        while pending:
            fresh = [job for config, ids in pending for job in self._jobs(config, ids, filled, words)]
            asking.run(fresh)
            jobs += fresh
            pending = []
            for config, left in replaced(asking, fresh):
                if config.key not in asked:
                    asked.add(config.key)
                    pending.append((config, [i for job in left for i in job.prospects]))
        return self._found(jobs, kinds, filled, words)

    def verify(self, addresses: Mapping[int, Sequence[str]]) -> Mapping[str, Checked]:
        """What the playbook's verification services say about these addresses, given by prospect id."""
        verifier = SourceVerifier(self._desk)
        said = verifier.verify(addresses)
        for job in verifier.jobs:
            self._pay(job)
        return said

    def usage(self) -> Mapping[int, Usage]:
        """Cost and stored answers by prospect since the last call. A shared answer is paid by the first who asked."""
        used, self._used = self._used, {}
        return used

    def scan(self, seeds: Seeds) -> Iterator[Candidate]:
        """Candidates from every source that delivers them, page by page; ``problems`` fills on the way."""
        yield from scan(self._desk, seeds, self.problems)

    def _jobs(
        self,
        config: SourceConfig,
        prospects: Sequence[int],
        filled: Mapping[int, Mapping[str, str]],
        words: dict[int, list[str]],
    ) -> list[Job]:
        """One job for every different question."""
        jobs: dict[str, Job] = {}
        for prospect in prospects:
            question = question_of(config, filled[prospect], self._desk.office.reach)
            if isinstance(question, str):
                words[prospect].append(f"{config.key}: {question}")
            elif question.key in jobs:
                jobs[question.key].prospects.append(prospect)
            else:
                jobs[question.key] = Job(config, question, [prospect])
        return list(jobs.values())

    def _found(
        self,
        jobs: Sequence[Job],
        kinds: frozenset[str],
        filled: Mapping[int, Mapping[str, str]],
        words: Mapping[int, list[str]],
    ) -> dict[int, Found]:
        documents: dict[int, list[Document]] = {prospect: [] for prospect in filled}
        problems: dict[int, list[str]] = {prospect: list(words.get(prospect, ())) for prospect in filled}
        for job in jobs:
            said = _spoken(job)
            for prospect in job.prospects:
                problems[prospect] += said
                if job.answer is not None:
                    documents[prospect] += _documents(job.config, job.answer, kinds, filled[prospect])
            self._pay(job)
        return {p: Found(tuple(documents[p]), tuple(problems[p])) for p in filled}

    def _pay(self, job: Job) -> None:
        """Who wanted to know rests on the answer; the first of them pays for it."""
        if job.answer is not None:
            for prospect in job.prospects:
                self._use(prospect, job.answer.id)
        if job.cost:
            self._used.setdefault(job.prospects[0], Usage()).cost += job.cost

    def _use(self, prospect: int, answer: int) -> None:
        answers = self._used.setdefault(prospect, Usage(cost=Decimal(0))).answers
        if answer not in answers:
            answers.append(answer)


def _spoken(job: Job) -> list[str]:
    """What went wrong with one question, in words; and that an older answer stands in, when one does."""
    words = [f"{job.config.key}: {word}" for word in dict.fromkeys(job.words)]
    stands_in = job.answer is not None and job.answer is job.held.answer
    if words and stands_in and job.answer is not None:
        words.append(f"{job.config.key}: what it said on {job.answer.fetched_at:%Y-%m-%d} is used instead")
    return words


def _documents(
    config: SourceConfig, answer: Stored, kinds: frozenset[str], filled: Mapping[str, str]
) -> Iterator[Document]:
    for place, said in enumerate(answer.documents[: DOCUMENTS_PER_ANSWER - 1]):
        if wanted(config, str(said.get("kind")), kinds) and is_about(config, said, filled):
            yield _document(config, answer, place, said)


def _document(config: SourceConfig, answer: Stored, place: int, said: Mapping[str, Any]) -> Document:
    seen = said.get("observed_at")
    observed_at = min(datetime.fromisoformat(seen), answer.fetched_at) if seen else answer.fetched_at
    return Document(
        id=answer.id * DOCUMENTS_PER_ANSWER + place,
        source=config.key,
        kind=str(said.get("kind", config.type)),
        ref=str(said.get("ref", "")),
        observed_at=observed_at,
        text=str(said.get("text", "")),
        value=said.get("value"),
        data=said.get("data") or {},
        confidence=config.confidence,
    )
