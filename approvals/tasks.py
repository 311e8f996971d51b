"""When approvals' work runs. Each task loads nothing and calls one service; running one twice is harmless."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone


@shared_task
def sweep_outbox() -> int:
    """Send what is approved and due."""
    from approvals.services import dispatch  # the services nudge these tasks, so the import waits until one runs

    return dispatch.sweep(at=timezone.now()).claimed


@shared_task(soft_time_limit=60, time_limit=90)
def recover_stale_dispatches() -> int:
    """Settle what a crash left in doubt."""
    from approvals.services import recover

    return recover.recover_stale(at=timezone.now()) + recover.reconcile_unknown(at=timezone.now())


@shared_task(soft_time_limit=60, time_limit=90)
def expire_requests() -> int:
    """Expire, escalate and bring back requests; call off what slipped in under a stop that cancels."""
    from approvals.services import request
    from playbooks.services import stops

    return request.sweep(at=timezone.now()) + stops.sweep(at=timezone.now())
