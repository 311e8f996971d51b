"""Asking: make requests from what the approval gate proposes, note who opened them, and let them lapse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from approvals.models import ApprovalRequest, RequestView, Task
from approvals.models.requests import ApprovalRequestQuerySet
from approvals.services import next_steps
from approvals.services.refusals import RequestNotFound
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Role, User
from playbooks.services.authority import require
from salesops.sweeps import each, whole_or_each

Status = ApprovalRequest.Status
OPEN = (Status.WAITING, Status.DEFERRED)
ESCALATE_BEFORE = timedelta(hours=6)


@dataclass(frozen=True, kw_only=True)
class RequestProposal:
    """One exact action to ask a person about, with its frozen dossier."""

    prospect_id: int
    contact_id: int
    message_id: int
    playbook_version_id: int
    channel: str
    content_hash: str
    dossier: dict[str, Any]
    grade: str
    composite: float | None
    priority: float
    facts_no: int
    trace_id: str
    expires_at: datetime


def create_requests(
    proposals: Sequence[RequestProposal], *, client: Client, actor: User | None, at: datetime
) -> list[ApprovalRequest]:
    """One waiting request per proposal, whatever their number in two queries.

    A prospect that already has an open request on the channel keeps it: the proposal is dropped. `actor` is the
    person who made them, who then cannot approve them; None means agents.
    """
    with transaction.atomic():
        prospects = [proposal.prospect_id for proposal in proposals]
        there = ApprovalRequest.objects.for_client(client).filter(prospect__in=prospects, status__in=OPEN)
        taken = set(there.values_list("prospect_id", "channel"))
        fresh: dict[tuple[int, str], RequestProposal] = {}
        for proposal in proposals:
            key = (proposal.prospect_id, proposal.channel)
            if key not in taken:
                fresh.setdefault(key, proposal)
        return ApprovalRequest.objects.bulk_create(
            [
                ApprovalRequest(client=client, created_by=actor, created_at=at, **vars(proposal))
                for proposal in fresh.values()
            ]
        )


def mark_opened(request_id: int, *, actor: User, client: Client) -> None:
    """Note that this person has had this version of the dossier before them. Raises NotAllowed, RequestNotFound."""
    require(client, actor, tuple(Role), to="open requests")
    found = ApprovalRequest.objects.for_client(client).filter(pk=request_id).values_list("version", flat=True).first()
    if found is None:
        raise RequestNotFound("There is no such request.")
    RequestView.objects.bulk_create(
        [RequestView(client=client, request_id=request_id, user=actor, version=found)], ignore_conflicts=True
    )


def sweep(*, at: datetime, limit: int = 500) -> int:
    """Bring back what was deferred, expire what nobody decided, escalate what is about to. Returns how many moved."""
    parts = {"deferred": return_deferred, "expired": expire_due, "about to expire": escalate}
    return sum(each(parts, lambda part: parts[part](at=at, limit=limit), sweep="requests"))


def _all(due: ApprovalRequestQuerySet, first: str, work: Callable[[ApprovalRequestQuerySet], int], limit: int) -> int:
    """Do ``work`` with up to ``limit`` of those due, as they are once they are held; what is at fault is left over."""
    found = list(due.order_by(first).values_list("pk", flat=True)[:limit])

    def held(ids: Sequence[int]) -> int:
        with transaction.atomic():
            return work(due.filter(pk__in=ids).order_by(first).select_for_update(skip_locked=True, of=("self",)))

    return whole_or_each(found, held, sweep="requests")


def return_deferred(*, at: datetime, limit: int = 500) -> int:
    """Deferred requests whose time has come wait again, as a new version with a full window before them."""

    def bring_back(due: ApprovalRequestQuerySet) -> int:
        requests = list(due.select_related("playbook_version"))
        for request in requests:
            request.wait_again()
            request.version += 1
            request.escalated_at = None
            request.expires_at = at + timedelta(hours=request.playbook_version.request_hours)
        ApprovalRequest.objects.bulk_update(requests, ["status", "version", "escalated_at", "expires_at"])
        next_steps.tell(request.prospect_id for request in requests)
        return len(requests)

    over = ApprovalRequest.objects.filter(status=Status.DEFERRED, defer_until__lte=at)
    return _all(over, "defer_until", bring_back, limit)


def expire_due(*, at: datetime, limit: int = 500) -> int:
    """Requests past their window expire, with an audit entry each."""

    def expire(due: ApprovalRequestQuerySet) -> int:
        requests = list(due.select_related("client"))
        for request in requests:
            request.expire()
        ApprovalRequest.objects.bulk_update(requests, ["status"])
        next_steps.tell(request.prospect_id for request in requests)
        for client in sorted({request.client for request in requests}, key=lambda client: client.pk):
            entries = [
                audit.Entry(event=AuditEvent.REQUEST_EXPIRED, subject=request, trace_id=request.trace_id)
                for request in requests
                if request.client_id == client.pk
            ]
            audit.record_many(client=client, entries=entries, actor=None)
        return len(requests)

    # A deferral beyond the window is a person's own choice: it gets a new window when it comes back.
    over = ApprovalRequest.objects.filter(status=Status.WAITING, expires_at__lte=at)
    return _all(over, "expires_at", expire, limit)


def escalate(*, at: datetime, limit: int = 500) -> int:
    """Requests that expire soon become a task, once."""

    def ask_again(due: ApprovalRequestQuerySet) -> int:
        requests = list(due.select_related("prospect__company", "prospect__contact"))
        for request in requests:
            request.escalated_at = at
        ApprovalRequest.objects.bulk_update(requests, ["escalated_at"])
        Task.objects.bulk_create(
            [
                Task(client_id=request.client_id, kind=Task.Kind.REVIEW, prospect=request.prospect,
                     title=f"Decide soon: {request.prospect}"[:200], trace_id=request.trace_id,
                     detail=f"Request {request.pk} expires at {request.expires_at:%Y-%m-%d %H:%M} UTC.")
                for request in requests
            ]
        )  # fmt: skip
        return len(requests)

    soon = ApprovalRequest.objects.filter(
        status=Status.WAITING, escalated_at__isnull=True, expires_at__lte=at + ESCALATE_BEFORE, expires_at__gt=at
    )
    return _all(soon, "expires_at", ask_again, limit)
