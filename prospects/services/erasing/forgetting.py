"""Forgetting what sources and models said: the bodies go after a stated time, the rows that prove the work stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from prospects.models.retention import LEAST_DAYS
from salesops.sweeps import each

log = structlog.get_logger(__name__)

BATCH = 2_000
# A batch at a time, so that nobody waits for long; whoever holds a row is passed by until the next night.
_FORGET = """
UPDATE {table} SET {emptied}, forgotten_at = %(now)s WHERE id IN (
    SELECT id FROM {table} WHERE forgotten_at IS NULL AND {came} < %(before)s ORDER BY {came} LIMIT %(most)s
    FOR UPDATE SKIP LOCKED)
"""
_SOURCES = _FORGET.format(
    table="prospects_sourceanswer", emptied="documents = '[]', subject = '', next_page = ''", came="fetched_at"
)
_MODELS = _FORGET.format(table="prospects_modelanswer", emptied="text = ''", came="at")
_WHOSE = {"sources": _SOURCES, "models": _MODELS}


@dataclass(frozen=True)
class Forgotten:
    """How many answers lost their bodies."""

    sources: int
    models: int


def forget(*, at: datetime, batches: int = 100) -> Forgotten:
    """Empty the bodies of answers older than the settings say; at most so many batches of each. Safe to repeat."""
    kept = {"sources": settings.SOURCE_ANSWERS_KEPT_DAYS, "models": settings.MODEL_ANSWERS_KEPT_DAYS}
    found = Forgotten(
        *each(kept, lambda whose: _all(_WHOSE[whose], at - _kept(kept[whose]), batches), sweep="forgetting")
    )
    if found.sources or found.models:
        log.info("answers_forgotten", sources=found.sources, models=found.models)
    return found


def _kept(days: int) -> timedelta:
    return timedelta(days=max(days, LEAST_DAYS))


def _all(query: str, before: datetime, batches: int) -> int:
    total = 0
    for _ in range(batches):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(query, {"now": timezone.now(), "before": before, "most": BATCH})
            done = cursor.rowcount
        total += done
        if done < BATCH:
            break
    return total
