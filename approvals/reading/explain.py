"""What approvals add to a prospect's why: messages, requests, decisions, dispatches and what came back."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from approvals.models import Advice, ApprovalRequest, Decision, DeliveryEvent, Dispatch, Evaluation, Message
from approvals.reading.standing import dispatches_at, requests_at


def messages(prospect_id: int, until: datetime) -> list[dict[str, Any]]:
    """Every draft with its words, grounds, grade and verdict."""
    rows = (
        Message.objects.filter(prospect=prospect_id, created_at__lte=until).select_related("edited_by").order_by("pk")
    )
    return [
        {
            "id": m.pk,
            "channel": m.channel,
            "angle": m.angle,
            "template": m.template_key,
            "from": m.sender,
            "to": m.recipient,
            "subject": m.subject,
            "body": m.body,
            "claims": m.claims,
            "evidence_ids": m.evidence_ids,
            "why_now": m.why_now,
            "rationale": m.rationale,
            "confidence": [m.confidence_low, m.confidence, m.confidence_high],
            "grade": m.grade,
            "points": m.quality_points,
            "compliance": m.compliance,
            "parent": m.parent_id,
            "edited_by": str(m.edited_by) if m.edited_by else "",
            "content_hash": m.content_hash,
        }
        for m in rows
    ]


def evaluations(prospect_id: int, until: datetime) -> list[dict[str, Any]]:
    """What each channel was thought to be worth."""
    rows = Evaluation.objects.filter(prospect=prospect_id, created_at__lte=until).order_by("pk")
    return [
        {
            "channel": e.channel,
            "message": e.message_id,
            "probability": e.probability,
            "cost": str(e.cost),
            "expected_value": str(e.expected_value),
            "chosen": e.chosen,
            "rationale": e.rationale,
        }
        for e in rows
    ]


def advice(prospect_id: int, until: datetime) -> list[dict[str, Any]]:
    """What worked with similar prospects, when to act, and whether it was too much already."""
    rows = Advice.objects.filter(prospect=prospect_id, created_at__lte=until).order_by("pk")
    return [
        {
            "aspect": a.aspect,
            "channel": a.channel,
            "words": a.words,
            "not_before": a.not_before.isoformat() if a.not_before else None,
            "until": a.until.isoformat() if a.until else None,
            "blocked": a.blocked,
            "data": a.data,
        }
        for a in rows
    ]


def decisions(prospect_id: int, until: datetime) -> list[dict[str, Any]]:
    """Who was asked what, and what they said."""
    rows = ApprovalRequest.objects.filter(prospect=prospect_id, created_at__lte=until).defer("dossier")
    asked = list(rows.select_related("playbook_version").order_by("pk"))
    said = list(Decision.objects.filter(request__in=asked).select_related("user").order_by("pk"))
    status = requests_at(asked, said, list(Dispatch.objects.filter(request__in=asked)), until)
    by_request: dict[int, list[Decision]] = defaultdict(list)
    for decision in said:
        by_request[decision.request_id].append(decision)
    return [
        {
            "request": r.pk,
            "channel": r.channel,
            "message": r.message_id,
            "version": r.playbook_version.number,
            "asked_at": r.created_at.isoformat(),
            "status": status[r.pk],
            "decisions": [_decision(d) for d in by_request[r.pk] if d.at <= until],
        }
        for r in asked
    ]


def _decision(d: Decision) -> dict[str, Any]:
    return {
        "id": d.pk,
        "kind": d.kind,
        "by": str(d.user),
        "at": d.at.isoformat(),
        "until": d.until.isoformat() if d.until else None,
        "reason": d.reason_code,
        "words": d.words,
        "diff": d.diff,
        "message": d.message_id,
        "content_hash": d.content_hash,
    }


def dispatches(prospect_id: int, until: datetime) -> list[dict[str, Any]]:
    """What was sent, and how far it got."""
    rows = list(Dispatch.objects.filter(prospect=prospect_id, created_at__lte=until).order_by("pk"))
    status = dispatches_at(rows, until)
    return [
        {
            "id": d.pk,
            "decision": d.decision_id,
            "channel": d.channel,
            "to": d.recipient,
            "status": status[d.pk],
            "mode": d.mode,
            "message": d.message_id,
            "message_id": d.idempotency_key,
            "claimed_at": _when(d.claimed_at, until),
            "finished_at": _when(d.finished_at, until),
            "reason": d.reason if status[d.pk] == d.status else "",
        }
        for d in rows
    ]


def _when(at: datetime | None, until: datetime) -> str | None:
    return at.isoformat() if at is not None and at <= until else None


def outcomes(prospect_id: int, until: datetime) -> list[dict[str, Any]]:
    """What came of it."""
    rows = DeliveryEvent.objects.filter(dispatch__prospect=prospect_id, at__lte=until).order_by("at", "pk")
    return [{"dispatch": e.dispatch_id, "kind": e.kind, "at": e.at.isoformat(), "detail": e.detail} for e in rows]


SECTIONS = {
    "messages": messages,
    "evaluations": evaluations,
    "advice": advice,
    "decisions": decisions,
    "dispatches": dispatches,
    "outcomes": outcomes,
}
