"""Re-scoring a whole playbook: every prospect's scores from its evidence, chunk by chunk, in one process or several.

Goes by the same pure engine as convergence (``prospects.rules.rescoring``). Moves nobody: stages follow evidence, not
the passing of time or of versions alone. A score that says what the last one did is not written again.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import get_context
from operator import itemgetter
from typing import Any

import orjson
from django.db import connection, connections, transaction
from django.utils import timezone

from playbooks.models import Client, Playbook, PlaybookVersion, User
from playbooks.ruling import rulings
from prospects.host.score_loading import evidence_in_force, merges_were_undone
from prospects.models import Prospect
from prospects.rules import rescoring, written
from prospects.rules.rescoring import Rescored
from prospects.rules.written import Written
from prospects.services.scores import COLUMNS, PRIORITIZER, ScoringModel, scoring_model, work_level
from salesops.runtime.bulk import Blocks, array_text, copy_text
from salesops.runtime.ports import Scope
from salesops.runtime.words import ImplementationKind
from salesops.sql import fetch

CHUNK = 2000  # a larger one no longer fits into the processor's cache, and takes longer
_RANKING = itemgetter(4, 5, 6)  # of the score columns: route, tier, priority
_SEQUENCES = {"fact": "fact_no", "score": "prospects_score_id_seq"}
_LOCK = """
SELECT id, composite, coverage, provisional, route, tier, priority, verdict, work_level FROM prospects_prospect
WHERE id = ANY(%s) AND merged_into_id IS NULL ORDER BY id FOR NO KEY UPDATE
"""
_LAST = """
SELECT DISTINCT ON (prospect_id, scorecard) prospect_id, scorecard, id, value, coverage, provisional
FROM prospects_score WHERE prospect_id = ANY(%s) AND playbook_version_id = %s
ORDER BY prospect_id, scorecard, id DESC
"""
# Looked at only where the numbers are the same: taking JSON apart is dear.
_BREAKDOWNS = "SELECT id, breakdown::text FROM prospects_score WHERE id = ANY(%s)"
_SAVE = """
UPDATE prospects_prospect p SET composite = v.composite, coverage = v.coverage, provisional = v.provisional,
    route = v.route, tier = v.tier, priority = v.priority, work_level = v.work_level
FROM unnest(%s::bigint[], %s::float8[], %s::float8[], %s::boolean[], %s::varchar[], %s::varchar[], %s::float8[],
    %s::smallint[]) AS v(id, composite, coverage, provisional, route, tier, priority, work_level) WHERE p.id = v.id
"""


@dataclass(slots=True)
class ScoreReport:
    """What a re-score did. ``routes`` counts prospects by where they stand now."""

    prospects: int = 0
    written: int = 0
    changed_route: int = 0
    seconds: float = 0.0
    routes: dict[str, int] = field(default_factory=dict)

    def add(self, other: ScoreReport) -> None:
        """Count another chunk in."""
        self.prospects += other.prospects
        self.written += other.written
        self.changed_route += other.changed_route
        self.routes = dict(Counter(self.routes) + Counter(other.routes))


def rescore(
    *,
    client: Client,
    playbook: Playbook,
    actor: User | None,
    clock: datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch_size: int = CHUNK,
    processes: int = 1,
) -> ScoreReport:
    """Recompute the scores of every prospect of a playbook, each under the version that rules it.

    One transaction a chunk. More than one process needs a connection of its own for each, so not inside a transaction.
    Raises ``NoActiveVersion``.
    """
    from prospects.host.store import open_scope  # the store builds on the score service

    del actor  # re-scoring is mechanical: the rows name no person
    now, started = clock or timezone.now(), time.perf_counter()
    newest = open_scope(client, playbook, now=now)
    report = ScoreReport()
    held = rulings(playbook.pk, newest.playbook.id)
    mine = Prospect.objects.for_client(client).filter(playbook=playbook).going_on()
    total = mine.count() if progress is not None else 0
    for number, ruling in enumerate(held):
        scope = newest
        if ruling.version_id != newest.playbook.id:
            version = PlaybookVersion.objects.select_related("playbook__client").get(pk=ruling.version_id)
            scope = open_scope(client, playbook, now=now, version=version)
        group = mine
        if ruling.since is not None:
            group = group.filter(created_at__gte=ruling.since)
        if number + 1 < len(held):
            group = group.filter(created_at__lt=held[number + 1].since)
        work = _Work(scope, scoring_model(scope), merges_were_undone(client.pk))
        for done in _spread(work, _chunks(group, batch_size), processes):
            report.add(done)
            if progress is not None:
                progress(report.prospects, total)
    report.seconds = time.perf_counter() - started
    return report


@dataclass(slots=True)
class _Work:
    """What holds for every chunk under one version."""

    scope: Scope
    model: ScoringModel
    undone_merges: bool
    numbers: Blocks | None = None


def _chunks(prospects: Any, size: int) -> Iterator[list[int]]:
    ids, after = prospects.order_by("pk").values_list("pk", flat=True), 0
    while batch := list(ids.filter(pk__gt=after)[:size]):
        after = batch[-1]
        yield batch


_WORK: _Work | None = None  # of this process: a forked one inherits it, so that nothing has to be sent along


def _spread(work: _Work, chunks: Iterator[list[int]], processes: int) -> Iterator[ScoreReport]:
    global _WORK
    _WORK = work
    if processes < 2:
        yield from map(_rescore_chunk, chunks)
        return
    every = list(chunks)  # asked before the processes part: a connection cannot be shared with a forked one
    connections.close_all()
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        yield from pool.map(_rescore_chunk, every)


def _rescore_chunk(ids: Sequence[int]) -> ScoreReport:
    work = _WORK
    assert work is not None  # noqa: S101 — set before any chunk
    if work.numbers is None:
        work.numbers = Blocks(_SEQUENCES)
    with _without_collecting(), transaction.atomic():
        standing = {row[0]: row for row in fetch(_LOCK, [list(ids)])}
        work.numbers.renew()  # whoever held these prospects before took lower ones
        return _write(work, standing, list(standing))


@contextmanager
def _without_collecting() -> Iterator[None]:
    """A chunk makes a million small objects and no cycles: looking for some takes most of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _write(work: _Work, standing: dict[int, tuple[Any, ...]], ids: list[int]) -> ScoreReport:
    scope, model = work.scope, work.model
    evidence = evidence_in_force(scope.playbook.id, ids, undone_merges=work.undone_merges)
    last = {row[:2]: row[2:] for row in fetch(_LAST, [ids, scope.playbook.id])}
    ranking = scope.assignments.get(PRIORITIZER) is not ImplementationKind.OFF
    found = rescoring.rescore(model, evidence.items(), scope.now)
    said = [(one.prospect_id, score) for one in found for score in _said(model, one, ranking=ranking)]
    rows = _lines(work, list(_news(said, last, provisional=model.provisional)))
    report = ScoreReport(prospects=len(ids), written=len(rows))
    saved: list[tuple[Any, ...]] = []
    routes: Counter[str] = Counter()
    for one in found:
        before = standing[one.prospect_id]
        after = _columns(model, one, before, ranking=ranking)
        routes[one.route] += 1
        report.changed_route += before[4] != one.route
        if after[1:] != (*before[1:7], before[8]):
            saved.append(after)
    if rows:
        copy_text("prospects_score", COLUMNS, rows)
    if saved:
        saved.sort(key=_RANKING)  # near one another in the indexes of the ranking: a sixth less work for PostgreSQL
        with connection.cursor() as cursor:
            cursor.execute(_SAVE, [array_text(column) for column in zip(*saved, strict=True)])
    report.routes = dict(routes)
    return report


def _said(model: ScoringModel, found: Rescored, *, ranking: bool) -> Iterator[Written]:
    whole = written.composed(model.icp, found.composite)
    if whole is not None:
        yield whole
    yield from written.plain(found.cards)
    if ranking and found.priority is not None:
        yield written.ranked(found.priority)


def _news(
    said: Sequence[tuple[int, Written]], last: Mapping[tuple[int, str], tuple[Any, ...]], *, provisional: bool
) -> Iterator[tuple[int, Written]]:
    """What says something else than the last score, or says it from other evidence."""
    alike: list[tuple[int, Written, int]] = []
    for prospect_id, score in said:
        known = last.get((prospect_id, score.card))
        if known is None or known[3] != provisional or not score.is_close(known[1], known[2]):
            yield prospect_id, score
        else:
            alike.append((prospect_id, score, known[0]))
    stored: dict[int, str] = dict(fetch(_BREAKDOWNS, [[i for *_, i in alike]])) if alike else {}
    for prospect_id, score, score_id in alike:
        if not score.rests_on(orjson.loads(stored[score_id])):
            yield prospect_id, score


def _lines(work: _Work, news: Sequence[tuple[int, Written]]) -> list[str]:
    """The lines of COPY: JSON holds neither tabs nor line ends, and its backslashes are doubled."""
    numbers, scope = work.numbers, work.scope
    assert numbers is not None  # noqa: S101 — opened with the chunk
    client, version, provisional = scope.client_id, scope.playbook.id, "t" if work.model.provisional else "f"
    at, count = scope.now.isoformat(), len(news)
    return [
        f"{number}\t{client}\t{prospect_id}\t{version}\t{said.card}\t{said.value!r}\t{said.coverage!r}\t{provisional}\t"
        + said.text().replace("\\", "\\\\")
        + f"\t{at}\t\\N\t{fact}"
        for (prospect_id, said), number, fact in zip(
            news, numbers.take("score", count), numbers.take("fact", count), strict=True
        )
    ]


def _columns(model: ScoringModel, found: Rescored, before: tuple[Any, ...], *, ranking: bool) -> tuple[Any, ...]:
    """The score columns of the prospect: (id, composite, coverage, provisional, route, tier, priority, level).

    A priority stays what it was where nobody ranks or nothing is known.
    """
    tier, priority, verdict = before[5:8]
    if ranking and found.priority is not None:
        priority, tier = found.priority.value, found.priority.tier
    whole = found.composite
    return (
        found.prospect_id, whole.value, whole.coverage, model.provisional, whole.route, tier, priority,
        work_level(whole.route, tier, verdict),
    )  # fmt: skip
