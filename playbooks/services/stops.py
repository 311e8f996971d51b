"""The brake: stop anything at once, with a reason, and lift it with another."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Membership, Role, Stop, User
from salesops.dbtypes import new_trace_id
from salesops.errors import NotAllowed, Refusal


class ReasonMissing(Refusal):
    """A stop, and its lifting, names why."""


class WrongTarget(Refusal):
    """The level asks for a target that was not given, or the end lies in the past."""


class AlreadyLifted(Refusal):
    """Somebody else was faster."""


TARGETED = frozenset({Stop.Level.PLAYBOOK, Stop.Level.PROSPECT, Stop.Level.REQUEST})


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

    The target must be one of the client's own: the caller looks it up. Raises NotAllowed when a person who is not an
    admin stops everything, ReasonMissing, WrongTarget.
    """
    reason = reason.strip()
    if not reason:
        raise ReasonMissing("Say why: whoever finds this stopped has to understand it.")
    _check_target(level, target_id, agent, until)
    if level == Stop.Level.EVERYTHING:
        _check_admin(client, actor)
    trace_id = new_trace_id()
    row = Stop.objects.create(
        client=None if level == Stop.Level.EVERYTHING else client,
        level=level,
        kind=kind,
        target_id=target_id if level in TARGETED else None,
        agent=agent if level == Stop.Level.AGENT else "",
        reason=reason[:300],
        created_by=actor,
        until=until,
        trace_id=trace_id,
    )
    detail = {"level": level, "kind": kind, "target": target_id, "agent": agent}
    audit.record(client=client, event=AuditEvent.STOP_SET, subject=row, actor=actor, trace_id=trace_id, detail=detail)
    return row


@transaction.atomic
def lift(stop_id: int, *, client: Client, actor: User, reason: str) -> Stop:
    """End a stop. Raises Stop.DoesNotExist for another client's, ReasonMissing, AlreadyLifted, NotAllowed."""
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
    audit.record(
        client=client,
        event=AuditEvent.STOP_LIFTED,
        subject=row,
        actor=actor,
        trace_id=row.trace_id,
        detail={"level": row.level},
    )
    return row


def _check_target(level: str, target_id: int | None, agent: str, until: datetime | None) -> None:
    if level not in Stop.Level.values:
        raise WrongTarget("Choose what to stop.")
    if level in TARGETED and target_id is None:
        raise WrongTarget("Choose which one to stop.")
    if level == Stop.Level.AGENT and not agent:
        raise WrongTarget("Choose the agent to stop.")
    if until is not None and until <= timezone.now():
        raise WrongTarget("The end lies in the past.")


def _check_admin(client: Client, actor: User) -> None:
    """Stopping every client is for an admin; each person may stop their own client."""
    if not Membership.objects.filter(user=actor, client=client, role=Role.ADMIN).exists():
        raise NotAllowed("Only an admin can stop or restart everything. You can stop this client.")
