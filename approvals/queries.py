"""What approvals' pages ask: lists by keyset, one dossier, each in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone

from approvals.models import ApprovalRequest, Decision, DeliveryEvent, Dispatch, Evaluation, Message, RequestView, Task
from approvals.rules.content import split_footer
from approvals.services import seen as seen_state
from approvals.services.seen import Seen
from playbooks.models import Channel, Client, PlaybookVersion, User
from playbooks.services import budgets
from prospects.models import Contact, Prospect

ACCOUNT = ("prospect__company", "prospect__contact", "contact", "message", "playbook_version")
#: What one row of the queue shows or sends back: drafts and their checks are long, and a page has many rows.
QUEUE_ACCOUNT = ("prospect__company", "prospect__contact", "contact", "message")
QUEUE_COLUMNS = (
    "client", "status", "version", "channel", "grade", "composite", "priority",
    "prospect__playbook", "prospect__facts_no", "prospect__stage", "prospect__route", "prospect__company__name",
    "prospect__contact__name", "contact__name", "contact__title", "message__content_hash", "message__template_key",
)  # fmt: skip
SAID_BEFORE = 20


@dataclass(frozen=True)
class QueuePage:
    """One page of requests, each with `.seen`, `.opened` and `.bulk_ready`, and the cursor of the next page or ""."""

    rows: list[ApprovalRequest]
    next: str


@dataclass(frozen=True)
class Limit:
    """One limit today: how much is used of how much."""

    name: str
    used: Decimal
    limit: Decimal

    @property
    def left(self) -> Decimal:
        return max(self.limit - self.used, Decimal(0))


@dataclass(frozen=True)
class Touch:
    """Something this person has had from us before."""

    at: datetime
    channel: str
    subject: str
    outcome: str


@dataclass(frozen=True)
class Dossier:
    """Everything the dossier page shows beside the frozen part in `request.dossier`."""

    request: ApprovalRequest
    message: Message
    prospect: Prospect
    contact: Contact
    words: str
    footer: str
    evaluation: Evaluation | None
    decisions: list[Decision]
    said_before: list[Touch]
    limits: list[Limit]
    changed_since: list[str]
    seen: Seen


@dataclass(frozen=True)
class Undoable:
    """An approval of this person that can still be taken back."""

    decision_id: int
    request_id: int
    name: str
    words: str
    not_before: datetime


def queue_page(
    client: Client,
    *,
    user: User | None = None,
    playbook_id: int | None = None,
    channel: str = "",
    grade: str = "",
    after: str = "",
    size: int = 30,
) -> QueuePage:
    """Waiting requests, the most important first. A cursor that cannot be read gives the first page."""
    rows = ApprovalRequest.objects.for_client(client).waiting().select_related(*QUEUE_ACCOUNT).only(*QUEUE_COLUMNS)
    if channel:
        rows = rows.filter(channel=channel)
    if grade:
        rows = rows.filter(grade=grade)
    if playbook_id is not None:
        rows = rows.filter(prospect__playbook=playbook_id)
    found = list(_after(rows.order_by("-priority", "-id"), after)[: size + 1])
    page = found[:size]
    _annotate(page, client=client, user=user)
    return QueuePage(page, _cursor(page[-1]) if len(found) > size else "")


def _annotate(page: Sequence[ApprovalRequest], *, client: Client, user: User | None) -> None:
    """What each row of the queue shows: the state its form sends back, and whether it may be approved with others."""
    now = seen_state.present_many(page, client=client)
    opened: set[tuple[int, int]] = set()
    if user is not None:
        views = RequestView.objects.filter(user=user, request__in=[row.pk for row in page])
        opened = set(views.values_list("request_id", "version"))
    for row in page:
        extra: dict[str, Any] = {
            "seen": now[row.pk].seen,
            "opened": (row.pk, row.version) in opened,
            "bulk_ready": row.channel != Channel.CALL
            and ((row.pk, row.version) in opened or (row.grade == "A" and bool(row.message.template_key))),
        }
        vars(row).update(extra)


def _cursor(row: ApprovalRequest) -> str:
    return f"{row.priority!r}:{row.pk}"


def _after(rows: QuerySet[ApprovalRequest], cursor: str) -> QuerySet[ApprovalRequest]:
    priority, _, pk = cursor.partition(":")
    try:
        bound, last = float(priority), int(pk)
    except ValueError:
        return rows
    return rows.filter(Q(priority__lt=bound) | Q(priority=bound, id__lt=last), priority__lte=bound)


def next_request(client: Client, after: ApprovalRequest) -> int | None:
    """The request that follows in the queue, or its first when this was the last; None when nothing else waits."""
    waiting = ApprovalRequest.objects.for_client(client).waiting().exclude(pk=after.pk).order_by("-priority", "-id")
    following = _after(waiting, _cursor(after)).values_list("pk", flat=True).first()
    return following or waiting.values_list("pk", flat=True).first()


def dossier(client: Client, request_id: int) -> Dossier:
    """One request with everything about it. Raises Http404 for another client's. Twelve queries at most."""
    rows = ApprovalRequest.objects.for_client(client).select_related(*ACCOUNT, "client")
    request = rows.filter(pk=request_id).first()
    if request is None:
        raise Http404
    now = seen_state.present(request)
    message = now.message
    words, footer = split_footer(message.body)
    return Dossier(
        request=request,
        message=message,
        prospect=request.prospect,
        contact=request.contact,
        words=words,
        footer=footer,
        evaluation=Evaluation.objects.filter(message=request.message, chosen=True).first(),
        decisions=list(request.decisions.select_related("user").order_by("-id")),
        said_before=said_before(client, request.prospect_id),
        limits=limits_left(client, now.version or request.playbook_version, timezone.now()),
        changed_since=_changed_since(request),
        seen=now.seen,
    )


def seen(request: ApprovalRequest) -> Seen:
    """The state a page showing this request shows."""
    return seen_state.present(request).seen


def _changed_since(request: ApprovalRequest) -> list[str]:
    """What is different from when the dossier was frozen."""
    frozen = request.dossier.get("prospect") or {}
    found = []
    if frozen.get("stage") and frozen["stage"] != request.prospect.stage:
        found.append(f"the prospect moved from {frozen['stage']} to {request.prospect.stage}")
    if request.prospect.facts_no > request.facts_no:
        found += seen_state.new_facts(request.prospect_id, request.facts_no)
    return found


def limits_left(client: Client, version: PlaybookVersion, at: datetime) -> list[Limit]:
    """Every limit of the version that is not zero, with what is used of it."""
    rows = budgets.left(version, client=client, at=at)
    return [Limit(row.label, row.used, row.limit) for row in rows if row.limit]


def said_before(client: Client, prospect_id: int) -> list[Touch]:
    """What went out to this prospect before, newest first, with the last thing that came back."""
    rows = Dispatch.objects.for_client(client).filter(
        prospect=prospect_id, status__in=[Dispatch.Status.ACCEPTED, Dispatch.Status.UNKNOWN]
    )
    touches = list(rows.select_related("message").order_by("-id")[:SAID_BEFORE])
    events = DeliveryEvent.objects.filter(dispatch__in=touches).order_by("id").values_list("dispatch_id", "kind")
    last = dict(events)
    return [
        Touch(
            at=touch.claimed_at or touch.created_at,
            channel=touch.get_channel_display(),
            subject=touch.message.subject,
            outcome=last.get(touch.pk, touch.get_status_display()).replace("_", " "),
        )
        for touch in touches
    ]


def undoable(client: Client, user: User, at: datetime) -> list[Undoable]:
    """This person's approvals that are still in their undo window, the newest first."""
    held = Dispatch.objects.for_client(client).filter(
        status=Dispatch.Status.UNDO_HOLD, not_before__gt=at, decision__user=user
    )
    rows = held.select_related("decision", "prospect__company", "prospect__contact").order_by("-id")[:5]
    return [
        Undoable(row.decision_id, row.request_id, str(row.prospect), row.decision.get_kind_display(), row.not_before)
        for row in rows
    ]


@dataclass(frozen=True)
class OutboxPage:
    rows: list[Dispatch]
    next: str


def outbox_page(client: Client, *, status: str = "", after: str = "", size: int = 50) -> OutboxPage:
    """Dispatches, newest first."""
    rows = Dispatch.objects.for_client(client).select_related(
        "prospect__company", "prospect__contact", "contact", "message"
    )
    if status:
        rows = rows.filter(status=status)
    if after.isdecimal():
        rows = rows.filter(pk__lt=int(after))
    found = list(rows.order_by("-id")[: size + 1])
    return OutboxPage(found[:size], str(found[size - 1].pk) if len(found) > size else "")


@dataclass(frozen=True)
class TaskPage:
    rows: list[Task]
    next: str


def tasks_page(client: Client, *, status: str = "open", kind: str = "", after: str = "", size: int = 50) -> TaskPage:
    """Tasks, newest first."""
    related = ("prospect__company", "prospect__contact", "dispatch", "done_by")
    rows = Task.objects.for_client(client).filter(status=status).select_related(*related)
    if kind:
        rows = rows.filter(kind=kind)
    if after.isdecimal():
        rows = rows.filter(pk__lt=int(after))
    found = list(rows.order_by("-id")[: size + 1])
    return TaskPage(found[:size], str(found[size - 1].pk) if len(found) > size else "")


def outbox_lag(at: datetime) -> timedelta | None:
    """How long the oldest due dispatch has waited for a worker; None when nothing is due. For /readyz."""
    due = Dispatch.objects.filter(
        status__in=[Dispatch.Status.UNDO_HOLD, Dispatch.Status.QUEUED, Dispatch.Status.POSTPONED], not_before__lte=at
    )
    oldest = due.order_by("not_before").values_list("not_before", flat=True).first()
    return at - oldest if oldest is not None else None
