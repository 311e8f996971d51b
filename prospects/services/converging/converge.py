"""``converge``: run the agents over every prospect that is due, until each has a verdict.

A convergence is a row; its work is whatever is still due in PostgreSQL. Any number of workers may join it: each takes a
batch of prospects nobody else holds, runs it and goes on. Killing one loses at most the cycle it was in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Unpack

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError
from django.db.models import Case, F, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Greatest
from django.utils import timezone

from playbooks.models import PlaybookVersion
from playbooks.services import stops
from prospects.host.store import open_scope
from prospects.models import Convergence
from prospects.services import market_scan
from prospects.services.converging import claims
from prospects.services.converging.convergences import BATCH, OPEN, Order, close, open_convergence
from prospects.services.converging.reports import Report
from prospects.services.merging import merges
from salesops.all_agents import registry
from salesops.runtime.engine import Engine
from salesops.runtime.outcome import Outcome
from salesops.runtime.ports import Scope, registered
from salesops.runtime.words import Depth, ImplementationKind

log = structlog.get_logger(__name__)

MODEL_BATCH = 32  # one round of questions: while one worker waits for its answers, another works on its own


def converge(
    *, progress: Callable[[int, int], None] | None = None, batch_size: int | None = None, **order: Unpack[Order]
) -> Report:
    """Converge all due prospects in this process, joining an unfinished convergence of the same kind if there is one.

    Raises ``NotAllowed``, ``NoActiveVersion`` and ``Stopped``.
    """
    convergence = open_convergence(**order)
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
            convergence.refresh_from_db(fields=["status", "cancel_requested"])  # a scan takes its time
            if convergence.status not in OPEN or not _may_go_on(convergence):
                return None
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
    agents = registry()
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
    close(convergence, Convergence.Status.DONE, "")
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
        rules = convergence.version.status == PlaybookVersion.Status.ACTIVE
        words = "Cancelled by a person." if rules else "A newer version rules: the agents began anew under it."
        close(convergence, Convergence.Status.CANCELLED, words)
        return False
    brake = stops.in_force(convergence.client_id, convergence.playbook_id).everything
    if brake is not None and brake.cancels:
        close(convergence, Convergence.Status.CANCELLED, f"Stopped: {brake.reason}")
    return brake is None


def _isolated(engine: Engine, convergence: Convergence, ids: Sequence[int]) -> Outcome:
    """Run a batch; when it breaks, halve it until the prospect at fault stands alone, and give only that one up."""
    try:
        return engine.run(ids)
    except (OperationalError, InterfaceError, SoftTimeLimitExceeded):
        raise  # the database or our time is gone: nothing of the batch is half done, the next worker starts it again
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
    """What was done counts, though it may have been called off or ended by another worker meanwhile."""
    begun = When(status=Convergence.Status.QUEUED, then=Value(Convergence.Status.RUNNING.value))
    Convergence.objects.filter(pk=convergence.pk).update(
        status=Case(begun, default=F("status")),
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
