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

    return recover.recover_stale(at=timezone.now())


@shared_task(soft_time_limit=60, time_limit=90)
def reconcile_unknown_dispatches() -> int:
    """Look again for what nobody could tell whether it went out."""
    from approvals.services import recover

    return recover.reconcile_unknown(at=timezone.now())


@shared_task(soft_time_limit=60, time_limit=90)
def expire_requests() -> int:
    """Expire, escalate and bring back requests."""
    from approvals.services import request

    return request.sweep(at=timezone.now())


@shared_task(soft_time_limit=60, time_limit=90)
def call_off_stopped() -> int:
    """Call off what slipped in under a stop that cancels."""
    from playbooks.services import stops

    return stops.sweep(at=timezone.now())


@shared_task(soft_time_limit=60, time_limit=90)
def sweep_next_steps() -> int:
    """Let the list say what comes next where a request moved and nobody said it."""
    from approvals.services import next_steps

    return next_steps.sweep()
