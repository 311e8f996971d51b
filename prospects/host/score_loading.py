"""Reads what scores are added up from, for many prospects at once: as little of each row as adding up needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from psycopg import Cursor

from prospects.host.loading import COUNTS, MERGE_UNDONE, load_facts, new_contexts
from prospects.models import Evidence, Merge
from prospects.rules.scoring import Judged
from salesops.sql import fetch

#: scorecard → criterion key → the evidence in force.
InForce = dict[str, dict[str, Judged]]

_EVIDENCE = f"""
SELECT e.prospect_id, e.scorecard, e.criterion, e.id, e.value, e.observed_at, e.strong_negative
FROM prospects_evidence e WHERE e.prospect_id = ANY(%s) AND {COUNTS}
"""  # noqa: S608 — constants
_PARTED = "SELECT DISTINCT prospect_id FROM prospects_signal WHERE prospect_id = ANY(%s) AND kind = %s"


def evidence_under(version_id: int) -> QuerySet[Evidence]:
    """All evidence that counts under a version, of whatever version it was made (see ``COUNTS``)."""
    counts = COUNTS.replace("e.", "prospects_evidence.")
    return Evidence.objects.extra(where=[counts], params=[version_id, version_id])  # noqa: S610 — constants


def merges_were_undone(client_id: int) -> bool:
    """Whether anybody here may hold evidence that rests on what can no longer be read."""
    return Merge.objects.for_client(client_id).filter(undone_at__isnull=False).exists()


def evidence_in_force(
    version_id: int, ids: Sequence[int], *, undone_merges: bool = True
) -> Iterator[tuple[int, InForce]]:
    """The evidence that counts under a version, prospect by prospect; those without any have an empty entry.

    One query, two where merges of the client were undone (``undone_merges``; see :func:`merges_were_undone`), and the
    runtime's own way of reading for whoever was parted.
    """
    parted = [row[0] for row in fetch(_PARTED, [list(ids), MERGE_UNDONE])] if undone_merges else []
    rows: dict[int, list[tuple[Any, ...]]] = {prospect_id: [] for prospect_id in ids if prospect_id not in parted}
    connection.ensure_connection()
    with Cursor(connection.connection) as cursor:  # Django's own cannot read numbers and times as they are
        cursor.execute(_EVIDENCE, [list(rows), version_id, version_id], binary=True)
        for row in cursor.fetchall():
            rows[row[0]].append(row)
    for prospect_id, own in rows.items():
        yield prospect_id, _newest(own)
    if parted:
        yield from _of_parted(version_id, parted).items()


def _newest(rows: Iterable[tuple[Any, ...]]) -> InForce:
    """Keep the later observation of each criterion, then the later row."""
    cards: InForce = {}
    for _, scorecard, criterion, number, value, observed_at, negative in rows:
        by_key = cards.get(scorecard)
        if by_key is None:
            by_key = cards[scorecard] = {}
        known = by_key.get(criterion)
        if known is None or (observed_at, number) > (known.observed_at, known.id):
            by_key[criterion] = Judged(number, value, observed_at, negative)
    return cards


def _of_parted(version_id: int, ids: Sequence[int]) -> dict[int, InForce]:
    contexts = new_contexts(ids, version_id)
    load_facts(contexts, version_id)
    found: dict[int, InForce] = {}
    for context in contexts.values():
        cards = found[context.id] = {}
        for e in context.evidence.values():
            cards.setdefault(e.scorecard, {})[e.criterion] = Judged(e.id, e.value, e.observed_at, e.strong_negative)
    return found
