"""What became of a claimed dispatch: written once, against its fencing token, with everything that follows from it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import IntegrityError, transaction

from approvals.channels.email import HandOff
from approvals.models import DeliveryEvent, Dispatch, Task
from approvals.rules.sending import EXECUTORS, Outcome, no_way_out, retry_after
from approvals.services import checks, next_steps
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Channel, PlaybookVersion, User
from playbooks.rules import stages
from playbooks.services import budgets
from prospects.models import Prospect, Signal, StageTransition
from prospects.services.moving import stages as stage_service
from prospects.services.moving.ledger import Word
from salesops.errors import Refusal

log = structlog.get_logger(__name__)
Status = Dispatch.Status
SENT_KIND = "outreach_sent"


@dataclass(frozen=True)
class Answer:
    """What is known about a hand-off, and how it is known."""

    outcome: Outcome
    words: str
    provider: str


def from_hand_off(handed: HandOff) -> Answer:
    """An SMTP conversation's answer."""
    code = f"{handed.code} " if handed.code else ""
    return Answer(handed.outcome, f"{handed.stage}: {code}{handed.detail}"[:500], "smtp")


def given_to_a_person() -> Answer:
    """Calls and LinkedIn notes are done by a person: taking the task over is all this side does."""
    return Answer(Outcome.ACCEPTED, "given to a person as a task", "person")


def kept_back(channel: str) -> Answer:
    """The channel has no hand-off: nothing left, and nothing will."""
    return Answer(Outcome.REFUSED, no_way_out(channel), "app")


def settle(dispatch_id: int, token: uuid.UUID, answer: Answer, *, at: datetime) -> bool:
    """Write the answer if this claim still holds. A late answer to a claim that was given up as unknown still counts.

    Returns False when somebody else's token is on the row, or the matter is closed.
    """
    with transaction.atomic():
        dispatch = _locked(dispatch_id)
        if dispatch is None or dispatch.token != token or dispatch.status not in (Status.SENDING, Status.UNKNOWN):
            log.warning("late_answer_dropped", dispatch=dispatch_id)
            return False
        _write(dispatch, answer, at=at, actor=None)
        return True


def _locked(dispatch_id: int) -> Dispatch | None:
    rows = Dispatch.objects.select_related("client", "contact", "message", "request__playbook_version")
    return rows.select_for_update(of=("self",)).filter(pk=dispatch_id).first()


def _write(dispatch: Dispatch, answer: Answer, *, at: datetime, actor: User | None) -> None:
    if answer.outcome is Outcome.ACCEPTED:
        accepted(dispatch, answer, at=at, actor=actor)
    elif answer.outcome is Outcome.UNKNOWN:
        if dispatch.status == Status.SENDING:
            unknown(dispatch, answer.words, at=at)
    elif answer.outcome is Outcome.RETRY and dispatch.status == Status.SENDING:
        _again(dispatch, answer, at=at)
    else:
        refused(dispatch, answer, at=at, actor=actor)


def accepted(dispatch: Dispatch, answer: Answer, *, at: datetime, actor: User | None) -> None:
    """It went out: the event, the signal that agents read, the stage, the audit entry. Inside a transaction."""
    dispatch.accept()
    dispatch.reason = ""
    dispatch.finished_at = at
    dispatch.save(update_fields=["status", "reason", "finished_at"])
    _event(dispatch, "accepted", answer, at)
    _close_tasks(dispatch, "went_out", actor=actor, at=at)
    if dispatch.channel == Channel.EMAIL:
        made_contact(dispatch, at=at, actor=actor)
    else:
        _task_by_hand(dispatch)
    _record(dispatch, AuditEvent.DISPATCH_ACCEPTED, actor, {"by": answer.provider})


def refused(dispatch: Dispatch, answer: Answer, *, at: datetime, actor: User | None) -> None:
    """It did not go out and will not: budget back, a task for a person unless one said so. Inside a transaction."""
    _release(dispatch)
    dispatch.refuse()
    dispatch.reason = answer.words
    dispatch.finished_at = at
    dispatch.save(update_fields=["status", "reason", "finished_at", "budget_reserved"])
    _event(dispatch, "refused", answer, at)
    _close_tasks(dispatch, "did_not_go_out", actor=actor, at=at)
    if actor is None:
        task = f"Refused: {dispatch.channel} to {dispatch.contact}"
        _open_task(dispatch, Task.Kind.REFUSED_DISPATCH, task, answer.words)
    _record(dispatch, AuditEvent.DISPATCH_REFUSED, actor, {"by": answer.provider})


def unknown(dispatch: Dispatch, words: str, *, at: datetime) -> None:
    """Nobody can tell whether it went out: a person must. Never sent again by itself. Inside a transaction."""
    dispatch.lose_track()
    dispatch.reason = words[:500]
    dispatch.save(update_fields=["status", "reason"])
    title = f"Did it go out? {dispatch.get_channel_display()} to {dispatch.contact}"
    detail = f"{words}\nLook for Message-ID {dispatch.idempotency_key} at the receiving side or in the sent mail."
    _open_task(dispatch, Task.Kind.UNKNOWN_DISPATCH, title, detail)
    _record(dispatch, AuditEvent.DISPATCH_UNKNOWN, None, {"at": at.isoformat()})


def _again(dispatch: Dispatch, answer: Answer, *, at: datetime) -> None:
    """Provably not accepted: it may be tried again later, a few times."""
    wait = retry_after(dispatch.attempts)
    if wait is None or at + timedelta(seconds=wait) >= dispatch.expires_at:
        words = f"given up after {dispatch.attempts} attempts: {answer.words}"
        refused(dispatch, Answer(Outcome.REFUSED, words[:500], answer.provider), at=at, actor=None)
        return
    _release(dispatch)
    dispatch.queue()
    dispatch.not_before = at + timedelta(seconds=wait)
    dispatch.lease_until = None
    dispatch.reason = f"tried again later: {answer.words}"[:500]
    dispatch.save(update_fields=["status", "not_before", "lease_until", "reason", "budget_reserved"])


def made_contact(dispatch: Dispatch, *, at: datetime, actor: User | None) -> None:
    """The outreach becomes a fact about the prospect, and the prospect becomes contacted. Inside a transaction."""
    prospect = Prospect.objects.select_for_update(no_key=True).get(pk=dispatch.prospect_id)
    sent_at = dispatch.claimed_at or at
    earlier = Signal.objects.filter(prospect=prospect, kind=SENT_KIND).count()
    signal = Signal.objects.create(
        client_id=dispatch.client_id, prospect=prospect, kind=SENT_KIND, observed_at=sent_at, value=earlier + 1,
        data={"channel": dispatch.channel, "touch": earlier + 1, "agent": EXECUTORS[dispatch.channel]},
        source=f"dispatch: {dispatch.channel}", source_ref=f"dispatch {dispatch.pk}",
        dedup_key=f"sent:{dispatch.content_hash[:40]}:{earlier + 1}", trace_id=dispatch.trace_id,
    )  # fmt: skip
    signal.refresh_from_db(fields=["fact_no"])
    prospect.facts_no = max(prospect.facts_no, signal.fact_no)
    prospect.save(update_fields=["facts_no"])
    if prospect.stage == stages.QUALIFIED:
        _to_contacted(prospect, dispatch, at=at, actor=actor)


def _to_contacted(prospect: Prospect, dispatch: Dispatch, *, at: datetime, actor: User | None) -> None:
    word = Word(
        at=at, actor=actor, reason="The first message was accepted.", agent=EXECUTORS[dispatch.channel],
        trace_id=dispatch.trace_id,
    )  # fmt: skip
    try:
        with transaction.atomic():
            stage_service.move(
                [prospect], stages.CONTACTED, client=dispatch.client, word=word,
                evidence_ids={prospect.pk: _qualified_on(prospect)},
            )  # fmt: skip
    except (Refusal, IntegrityError) as refusal:
        # The message has gone out whatever the playbook says about stages; that must be written all the same.
        log.warning("stage_not_moved", dispatch=dispatch.pk, refusal=type(refusal).__name__)


def _qualified_on(prospect: Prospect) -> list[int]:
    """The evidence that qualified somebody is what justified making contact."""
    log = StageTransition.objects.filter(prospect=prospect, to_stage=stages.QUALIFIED).order_by("-seq")
    return log.values_list("evidence_ids", flat=True).first() or []


def _task_by_hand(dispatch: Dispatch) -> None:
    kind = Task.Kind.CALL if dispatch.channel == Channel.CALL else Task.Kind.LINKEDIN
    title = f"{dispatch.get_channel_display()}: {dispatch.contact}"
    _open_task(dispatch, kind, title, f"{dispatch.recipient}\n\n{dispatch.message.body}")


def _open_task(dispatch: Dispatch, kind: str, title: str, detail: str) -> None:
    Task.objects.bulk_create(
        [
            Task(client=dispatch.client, kind=kind, prospect_id=dispatch.prospect_id, dispatch=dispatch,
                 title=title[:200], detail=detail, trace_id=dispatch.trace_id)
        ],
        ignore_conflicts=True,
    )  # fmt: skip


def _close_tasks(dispatch: Dispatch, resolution: str, *, actor: User | None, at: datetime) -> None:
    open_tasks = Task.objects.filter(dispatch=dispatch, kind=Task.Kind.UNKNOWN_DISPATCH, status=Task.Status.OPEN)
    open_tasks.update(status=Task.Status.DONE, resolution=resolution, done_at=at, done_by=actor)


def _event(dispatch: Dispatch, kind: str, answer: Answer, at: datetime) -> None:
    DeliveryEvent.objects.create(
        client=dispatch.client, dispatch=dispatch, kind=kind, at=at, provider=answer.provider,
        provider_event_id=f"{kind}:{dispatch.idempotency_key}"[:200], trace_id=dispatch.trace_id,
        detail={"mode": dispatch.mode, "attempt": dispatch.attempts, "said": answer.words},
    )  # fmt: skip


def _release(dispatch: Dispatch) -> None:
    if not dispatch.budget_reserved or dispatch.claimed_at is None:
        return
    dispatch.budget_reserved = False
    asked = dispatch.request.playbook_version
    version = PlaybookVersion.objects.active().filter(playbook=asked.playbook_id).first() or asked
    for bucket, amount, _ in checks.costs(version, dispatch.channel):
        budgets.release(version, bucket, amount, client=dispatch.client, at=dispatch.claimed_at)


def _record(dispatch: Dispatch, event: AuditEvent, actor: User | None, detail: dict[str, str]) -> None:
    next_steps.tell([dispatch.prospect_id])
    audit.record(
        client=dispatch.client, event=event, subject=dispatch, actor=actor, trace_id=dispatch.trace_id,
        detail={
            "request": dispatch.request_id, "decision": dispatch.decision_id, "content_hash": dispatch.content_hash,
            "mode": dispatch.mode, "attempt": dispatch.attempts, **detail,
        },
    )  # fmt: skip
