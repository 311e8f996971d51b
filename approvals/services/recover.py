"""After a crash: settle what can be proved, hand the rest to a person. Nothing here ever sends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from approvals.models import CapturedMail, Dispatch
from approvals.rules.sending import Outcome
from approvals.services import settle
from approvals.services.settle import Answer

Status = Dispatch.Status
FOUND = Answer(Outcome.ACCEPTED, "found by its Message-ID in the sandbox", "sandbox")


def recover_stale(*, at: datetime, limit: int = 100) -> int:
    """Settle dispatches whose claim ran out while sending: accepted when their message is found, else unknown."""
    moved = 0
    with transaction.atomic():
        stale = _locked(Status.SENDING, limit, lease_until__lte=at)
        found = _found([dispatch.idempotency_key for dispatch in stale])
        for dispatch in stale:
            if dispatch.idempotency_key in found:
                settle.accepted(dispatch, FOUND, at=at, actor=None)
            else:
                settle.unknown(dispatch, "The worker was lost while it was sending this.", at=at)
            moved += 1
    return moved


def reconcile_unknown(*, at: datetime, limit: int = 100) -> int:
    """Look again for unknown sandbox messages: a receipt may have been written after the claim ran out."""
    with transaction.atomic():
        doubtful = _locked(Status.UNKNOWN, limit, mode=Dispatch.Mode.SANDBOX)
        found = _found([dispatch.idempotency_key for dispatch in doubtful])
        settled = [dispatch for dispatch in doubtful if dispatch.idempotency_key in found]
        for dispatch in settled:
            settle.accepted(dispatch, FOUND, at=at, actor=None)
        return len(settled)


def _locked(status: str, limit: int, **narrow: object) -> list[Dispatch]:
    rows = Dispatch.objects.filter(status=status, **narrow).select_related(
        "client", "contact", "message", "request__playbook_version"
    )
    return list(rows.order_by("lease_until", "id").select_for_update(skip_locked=True, of=("self",))[:limit])


def _found(keys: Sequence[str]) -> set[str]:
    return set(CapturedMail.objects.filter(message_id__in=keys).values_list("message_id", flat=True))
