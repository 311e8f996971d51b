"""Approving many at once, where that is as careful as one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from approvals.models import ApprovalRequest, RequestView
from approvals.services import decide
from approvals.services.decide import Decided, Seen
from approvals.services.refusals import NotBulkApprovable, RequestNotFound
from playbooks.models import Channel, Client, User
from salesops.errors import Refusal

MOST = 200


@dataclass
class BulkResult:
    """What was approved, and for everything else why not."""

    approved: list[Decided] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)


def approve_many(items: Sequence[tuple[int, Seen]], *, actor: User, client: Client) -> BulkResult:
    """Approve each request that this person has opened, or all when they share one template at grade A; never calls.

    Each approval is a transaction of its own: one refusal does not take the others back. Raises NotBulkApprovable
    for more than 200.
    """
    if len(items) > MOST:
        raise NotBulkApprovable(f"Choose at most {MOST} at a time.")
    wanted = dict(items)
    rows = ApprovalRequest.objects.for_client(client).filter(pk__in=list(wanted)).select_related("message")
    requests = {row.pk: row for row in rows.defer("dossier")}
    seen_by_actor = set(
        RequestView.objects.filter(user=actor, request__in=list(requests)).values_list("request_id", "version")
    )
    alike = _alike(list(requests.values()))
    result = BulkResult()
    for pk, seen in wanted.items():
        try:
            _check(requests.get(pk), alike=alike, opened=seen_by_actor)
            result.approved.append(decide.approve(pk, seen=seen, actor=actor, client=client))
        except Refusal as refusal:
            result.refused.append((pk, refusal.message))
    return result


def _alike(requests: Sequence[ApprovalRequest]) -> bool:
    """Whether all come from one template, unedited, at grade A."""
    templates = {request.message.template_key for request in requests}
    return (
        len(templates) == 1
        and "" not in templates
        and all(request.grade == "A" and request.message.edited_by_id is None for request in requests)
    )


def _check(request: ApprovalRequest | None, *, alike: bool, opened: set[tuple[int, int]]) -> None:
    if request is None:
        raise RequestNotFound("There is no such request.")
    if request.channel == Channel.CALL:
        raise NotBulkApprovable("Calls are approved one by one.")
    if not alike and (request.pk, request.version) not in opened:
        raise NotBulkApprovable("Open it first: these do not share one template at grade A.")
