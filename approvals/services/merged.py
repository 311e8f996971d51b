"""What becomes of outreach when two records turn out to be one company or one person.

What waits for the merged one is withdrawn: it was drafted from half the facts, and its person may be written to as the
kept one. What is on its way cannot be called back; it counts as a touch of them both.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q
from django.utils import timezone

from approvals.models import ApprovalRequest, Dispatch, Task
from approvals.services import next_steps
from approvals.services.call_off import HELD
from approvals.services.checks import MERGED
from approvals.services.request import OPEN
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, User
from salesops.runtime.ports import Merged


def withdraw(notice: Merged) -> None:
    """Cancel open requests, then messages that have not left, then tasks, of whoever was merged into another.

    In this order: an approval that is being made holds its request, and its message is there when it lets go.
    """
    theirs = Q(prospect__in=list(notice.prospects)) | Q(contact__in=list(notice.contacts))
    mine = Q(client=notice.client_id)
    requests = ApprovalRequest.objects.filter(mine & theirs, status__in=OPEN).order_by("pk")
    asked = list(requests.select_for_update(of=("self",)).only("client_id", "trace_id"))
    # The status is protected on instances only; PostgreSQL judges the move as it does every other.
    ApprovalRequest.objects.filter(pk__in=[row.pk for row in asked]).update(status=ApprovalRequest.Status.CANCELLED)
    held = Dispatch.objects.filter(mine & theirs, status__in=HELD).order_by("pk")
    stopped = list(held.select_for_update(of=("self",)).only("client_id", "trace_id"))
    Dispatch.objects.filter(pk__in=[row.pk for row in stopped]).update(
        status=Dispatch.Status.CANCELLED, reason=MERGED, finished_at=timezone.now()
    )
    Task.objects.filter(
        mine, prospect__in=list(notice.prospects), status=Task.Status.OPEN,
        kind__in=[Task.Kind.REVIEW, Task.Kind.AGENT_WORK],
    ).update(status=Task.Status.DONE, resolution="merged", done_at=timezone.now())  # fmt: skip
    next_steps.tell(notice.prospects)
    _record(AuditEvent.REQUEST_CANCELLED, asked, notice)
    _record(AuditEvent.DISPATCH_CANCELLED, stopped, notice)


def _record(event: AuditEvent, rows: Iterable[ApprovalRequest | Dispatch], notice: Merged) -> None:
    entries = [
        audit.Entry(event=event, subject=row, trace_id=row.trace_id, detail={"merge": notice.trace_id}) for row in rows
    ]
    actor = User(pk=notice.actor_id) if notice.actor_id is not None else None
    audit.record_many(client=Client(pk=notice.client_id), entries=entries, actor=actor)
