"""After a crash: settle what can be proved, hand the rest to a person. Nothing here ever sends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from django.db import transaction

from approvals.models import CapturedMail, Dispatch
from approvals.models.dispatches import DispatchQuerySet
from approvals.rules.sending import Outcome
from approvals.services import settle
from approvals.services.settle import Answer
from salesops.sweeps import whole_or_each

Status = Dispatch.Status
FOUND = Answer(Outcome.ACCEPTED, "found by its Message-ID in the sandbox", "sandbox")


def recover_stale(*, at: datetime, limit: int = 100) -> int:
    """Settle dispatches whose claim ran out while sending: accepted when their message is found, else unknown."""

    def give_up(stale: Sequence[Dispatch], found: Collection[str]) -> int:
        for dispatch in stale:
            if dispatch.idempotency_key in found:
                settle.accepted(dispatch, FOUND, at=at, actor=None)
            else:
                settle.unknown(dispatch, "The worker was lost while it was sending this.", at=at)
        return len(stale)

    return _all(Dispatch.objects.filter(status=Status.SENDING, lease_until__lte=at), give_up, limit)


def reconcile_unknown(*, at: datetime, limit: int = 100) -> int:
    """Look again for unknown sandbox messages: a receipt may have been written after the claim ran out."""

    def accept(doubtful: Sequence[Dispatch], found: Collection[str]) -> int:
        settled = [dispatch for dispatch in doubtful if dispatch.idempotency_key in found]
        for dispatch in settled:
            settle.accepted(dispatch, FOUND, at=at, actor=None)
        return len(settled)

    return _all(Dispatch.objects.filter(status=Status.UNKNOWN, mode=Dispatch.Mode.SANDBOX), accept, limit)


def _all(due: DispatchQuerySet, work: Callable[[Sequence[Dispatch], Collection[str]], int], limit: int) -> int:
    """Do ``work`` with up to ``limit`` of these and the keys whose receipt was found; what is at fault is left over."""
    ids = list(due.order_by("lease_until", "id").values_list("pk", flat=True)[:limit])

    def held(some: Sequence[int]) -> int:
        with transaction.atomic():
            rows = due.filter(pk__in=some).select_related("client", "contact", "message", "request__playbook_version")
            locked = list(rows.order_by("lease_until", "id").select_for_update(skip_locked=True, of=("self",)))
            keys = [dispatch.idempotency_key for dispatch in locked]
            receipts = CapturedMail.objects.filter(message_id__in=keys).values_list("message_id", flat=True)
            return work(locked, set(receipts))

    return whole_or_each(ids, held, sweep="dispatches in doubt")
