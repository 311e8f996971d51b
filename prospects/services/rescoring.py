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
from itertools import zip_longest
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
from prospects.services.scores import PRIORITIZER, ScoringModel, scoring_model, work_level
from salesops.runtime.bulk import array_text, copy_text
from salesops.runtime.ports import Scope
from salesops.runtime.words import ImplementationKind
from salesops.sql import fetch
from salesops.tenancy import TenantQuerySet

CHUNK = 2000  # a larger one no longer fits into the processor's cache, and takes longer
_RANKING = itemgetter(4, 5, 6)  # of the score columns: route, tier, priority
#: Of a Score row, which PostgreSQL numbers itself: what differs from row to row, and what a chunk's rows share.
_OWN = ("prospect_id", "scorecard", "value", "coverage", "breakdown")
_SHARED = ("client_id", "playbook_version_id", "provisional", "computed_at")
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
    del actor  # re-scoring is mechanical: the rows name no person
    started, report = time.perf_counter(), ScoreReport()
    mine = Prospect.objects.for_client(client).filter(playbook=playbook).going_on()
    total = mine.count() if progress is not None else 0
    for scope, group in _by_version(client, playbook, mine, clock or timezone.now()):
        work = _Work(scope, scoring_model(scope), merges_were_undone(client.pk))
        for done in _spread(work, _chunks(group, batch_size), processes):
            report.add(done)
            if progress is not None:
                progress(report.prospects, total)
    report.seconds = time.perf_counter() - started
    return report


def _by_version(
    client: Client, playbook: Playbook, prospects: TenantQuerySet[Prospect], now: datetime
) -> Iterator[tuple[Scope, TenantQuerySet[Prospect]]]:
    """The prospects that each version rules, and the scope to score them in."""
    from prospects.host.store import open_scope  # the store builds on the score service

    newest = open_scope(client, playbook, now=now)
    held = rulings(playbook.pk, newest.playbook.id)
    for ruling, following in zip_longest(held, held[1:]):
        scope, group = newest, prospects
        if ruling.version_id != newest.playbook.id:
            version = PlaybookVersion.objects.select_related("playbook__client").get(pk=ruling.version_id)
            scope = open_scope(client, playbook, now=now, version=version)
        if ruling.since is not None:
            group = group.filter(created_at__gte=ruling.since)
        if following is not None:
            group = group.filter(created_at__lt=following.since)
        yield scope, group


@dataclass(slots=True)
class _Work:
    """What holds for every chunk under one version."""

    scope: Scope
    model: ScoringModel
    undone_merges: bool


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
    with _without_collecting(), transaction.atomic():
        chunk = _Chunk(work, {row[0]: row for row in fetch(_LOCK, [list(ids)])})
        return chunk.rescore()


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


class _Chunk:
    """Some prospects, one after the other from evidence to lines: what lives shortly stays in the processor's cache."""

    def __init__(self, work: _Work, standing: Mapping[int, tuple[Any, ...]]) -> None:
        self.model, self.scope, self.undone_merges = work.model, work.scope, work.undone_merges
        self.standing = standing
        self.ranking = self.scope.assignments.get(PRIORITIZER) is not ImplementationKind.OFF
        client, version, now = self.scope.client_id, self.scope.playbook.id, self.scope.now
        self.shared = f"{client}\t{version}\t{self.model.provisional}\t{now.isoformat()}"
        known = fetch(_LAST, [list(standing), version])
        self.last: dict[tuple[int, str], tuple[Any, ...]] = {row[:2]: row[2:] for row in known}
        self.lines: list[str] = []
        self.alike: dict[int, tuple[int, Written]] = {}  # by the score they say the same as
        self.saved: list[tuple[Any, ...]] = []
        self.report = ScoreReport(prospects=len(standing))

    def rescore(self) -> ScoreReport:
        """Score them, write what says something new, and say how many did."""
        version, now = self.scope.playbook.id, self.scope.now
        evidence = evidence_in_force(version, list(self.standing), undone_merges=self.undone_merges)
        routes: Counter[str] = Counter()
        for found in rescoring.rescore(self.model, evidence, now):
            routes[found.route] += 1
            self._add(found)
        self._look_again()
        self._save()
        self.report.routes = dict(routes)
        return self.report

    def _add(self, found: Rescored) -> None:
        before = self.standing[found.prospect_id]
        for said in self._said(found):
            known = self.last.get((found.prospect_id, said.card))
            if known is None or known[3] != self.model.provisional or not said.is_close(known[1], known[2]):
                self.lines.append(self._line(found.prospect_id, said))
            else:
                self.alike[known[0]] = found.prospect_id, said
        after = _columns(self.model, found, before, ranking=self.ranking)
        self.report.changed_route += before[4] != found.route
        if after[1:] != (*before[1:7], before[8]):
            self.saved.append(after)

    def _said(self, found: Rescored) -> Iterator[Written]:
        whole = written.composed(self.model.icp, found.composite)
        if whole is not None:
            yield whole
        yield from written.plain(found.cards)
        if self.ranking and found.priority is not None:
            yield written.ranked(found.priority)

    def _line(self, prospect_id: int, said: Written) -> str:
        """A line of COPY: JSON holds neither tabs nor line ends, and its backslashes are doubled."""
        text = said.text().replace("\\", "\\\\")
        return f"{prospect_id}\t{said.card}\t{said.value!r}\t{said.coverage!r}\t{text}\t{self.shared}"

    def _look_again(self) -> None:
        """The same numbers may rest on other evidence."""
        stored = dict(fetch(_BREAKDOWNS, [list(self.alike)])) if self.alike else {}
        for score_id, (prospect_id, said) in self.alike.items():
            if not said.rests_on(orjson.loads(stored[score_id])):
                self.lines.append(self._line(prospect_id, said))

    def _save(self) -> None:
        self.report.written = len(self.lines)
        if self.lines:
            copy_text("prospects_score", _OWN + _SHARED, self.lines)
        if self.saved:
            self.saved.sort(key=_RANKING)  # near one another in the indexes of the ranking: a sixth less work
            with connection.cursor() as cursor:
                cursor.execute(_SAVE, [array_text(column) for column in zip(*self.saved, strict=True)])


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
