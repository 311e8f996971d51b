"""What a merge and its undoing write: the row, then the pointers, prospects and signals that follow from live rows.

Pointers are worked out anew from the merges of the whole group each time, so a merge, an undoing in the middle of a
chain and a merge of what was merged before all end in the same picture. Locks are taken in one order, prospects before
records, as imports and convergences take them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from playbooks.models import User
from prospects.host.loading import MERGE_UNDONE, MERGED
from prospects.models import Merge, RecordKind, Signal
from prospects.services.importing.lookup import next_ids
from salesops.errors import Refusal
from salesops.runtime.ports import Merged, merge_listeners
from salesops.sql import fetch

TABLES = {RecordKind.COMPANY: "prospects_company", RecordKind.CONTACT: "prospects_contact"}
SOURCE = "deduplication"
_LOCK_ATTEMPTS = 5


class AlreadyOne(Refusal):
    """The two records are one already."""


class TooBusy(Refusal):
    """Others keep changing who is who here; nothing was written."""


class Worked(NamedTuple):
    """A prospect of the group: under which playbook, for which record, and what it goes on as."""

    playbook: int
    record: int
    merged_into: int | None


@dataclass(slots=True)
class Group:
    """Records that are read as one or are about to be, locked, with the prospects that rest on them."""

    kind: RecordKind
    root: dict[int, int]  # record → what it is read as now
    prospects: dict[int, Worked] = field(default_factory=dict)  # id → playbook, record, merged into

    def members(self, root: int) -> list[int]:
        return [record for record, its in self.root.items() if its == root]


def hold(kind: str, ids: Collection[int]) -> Group:
    """Lock these records, all that are read as one with them, and their prospects. Raises ``TooBusy``."""
    kind = RecordKind(kind)
    for _ in range(_LOCK_ATTEMPTS):
        seen = _group(kind, ids)
        prospects = _prospects(kind, seen, lock=True)
        fetch(
            f"SELECT id FROM {TABLES[kind]} WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",  # noqa: S608
            [sorted(seen)],
        )
        if _group(kind, ids) == seen and _prospects(kind, seen, lock=False) == prospects:
            return Group(kind, seen, prospects)
    raise TooBusy("Somebody else is changing these very records. Try again.")


def _group(kind: RecordKind, ids: Collection[int]) -> dict[int, int]:
    rows = fetch(
        f"WITH roots AS (SELECT coalesce(merged_into_id, id) AS id FROM {TABLES[kind]} WHERE id = ANY(%s))"  # noqa: S608
        f" SELECT r.id, coalesce(r.merged_into_id, r.id) FROM {TABLES[kind]} r"
        " WHERE r.id IN (SELECT id FROM roots) OR r.merged_into_id IN (SELECT id FROM roots) ORDER BY 1",
        [list(ids)],
    )
    return dict(rows)


def _prospects(kind: RecordKind, records: Collection[int], *, lock: bool) -> dict[int, Worked]:
    """Prospects that are these companies, or these people and no company."""
    condition = "company_id = ANY(%s)" if kind is RecordKind.COMPANY else "contact_id = ANY(%s) AND company_id IS NULL"
    rows = fetch(
        f"SELECT id, playbook_id, {kind.value}_id, merged_into_id FROM prospects_prospect WHERE {condition}"  # noqa: S608
        f" ORDER BY id{' FOR NO KEY UPDATE' if lock else ''}",
        [sorted(records)],
    )
    return {row[0]: Worked(*row[1:]) for row in rows}


def join(
    group: Group, kept: int, merged: int, *, client_id: int, actor: User | None, at: datetime, trace_id: str,
    score: float, reasons: list[Any], duplicate_id: int | None = None, run_id: int | None = None,
) -> Merge:  # fmt: skip
    """Make ``merged`` and whatever is read as it one with ``kept``. Both may be members of their groups.

    ``at`` is the time that agents are told it happened; the row says when it did. Raises ``AlreadyOne``.
    """
    kept, merged = group.root[kept], group.root[merged]
    if kept == merged:
        raise AlreadyOne("They are one already.")
    name = group.kind.value
    row = Merge.objects.create(
        client_id=client_id, kind=group.kind, duplicate_id=duplicate_id, score=score, reasons=reasons, by=actor,
        run_id=run_id, trace_id=trace_id, **{f"kept_{name}_id": kept, f"merged_{name}_id": merged},
    )  # fmt: skip
    was = set(group.members(merged))
    changed = project(group)
    _tell(row, group, changed, {merged, kept}, MERGED, at, trace_id)
    _close_pairs(group, actor, at)
    gone = {p: into for p, into in changed.items() if into is not None}
    people = dict.fromkeys(sorted(was), kept) if group.kind is RecordKind.CONTACT else {}
    notice = Merged(client_id, gone, people, actor.pk if actor else None, at, trace_id)
    for _, listener in sorted(merge_listeners.items()):
        listener(notice)
    return row


def part(row: Merge, group: Group, *, actor: User, at: datetime) -> Merge:
    """Take a merge back: both go on as they were, and what rested on the other's facts stops counting."""
    row.undone_at, row.undone_by = at, actor
    row.save(update_fields=["undone_at", "undone_by"])
    followed = {p: worked.merged_into for p, worked in group.prospects.items()}
    changed = project(group)
    former = {followed[p] for p in changed if followed[p] is not None}
    both = {p for p in (*changed, *former) if p is not None}
    _tell(row, group, dict.fromkeys(both), {row.kept.pk, row.merged.pk}, MERGE_UNDONE, at, row.trace_id)
    _reopen_pairs(group, row, actor, at)
    return row


def project(group: Group) -> dict[int, int | None]:
    """Bring pointers level with the live merges; returns the prospects whose pointer changed, with the new one."""
    name, table = group.kind.value, TABLES[group.kind]
    live = dict(
        fetch(
            f"SELECT merged_{name}_id, kept_{name}_id FROM prospects_merge"  # noqa: S608
            f" WHERE undone_at IS NULL AND merged_{name}_id = ANY(%s)",
            [list(group.root)],
        )
    )
    roots = {record: _end_of(record, live) for record in group.root}
    moved = {record: root for record, root in roots.items() if root != group.root[record]}
    group.root = roots
    _point(table, {record: None if root == record else root for record, root in moved.items()})
    goes_on_as = _going_on(group)
    changed = {p: into for p, into in goes_on_as.items() if into != group.prospects[p].merged_into}
    _point("prospects_prospect", changed)
    return changed


def _end_of(record: int, live: Mapping[int, int]) -> int:
    while record in live:
        record = live[record]
    return record


def _going_on(group: Group) -> dict[int, int | None]:
    """Per playbook and company one prospect goes on: the kept record's own, else the oldest."""
    worked: dict[tuple[int, int], list[tuple[bool, int]]] = {}
    for prospect_id, (playbook_id, record, _) in group.prospects.items():
        root = group.root[record]
        worked.setdefault((playbook_id, root), []).append((record != root, prospect_id))
    found: dict[int, int | None] = {}
    for candidates in worked.values():
        (_, first), *others = sorted(candidates)
        found[first] = None
        found.update({prospect_id: first for _, prospect_id in others})
    return found


def _point(table: str, pointers: Mapping[int, int | None]) -> None:
    if not pointers:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} t SET merged_into_id = n.root"  # noqa: S608 — one of three names above
            " FROM unnest(%s::bigint[], %s::bigint[]) AS n (id, root) WHERE t.id = n.id",
            [list(pointers), list(pointers.values())],
        )


def _tell(
    row: Merge, group: Group, changed: Mapping[int, int | None], pair: Collection[int], kind: str, at: datetime,
    trace_id: str,
) -> None:  # fmt: skip
    """A signal to everybody who now reads other facts, newer than all they have seen: it makes them due."""
    readers = {into for into in changed.values() if into is not None} if kind == MERGED else set(changed)
    if group.kind is RecordKind.CONTACT:
        readers |= {pk for (pk,) in fetch(_READERS, [sorted(pair)])}
    strangers = sorted(readers - group.prospects.keys())
    if strangers:
        fetch("SELECT id FROM prospects_prospect WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [strangers])
    told = sorted(readers)
    numbers = next_ids("fact_no", max(len(told), 1))
    words = _words(row, kind)
    key = _stable_key(row, kind)
    Signal.objects.bulk_create(
        Signal(
            client_id=row.client_id, prospect_id=prospect_id, kind=kind, observed_at=at, text=words,
            data={"kind": row.kind}, source=SOURCE, source_ref=f"merge {row.pk}", dedup_key=key, fact_no=number,
            trace_id=trace_id,
        )
        for prospect_id, number in zip(told, numbers, strict=False)
    )  # fmt: skip
    newest = {**dict.fromkeys(changed, numbers[-1]), **dict(zip(told, numbers, strict=False))}
    _note_newest(newest)


# People are worked beside a company, or alone.
_READERS = "SELECT id FROM prospects_prospect WHERE contact_id = ANY(%s) AND merged_into_id IS NULL"


def _note_newest(newest: Mapping[int, int]) -> None:
    """A newer number also tells a convergence at work on them that its picture is out of date."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE prospects_prospect p SET facts_no = n.no FROM unnest(%s::bigint[], %s::bigint[]) AS n (id, no)"
            " WHERE p.id = n.id AND p.facts_no < n.no",
            [list(newest), list(newest.values())],
        )


def _words(row: Merge, kind: str) -> str:
    """What happened, without a person's name: signals stay when people are erased."""
    if row.kind == RecordKind.CONTACT:
        return "Two records of this person are one." if kind == MERGED else "They are two people after all."
    other = row.merged.name
    return f"{other} is the same company." if kind == MERGED else f"{other} is another company after all."


def _stable_key(row: Merge, kind: str) -> str:
    """The same in every database: what was merged, and how often that has happened."""
    merged = row.merged
    column = f"merged_{row.kind}_id"
    times = Merge.objects.filter(**{column: merged.pk}, pk__lte=row.pk).count()
    known = getattr(merged, "domain", "") or getattr(merged, "email_key", "") or merged.external_id or merged.name
    return f"{kind}:{hashlib.sha256(f'{row.kind}:{known}'.encode()).hexdigest()[:32]}:{times}"


def _close_pairs(group: Group, actor: User | None, at: datetime) -> None:
    """Nobody is asked about two that are one now."""
    _set_pairs(group, "open", "=", "merged", actor, at)


def _reopen_pairs(group: Group, row: Merge, actor: User, at: datetime) -> None:
    """The pair of the merge stays apart, for a person said so; others between the two are questions again."""
    _set_pairs(group, "merged", "<>", "open", None, None)
    name = group.kind.value
    pair = sorted((row.kept.pk, row.merged.pk))
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE prospects_duplicate SET status = 'apart', decided_by_id = %s, decided_at = %s"  # noqa: S608
            f" WHERE id = %s OR (one_{name}_id = %s AND other_{name}_id = %s)",
            [actor.pk, at, row.duplicate_id, *pair],
        )


def _set_pairs(group: Group, status: str, compare: str, then: str, actor: User | None, at: datetime | None) -> None:
    """Give pairs of the group another status where their two ends are now read as one (``=``) or as two (``<>``)."""
    name, table = group.kind.value, TABLES[group.kind]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE prospects_duplicate d SET status = %s, decided_by_id = %s, decided_at = %s,"  # noqa: S608
            f" automatic = false FROM {table} a, {table} b WHERE a.id = d.one_{name}_id AND b.id = d.other_{name}_id"
            f" AND d.one_{name}_id = ANY(%s) AND d.other_{name}_id = ANY(%s) AND d.status = %s"
            f" AND coalesce(a.merged_into_id, a.id) {compare} coalesce(b.merged_into_id, b.id)",
            [then, actor.pk if actor else None, at, sorted(group.root), sorted(group.root), status],
        )
