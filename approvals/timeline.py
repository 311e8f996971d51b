"""What approvals puts on a prospect's timeline: requests, decisions, dispatches and what came back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.urls import reverse

from approvals.models import ApprovalRequest, Decision, DeliveryEvent, Dispatch
from prospects.models import Prospect
from prospects.timeline import TimelineEvent

DISPATCH_TONES = {"accepted": "done", "refused": "danger", "unknown": "caution"}


def events_of(prospect: Prospect, limit: int) -> Iterable[TimelineEvent]:
    """The newest requests, decisions, dispatches and delivery events; four queries."""
    yield from _requests(prospect, limit)
    yield from _decisions(prospect, limit)
    yield from _dispatches(prospect, limit)
    yield from _deliveries(prospect, limit)


def _requests(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    rows = ApprovalRequest.objects.filter(prospect=prospect).select_related("message", "created_by")
    for row in rows.defer("dossier").order_by("-id")[:limit]:
        yield TimelineEvent(
            row.created_at,
            "request",
            f"Approval asked for: {row.message.subject or row.get_channel_display()}",
            detail=f"{row.get_channel_display()}, quality {row.grade}" if row.grade else row.get_channel_display(),
            who=str(row.created_by) if row.created_by else "approval gate",
            url=row.get_absolute_url(),
            order=row.pk,
            trace_id=row.trace_id,
        )


def _decisions(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    rows = Decision.objects.filter(request__prospect=prospect).select_related("user", "message").order_by("-id")[:limit]
    for row in rows:
        yield TimelineEvent(
            row.at,
            "decision",
            f"{row.get_kind_display()}: {row.message.subject or row.message.get_channel_display()}",
            detail=row.words,
            who=str(row.user),
            tone="danger" if row.kind == Decision.Kind.REJECT else "",
            url=reverse("approvals:detail", args=[row.request_id]),
            order=row.pk,
            trace_id=row.trace_id,
        )


def _dispatches(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    rows = Dispatch.objects.filter(prospect=prospect).select_related("message").order_by("-id")[:limit]
    for row in rows:
        where = f" ({row.get_mode_display().lower()})" if row.mode else ""
        yield TimelineEvent(
            row.finished_at or row.created_at,
            "dispatch",
            f"{row.get_channel_display()} {row.get_status_display().lower()}{where}: {row.message.subject}",
            detail=row.reason,
            tone=DISPATCH_TONES.get(row.status, ""),
            url=reverse("approvals:outbox_detail", args=[row.pk]),
            order=row.pk,
            trace_id=row.trace_id,
        )


def _deliveries(prospect: Prospect, limit: int) -> Iterator[TimelineEvent]:
    rows = DeliveryEvent.objects.filter(dispatch__prospect=prospect).order_by("-id")[:limit]
    for row in rows:
        yield TimelineEvent(
            row.at,
            "mail",
            row.kind.replace("_", " ").capitalize(),
            source=row.provider,
            url=reverse("approvals:outbox_detail", args=[row.dispatch_id]),
            order=row.pk,
            trace_id=row.trace_id,
        )
