"""How requests and dispatches stood at an earlier time: told by decisions and the audit log, not by today's rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db.models import Q

from approvals.models import ApprovalRequest, Decision, Dispatch
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry

Status = ApprovalRequest.Status
#: What a request became by each thing that was said or done.
_BECAME: Mapping[str, str] = {
    "approve": Status.APPROVED, "approve_edits": Status.APPROVED, "first_approve": Status.WAITING,
    "reject": Status.REJECTED, "defer": Status.DEFERRED, "redraft": Status.REDRAFT,
    AuditEvent.DECISION_UNDONE: Status.WAITING, AuditEvent.REQUEST_EXPIRED: Status.EXPIRED,
    AuditEvent.REQUEST_CANCELLED: Status.CANCELLED,
}  # fmt: skip
_HELD_BACK: Mapping[str, str] = {
    AuditEvent.DISPATCH_POSTPONED: Dispatch.Status.POSTPONED,
    AuditEvent.DISPATCH_UNKNOWN: Dispatch.Status.UNKNOWN,
}


class _Step(NamedTuple):
    """What a request became, when, and until when that was to hold."""

    at: datetime
    became: str
    until: datetime | None = None


def requests_at(
    requests: Sequence[ApprovalRequest], said: Sequence[Decision], sent: Sequence[Dispatch], until: datetime
) -> dict[int, str]:
    """Request id → its status then. ``said`` and ``sent`` are all of theirs, later ones too. One query."""
    steps: dict[int, list[_Step]] = defaultdict(list)
    for decision in said:
        steps[decision.request_id].append(_Step(decision.at, _BECAME[decision.kind], decision.until))
    for entry in _log([*requests, *said, *sent]):
        # What going live called back is asked again.
        recalled = entry.event == AuditEvent.DISPATCH_CANCELLED and "switch" in entry.detail
        became = Status.WAITING if recalled else _BECAME.get(entry.event)
        if became is not None:
            mine = entry.subject_type == ApprovalRequest._meta.label_lower
            steps[entry.subject_id if mine else entry.detail["request"]].append(_Step(entry.at, became))
    return {row.pk: _then(row, sorted(steps[row.pk], key=lambda step: step.at), until) for row in requests}


def _then(row: ApprovalRequest, steps: Sequence[_Step], until: datetime) -> str:
    past = [step for step in steps if step.at <= until]
    if not past:
        return row.status if not steps else Status.WAITING
    last = past[-1]
    if last.until is not None:
        return Status.DEFERRED if until < last.until else Status.WAITING
    return row.status if len(past) == len(steps) else last.became


def dispatches_at(dispatches: Sequence[Dispatch], until: datetime) -> dict[int, str]:
    """Dispatch id → its status then. One query."""
    log: dict[int, list[AuditEntry]] = defaultdict(list)
    for entry in _log(dispatches):
        log[entry.subject_id].append(entry)
    return {row.pk: _sent(row, log[row.pk], until) for row in dispatches}


def _sent(row: Dispatch, log: Sequence[AuditEntry], until: datetime) -> str:
    if row.finished_at is not None and row.finished_at <= until:
        return str(row.status)
    later = [at for at in (row.finished_at, row.claimed_at, *(entry.at for entry in log)) if at is not None]
    if max(later, default=until) <= until:
        return str(row.status)
    held = [entry for entry in log if entry.at <= until and entry.event in _HELD_BACK]
    if row.claimed_at is not None and row.claimed_at <= until and (not held or held[-1].at < row.claimed_at):
        return Dispatch.Status.SENDING
    return _HELD_BACK[held[-1].event] if held else Dispatch.Status.UNDO_HOLD


def _log(rows: Sequence[ApprovalRequest | Decision | Dispatch]) -> list[AuditEntry]:
    """What the audit log says of these rows of one client, in its own order."""
    if not rows:
        return []
    about: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        about[row._meta.label_lower].append(row.pk)
    theirs = [Q(subject_type=kind, subject_id__in=ids) for kind, ids in about.items()]
    return list(AuditEntry.objects.for_client(rows[0].client_id).filter(reduce(or_, theirs)).order_by("seq"))
