"""Deciding about duplicates: make two records one, keep them apart, and take either back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import structlog
from django.db import DatabaseError, OperationalError, transaction
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Role, User
from playbooks.services.authority import holds
from prospects.models import Duplicate, Merge
from prospects.services.merging import write
from prospects.services.merging.write import AlreadyOne, TooBusy
from salesops.dbtypes import new_trace_id
from salesops.errors import NotAllowed, Refusal

__all__ = ["MERGERS", "AlreadyOne", "NoSuchPair", "NotOpen", "TooBusy", "ask_again", "keep_apart", "merge",
           "merge_sure", "undo"]  # fmt: skip

log = structlog.get_logger(__name__)
MERGERS = (Role.OPERATOR, Role.ADMIN, Role.LEADER)  # who may import may also say who is who
_DEADLOCKS = 4
Result = TypeVar("Result")


class NoSuchPair(Refusal):
    """This client has no such pair or merge."""


class NotOpen(Refusal):
    """Somebody has decided it already."""


def merge(
    duplicate_id: int, *, actor: User, client: Client, keep: int | None = None, at: datetime | None = None
) -> Merge:
    """Make the two of a pair one. ``keep`` names the record that stays (default: as proposed).

    Raises NoSuchPair, NotOpen, AlreadyOne, TooBusy, NotAllowed.
    """
    check_decider(actor, client)

    def work() -> Merge:
        pair = _pair(duplicate_id, client)
        ends = (pair.one.pk, pair.other.pk)
        if keep is not None and keep not in ends:
            raise NoSuchPair("The record to keep is not one of the two.")
        kept = keep or ends[1 if pair.keep_other else 0]
        group = write.hold(pair.kind, ends)
        pair = _locked(duplicate_id, client)
        if pair.status != Duplicate.Status.OPEN:
            raise NotOpen(_decided_words(pair))
        return _join(pair, group, kept, actor=actor, at=at or timezone.now(), trace_id=new_trace_id())

    return _again_on_deadlock(work)


def merge_sure(*, client: Client, at: datetime, trace_id: str = "", limit: int = 500) -> int:
    """Merge the pairs that the agents are sure about, each in a transaction of its own; how many were merged.

    In the order they were found. What cannot be merged now waits for the next time, and a pair that PostgreSQL refuses
    keeps neither the others nor a convergence that comes to rest waiting.
    """
    sure = Duplicate.objects.for_client(client).filter(status=Duplicate.Status.OPEN, automatic=True)
    merged = 0
    for duplicate_id in list(sure.order_by("id").values_list("pk", flat=True)[:limit]):
        try:
            merged += _again_on_deadlock(lambda pk=duplicate_id: _merge_one(pk, client, at, trace_id))  # type: ignore[misc]
        except (Refusal, OperationalError):
            log.warning("merge_put_off", duplicate=duplicate_id, trace_id=trace_id)
        except DatabaseError:
            log.exception("merge_refused_by_the_database", duplicate=duplicate_id, trace_id=trace_id)
    return merged


def _merge_one(duplicate_id: int, client: Client, at: datetime, trace_id: str) -> bool:
    pair = _pair(duplicate_id, client)
    ends = (pair.one.pk, pair.other.pk)
    group = write.hold(pair.kind, ends)
    pair = _locked(duplicate_id, client)
    if pair.status != Duplicate.Status.OPEN or not pair.automatic:
        return False
    if group.root[ends[0]] == group.root[ends[1]]:
        pair.status = Duplicate.Status.MERGED
        pair.save(update_fields=["status"])
        return False
    _join(pair, group, ends[1 if pair.keep_other else 0], actor=None, at=at, trace_id=trace_id or pair.trace_id)
    return True


def _join(pair: Duplicate, group: write.Group, kept: int, *, actor: User | None, at: datetime, trace_id: str) -> Merge:
    other = pair.other.pk if kept == pair.one.pk else pair.one.pk
    row = write.join(
        group, kept, other, client_id=pair.client_id, actor=actor, at=at, trace_id=trace_id, score=pair.score,
        reasons=pair.reasons, duplicate_id=pair.pk, run_id=pair.run_id if actor is None else None,
    )  # fmt: skip
    audit.record(
        client=pair.client, event=AuditEvent.RECORDS_MERGED, subject=row, actor=actor, trace_id=trace_id,
        detail={"kind": row.kind, "kept": row.kept.pk, "merged": row.merged.pk, "score": row.score},
    )  # fmt: skip
    return row


def keep_apart(duplicate_id: int, *, actor: User, client: Client) -> Duplicate:
    """Say that the two are two: nobody asks again. Raises NoSuchPair, NotOpen, NotAllowed."""
    check_decider(actor, client)
    with transaction.atomic():
        pair = _locked(duplicate_id, client)
        if pair.status != Duplicate.Status.OPEN:
            raise NotOpen(_decided_words(pair))
        pair.status = Duplicate.Status.APART
        pair.decided_by, pair.decided_at = actor, timezone.now()
        pair.save(update_fields=["status", "decided_by", "decided_at"])
        _record(pair, AuditEvent.RECORDS_KEPT_APART, actor)
        return pair


def ask_again(duplicate_id: int, *, actor: User, client: Client) -> Duplicate:
    """Take back that the two are two: the pair is a question again. Raises NoSuchPair, NotOpen, NotAllowed."""
    check_decider(actor, client)
    with transaction.atomic():
        pair = _locked(duplicate_id, client)
        if pair.status != Duplicate.Status.APART:
            raise NotOpen("They are not kept apart.")
        pair.status, pair.automatic = Duplicate.Status.OPEN, False
        pair.decided_by = pair.decided_at = None
        pair.save(update_fields=["status", "automatic", "decided_by", "decided_at"])
        _record(pair, AuditEvent.RECORDS_ASKED_AGAIN, actor)
        return pair


def undo(merge_id: int, *, actor: User, client: Client) -> Merge:
    """Take a merge back. Facts stay where they are: each prospect reads its own again, and both are due.

    Raises NoSuchPair, NotOpen, TooBusy, NotAllowed.
    """
    check_decider(actor, client)

    def work() -> Merge:
        row = Merge.objects.for_client(client).filter(pk=merge_id).first()
        if row is None:
            raise NoSuchPair("There is no such merge.")
        group = write.hold(row.kind, (row.kept.pk, row.merged.pk))
        row = Merge.objects.select_for_update(of=("self",)).select_related("client").get(pk=merge_id)
        if row.undone_at is not None:
            raise NotOpen("This merge is undone already.")
        write.part(row, group, actor=actor, at=timezone.now())
        audit.record(
            client=client, event=AuditEvent.MERGE_UNDONE, subject=row, actor=actor, trace_id=row.trace_id,
            detail={"kind": row.kind, "kept": row.kept.pk, "merged": row.merged.pk},
        )  # fmt: skip
        return row

    return _again_on_deadlock(work)


def _again_on_deadlock(work: Callable[[], Result]) -> Result:
    """Others lock the same rows in their own order now and then; PostgreSQL ends one of the two, and we begin anew."""
    for attempt in range(_DEADLOCKS):
        try:
            with transaction.atomic():
                return work()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") != "40P01" or attempt == _DEADLOCKS - 1:
                raise
    raise AssertionError("the loop returns or raises")


def check_decider(actor: User, client: Client) -> None:
    """Raises NotAllowed for people who may not say who is who here."""
    if not holds(actor, client, MERGERS):
        raise NotAllowed("Only operators, leaders and admins of this client say who is who. Ask an admin for the role.")


def _pair(duplicate_id: int, client: Client) -> Duplicate:
    related = ("client", "one_company", "other_company", "one_contact", "other_contact")
    found = Duplicate.objects.for_client(client).select_related(*related).filter(pk=duplicate_id).first()
    if found is None:
        raise NoSuchPair("There is no such pair.")
    return found


def _locked(duplicate_id: int, client: Client) -> Duplicate:
    Duplicate.objects.for_client(client).select_for_update(of=("self",)).filter(pk=duplicate_id).first()
    return _pair(duplicate_id, client)


def _decided_words(pair: Duplicate) -> str:
    return f"Somebody has decided this already: {pair.get_status_display().lower()}."


def _record(pair: Duplicate, event: AuditEvent, actor: User) -> None:
    ends = {"one": pair.one.pk, "other": pair.other.pk}
    audit.record(
        client=pair.client, event=event, subject=pair, actor=actor, trace_id=pair.trace_id,
        detail={"kind": pair.kind, **ends, "score": pair.score},
    )  # fmt: skip
