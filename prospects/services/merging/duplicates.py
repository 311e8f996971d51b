"""What keeps duplicates in order beside the convergences: keys for records nobody has looked at, and sure pairs left.

A convergence makes the keys of whatever it looks at. This makes those of the rest, in the order of their ids, once for
each version of the rules.
"""

from __future__ import annotations

from datetime import datetime
from time import monotonic

from django.db import transaction

from playbooks.models import Client
from prospects.duplicates.loading import records, refresh_keys
from prospects.models import BlockingMark, Convergence, RecordKind
from prospects.rules.blocking import KEYS_VERSION
from prospects.services.merging import merges
from prospects.services.merging.write import TABLES
from salesops.sql import fetch
from salesops.sweeps import each

BATCH = 2000
_OPEN = [str(Convergence.Status.QUEUED), str(Convergence.Status.RUNNING)]


def sweep(*, at: datetime, seconds: float = 45.0) -> tuple[int, int]:
    """Make missing keys for as long as ``seconds`` allow, and merge sure pairs of clients whose agents rest.

    Returns how many records got keys and how many pairs were merged.
    """
    parts = {"keys": lambda: sweep_keys(seconds=seconds), "sure pairs": lambda: merge_left_over(at=at)}
    keys, merged = each(parts, lambda part: parts[part](), sweep="duplicates")
    return keys, merged


def sweep_keys(*, seconds: float = 45.0) -> int:
    """Keys for records that the sweep has not met yet; how many records. Only one process does this at a time."""
    until, made = monotonic() + seconds, 0
    for kind in RecordKind:
        BlockingMark.objects.get_or_create(kind=kind)
        while monotonic() < until and (done := _sweep_batch(kind)):
            made += done
    return made


def _sweep_batch(kind: RecordKind) -> int:
    with transaction.atomic():
        mark = BlockingMark.objects.select_for_update(skip_locked=True).filter(kind=kind).first()
        if mark is None:
            return 0
        if mark.keys_version != KEYS_VERSION:
            mark.keys_version, mark.up_to_id = KEYS_VERSION, 0
        rows = fetch(
            f"SELECT id, client_id FROM {TABLES[kind]} WHERE id > %(after)s ORDER BY id LIMIT %(most)s",  # noqa: S608
            {"after": mark.up_to_id, "most": BATCH},
        )
        if rows:
            known = records(kind, [row[0] for row in rows])
            for client_id in sorted({row[1] for row in rows}):
                mine = [known[row[0]] for row in rows if row[1] == client_id and row[0] in known]
                refresh_keys(kind, client_id, mine)
            mark.up_to_id = rows[-1][0]
        mark.save(update_fields=["keys_version", "up_to_id"])
    return len(rows)


def merge_left_over(*, at: datetime) -> int:
    """Merge sure pairs that no convergence is going to: it broke off, or was stopped. How many."""
    waiting = fetch(
        "SELECT DISTINCT d.client_id FROM prospects_duplicate d WHERE d.status = 'open' AND d.automatic"
        " AND NOT EXISTS (SELECT 1 FROM prospects_convergence c WHERE c.client_id = d.client_id"
        " AND c.status = ANY(%(open)s))",
        {"open": _OPEN},
    )
    return sum(
        each(
            [client_id for (client_id,) in waiting],
            lambda pk: merges.merge_sure(client=Client.objects.get(pk=pk), at=at),
            sweep="sure pairs",
            name=lambda pk: f"client {pk}",
        )
    )
