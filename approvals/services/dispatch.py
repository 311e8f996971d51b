"""Acting on approvals: at most one hand-off each.

A worker claims one due dispatch under its row lock, looks at everything again, and commits `sending` with a lease and a
fencing token before it touches the network. What it learns is written only against that token. What it does not live
to write is found by `recover`, which never sends.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import OperationalError, close_old_connections, connection, transaction
from django.utils import timezone

from approvals.channels import email
from approvals.models import Dispatch
from approvals.rules.content import UnsafeHeader, thread_mark
from approvals.rules.sending import PAUSED, STOPPED, WAYS, Outcome, SmtpStage, Way
from approvals.services import checks, settle
from approvals.services.checks import Due, Obstacle
from approvals.services.suppress import link_in
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Channel, PlaybookVersion
from playbooks.services import stops
from salesops.logs import bind_trace

log = structlog.get_logger(__name__)
Status = Dispatch.Status
SWEEP_SECONDS = 60  # a slow mail server must not push a sweep into its time limit while it is sending
RELATED = (
    "client", "contact__company", "message", "prospect__company", "request__playbook_version", "decision",
)  # fmt: skip
#: What a claim writes.
_CLAIMED = ("status", "token", "claimed_at", "lease_until", "attempts", "budget_reserved", "reason")

# Due rows move on together; FOR UPDATE SKIP LOCKED lets any number of workers share them.
_QUEUE_DUE = """
UPDATE approvals_dispatch SET status = 'queued' WHERE id IN (
    SELECT id FROM approvals_dispatch WHERE status IN ('undo_hold', 'postponed') AND not_before <= clock_timestamp()
    ORDER BY not_before LIMIT %s FOR UPDATE SKIP LOCKED)
"""


@dataclass
class SweepResult:
    """What one sweep did."""

    queued: int = 0
    claimed: int = 0
    held_back: int = 0


def sweep(*, at: datetime, limit: int = 50) -> SweepResult:
    """Send up to `limit` due dispatches, one claim at a time: a crash leaves at most one in doubt per worker."""
    result = SweepResult(queued=queue_due(limit=limit * 4))
    started = time.monotonic()
    while result.claimed + result.held_back < limit and time.monotonic() - started < SWEEP_SECONDS:
        claim = claim_next(at=at + timedelta(seconds=time.monotonic() - started))
        if claim is None:
            break
        if isinstance(claim, HeldBack):
            result.held_back += 1
            continue
        result.claimed += 1
        act(claim)
    return result


def queue_due(*, limit: int) -> int:
    """Queue what has left its undo window or its postponement. Returns how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_QUEUE_DUE, [limit])
        return int(cursor.rowcount)


@dataclass(frozen=True)
class Claim:
    """A dispatch that this worker alone may act on, once, by its token."""

    dispatch: Dispatch
    token: uuid.UUID


@dataclass(frozen=True)
class HeldBack:
    """A dispatch that a check postponed or cancelled."""

    dispatch: Dispatch


def claim_next(*, at: datetime) -> Claim | HeldBack | None:
    """Lock the next queued dispatch, check it, and commit it as sending, postponed or cancelled. None: nothing due."""
    with transaction.atomic():
        stops.hold_steady()
        rows = Dispatch.objects.filter(status=Status.QUEUED, not_before__lte=at).order_by("not_before", "id")
        dispatch = rows.select_related(*RELATED).select_for_update(skip_locked=True, of=("self",)).first()
        if dispatch is None:
            return None
        bind_trace(dispatch.trace_id)
        due = Due(dispatch, _ruling_version(dispatch), at)
        found = _claim(due)
        if isinstance(found, Obstacle):
            _hold_back(dispatch, found, at)
            return HeldBack(dispatch)
        return Claim(dispatch, found)


def _claim(due: Due) -> uuid.UUID | Obstacle:
    """The claim's token, or what stands in the way.

    A check that breaks, or a guard of the database that knows better, holds back its own dispatch, not all of them.
    """
    dispatch = due.dispatch
    try:
        with transaction.atomic():
            return checks.first_obstacle(due) or _start(due)
    except OperationalError:
        raise
    except Exception:
        log.exception("dispatch_check_broke", dispatch=dispatch.pk)
        dispatch.refresh_from_db(fields=_CLAIMED)
        until = due.at + timedelta(minutes=checks.PAUSE_MINUTES)
        return Obstacle(f"a check could not be made; trace {dispatch.trace_id}", until)


def _ruling_version(dispatch: Dispatch) -> PlaybookVersion:
    asked = dispatch.request.playbook_version
    active = PlaybookVersion.objects.active().filter(playbook=asked.playbook_id).first()
    return active or asked


def _start(due: Due) -> uuid.UUID:
    dispatch, token = due.dispatch, uuid.uuid4()
    dispatch.start_sending()
    dispatch.token = token
    dispatch.claimed_at = due.at
    dispatch.lease_until = timezone.now() + timedelta(seconds=settings.SENDING_LEASE_SECONDS)
    dispatch.attempts += 1
    dispatch.budget_reserved = True
    dispatch.reason = ""
    dispatch.save(update_fields=_CLAIMED)
    return token


def _hold_back(dispatch: Dispatch, obstacle: Obstacle, at: datetime) -> None:
    event = AuditEvent.DISPATCH_CANCELLED
    if obstacle.until is not None:
        event = AuditEvent.DISPATCH_POSTPONED
        dispatch.postpone()
        dispatch.not_before = max(obstacle.until, at + timedelta(seconds=1))
    else:
        dispatch.cancel()
        dispatch.finished_at = at
    repeated = obstacle.until is not None and dispatch.reason == obstacle.reason[:500]
    dispatch.reason = obstacle.reason[:500]
    dispatch.save(update_fields=["status", "not_before", "finished_at", "reason"])
    log.info("dispatch_held_back", dispatch=dispatch.pk, status=dispatch.status)
    if not repeated:  # a pause is looked at every few minutes; the log needs it once
        audit.record(
            client=dispatch.client, event=event, subject=dispatch, actor=None, trace_id=dispatch.trace_id,
            detail={"request": dispatch.request_id, "reason": _unnamed(dispatch.reason)},
        )  # fmt: skip


def _unnamed(reason: str) -> str:
    """For the log, which nobody can take a name out of: a stop's own words stand in the stop."""
    return next((mark.rstrip(": ") for mark in (PAUSED, STOPPED) if reason.startswith(mark)), reason)


def act(claim: Claim) -> None:
    """Hand a claimed dispatch over, outside any transaction, and write what came of it."""
    way = WAYS.get(claim.dispatch.channel)
    if way is not Way.SMTP:
        known = settle.given_to_a_person() if way is Way.PERSON else settle.kept_back(claim.dispatch.channel)
        settle.settle(claim.dispatch.pk, claim.token, known, at=timezone.now())
        return
    handed = _hand_over(claim.dispatch)
    log.info("dispatch_handed_over", dispatch=claim.dispatch.pk, outcome=str(handed.outcome), stage=str(handed.stage))
    _settle_patiently(claim, handed)


def _hand_over(dispatch: Dispatch) -> email.HandOff:
    try:
        raw = email.build(_outgoing(dispatch))
    except (UnsafeHeader, ValueError):
        return email.HandOff(Outcome.REFUSED, SmtpStage.CONNECT, None, "it cannot be written as an e-mail")
    server = server_for(dispatch.mode)
    lease = dispatch.lease_until
    if lease is None or (lease - timezone.now()).total_seconds() < server.timeout * 2:
        # Others will soon take this claim for lost. The network is untouched, so it can go back safely.
        return email.HandOff(Outcome.RETRY, SmtpStage.CONNECT, None, "the claim was about to run out")
    return email.hand_off(raw, sender=dispatch.message.sender, recipient=dispatch.recipient, server=server)


def _outgoing(dispatch: Dispatch) -> email.Outgoing:
    message = dispatch.message
    return email.Outgoing(
        message_id=dispatch.idempotency_key,
        sender=message.sender,
        recipient=dispatch.recipient,
        subject=message.subject,
        body=message.body,
        sent_at=timezone.now(),
        unsubscribe_url=link_in(message.body, dispatch.client_id, dispatch.contact_id),
        references=_thread(dispatch),
    )


def server_for(mode: str) -> email.Server:
    """Where this mode hands e-mail over: our own sandbox, or the server of EMAIL_URL."""
    if mode == Dispatch.Mode.LIVE:
        tls: email.Tls = "ssl" if settings.EMAIL_USE_SSL else ("starttls" if settings.EMAIL_USE_TLS else "")
        return email.Server(
            settings.EMAIL_HOST, settings.EMAIL_PORT or 25, settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD, tls,
            settings.SMTP_TIMEOUT,
        )  # fmt: skip
    return email.Server(settings.SANDBOX_SMTP_HOST, settings.SANDBOX_SMTP_PORT, timeout=settings.SMTP_TIMEOUT)


def _thread(dispatch: Dispatch) -> tuple[str, ...]:
    """Message-IDs of what this person got before, when these words say that they answer it."""
    if not thread_mark(dispatch.message.subject):
        return ()
    earlier = Dispatch.objects.felt(dispatch.client_id).filter(
        contact=dispatch.contact_id, prospect=dispatch.prospect_id, channel=Channel.EMAIL, status=Status.ACCEPTED
    )
    return tuple(earlier.order_by("id").values_list("idempotency_key", flat=True))


def _settle_patiently(claim: Claim, handed: email.HandOff) -> None:
    """The answer is known to this process alone: a database that restarts meanwhile gets a minute to come back."""
    for wait in (0.2, 1, 2, 5, 10, 20, 20):
        try:
            settle.settle(claim.dispatch.pk, claim.token, settle.from_hand_off(handed), at=timezone.now())
        except OperationalError:
            log.warning("settling_waits_for_the_database", dispatch=claim.dispatch.pk)
            close_old_connections()
            time.sleep(wait)
        else:
            return
    log.error("dispatch_left_in_doubt", dispatch=claim.dispatch.pk)
