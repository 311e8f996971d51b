"""The approval queue, the most important first, and what of one's own can still be undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from approvals.models import ApprovalRequest, Decision, Dispatch, RequestView
from approvals.services import seen as seen_state
from approvals.services.seen import Asked, Rules, Seen
from playbooks.models import Channel, Client, Playbook, Route, User
from playbooks.rules import stages
from prospects.models import Prospect
from prospects.reading.trust import TRUSTED, trusted
from prospects.rules.next_step import WORDLESS

#: What one row of the queue shows or sends back: drafts and their checks are long, and a page has many rows.
QUEUE_COLUMNS = (
    "id", "version", "channel", "grade", "composite", "priority", "content_hash", "message__template_key",
    "prospect_id", "prospect__playbook_id", "prospect__facts_no", "prospect__stage", "prospect__route",
    "prospect__provisional", "prospect__company__name", "prospect__contact__name", "contact__name", "contact__title",
)  # fmt: skip
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
    waiting = _narrowed(client, channel, grade)
    if playbook_id is not None:
        waiting = waiting.filter(prospect__playbook=playbook_id)
    ordered = _after(waiting, after).order_by("-priority", "-id")
    shown = ordered.annotate(**trusted(client.pk)).values_list(*QUEUE_COLUMNS, TRUSTED, named=True)
    found = list(shown[: size + 1])
    page = found[:size]
    rows = _queue_rows(page, rules=rules or seen_state.rules_now(client), user=user)
    return QueuePage(rows, _cursor(page[-1].priority, page[-1].id) if len(found) > size else "")


def _narrowed(client: Client, channel: str, grade: str) -> QuerySet[ApprovalRequest]:
    waiting = ApprovalRequest.objects.for_client(client).waiting()
    if channel:
        waiting = waiting.filter(channel=channel)
    return waiting.filter(grade=grade) if grade else waiting


def count_waiting(client: Client, *, channel: str, grade: str, at_most: int) -> int:
    """How many wait, counted no further than ``at_most``."""
    return _narrowed(client, channel, grade).order_by()[:at_most].count()


def count_wordless(client: Client, *, at_most: int) -> int:
    """How many are qualified and wait for words that no agent finds; looked for among the qualified alone."""
    found = Prospect.objects.going_on().filter(
        playbook__in=Playbook.objects.for_client(client), stage=stages.QUALIFIED, next_action__in=WORDLESS.values()
    )
    return found.order_by()[:at_most].count()


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
