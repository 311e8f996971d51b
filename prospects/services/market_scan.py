"""A market scan: candidates from the playbook's sources come in through the writer that files come in through.

The heavier a source, the earlier it is read: the first that speaks of a company in a scan states its facts, the others
only fill gaps. A scan that was cut short is done again from the stored answers and finds most of it done.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import PlaybookVersion, User
from playbooks.rules.sources import CANDIDATE, SourceConfig
from playbooks.services import stops
from prospects.agents.market_scan import AGENT
from prospects.host.loading import assignments, configs_of, permissions, playbook_view
from prospects.importing.columns import KEEP, ColumnMap, prospect_targets
from prospects.importing.records import Record, RowReader, as_json
from prospects.importing.rows import Refused, Row
from prospects.models import Convergence, MarketScan, SourceAnswer
from prospects.rules import quality_gates
from prospects.rules.compiled import criteria_by_key
from prospects.rules.facts import PROFILE
from prospects.services import agent_days
from prospects.services.importing.decide import Decider
from prospects.services.importing.lookup import id_stream, look_up, recall_facts, tell_planner
from prospects.services.importing.plan import Memory, Terms
from prospects.services.importing.runs import GROWTH, passing, take_turns
from prospects.services.importing.write import COMPANY_IDS, CONTACT_IDS, PROSPECT_IDS, write
from prospects.sources.records import Candidate, Seeds
from salesops.dbtypes import new_trace_id
from salesops.errors import Refusal
from salesops.runtime.ports import Run
from salesops.runtime.views import SignalView
from salesops.runtime.words import ImplementationKind, Resource

if TYPE_CHECKING:
    from prospects.sources.line import Office

log = structlog.get_logger(__name__)

CHUNK = 2_000
MOST = 50_000  # candidates of one scan
ATTEMPTS = 4
LOOK_SECONDS = 2.0  # between two looks whether people have stopped it
_LOCK = 0x1A92
Status = MarketScan.Status


class NothingToScan(Refusal):
    """No source of this playbook delivers candidates."""


def scan(
    version: PlaybookVersion,
    *,
    actor: User | None,
    now: datetime | None = None,
    trace_id: str = "",
    convergence: Convergence | None = None,
    office: Office | None = None,
) -> MarketScan:
    """Scan the market for this version and bring in what is found; what came of it, in a row of its own.

    Asks permissions, stops and the assignment first: a refusal is the row's status and words. Never raises for the
    network or for a bad record. Raises ``NothingToScan``. Must not be called inside a transaction.
    """
    configs = sorted(
        (c for c in configs_of(version) if CANDIDATE in c.delivers or _stands_in(c, version)), key=lambda c: -c.weight
    )
    if not configs:
        raise NothingToScan(f"No source of {version.playbook} delivers companies to look at.")
    row = _open(version, actor, now or timezone.now(), trace_id or new_trace_id(), convergence)
    with _held(row) as mine:
        if not mine:
            return row
        refusal = _refusal(version)
        if refusal:
            return _close(row, Status.REFUSED, refusal)
        try:
            stopped = _work(row, version, configs, office)
        except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
            raise  # the database or our time is gone: the next one to come finds the scan unfinished and does it again
        except Exception as error:
            log.exception("market_scan_broke", scan=row.pk, trace_id=row.trace_id)
            return _close(row, Status.FAILED, f"It broke ({type(error).__name__}). Trace {row.trace_id}.")
        if stopped.waits:
            return row  # whoever goes on with the convergence goes on here, from the stored answers
        return _close(row, Status.DONE, stopped.words)


def before(convergence: Convergence) -> MarketScan | None:
    """The scan at the start of an extended convergence, once; None where there is nothing to do (any more)."""
    finished = MarketScan.objects.filter(convergence=convergence).exclude(status=Status.RUNNING)
    if finished.exists():
        return None
    with suppress(NothingToScan):
        return scan(
            convergence.version, actor=convergence.created_by, now=convergence.clock, trace_id=convergence.trace_id,
            convergence=convergence,
        )  # fmt: skip
    return None


def latest(client_id: int, limit: int = 10) -> list[MarketScan]:
    """The client's newest scans."""
    return list(scans_of(client_id).order_by("-id")[:limit])


def scans_of(client_id: int) -> QuerySet[MarketScan]:
    """The client's scans with all that a row of their list shows."""
    return MarketScan.objects.filter(client=client_id).select_related("playbook", "version", "created_by")


def as_dict(row: MarketScan) -> dict[str, Any]:
    """The document ``scan_market --json`` prints."""
    counts = {name: getattr(row, name) for name in _COUNTS}
    return {
        "scan": row.pk, "trace_id": row.trace_id, "client": row.client.slug, "playbook": row.playbook.slug,
        "version": row.version.number, "status": row.status, "words": row.words, "found": row.found, **counts,
        "cost": str(row.cost), "sources": row.sources, "problems": row.problems,
    }  # fmt: skip


_COUNTS = ("created", "updated", "merged", "unchanged", "rejected")


def _stands_in(config: SourceConfig, version: PlaybookVersion) -> bool:
    """Whether a source is kept only as the fallback of one that delivers candidates."""
    return any(c.fallback == config.key and CANDIDATE in c.delivers for c in configs_of(version))


def _open(
    version: PlaybookVersion, actor: User | None, at: datetime, trace_id: str, convergence: Convergence | None
) -> MarketScan:
    """A new row; of a convergence, the one there is."""
    playbook = version.playbook
    given = {
        "client": playbook.client, "playbook": playbook, "version": version, "created_by": actor, "at": at,
        "trace_id": trace_id,
    }  # fmt: skip
    if convergence is None:
        return MarketScan.objects.create(**given)
    return MarketScan.objects.get_or_create(convergence=convergence, defaults=given)[0]


@contextmanager
def _held(row: MarketScan) -> Iterator[bool]:
    """Whether this process is the one to do it: nobody else is at it, and it is not done."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK, row.pk])
        (locked,) = cursor.fetchone()
    try:
        if locked:
            row.refresh_from_db(fields=["status"])
        yield locked and row.status == Status.RUNNING
    finally:
        if locked:
            with suppress(Exception), connection.cursor() as cursor:  # a dead connection has let go of it anyway
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, row.pk])


def _refusal(version: PlaybookVersion) -> str:
    """Why it may not be done now; empty when it may."""
    playbook = version.playbook
    stopped = stops.in_force(playbook.client_id, playbook.pk)
    if stopped.everything is not None:
        return f"Stopped: {stopped.everything.reason}"
    if AGENT.name in stopped.agents:
        return "A person has stopped the market scan."
    assigned = assignments(version.pk).get(AGENT.name, ImplementationKind.RULES)
    if assigned in (ImplementationKind.OFF, ImplementationKind.HUMAN):
        return "The playbook switches the market scan off, or leaves it to people."
    for resource in (Resource.CONTACT, Resource.ACTIVITY):
        if (AGENT.team, resource) not in permissions(playbook.client)[0]:
            return f"Team {AGENT.team} may not write {resource} for this client."
    return ""


def _close(row: MarketScan, status: str, words: str) -> MarketScan:
    row.status, row.words, row.finished_at = status, words[:500], timezone.now()
    with transaction.atomic():
        row.save(update_fields=["status", "words", "finished_at"])
        if status != Status.REFUSED:
            _count(row)
        if words.startswith("Team "):
            audit.record(
                client=row.client, event=AuditEvent.PERMISSION_DENIED, subject=row, actor=row.created_by,
                trace_id=row.trace_id, detail={"agent": AGENT.name, "team": AGENT.team, "words": words},
            )  # fmt: skip
    log.info("market_scan_finished", scan=row.pk, status=status, found=row.found, created=row.created)
    return row


def _count(row: MarketScan) -> None:
    """The scan is its agent's run: candidates are what it proposed, records that say nothing were refused."""
    assert row.finished_at is not None  # noqa: S101 — whoever closes it sets it
    taken = row.created + row.updated + row.merged
    microseconds = round((row.finished_at - row.started_at).total_seconds() * 1e6)
    run = Run(
        row.pk, 0, AGENT.name, ImplementationKind.RULES, "", 0, 1, duration_us=max(microseconds, 0),
        status="failed" if row.status == Status.FAILED else "ok", proposed=row.found, promoted=taken,
        refused=row.rejected, cost=row.cost,
    )  # fmt: skip
    agent_days.count_scan(row.client, AGENT.name, run)


@dataclass(slots=True)
class _Stopped:
    """Whether people have stopped a scan at work, in ``words``. It ``waits`` where its convergence does."""

    row: MarketScan
    words: str = ""
    waits: bool = False
    looked: float = field(default_factory=time.monotonic)

    def until(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """The candidates that come before."""
        for candidate in candidates:
            if time.monotonic() - self.looked >= LOOK_SECONDS:
                self._look()
                self.looked = time.monotonic()
            if self.words:
                return
            yield candidate

    def _look(self) -> None:
        row = self.row
        brake = stops.in_force(row.client_id, row.playbook_id).halts(agent=AGENT.name)
        if brake is not None:
            self.words = f"Stopped: {brake.reason}. What was found before that is kept."
            self.waits = row.convergence_id is not None and not brake.cancels
        elif row.convergence_id and Convergence.objects.filter(pk=row.convergence_id, cancel_requested=True).exists():
            self.words = "The agents were called back. What was found before that is kept."


def _work(
    row: MarketScan, version: PlaybookVersion, configs: Sequence[SourceConfig], office: Office | None
) -> _Stopped:
    """Bring in what is found, until there is no more or somebody stops it."""
    from prospects.sources.tool import PlaybookSources  # a second's worth of HTTP, only for who scans

    playbook = version.playbook
    sources = PlaybookSources(
        version=version, client=playbook.client, configs=configs, now=row.at, trace_id=row.trace_id, office=office
    )
    seeds = Seeds(version.icp_industries, version.icp_countries or version.countries, version.root_intent)
    writer = _Writer(row, {config.key: config for config in configs})
    stopped = _Stopped(row)
    found = itertools.islice(stopped.until(sources.scan(seeds)), MOST)
    for source, candidates in itertools.groupby(found, key=lambda candidate: candidate.source):
        for chunk in _chunks(candidates):
            writer.bring_in(source, chunk)
            _note(row, writer, sources.problems)
    _note(row, writer, sources.problems)
    return stopped


def _chunks(candidates: Iterable[Candidate]) -> Iterator[list[Candidate]]:
    rest = iter(candidates)
    while chunk := list(itertools.islice(rest, CHUNK)):
        yield chunk


def _note(row: MarketScan, writer: _Writer, problems: Sequence[str]) -> None:
    """How far it is: read by the page while it runs."""
    for name in _COUNTS:
        setattr(row, name, sum(counts[name] for counts in writer.counts.values()))
    row.found = sum(counts["found"] for counts in writer.counts.values())
    row.sources = {source: dict(counts) for source, counts in writer.counts.items()}
    row.problems = [words[:300] for words in (*problems, *writer.problems)][:200]
    paid = SourceAnswer.objects.filter(client=row.client, source__in=list(row.sources), trace_id=row.trace_id)
    row.cost = paid.aggregate(cost=Sum("cost"))["cost"] or 0
    row.save(update_fields=["found", *_COUNTS, "sources", "problems", "cost"])


class _Writer:
    """Brings candidates in, one transaction a chunk. Remembers whom this scan has met, whichever source spoke."""

    def __init__(self, row: MarketScan, configs: Mapping[str, SourceConfig]) -> None:
        self._row = row
        self._configs = configs
        self._memory = Memory()
        view = playbook_view(row.version)
        self._kept = quality_gates.Asked(quality_gates.KEEP, criteria_by_key(view), view.keep_threshold)
        self._ids = (id_stream(COMPANY_IDS), id_stream(CONTACT_IDS), id_stream(PROSPECT_IDS))
        self._analyze_at = CHUNK // 2
        self._readers: dict[tuple[str, ...], RowReader] = {}
        self.counts: dict[str, Counter[str]] = {}
        self.problems: list[str] = []

    def bring_in(self, source: str, candidates: Sequence[Candidate]) -> None:
        """Write one chunk of one source. Records that say nothing are skipped and noted."""
        counts = self.counts.setdefault(source, Counter())
        counts["found"] += len(candidates)
        records: list[Record] = []
        places: dict[int, str] = {}
        for candidate in candidates:
            record = self._read(candidate)
            if isinstance(record, Refused):
                counts["rejected"] += 1
                self._skip(source, candidate.ref, record.reason)
            elif words := self._falls_short(record):
                counts["rejected"] += 1
                self._skip(source, candidate.ref, words)
            elif record.row not in places:
                places[record.row] = candidate.ref
                records.append(record)
            else:
                counts["unchanged"] += 1  # the source names it twice
        for _, kind, reason in self._write(self._terms(source, places), records):
            counts[kind] += 1
            if kind == "rejected":
                self._skip(source, "", reason)
        created = sum(each["created"] for each in self.counts.values())
        if created >= self._analyze_at:
            tell_planner()
            self._analyze_at = GROWTH * created

    def _falls_short(self, record: Record) -> str:
        """Why a company is not kept; empty when it is, and where the playbook has no discovery fit."""
        if not self._kept.holds:
            return ""
        profile = SignalView(0, PROFILE, record.observed_at or self._row.at, None, "", record.facts, "", "", "", 0)
        found = self._kept.of([profile], self._row.at)
        return "" if found.passed else f"discovery fit is {found.words}"

    def _skip(self, source: str, ref: str, reason: str) -> None:
        log.info("candidate_skipped", source=source, reason=reason, trace_id=self._row.trace_id)
        if len(self.problems) < 100:
            self.problems.append(f"{source}: {ref[:80]}{': ' if ref else ''}{reason}")

    def _read(self, candidate: Candidate) -> Record | Refused:
        names = tuple(candidate.fields)
        if names not in self._readers:
            known = set(prospect_targets())
            mapping = ColumnMap({name: name if name in known else KEEP for name in names})
            self._readers[names] = RowReader(names, mapping, now=self._row.at, day_first=None, people_only=False)
        number = int(hashlib.sha256(candidate.ref.encode()).hexdigest()[:12], 16)
        read = self._readers[names].read(Row(number, list(candidate.fields.values()), ""))
        if isinstance(read, Refused):
            return read
        believed = {"confidence": candidate.confidence, "candidate_weight": candidate.weight}
        return read._replace(facts_json=as_json({**read.facts, **believed}), observed_at=candidate.observed_at)

    def _terms(self, source: str, places: Mapping[int, str]) -> Terms:
        row = self._row
        return Terms(
            client_id=row.client_id, playbook_id=row.playbook_id, source=source, file_name=source,
            sha256=hashlib.sha256(source.encode()).hexdigest(), trace_id=row.trace_id, observed_at=row.at,
            now=timezone.now(), places=places,
        )  # fmt: skip

    def _write(self, terms: Terms, records: Sequence[Record]) -> list[tuple[int, str, str]]:
        """One transaction, tried again when another writer was quicker with the same company."""
        for attempt in itertools.count(1):
            try:
                with transaction.atomic():
                    take_turns(terms.client_id)
                    known = look_up(
                        records, client_id=terms.client_id, playbook_id=terms.playbook_id, source=terms.source
                    )
                    recall_facts(known, self._memory)
                    plan = Decider(terms, known, self._memory, self._ids).decide(records)
                    write(plan, terms)
            except (IntegrityError, OperationalError) as error:
                self._memory.forget()
                if attempt >= ATTEMPTS or not passing(error):
                    raise
                time.sleep(0.05 * 2**attempt)
                continue
            break
        self._memory.keep()
        return [*plan.outcomes, *((record.row, "rejected", reason) for record, reason in plan.rejected)]
