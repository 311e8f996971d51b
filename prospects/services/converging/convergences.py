"""A convergence as a row: opened once, seen to by workers that can be woken and called off, closed once.

What the workers do with it is ``converge`` beside it. Waiting work is the row itself; a nudge only wakes.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from typing import NotRequired, TypedDict, Unpack

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Playbook, Role, Stop, User
from playbooks.services import stops
from playbooks.services.authority import require
from prospects.host.store import NoActiveVersion
from prospects.models import Convergence, ImportBatch
from prospects.services import funnel_cells
from prospects.services.converging import claims
from salesops.errors import Refusal
from salesops.runtime.words import Depth

BATCH = 500
PARALLEL = 4  # nudges sent at once; more only wait in the queue
SILENT_AFTER = timedelta(seconds=20)  # a needless nudge finds everything held and ends
#: who may set agents to work and call them back
STARTERS = (Role.OPERATOR, Role.LEADER, Role.ADMIN)
OPEN = (Convergence.Status.QUEUED, Convergence.Status.RUNNING)


class Stopped(Refusal):
    """A person has stopped work here."""


class Order(TypedDict):
    """Whose convergence, by whom, and how: ``clock`` is the time the agents are told it is, now where it is None."""

    client: Client
    playbook: Playbook
    actor: User | None
    depth: NotRequired[str]
    limit: NotRequired[int | None]
    seed: NotRequired[int]
    clock: NotRequired[datetime | None]


def start(**order: Unpack[Order]) -> Convergence:
    """Queue a convergence for the workers, or nudge the unfinished one.

    Raises ``NotAllowed``, ``NoActiveVersion`` and ``Stopped``.
    """
    with transaction.atomic():
        convergence = open_convergence(**order)
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

    Raises ``NotAllowed``, ``NoActiveVersion`` and ``Stopped``.
    """
    require(client, actor, STARTERS, to="set agents to work")
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
        return _create(
            Convergence(
                client=client, playbook=playbook, version=version, created_by=actor, depth=Depth(depth), limit=limit,
                seed=seed, clock=clock or timezone.now(), **_traced(playbook),
            )
        )  # fmt: skip


def _create(new: Convergence) -> Convergence:
    """Count whom it is about, save it and say so in the audit log."""
    new.up_to_id, levels = claims.extent(new.playbook_id, new.version_id, Depth(new.depth), new.limit, new.clock)
    new.total, new.level_totals, new.level_done = sum(levels), levels, [0] * len(levels)
    new.heartbeat_at = timezone.now()
    new.save()
    audit.record(
        client=new.client, event=AuditEvent.CONVERGENCE_STARTED, subject=new, actor=new.created_by,
        trace_id=new.trace_id,
        detail={"depth": new.depth, "prospects": new.total, "version": new.version.number},
    )  # fmt: skip
    return new


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
    """Ask the workers to stop after their present batch. A finished convergence stays as it is.

    Raises ``NotAllowed``.
    """
    require(client, actor, STARTERS, to="call agents back")
    with transaction.atomic():
        convergence = Convergence.objects.for_client(client).select_for_update(no_key=True).get(pk=convergence_id)
        if convergence.status in OPEN and not convergence.cancel_requested:
            convergence.cancel_requested = True
            convergence.save(update_fields=["cancel_requested"])
            audit.record(
                client=client, event=AuditEvent.CONVERGENCE_CANCELLED, subject=convergence, actor=actor,
                trace_id=convergence.trace_id, detail={"done": convergence.done, "prospects": convergence.total},
            )  # fmt: skip
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
