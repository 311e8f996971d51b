"""``converge``: run the agents over every prospect that is due, until each has a verdict.

A convergence is a row; its work is whatever is still due in PostgreSQL. Any number of workers may join it: each takes a
batch of prospects nobody else holds, runs it and goes on. Killing one loses at most the cycle it was in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.apps import apps
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, F, Sum
from django.db.models.expressions import RawSQL
from django.db.models.functions import Greatest
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Playbook, PlaybookVersion, Stop, User
from playbooks.services import stops
from prospects.models import AgentRun, Convergence, Diagnostic, ImportBatch
from prospects.runtime_store import NoActiveVersion, open_scope
from prospects.services import claims, funnel_cells, market_scan, merges
from salesops.errors import Refusal
from salesops.runtime import digest, registry
from salesops.runtime.engine import Engine, Outcome
from salesops.runtime.ports import Scope, registered
from salesops.runtime.words import Depth, ImplementationKind

log = structlog.get_logger(__name__)

BATCH = 500
MODEL_BATCH = 32  # one round of questions: while one worker waits for its answers, another works on its own
PARALLEL = 4  # nudges sent at once; more only wait in the queue
SILENT_AFTER = timedelta(seconds=20)  # a needless nudge finds everything held and ends
OPEN = (Convergence.Status.QUEUED, Convergence.Status.RUNNING)


class Stopped(Refusal):
    """A person has stopped work here."""


@dataclass(slots=True)
class Report:
    """What a convergence came to in this process."""

    convergence: Convergence
    outcome: Outcome = field(default_factory=Outcome)
    seconds: float = 0.0

    @property
    def digest(self) -> str:
        """Hash over all proposals of the convergence, by whichever process they were made."""
        return digest_of(self.convergence)

    def as_dict(self) -> dict[str, Any]:
        """The document ``converge --json`` prints."""
        done = self.convergence
        return {
            "convergence": done.pk,
            "trace_id": done.trace_id,
            "client": done.client.slug,
            "playbook": done.playbook.slug,
            "version": done.version.number,
            "depth": done.depth,
            "seed": done.seed,
            "clock": done.clock.isoformat(),
            "status": done.status,
            "prospects": done.done,
            "cycles": done.cycles,
            "verdicts": {"qualified": done.qualified, "rejected": done.rejected, "stalled": done.stalled},
            "requests": done.requests,
            "runs": self.outcome.runs,
            "proposals": {
                "made": self.outcome.proposed,
                "promoted": self.outcome.promoted,
                "refused": self.outcome.refused,
                "refusals": dict(sorted(self.outcome.refusals.items())),
                "kinds": dict(sorted(self.outcome.kinds.items())),
            },
            "seconds": round(self.seconds, 3),
            "prospects_per_second": round(self.outcome.prospects / self.seconds, 1) if self.seconds else None,
            "digest": self.digest,
        }


def converge(
    *,
    client: Client,
    playbook: Playbook,
    actor: User | None,
    depth: str = Depth.PRIMARY,
    limit: int | None = None,
    seed: int = 0,
    clock: datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch_size: int | None = None,
) -> Report:
    """Converge all due prospects in this process, joining an unfinished convergence of the same kind if there is one.

    ``clock`` is the time the agents are told it is (default: now). Raises ``NoActiveVersion`` and ``Stopped``.
    """
    convergence = open_convergence(
        client=client, playbook=playbook, actor=actor, depth=depth, limit=limit, seed=seed, clock=clock
    )
    report = Report(convergence)
    started = time.perf_counter()
    after: int | None = 0
    while after is not None:
        after = work(convergence.pk, after, outcome=report.outcome, batch_size=batch_size)
        convergence.refresh_from_db()
        if progress is not None:
            progress(convergence.done, convergence.total)
    report.seconds = time.perf_counter() - started
    return report


def start(
    *,
    client: Client,
    playbook: Playbook,
    actor: User | None,
    depth: str = Depth.PRIMARY,
    limit: int | None = None,
    seed: int = 0,
    clock: datetime | None = None,
) -> Convergence:
    """Queue a convergence for the workers, or nudge the unfinished one. Raises ``NoActiveVersion`` and ``Stopped``."""
    with transaction.atomic():
        convergence = open_convergence(
            client=client, playbook=playbook, actor=actor, depth=depth, limit=limit, seed=seed, clock=clock
        )
        transaction.on_commit(lambda: nudge(convergence))
    return convergence


def open_convergence(
    *,
    client: Client,
    playbook: Playbook,
    actor: User | None,
    depth: str = Depth.PRIMARY,
    limit: int | None = None,
    seed: int = 0,
    clock: datetime | None = None,
) -> Convergence:
    """The unfinished convergence of this kind, or a new one; whoever calls :func:`work` next joins it.

    Raises ``NoActiveVersion`` and ``Stopped``.
    """
    version = playbook.active_version
    if version is None or playbook.client_id != client.pk:
        raise NoActiveVersion(f"{playbook} has no active version. Activate one, then run the agents.")
    brake = stops.in_force(client.pk, playbook.pk).everything
    if brake is not None:
        raise Stopped(f"{Stop.Level(brake.level).label} is stopped: {brake.reason}")
    with transaction.atomic():
        # One opener at a time per playbook, so that two clicks make one convergence.
        Playbook.objects.select_for_update(no_key=True).get(pk=playbook.pk)
        same = Convergence.objects.filter(
            client=client, playbook=playbook, version=version, depth=depth, limit=limit, seed=seed, status__in=OPEN
        ).order_by("pk")
        if clock is not None:
            same = same.filter(clock=clock)
        unfinished = same.first()
        if unfinished is not None:
            return unfinished
        return _create(client, playbook, version, actor, Depth(depth), limit, seed, clock or timezone.now())


def _create(
    client: Client,
    playbook: Playbook,
    version: PlaybookVersion,
    actor: User | None,
    depth: Depth,
    limit: int | None,
    seed: int,
    clock: datetime,
) -> Convergence:
    up_to, levels = claims.extent(playbook.pk, version.pk, depth, limit, clock)
    convergence = Convergence.objects.create(
        client=client, playbook=playbook, version=version, depth=depth, seed=seed, clock=clock, limit=limit,
        up_to_id=up_to, total=sum(levels), level_totals=levels, level_done=[0] * len(levels), created_by=actor,
        heartbeat_at=timezone.now(), **_traced(playbook),
    )  # fmt: skip
    audit.record(
        client=client, event=AuditEvent.CONVERGENCE_STARTED, subject=convergence, actor=actor,
        trace_id=convergence.trace_id,
        detail={"depth": depth, "prospects": convergence.total, "version": version.number},
    )  # fmt: skip
    return convergence


def _traced(playbook: Playbook) -> dict[str, str]:
    """The trace id of the one import since the playbook's last convergence: what follows from it carries its id.

    After none, or several, the convergence has an id of its own.
    """
    newest = Convergence.objects.filter(playbook=playbook).order_by("-pk").values_list("created_at", flat=True).first()
    imports = ImportBatch.objects.for_client(playbook.client_id).filter(
        playbook=playbook, status=ImportBatch.Status.DONE
    )
    if newest is not None:
        imports = imports.filter(finished_at__gt=newest)
    traces = list(imports.order_by("-pk").values_list("trace_id", flat=True)[:2])
    return {"trace_id": traces[0]} if len(traces) == 1 else {}


def work(
    convergence_id: int, after: int, *, outcome: Outcome | None = None, batch_size: int | None = None
) -> int | None:
    """Take one batch of due prospects beyond ``after`` that nobody else holds, and converge it.

    Returns where the next batch begins, or None when nothing is left for this worker.
    """
    convergence = Convergence.objects.select_related("client", "playbook__client", "version").get(pk=convergence_id)
    if convergence.status not in OPEN or not _may_go_on(convergence):
        return None
    with structlog.contextvars.bound_contextvars(trace_id=convergence.trace_id):
        if convergence.depth == Depth.EXTENDED and market_scan.before(convergence) is not None:
            _take_in_newcomers(convergence)
        return _work_batch(convergence, after, outcome, batch_size)


def _work_batch(convergence: Convergence, after: int, outcome: Outcome | None, batch_size: int | None) -> int | None:
    scope = _scope(convergence, _with_playbook(convergence))
    with claims.claim(convergence, after, batch_size or _batch_size(scope)) as claim:
        if not claim.ids:
            if not claim.exhausted:
                return claim.last
            return None if claims.remaining(convergence) else _come_to_rest(convergence)
        batch = _under_their_versions(convergence, scope, claim.ids)
    _count(convergence, batch, claim.levels)
    if outcome is not None:
        outcome.add(batch)
    if claim.exhausted and not claims.remaining(convergence):
        return _come_to_rest(convergence)
    return claim.last


def _scope(convergence: Convergence, version: PlaybookVersion) -> Scope:
    return open_scope(
        convergence.client, convergence.playbook, now=convergence.clock, depth=Depth(convergence.depth),
        seed=convergence.seed, trace_id=convergence.trace_id, convergence_id=convergence.pk, version=version,
    )  # fmt: skip


def _under_their_versions(convergence: Convergence, scope: Scope, ids: Sequence[int]) -> Outcome:
    """Converge a batch. Whoever was in work when a version came that is for newcomers stays under the one before."""
    host, ports = registered()
    agents = registry.discover(config.name for config in apps.get_app_configs())
    batch = Outcome()
    for version_id, mine in claims.by_ruling(convergence, ids).items():
        if version_id != convergence.version_id:
            version = PlaybookVersion.objects.get(pk=version_id)
            version.playbook = convergence.playbook
            batch.add(_isolated(Engine(_scope(convergence, version), host, ports, agents), convergence, mine))
        else:
            batch.add(_isolated(Engine(scope, host, ports, agents), convergence, mine))
    return batch


def _take_in_newcomers(convergence: Convergence) -> None:
    """Whoever the market scan brought in belongs to the convergence it began."""
    c = convergence
    if c.limit is None and not c.done:
        c.up_to_id, levels = claims.extent(c.playbook_id, c.version_id, Depth(c.depth), None, c.clock)
        Convergence.objects.filter(pk=c.pk).update(up_to_id=c.up_to_id, total=sum(levels), level_totals=levels)


def _come_to_rest(convergence: Convergence) -> int | None:
    """Nobody is due. What the agents are sure is one is merged now, when no batch holds it; whoever that concerns is
    due again, so the work begins anew. Else this was the end.
    """
    if merges.merge_sure(client=convergence.client, at=convergence.clock, trace_id=convergence.trace_id):
        return 0
    _finish(convergence)
    return None


def _batch_size(scope: Scope) -> int:
    """Fewer prospects at a time when agents have to wait for a language model."""
    asking = (agent for agent, kind in scope.assignments.items() if kind is ImplementationKind.LLM)
    waits = any(scope.toolbox is not None and scope.toolbox.model(agent) is not None for agent in asking)
    return MODEL_BATCH if waits else BATCH


def _with_playbook(convergence: Convergence) -> PlaybookVersion:
    version = convergence.version
    version.playbook = convergence.playbook
    return version


def _may_go_on(convergence: Convergence) -> bool:
    """Whether nobody has stopped it. A pause leaves it open: the sweep asks again; a cancel closes it."""
    if convergence.cancel_requested:
        close(convergence, Convergence.Status.CANCELLED, "Cancelled by a person.")
        return False
    brake = stops.in_force(convergence.client_id, convergence.playbook_id).everything
    if brake is not None and brake.cancels:
        close(convergence, Convergence.Status.CANCELLED, f"Stopped: {brake.reason}")
    return brake is None


def _isolated(engine: Engine, convergence: Convergence, ids: Sequence[int]) -> Outcome:
    """Run a batch; when it breaks, halve it until the prospect at fault stands alone, and give only that one up."""
    try:
        return engine.run(ids)
    except (OperationalError, InterfaceError):
        raise  # the database went away: nothing of the batch is half done, and the next worker starts it again
    except Exception as error:
        if len(ids) == 1:
            log.exception("prospect_failed", prospect=ids[0], trace_id=convergence.trace_id)
            return claims.give_up(convergence, ids[0], error, engine.scope.playbook.id)
        log.warning("batch_failed", error=type(error).__name__, prospects=len(ids), trace_id=convergence.trace_id)
    outcome = Outcome()
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        outcome.add(_isolated(engine, convergence, half))
    return outcome


def _count(convergence: Convergence, batch: Outcome, levels: Sequence[int]) -> None:
    Convergence.objects.filter(pk=convergence.pk).update(
        status=Convergence.Status.RUNNING,
        done=F("done") + batch.prospects,
        level_done=RawSQL(
            "ARRAY(SELECT coalesce(a, 0) + b FROM unnest(level_done, %s::integer[]) WITH ORDINALITY AS t (a, b, i)"
            " ORDER BY i)",
            [list(levels)],
        ),
        cycles=Greatest(F("cycles"), batch.cycles),
        qualified=F("qualified") + batch.verdicts["qualified"],
        rejected=F("rejected") + batch.verdicts["rejected"],
        stalled=F("stalled") + batch.verdicts["stalled"],
        requests=F("requests") + batch.kinds["RequestProposal"],
        heartbeat_at=timezone.now(),
    )


def _finish(convergence: Convergence) -> None:
    close(convergence, Convergence.Status.DONE, "")


def close(convergence: Convergence, status: str, words: str) -> bool:
    """End it once, whoever comes first; whether it was this call."""
    with transaction.atomic():
        closed = Convergence.objects.filter(pk=convergence.pk, status__in=OPEN).update(
            status=status, error=words, finished_at=timezone.now()
        )
        if closed:
            audit.record(
                client=convergence.client, event=AuditEvent.CONVERGENCE_FINISHED, subject=convergence, actor=None,
                trace_id=convergence.trace_id, detail={"status": status},
            )  # fmt: skip
            funnel_cells.nudge_funnel()
    return bool(closed)


def cancel(convergence_id: int, *, client: Client, actor: User | None) -> Convergence:
    """Ask the workers to stop after their present batch. A finished convergence stays as it is."""
    with transaction.atomic():
        convergence = Convergence.objects.for_client(client).select_for_update(no_key=True).get(pk=convergence_id)
        if convergence.status in OPEN and not convergence.cancel_requested:
            convergence.cancel_requested = True
            convergence.save(update_fields=["cancel_requested"])
            log.info("convergence_cancel_requested", convergence=convergence.pk, actor=actor.pk if actor else None)
            transaction.on_commit(lambda: nudge(convergence, workers=1))
    return convergence


def nudge(convergence: Convergence, *, workers: int | None = None) -> None:
    """Wake workers through Celery. Losing these messages costs seconds: the sweep sends them again."""
    from prospects.tasks import converge_batch  # tasks import this module

    wanted = workers or max(1, min(PARALLEL, -(-convergence.total // BATCH)))
    with suppress(BrokerError, ConnectionError):
        for _ in range(wanted):
            converge_batch.delay(convergence.pk, 0)


def sweep(*, at: datetime) -> int:
    """Nudge open convergences that nobody has worked on for a while; how many."""
    with transaction.atomic():
        silent = list(
            Convergence.objects.filter(status__in=OPEN, heartbeat_at__lt=at - SILENT_AFTER)
            .select_for_update(skip_locked=True)
            .order_by("pk")[:20]
        )
        Convergence.objects.filter(pk__in=[c.pk for c in silent]).update(heartbeat_at=at, attempts=F("attempts") + 1)
    for convergence in silent:
        nudge(convergence)
    return len(silent)


def digest_of(convergence: Convergence) -> str:
    """Hash over every run of this convergence: the same facts, version, seed and clock give the same one."""
    runs = (
        AgentRun.objects.filter(convergence=convergence, status=AgentRun.Status.OK)
        .order_by("prospect_id", "agent", "watermark")
        .values_list("prospect__external_id", "prospect__company__domain", "agent", "digest")
        .iterator(chunk_size=5000)
    )
    return digest.of_convergence((external or domain or "", agent, own) for external, domain, agent, own in runs)


def outcome_of(convergence: Convergence) -> Outcome:
    """The counts of a convergence as its runs tell them, by whichever processes they were made."""
    runs = AgentRun.objects.filter(convergence=convergence)
    sums = runs.aggregate(n=Count("pk"), proposed=Sum("proposed"), promoted=Sum("promoted"), refused=Sum("refused"))
    outcome = Outcome(
        prospects=convergence.done, cycles=convergence.cycles, runs=sums["n"], proposed=sums["proposed"] or 0,
        promoted=sums["promoted"] or 0, refused=sums["refused"] or 0,
    )  # fmt: skip
    found = Diagnostic.objects.filter(run__convergence=convergence).values_list("kind").annotate(n=Count("pk"))
    outcome.refusals.update(dict(found.order_by()))
    return outcome
