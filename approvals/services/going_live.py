"""Out of the sandbox, to real people, and back. The only writer of ``client.sandbox``.

Whoever approved a message knew where it would go, so no switch sends it elsewhere: what was approved and has not left
comes back to the queue, to be approved anew under the new sign, and calls and notes still to be made are called off.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from approvals.models import ApprovalRequest, Dispatch, Task
from approvals.reading.checklist import Checklist, Line, checklist
from approvals.services import next_steps
from approvals.services.call_off import CALLED_OFF, HELD
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, ModeSwitch, Role, User
from playbooks.services import stops
from playbooks.services.authority import holds, require_admin
from salesops.dbtypes import new_trace_id
from salesops.errors import NotAllowed, Refusal

Mode = ModeSwitch.Mode
_NOW = {Mode.LIVE: "Approved in the sandbox; this client is live now.",
        Mode.SANDBOX: "Approved for a real person; this client is in the sandbox now."}  # fmt: skip


class NotReady(Refusal):
    """A required line of the checklist does not hold."""

    def __init__(self, missing: Sequence[Line]) -> None:
        self.missing = list(missing)
        super().__init__(f"Not yet: {'; '.join(f'{line.title.lower()} ({line.saw})' for line in missing)}.")


class NotConfirmed(Refusal):
    """The name typed is not the client's, or no reason was given."""


class AlreadyThere(Refusal):
    """Somebody else was faster."""


@transaction.atomic
def go_live(
    client: Client, *, actor: User, reason: str, typed_name: str, acknowledged: Collection[str] = ()
) -> ModeSwitch:
    """From now on, what is approved goes to real people. ``acknowledged`` may hold ``NO_LIST``.

    Raises NotAllowed for anybody but an admin, NotConfirmed, NotReady, AlreadyThere.
    """
    client = _held(client)
    require_admin(client, actor)
    if not client.sandbox:
        raise AlreadyThere(f"{client} is live already.")
    if typed_name.strip() != client.name.strip():
        raise NotConfirmed(f"Type the client's name, {client.name}, to confirm.")
    if not reason.strip():
        raise NotConfirmed("Say why: the audit log keeps it.")
    found = checklist(client)
    missing = found.missing(acknowledged)
    if missing:
        raise NotReady(missing)
    return _switch(client, Mode.LIVE, actor=actor, reason=reason, found=found, acknowledged=acknowledged)


@transaction.atomic
def back_to_sandbox(client: Client, *, actor: User, reason: str = "") -> ModeSwitch:
    """At once nothing more reaches anybody. What a mail server has taken over cannot be called back.

    Raises NotAllowed for anybody but operators and admins, AlreadyThere.
    """
    client = _held(client)
    if not actor.is_superuser and not holds(actor, client, {Role.ADMIN, Role.OPERATOR}):
        raise NotAllowed("Operators and admins of this client take it back into the sandbox. Anybody may stop it.")
    if client.sandbox:
        raise AlreadyThere(f"{client} is in the sandbox already.")
    return _switch(client, Mode.SANDBOX, actor=actor, reason=reason)


def _held(client: Client) -> Client:
    """The client as it is, while nothing is claimed or approved and nobody else switches it."""
    stops.wait_for_claims()
    return Client.objects.select_for_update(no_key=True).get(pk=client.pk)


def _switch(
    client: Client,
    mode: ModeSwitch.Mode,
    *,
    actor: User,
    reason: str,
    found: Checklist | None = None,
    acknowledged: Collection[str] = (),
) -> ModeSwitch:
    trace_id = new_trace_id()
    recalled = _recall(client, mode)
    called_off = _call_off(client, actor, mode)
    checked = {**found.as_dict(), "acknowledged": sorted(acknowledged)} if found else {}
    row = ModeSwitch.objects.create(
        client=client, mode=mode, by=actor, reason=reason.strip()[:300], checked=checked, asked_again=len(recalled),
        trace_id=trace_id,
    )  # fmt: skip
    event = AuditEvent.CLIENT_WENT_LIVE if mode == Mode.LIVE else AuditEvent.CLIENT_TOOK_IN
    detail = {"reason": row.reason, "asked_again": row.asked_again, "tasks": len(called_off), "checked": checked}
    entries = [audit.Entry(event=event, subject=row, trace_id=trace_id, detail=detail)]
    entries += [
        audit.Entry(event=AuditEvent.DISPATCH_CANCELLED, subject=dispatch, trace_id=dispatch.trace_id,
                    detail={"request": dispatch.request_id, "switch": row.pk})
        for dispatch in recalled
    ]  # fmt: skip
    entries += [
        audit.Entry(event=AuditEvent.TASK_DONE, subject=task, trace_id=task.trace_id, detail={"switch": row.pk})
        for task in called_off
    ]
    audit.record_many(client=client, entries=entries, actor=actor)
    client.sandbox = mode == Mode.SANDBOX
    client.save(update_fields=["sandbox"])
    return row


def _recall(client: Client, mode: ModeSwitch.Mode) -> list[Dispatch]:
    """Cancel what was approved and has not left, and let its requests wait for another decision."""
    held = Dispatch.objects.for_client(client).filter(status__in=HELD)
    asked = ApprovalRequest.objects.filter(pk__in=held.values("request"), status=ApprovalRequest.Status.APPROVED)
    requests = list(asked.select_for_update(of=("self",)).only("prospect_id").order_by("pk"))
    recalled = list(
        held.select_for_update(of=("self",)).only("pk", "client_id", "trace_id", "request_id").order_by("pk")
    )
    # The status is protected on instances only; PostgreSQL judges these moves as it does every other.
    Dispatch.objects.filter(pk__in=[row.pk for row in recalled]).update(
        status=Dispatch.Status.CANCELLED, reason=_NOW[mode], finished_at=timezone.now()
    )
    ApprovalRequest.objects.filter(pk__in=[row.pk for row in requests]).update(
        status=ApprovalRequest.Status.WAITING, version=F("version") + 1
    )
    next_steps.tell(row.prospect_id for row in requests)
    return recalled


def _call_off(client: Client, actor: User, mode: ModeSwitch.Mode) -> list[Task]:
    """Close calls and notes that nobody has made yet: each was approved for where the client was."""
    by_hand = Task.objects.for_client(client).filter(
        kind__in=(Task.Kind.CALL, Task.Kind.LINKEDIN), status=Task.Status.OPEN, dispatch__isnull=False
    )
    found = list(by_hand.select_for_update(of=("self",)).only("pk", "client_id", "trace_id").order_by("pk"))
    Task.objects.filter(pk__in=[row.pk for row in found]).update(
        status=Task.Status.DONE, resolution=CALLED_OFF, words=_NOW[mode], done_at=timezone.now(), done_by=actor
    )
    return found
