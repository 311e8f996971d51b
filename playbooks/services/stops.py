"""The brake: stop anything at once, with a reason, and lift it with another.

A pause puts off what waits under it; a cancel calls it off. What waits belongs to other apps: each registers a
``Follower``, which is told inside the stop's own transaction.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Role, Stop, User
from playbooks.rules.halts import LOCK, StopSet
from playbooks.services.authority import holds, require
from salesops.dbtypes import new_trace_id
from salesops.errors import NotAllowed, Refusal
from salesops.sweeps import each


class ReasonMissing(Refusal):
    """A stop, and its lifting, names why."""


class WrongTarget(Refusal):
    """The level asks for a target that was not given, or the end lies in the past."""


class AlreadyLifted(Refusal):
    """Somebody else was faster."""


TARGETED = frozenset({Stop.Level.PLAYBOOK, Stop.Level.PROSPECT, Stop.Level.REQUEST})


@dataclass(frozen=True)
class Ended:
    """What an app called off: how many by kind, and the entries for each client's audit log (by client id)."""

    counts: Mapping[str, int]
    entries: Sequence[tuple[int, audit.Entry]]


class Follower(Protocol):
    """What an app does with its own waiting work when people stop and lift. Both run in the stop's transaction."""

    def call_off(self, stop: Stop) -> Ended:
        """End what waits under a stop that cancels. Doing it again finds nothing.

        It writes no audit entries: they come last, because whoever holds a row here may be waiting for the log.
        """
        ...

    def resume(self, stop: Stop) -> None:
        """The stop was lifted: what it put off may go on at once."""
        ...


_followers: dict[str, Follower] = {}


def follow(name: str, follower: Follower) -> None:
    """Called once by each app, in ``AppConfig.ready()``."""
    _followers[name] = follower


def in_force(client_id: int, playbook_id: int | None = None, *, at: datetime | None = None) -> StopSet:
    """What is stopped for this client (and playbook) now, or at ``at``. One query."""
    at = at or timezone.now()
    rows = Stop.objects.in_force(at).for_client(client_id).order_by("pk")
    if playbook_id is not None:
        rows = rows.exclude(Q(level=Stop.Level.PLAYBOOK) & ~Q(target_id=playbook_id))
    return StopSet(client_id, playbook_id, at, tuple(row.brake for row in rows))


def hold_steady() -> None:
    """No stop is set from now until this transaction ends, so what is claimed in it came before the stop or not at all.

    Taken before any row lock. Workers do not wait for each other here, only for somebody who is setting a stop.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", LOCK)


def wait_for_claims() -> None:
    """Let whatever is being claimed or approved finish, and nothing more begin until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", LOCK)


@transaction.atomic
def stop(
    *,
    client: Client,
    actor: User,
    level: str,
    reason: str,
    kind: str = Stop.Kind.PAUSE,
    target_id: int | None = None,
    agent: str = "",
    until: datetime | None = None,
) -> Stop:
    """Stop something from now on. Holds before every run and again before every dispatch.

    When this returns, nothing that it covers is claimed any more. A cancel has called off what waited under it, and
    ``called_off`` says how much. The target must be one of the client's own: the caller looks it up. Raises NotAllowed
    for anybody who does not work here, and when a person who is not an admin stops everything; ReasonMissing,
    WrongTarget.
    """
    _require_member(client, actor)
    reason = _stated(reason)
    _check_target(level, target_id, agent, until)
    if level == Stop.Level.EVERYTHING:
        _check_admin(client, actor)
    wait_for_claims()
    row = Stop.objects.create(
        client=None if level == Stop.Level.EVERYTHING else client,
        level=level,
        kind=kind,
        target_id=target_id if level in TARGETED else None,
        agent=agent if level == Stop.Level.AGENT else "",
        reason=reason,
        created_by=actor,
        until=until,
        trace_id=new_trace_id(),
    )
    entries = _call_off(row)
    _record([(client.pk, _set_entry(row)), *entries], actor)
    return row


@transaction.atomic
def pause_many(
    prospects: Sequence[int], *, client: Client, actor: User, reason: str, trace_id: str = ""
) -> dict[int, Stop]:
    """Pause each of these prospects until somebody lifts it: prospect → its stop. Those paused already are left out.

    The prospects must be the client's own: the caller looks them up. Raises NotAllowed, ReasonMissing.
    """
    _require_member(client, actor)
    reason = _stated(reason)
    wait_for_claims()
    there = Stop.objects.in_force().filter(client=client, level=Stop.Level.PROSPECT, target_id__in=list(prospects))
    known = set(there.values_list("target_id", flat=True))
    trace_id = trace_id or new_trace_id()
    rows = Stop.objects.bulk_create(
        Stop(client=client, level=Stop.Level.PROSPECT, target_id=pk, reason=reason, created_by=actor,
             trace_id=trace_id)
        for pk in prospects
        if pk not in known
    )  # fmt: skip
    _record([(client.pk, _set_entry(row)) for row in rows], actor)
    return {row.target_id: row for row in rows if row.target_id is not None}


@transaction.atomic
def resume_many(
    prospects: Sequence[int],
    *,
    client: Client,
    actor: User,
    reason: str,
    trace_id: str = "",
    only: Mapping[int, int] | None = None,
) -> dict[int, int]:
    """Lift every pause on one of these prospects: prospect → one of the stops lifted. A cancel stays.

    ``only`` names the one stop that may be lifted for each prospect. Raises NotAllowed, ReasonMissing.
    """
    _require_member(client, actor)
    reason = reason.strip()
    if not reason:
        raise ReasonMissing("Say why it may go on.")
    held = Stop.objects.in_force().filter(
        client=client, level=Stop.Level.PROSPECT, kind=Stop.Kind.PAUSE, target_id__in=list(prospects)
    )
    rows = list(held.select_for_update(of=("self",)).order_by("pk"))
    if only is not None:
        rows = [row for row in rows if only.get(row.target_id or 0) == row.pk]
    Stop.objects.filter(pk__in=[row.pk for row in rows]).update(
        lifted_at=timezone.now(), lifted_by=actor, lift_reason=reason[:300]
    )
    for row in rows:
        for follower in _followers.values():
            follower.resume(row)
    detail = {"level": Stop.Level.PROSPECT.value}
    _record(
        [
            (client.pk, audit.Entry(event=AuditEvent.STOP_LIFTED, subject=row, trace_id=trace_id or row.trace_id,
                                    detail=detail))
            for row in rows
        ],
        actor,
    )  # fmt: skip
    return {row.target_id: row.pk for row in rows if row.target_id is not None}


@transaction.atomic
def lift(stop_id: int, *, client: Client, actor: User, reason: str) -> Stop:
    """End a stop. Raises Stop.DoesNotExist for another client's, ReasonMissing, AlreadyLifted, NotAllowed."""
    _require_member(client, actor)
    reason = reason.strip()
    if not reason:
        raise ReasonMissing("Say why it may go on.")
    row = Stop.objects.for_client(client).select_for_update(of=("self",)).get(pk=stop_id)
    if row.lifted_at is not None:
        raise AlreadyLifted(f"This stop was already lifted by {row.lifted_by}.")
    if row.level == Stop.Level.EVERYTHING:
        _check_admin(client, actor)
    row.lifted_at, row.lifted_by, row.lift_reason = timezone.now(), actor, reason[:300]
    row.save(update_fields=["lifted_at", "lifted_by", "lift_reason"])
    for follower in _followers.values():
        follower.resume(row)
    audit.record(
        client=client,
        event=AuditEvent.STOP_LIFTED,
        subject=row,
        actor=actor,
        trace_id=row.trace_id,
        detail={"level": row.level},
    )
    return row


def _stated(reason: str) -> str:
    """The reason as it is kept. Raises ReasonMissing."""
    if not reason.strip():
        raise ReasonMissing("Say why: whoever finds this stopped has to understand it.")
    return reason.strip()[:300]


def _set_entry(row: Stop) -> audit.Entry:
    detail = {
        "level": row.level, "kind": row.kind, "target": row.target_id, "agent": row.agent,
        "called_off": row.called_off, "until": row.until.isoformat() if row.until else None,
    }  # fmt: skip
    return audit.Entry(event=AuditEvent.STOP_SET, subject=row, trace_id=row.trace_id, detail=detail)


def _call_off(row: Stop) -> list[tuple[int, audit.Entry]]:
    """Let every app end what waits under a cancel; the entries still to be written. Inside a transaction."""
    if row.kind != Stop.Kind.CANCEL:
        return []
    ended = [follower.call_off(row) for follower in _followers.values()]
    counts = Counter(row.called_off)
    for part in ended:
        counts.update(part.counts)
    called_off = {kind: count for kind, count in sorted(counts.items()) if count}
    if called_off != row.called_off:
        row.called_off = called_off
        row.save(update_fields=["called_off"])
    return [entry for part in ended for entry in part.entries]


def _record(entries: Sequence[tuple[int, audit.Entry]], actor: User) -> None:
    """Each into its client's log, one log after another in the order of their ids."""
    logs: dict[int, list[audit.Entry]] = defaultdict(list)
    for client_id, entry in entries:
        logs[client_id].append(entry)
    for client_id in sorted(logs):
        audit.record_many(client=Client(pk=client_id), entries=logs[client_id], actor=actor)


def sweep(*, at: datetime) -> int:
    """Call off what slipped in under a cancel while it was being set or since; how many things."""

    def again(stop_id: int) -> int:
        with transaction.atomic():
            rows = Stop.objects.select_for_update(skip_locked=True, of=("self",)).select_related("created_by")
            row = rows.in_force(at).filter(pk=stop_id).first()
            entries = _call_off(row) if row is not None else []
            if row is not None:
                _record(entries, row.created_by)
            return len(entries)

    cancels = Stop.objects.in_force(at).filter(kind=Stop.Kind.CANCEL).values_list("pk", flat=True)
    return sum(each(cancels, again, sweep="stops", name=lambda pk: f"stop {pk}"))


def _check_target(level: str, target_id: int | None, agent: str, until: datetime | None) -> None:
    if level not in Stop.Level.values:
        raise WrongTarget("Choose what to stop.")
    if level in TARGETED and target_id is None:
        raise WrongTarget("Choose which one to stop.")
    if level == Stop.Level.AGENT and not agent:
        raise WrongTarget("Choose the agent to stop.")
    if until is not None and until <= timezone.now():
        raise WrongTarget("The end lies in the past.")


def _require_member(client: Client, actor: User) -> None:
    require(client, actor, tuple(Role), to="stop and resume work")


def _check_admin(client: Client, actor: User) -> None:
    """Stopping every client is for an admin; each person may stop their own client."""
    if not holds(actor, client, {Role.ADMIN}):
        raise NotAllowed("Only an admin can stop or restart everything. You can stop this client.")
