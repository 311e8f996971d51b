"""What approvals puts on a prospect's timeline: requests, decisions, dispatches and what came back.

One query reads all of it; each branch gives the newest of its kind, with what it says as one JSON value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from django.urls import reverse

from approvals.models import Decision, Dispatch
from playbooks.models import Channel
from prospects.models import Prospect
from prospects.reading.timeline import TimelineEvent
from salesops.sql import fetch

DISPATCH_TONES = {"accepted": "done", "refused": "danger", "unknown": "caution"}
_EVENTS = """
(SELECT 'request', r.created_at, r.id, r.trace_id, json_build_object(
        'id', r.id, 'channel', r.channel, 'grade', r.grade, 'subject', m.subject,
        'who', coalesce(nullif(u.name, ''), u.email, 'approval gate'))
   FROM approvals_approvalrequest r JOIN approvals_message m ON m.id = r.message_id
   LEFT JOIN playbooks_user u ON u.id = r.created_by_id
  WHERE r.prospect_id = %(prospect)s ORDER BY r.id DESC LIMIT %(limit)s)
UNION ALL
(SELECT 'decision', d.at, d.id, d.trace_id, json_build_object(
        'request', d.request_id, 'kind', d.kind, 'channel', m.channel, 'subject', m.subject, 'words', d.words,
        'who', coalesce(nullif(u.name, ''), u.email))
   FROM approvals_decision d JOIN approvals_approvalrequest r ON r.id = d.request_id
   JOIN approvals_message m ON m.id = d.message_id JOIN playbooks_user u ON u.id = d.user_id
  WHERE r.prospect_id = %(prospect)s ORDER BY d.id DESC LIMIT %(limit)s)
UNION ALL
(SELECT 'dispatch', coalesce(d.finished_at, d.created_at), d.id, d.trace_id, json_build_object(
        'id', d.id, 'channel', d.channel, 'status', d.status, 'mode', d.mode, 'reason', d.reason, 'subject', m.subject)
   FROM approvals_dispatch d JOIN approvals_message m ON m.id = d.message_id
  WHERE d.prospect_id = %(prospect)s ORDER BY d.id DESC LIMIT %(limit)s)
UNION ALL
(SELECT 'mail', e.at, e.id, e.trace_id, json_build_object(
        'dispatch', e.dispatch_id, 'kind', e.kind, 'provider', e.provider)
   FROM approvals_deliveryevent e JOIN approvals_dispatch d ON d.id = e.dispatch_id
  WHERE d.prospect_id = %(prospect)s ORDER BY e.id DESC LIMIT %(limit)s)
"""


def events_of(prospect: Prospect, limit: int) -> Iterable[TimelineEvent]:
    """The newest requests, decisions, dispatches and delivery events; one query."""
    for what, at, place, trace_id, said in fetch(_EVENTS, {"prospect": prospect.pk, "limit": limit}):
        yield _EVENT_OF[what](at, place, trace_id, said)


def _request(at: datetime, place: int, trace_id: str, said: dict[str, Any]) -> TimelineEvent:
    channel = Channel(said["channel"]).label
    return TimelineEvent(
        at, "request", f"Approval asked for: {said['subject'] or channel}",
        detail=f"{channel}, quality {said['grade']}" if said["grade"] else channel, who=said["who"],
        url=reverse("approvals:detail", args=[said["id"]]), order=place, trace_id=trace_id,
    )  # fmt: skip


def _decision(at: datetime, place: int, trace_id: str, said: dict[str, Any]) -> TimelineEvent:
    return TimelineEvent(
        at, "decision", f"{Decision.Kind(said['kind']).label}: {said['subject'] or Channel(said['channel']).label}",
        detail=said["words"], who=said["who"], tone="danger" if said["kind"] == Decision.Kind.REJECT else "",
        url=reverse("approvals:detail", args=[said["request"]]), order=place, trace_id=trace_id,
    )  # fmt: skip


def _dispatch(at: datetime, place: int, trace_id: str, said: dict[str, Any]) -> TimelineEvent:
    where = f" ({Dispatch.Mode(said['mode']).label.lower()})" if said["mode"] else ""
    status = Dispatch.Status(said["status"]).label.lower()
    return TimelineEvent(
        at, "dispatch", f"{Channel(said['channel']).label} {status}{where}: {said['subject']}", detail=said["reason"],
        tone=DISPATCH_TONES.get(said["status"], ""), url=reverse("approvals:outbox_detail", args=[said["id"]]),
        order=place, trace_id=trace_id,
    )  # fmt: skip


def _mail(at: datetime, place: int, trace_id: str, said: dict[str, Any]) -> TimelineEvent:
    return TimelineEvent(
        at, "mail", said["kind"].replace("_", " ").capitalize(), source=said["provider"],
        url=reverse("approvals:outbox_detail", args=[said["dispatch"]]), order=place, trace_id=trace_id,
    )  # fmt: skip


_EVENT_OF: dict[str, Callable[[datetime, int, str, dict[str, Any]], TimelineEvent]] = {
    "request": _request, "decision": _decision, "dispatch": _dispatch, "mail": _mail,
}  # fmt: skip
