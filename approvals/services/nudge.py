"""Wake the workers early. Losing a nudge costs seconds, never work: the sweeps find everything in PostgreSQL."""

from __future__ import annotations

import structlog
from django.db import transaction
from kombu.exceptions import OperationalError

from approvals import tasks

log = structlog.get_logger(__name__)


def outbox(*, after: int = 0) -> None:
    """Once this transaction has committed, look for due dispatches `after` so many seconds."""

    def send() -> None:  # a function with a name: Django's log of a robust hook asks for one
        _send(after)

    transaction.on_commit(send, robust=True)


def _send(after: int) -> None:
    try:
        tasks.sweep_outbox.apply_async(countdown=after + 1 if after else 0, retry=False, ignore_result=True)
    except (OperationalError, OSError) as error:
        log.warning("nudge_lost", error=type(error).__name__)
