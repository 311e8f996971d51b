"""Taking an approval back before anything has left."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from approvals.models import ApprovalRequest, Decision, Dispatch
from approvals.services import decide, next_steps
from approvals.services.authority import check_decider
from approvals.services.refusals import AlreadyGoingOut, RequestNotFound
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, User


def undo(decision_id: int, *, actor: User, client: Client) -> ApprovalRequest:
    """Cancel the dispatch if it is still in its undo window, and let the request wait again as a new version.

    Compare-and-set on `undo_hold`: against the worker exactly one of the two wins. Raises AlreadyGoingOut,
    RequestNotFound, NotAllowed.
    """
    with transaction.atomic():
        decision = Decision.objects.for_client(client).filter(pk=decision_id).first()
        if decision is None:
            raise RequestNotFound("There is no such decision.")
        request = decide.locked(decision.request_id, client)
        check_decider(actor, client)
        held = Dispatch.objects.select_for_update(of=("self",)).filter(
            decision=decision, status=Dispatch.Status.UNDO_HOLD, not_before__gt=timezone.now()
        )
        dispatch = held.first()
        if dispatch is None or request.status != ApprovalRequest.Status.APPROVED:
            raise AlreadyGoingOut("Too late to undo: it is already going out.")
        dispatch.cancel()
        dispatch.reason = "Undone before it left."
        dispatch.finished_at = timezone.now()
        dispatch.save(update_fields=["status", "reason", "finished_at"])
        request.wait_again()
        request.version += 1
        request.save(update_fields=["status", "version"])
        next_steps.tell([request.prospect_id])
        audit.record(
            client=client,
            event=AuditEvent.DECISION_UNDONE,
            subject=decision,
            actor=actor,
            trace_id=decision.trace_id,
            detail={"request": request.pk, "dispatch": dispatch.pk},
        )
        return request
