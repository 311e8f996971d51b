"""What approvals' pages ask: lists by keyset, one dossier, each in a constant number of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import timezone

from approvals.models import ApprovalRequest, Decision, DeliveryEvent, Dispatch, Message, RequestView, Task
from approvals.rules.content import split_footer
from approvals.services import seen as seen_state
from approvals.services.call_off import called_off_by
from approvals.services.seen import Asked, Rules, Seen
from playbooks.halts import Brake
from playbooks.models import Channel, Client, PlaybookVersion, Route, Stop, User
from playbooks.services import budgets
from prospects.models import Contact, Prospect, RouteOverride, Signal
from prospects.reading.trust import TRUSTED, marked_today, trusted
from salesops.ids import id_in

#: What one row of the queue shows or sends back: drafts and their checks are long, and a page has many rows.
QUEUE_COLUMNS = (
    "id", "version", "channel", "grade", "composite", "priority", "content_hash", "message__template_key",
    "prospect_id", "prospect__playbook_id", "prospect__facts_no", "prospect__stage", "prospect__route",
    "prospect__provisional", "prospect__company__name", "prospect__contact__name", "contact__name", "contact__title",
)  # fmt: skip
ACCOUNT = ("prospect__company", "prospect__contact", "contact", "message")
#: What a dossier shows or sends back; the rest of it is frozen in `dossier`.
DOSSIER_COLUMNS = (
    "client", "status", "version", "channel", "grade", "composite", "facts_no", "dossier", "expires_at", "created_at",
    "playbook_version", "prospect__playbook", "prospect__facts_no", "prospect__stage", "prospect__route",
    "prospect__tier", "prospect__provisional", "prospect__company__name", "prospect__contact__name", "contact__name",
    "contact__title", "contact__synthetic", "message__content_hash", "message__channel", "message__sender",
    "message__recipient", "message__subject", "message__body", "message__angle", "message__template_key",
    "message__confidence", "message__confidence_low", "message__confidence_high",
)  # fmt: skip
DECISION_COLUMNS = ("request", "kind", "words", "at", "user__name", "user__email")
SAID_BEFORE = 20
CHANNEL_LABELS, ROUTE_LABELS = dict(Channel.choices), dict(Route.choices)


@dataclass(frozen=True, slots=True)
class QueueRow:
    """A waiting request as the queue lists it: `name` is the prospect's, `who` and `title` the person's.

    `seen` is the state its form sends back; `opened`: this person has had it before them as it stands.
    """

    pk: int
    priority: float
    channel: str
    grade: str
    composite: float | None
    provisional: bool
    route: str
    template_key: str
    name: str
    who: str
    title: str
    seen: Seen
    opened: bool

    @property
    def key(self) -> str:
        return str(self.pk)

    @property
    def pick(self) -> str:
        """What its box sends when it is approved with others."""
        return f"{self.pk}:{self.seen.encode()}"

    @property
    def channel_label(self) -> str:
        return CHANNEL_LABELS[self.channel]

    @property
    def route_label(self) -> str:
        return ROUTE_LABELS.get(self.route, "")

    @property
    def bulk_ready(self) -> bool:
        """Whether it may be approved together with others."""
        return self.channel != Channel.CALL and (self.opened or (self.grade == "A" and bool(self.template_key)))


@dataclass(frozen=True)
class QueuePage:
    """One page of the queue, and the cursor of the next page or ""."""

    rows: list[QueueRow]
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
    decisions: list[Decision]
    said_before: list[Touch]
    limits: list[Limit]
    changed_since: list[str]
    stops: tuple[Brake, ...]
    called_off: Stop | None  # what ended the request, when that stop holds no more
    sandbox: bool
    seen: Seen
    route_by_hand: RouteOverride | None = None


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
    rules: Rules | None = None,
    user: User | None = None,
    playbook_id: int | None = None,
    channel: str = "",
    grade: str = "",
    after: str = "",
    size: int = 30,
) -> QueuePage:
    """Waiting requests, the most important first. A cursor that cannot be read gives the first page."""
    waiting = ApprovalRequest.objects.for_client(client).waiting()
    if channel:
        waiting = waiting.filter(channel=channel)
    if grade:
        waiting = waiting.filter(grade=grade)
    if playbook_id is not None:
        waiting = waiting.filter(prospect__playbook=playbook_id)
    ordered = _after(waiting, after).order_by("-priority", "-id")
    shown = ordered.annotate(**trusted(client.pk)).values_list(*QUEUE_COLUMNS, TRUSTED, named=True)
    found = list(shown[: size + 1])
    page = found[:size]
    rows = _queue_rows(page, rules=rules or seen_state.rules_now(client), user=user)
    return QueuePage(rows, _cursor(page[-1].priority, page[-1].id) if len(found) > size else "")


def _queue_rows(page: Sequence[Any], *, rules: Rules, user: User | None) -> list[QueueRow]:
    """The rows with the state each form sends back, and whether it may be approved with others."""
    firsts = seen_state.first_approvals({row.id: row.version for row in page})
    opened: set[tuple[int, int]] = set()
    if user is not None:
        views = RequestView.objects.filter(user=user, request__in=[row.id for row in page])
        opened = set(views.values_list("request_id", "version"))
    rows = []
    for row in page:
        asked = Asked(row.id, row.prospect_id, row.prospect__playbook_id, row.channel)
        words = firsts[row.id].message.content_hash if row.id in firsts else row.content_hash
        seen = Seen(row.version, words, row.prospect__facts_no, row.prospect__stage, rules.limits(asked))
        rows.append(
            QueueRow(
                pk=row.id,
                priority=row.priority,
                channel=row.channel,
                grade=row.grade,
                composite=row.composite,
                provisional=row.prospect__provisional and not getattr(row, TRUSTED),
                route=row.prospect__route,
                template_key=row.message__template_key,
                name=row.prospect__company__name or row.prospect__contact__name,
                who=row.contact__name,
                title=row.contact__title,
                seen=seen,
                opened=(row.id, row.version) in opened,
            )
        )
    return rows


def _cursor(priority: float, pk: int) -> str:
    return f"{priority!r}:{pk}"


def _after(rows: QuerySet[ApprovalRequest], cursor: str) -> QuerySet[ApprovalRequest]:
    priority, _, pk = cursor.partition(":")
    try:
        bound, last = float(priority), int(pk)
    except ValueError:
        return rows
    return rows.filter(Q(priority__lt=bound) | Q(priority=bound, id__lt=last), priority__lte=bound)


def dossier(client: Client, request_id: int, *, rules: Rules | None = None) -> Dossier:
    """One request with everything about it. Raises Http404 for another client's. Thirteen queries at most."""
    rules = rules or seen_state.rules_now(client)
    rows = ApprovalRequest.objects.for_client(client).select_related(*ACCOUNT).only(*DOSSIER_COLUMNS)
    rows = rows.annotate(**trusted(client.pk))
    request = get_object_or_404(rows, pk=request_id)
    now = seen_state.present(request, rules)
    message = now.message
    words, footer = split_footer(message.body)
    ended = called_off_by(request)
    marked_today([request.prospect], request)
    return Dossier(
        request=request,
        message=message,
        prospect=request.prospect,
        contact=request.contact,
        words=words,
        footer=footer,
        decisions=list(request.decisions.select_related("user").only(*DECISION_COLUMNS).order_by("-id")),
        said_before=said_before(client, request.prospect_id),
        limits=limits_left(client, now.version or request.playbook_version, timezone.now()),
        changed_since=_changed_since(request),
        stops=now.stops,
        route_by_hand=request.prospect.route_overrides.in_force().first(),
        called_off=ended if ended is not None and ended.pk not in {brake.id for brake in now.stops} else None,
        sandbox=client.sandbox,
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
    columns = ("pk", "claimed_at", "created_at", "channel", "status", "message__subject")
    touches = list(rows.order_by("-id").values_list(*columns)[:SAID_BEFORE])
    events = DeliveryEvent.objects.filter(dispatch__in=[touch[0] for touch in touches]).order_by("id")
    last = dict(events.values_list("dispatch_id", "kind")) if touches else {}
    return [
        Touch(
            at=claimed_at or created_at,
            channel=Channel(channel).label,
            subject=subject,
            outcome=last.get(pk, Dispatch.Status(status).label).replace("_", " "),
        )
        for pk, claimed_at, created_at, channel, status, subject in touches
    ]


def undoable(client: Client, user: User, at: datetime) -> list[Undoable]:
    """This person's approvals that are still in their undo window, the newest first."""
    held = Dispatch.objects.for_client(client).filter(
        status=Dispatch.Status.UNDO_HOLD, not_before__gt=at, decision__user=user
    )
    named = ("prospect__company__name", "prospect__contact__name")
    timed = ("decision__at", "request__playbook_version__undo_seconds")
    rows = held.order_by("-id").values_list("decision_id", "request_id", "decision__kind", "not_before", *named, *timed)
    found = []
    for decision, request, kind, not_before, company, contact, decided_at, seconds in rows[:5]:
        # What waits for better hours can be undone all that time; it is offered while the decision is fresh.
        until = min(not_before, decided_at + timedelta(seconds=seconds))
        if until > at:
            found.append(Undoable(decision, request, company or contact, Decision.Kind(kind).label, until))
    return found


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
    last = id_in(after)
    if last is not None:
        rows = rows.filter(pk__lt=last)
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
    last = id_in(after)
    if last is not None:
        rows = rows.filter(pk__lt=last)
    found = list(rows.order_by("-id")[: size + 1])
    return TaskPage(found[:size], str(found[size - 1].pk) if len(found) > size else "")


def agent_tasks(client: Client) -> QuerySet[Task]:
    """Tasks in which a person does an agent's work and that are still open."""
    open_tasks = Task.objects.for_client(client).filter(status=Task.Status.OPEN).exclude(agent="")
    return open_tasks.select_related("prospect__company", "prospect__contact", "playbook_version")


def latest_signals(task: Task, size: int = 20) -> list[tuple[Signal, str]]:
    """What has been seen about the task's prospect, the newest first, each with its words or else its values."""
    signals = Signal.objects.filter(prospect=task.prospect_id).order_by("-fact_no")[:size]
    return [(signal, signal.text or _values(signal.data)) for signal in signals]


def _values(data: dict[str, Any]) -> str:
    known = ((name, value) for name, value in data.items() if value not in (None, "", [], {}))
    shown = ((name, ", ".join(map(str, value)) if isinstance(value, list) else value) for name, value in known)
    return " · ".join(f"{name.replace('_', ' ')}: {value}" for name, value in shown)
