"""The answers that are kept: looked up before anything is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from playbooks.models import Client
from prospects.models import SourceAnswer
from salesops.sql import fetch

#: (source, lookup key)
Key = tuple[str, str]

EMPTY_DAYS = 7
FAILED_FOR = timedelta(hours=1)

# Both ends of each question through the unique index: its newest answer, and its newest failure.
_FIND = """
SELECT wanted.source, wanted.key, good.id, good.status, good.fetched_at, good.documents, good.next_page,
       bad.fetched_at, bad.problem
  FROM unnest(%(sources)s::text[], %(keys)s::text[]) AS wanted (source, key)
  LEFT JOIN LATERAL (
    SELECT id, status, fetched_at, documents, next_page FROM prospects_sourceanswer
     WHERE client_id = %(client)s AND source = wanted.source AND lookup_key = wanted.key AND status <> 'failed'
       AND forgotten_at IS NULL
     ORDER BY fetched_at DESC LIMIT 1) AS good ON true
  LEFT JOIN LATERAL (
    SELECT fetched_at, problem FROM prospects_sourceanswer
     WHERE client_id = %(client)s AND source = wanted.source AND lookup_key = wanted.key AND status = 'failed'
     ORDER BY fetched_at DESC LIMIT 1) AS bad ON true
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """One answer as it stands in the database. ``documents`` as JSON holds them."""

    id: int
    status: str
    fetched_at: datetime
    documents: Sequence[Mapping[str, Any]] = ()
    next_page: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """What is known about one question: its newest answer, and the failure that came after it."""

    answer: Stored | None = None
    failed_at: datetime | None = None
    problem: str = ""

    def fresh(self, now: datetime, days: int) -> bool:
        """Whether the answer is used again without asking. That nothing is known is believed for a week at most."""
        if self.answer is None:
            return False
        most = days if self.answer.status == SourceAnswer.Status.OK else min(days, EMPTY_DAYS)
        return now - self.answer.fetched_at < timedelta(days=most)

    def failing(self, now: datetime) -> bool:
        """Whether it failed so lately that it is left alone."""
        return self.failed_at is not None and now - self.failed_at < FAILED_FOR


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer to keep: see ``prospects.services.source_answers``."""

    source: str
    type: str
    key: str
    subject: str
    status: str
    content_hash: str = ""
    documents: Sequence[Mapping[str, Any]] = field(default_factory=list)
    next_page: str = ""
    problem: str = ""
    cost: Decimal = Decimal(0)


def find(client: Client, keys: Sequence[Key]) -> dict[Key, Held]:
    """What is held under these keys, in one query."""
    if not keys:
        return {}
    asked = {"client": client.pk, "sources": [source for source, _ in keys], "keys": [key for _, key in keys]}
    rows = fetch(_FIND, asked)
    return {
        (source, key): Held(
            Stored(pk, status, fetched_at, _parsed(documents), next_page) if pk is not None else None,
            failed_at if fetched_at is None or failed_at is None or failed_at >= fetched_at else None,
            problem or "",
        )
        for source, key, pk, status, fetched_at, documents, next_page, failed_at, problem in rows
    }


def _parsed(documents: Any) -> list[Mapping[str, Any]]:
    """jsonb as a plain cursor hands it over: text under Django's connection, a list elsewhere."""
    found = json.loads(documents) if isinstance(documents, str) else documents
    return list(found or [])
