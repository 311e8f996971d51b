"""What a person says about one request: approve, approve with edits, reject, defer, hand back.

Each decision locks the request, so of any number of people exactly one decides it; refuses what is stale, expired or
decided; and writes the decision, what follows from it and the audit entry in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.db import transaction
from django.utils import timezone

from approvals.agents.drafting import HANDED_BACK
from approvals.channels import email
from approvals.models import ApprovalRequest, Decision, Dispatch, Message
from approvals.rules import compliance, diff, quality, seals, timing
from approvals.rules.content import Content, check_header, content_hash, with_same_footer
from approvals.rules.sending import no_way_out
from approvals.services import gate, next_steps, nudge
from approvals.services import seen as seen_state
from approvals.services.authority import check_decider
from approvals.services.refusals import (
    AlreadyDecided,
    CannotSend,
    ContentRefused,
    MakerCannotApprove,
    RequestExpired,
    RequestNotFound,
    SecondApproverNeeded,
    StaleDecision,
)
from approvals.services.seen import Present, Seen
from approvals.services.suppress import hashes_of
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Channel, Client, ModeSwitch, User
from playbooks.services import stops
from prospects.agents.by_hand import SOURCE
from prospects.models import Prospect, Signal

__all__ = ["REJECT_REASONS", "Decided", "Seen", "approve", "approve_with_edits", "defer", "hand_back", "reject"]

REJECT_REASONS: tuple[tuple[str, str], ...] = (
    ("wrong_company", "Not our kind of company"),
    ("wrong_person", "Wrong person"),
    ("bad_timing", "Bad timing"),
    ("weak_evidence", "Evidence too weak"),
    ("facts_wrong", "A fact is wrong"),
    ("wrong_words", "The words are wrong"),
    ("known_already", "We know them already"),
    ("other", "Something else"),
)
Kind = Decision.Kind
Status = ApprovalRequest.Status


@dataclass(frozen=True)
class Decided:
    """A decision and what followed. `dispatch` is None unless something will now go out."""

    decision: Decision
    dispatch: Dispatch | None
    request: ApprovalRequest


@dataclass(frozen=True)
class _Case:
    """A locked, current, undecided request before the person who decides it."""

    request: ApprovalRequest
    present: Present
    message: Message
    actor: User
    client: Client
    at: datetime

    @cached_property
    def first(self) -> Decision | None:
        """The first of two approvals, while it is the last thing that was said and where it goes is the same."""
        last = self.request.decisions.order_by("-request_version").first()
        if last is None or last.kind != Kind.FIRST_APPROVE:
            return None
        return None if ModeSwitch.objects.for_client(self.client).filter(at__gt=last.at).exists() else last


def approve(request_id: int, *, seen: Seen, actor: User, client: Client, words: str = "") -> Decided:
    """Say yes to exactly what was seen.

    Raises StaleDecision, AlreadyDecided, RequestExpired, MakerCannotApprove, SecondApproverNeeded, ContentRefused,
    NotAllowed. Where the playbook asks for two people, the first approval is kept and nothing goes out yet.
    """
    with _deciding(request_id, seen=seen, actor=actor, client=client) as case:
        _check_maker(case)
        _check_words(case, case.message)
        return _approved(case, case.message, Kind.APPROVE, words=words, pieces=[])


def approve_with_edits(
    request_id: int, *, seen: Seen, actor: User, client: Client, subject: str, body: str, words: str = ""
) -> Decided:
    """Say yes to other words, which become a message of their own. Edits that change nothing are a plain approval.

    `body` may leave out the footer: it stays as it was. Raises what `approve` raises.
    """
    with _deciding(request_id, seen=seen, actor=actor, client=client) as case:
        _check_maker(case)
        before = case.message
        subject = check_header("The subject", " ".join(subject.split(" ")).strip())
        body = with_same_footer(body, before.body)
        if (subject, body) == (before.subject, before.body):
            _check_words(case, before)
            return _approved(case, before, Kind.APPROVE, words=words, pieces=[])
        edited = _edited(case, subject, body)
        pieces = [
            *({"field": "subject", **piece} for piece in diff.as_json(diff.words(before.subject, subject))),
            *({"field": "body", **piece} for piece in diff.as_json(diff.words(before.body, body))),
        ]
        return _approved(case, edited, Kind.APPROVE_EDITS, words=words, pieces=pieces)


def reject(request_id: int, *, seen: Seen, actor: User, client: Client, reason_code: str, words: str = "") -> Decided:
    """Say no, for a reason from the list. Raises what `approve` raises about the state of the request."""
    if reason_code not in dict(REJECT_REASONS):
        raise ContentRefused(["choose one of the reasons"])
    with _deciding(request_id, seen=seen, actor=actor, client=client) as case:
        return _closed(case, Kind.REJECT, reason_code=reason_code, words=words)


def defer(request_id: int, *, seen: Seen, actor: User, client: Client, until: datetime, words: str = "") -> Decided:
    """Say not now: it comes back at `until` (aware, in the future)."""
    with _deciding(request_id, seen=seen, actor=actor, client=client) as case:
        if until <= case.at:
            raise ContentRefused(["defer to a time that is still to come"])
        return _closed(case, Kind.DEFER, words=words, until=until)


def hand_back(request_id: int, *, seen: Seen, actor: User, client: Client, words: str) -> Decided:
    """Ask for other words; `words` is the instruction. Its prospect has something new for agents: they draft again."""
    if not words.strip():
        raise ContentRefused(["say what should be different"])
    with transaction.atomic():
        stops.hold_steady()
        prospects = Prospect.objects.for_client(client).select_for_update(of=("self",), no_key=True)
        prospect = prospects.filter(requests=request_id).first()
        with _deciding(request_id, seen=seen, actor=actor, client=client) as case:
            decided = _closed(case, Kind.REDRAFT, words=words)
        if prospect is not None:
            _wake(prospect, decided.decision)
        return decided


def _wake(prospect: Prospect, decision: Decision) -> None:
    """Agents read facts: that a draft came back is one. What the person said stays with the decision."""
    signal = Signal.objects.create(
        client_id=prospect.client_id, prospect=prospect, kind=HANDED_BACK, observed_at=decision.at, source=SOURCE,
        source_ref=f"request {decision.request_id}", dedup_key=f"decision:{decision.pk}", trace_id=decision.trace_id,
    )  # fmt: skip
    signal.refresh_from_db(fields=["fact_no"])
    prospect.facts_no = max(prospect.facts_no, signal.fact_no)
    prospect.save(update_fields=["facts_no"])


@contextmanager
def _deciding(request_id: int, *, seen: Seen, actor: User, client: Client) -> Iterator[_Case]:
    """Lock and reload, check permission, refuse what cannot be decided now."""
    with transaction.atomic():
        stops.hold_steady()  # what is approved goes where the client was then: nobody switches it meanwhile
        request = locked(request_id, client)
        check_decider(actor, client)
        at = timezone.now()
        _check_open(request, at)
        present = seen_state.present(request)
        changes = seen_state.changes(request, seen, present)
        if changes:
            raise StaleDecision(changes)
        yield _Case(request, present, present.message, actor, client, at)


def locked(request_id: int, client: Client) -> ApprovalRequest:
    """The request under its row lock, with what deciding reads. Raises RequestNotFound."""
    related = ("prospect__company", "contact", "message", "playbook_version", "client")
    rows = ApprovalRequest.objects.for_client(client).select_related(*related).select_for_update(of=("self",))
    found = rows.filter(pk=request_id).first()
    if found is None:
        raise RequestNotFound("There is no such request.")
    return found


def _check_open(request: ApprovalRequest, at: datetime) -> None:
    if request.status == Status.EXPIRED or (request.status == Status.WAITING and request.expires_at <= at):
        raise RequestExpired("This request has expired; agents ask again once something new is known.")
    if request.status != Status.WAITING:
        last = request.decisions.select_related("user").order_by("-request_version").first()
        kind = last.get_kind_display() if last else Status(request.status).label
        raise AlreadyDecided(by=str(last.user) if last else "", at=last.at if last else None, kind=kind)


def _check_maker(case: _Case) -> None:
    if case.request.created_by_id == case.actor.pk:
        raise MakerCannotApprove("You made this request, so somebody else must approve it.")
    first = case.first
    if first is not None and first.user_id == case.actor.pk:
        raise SecondApproverNeeded("You have approved this already; a second person must.")


def _check_words(case: _Case, message: Message) -> None:
    """Compliance again, on the very words, at the decision."""
    person = gate.person_of(case.request.contact, client=case.client)
    version = case.present.version or case.request.playbook_version
    verdict = gate.compliance_of(message, person, version=version, client=case.client, moment="decision", at=case.at)
    if verdict.verdict == "BLOCK":
        raise ContentRefused([finding.saw for finding in verdict.findings if finding.verdict == "BLOCK"])
    dead = "" if case.request.client.sandbox else gate.dead_link(message)
    if dead:
        raise ContentRefused([f"{dead} (hand it back: new words get the right one)"])


def _edited(case: _Case, subject: str, body: str) -> Message:
    """A new message with the edited words, graded and checked anew. Raises ContentRefused."""
    before, request = case.message, case.request
    person = gate.person_of(request.contact, client=case.client)
    claims = quality.claims_after_edit(gate.claims_of(before), body)
    graded = gate.quality_of(subject, body, claims, before, person, request.prospect, client=case.client, at=case.at)
    reasons = gate.hard_reasons(graded)
    if reasons:
        raise ContentRefused(reasons)
    message = _copy(case, subject, body, claims, graded)
    version = case.present.version or request.playbook_version
    verdict = gate.compliance_of(message, person, version=version, client=case.client, moment="decision", at=case.at)
    if verdict.verdict == "BLOCK":
        raise ContentRefused([finding.saw for finding in verdict.findings if finding.verdict == "BLOCK"])
    message.compliance = verdict.verdict
    message.compliance_detail = verdict.as_dict()
    message.save(force_insert=True)
    return message


def _copy(case: _Case, subject: str, body: str, claims: tuple[quality.Claim, ...], graded: quality.Quality) -> Message:
    before = case.message
    content = Content(
        before.channel, before.recipient, before.sender, subject, body, before.rule_version, tuple(before.attachments)
    )
    return Message(
        client_id=before.client_id, prospect_id=before.prospect_id, contact_id=before.contact_id,
        playbook_version_id=before.playbook_version_id, channel=before.channel, sender=before.sender,
        recipient=before.recipient, subject=subject, body=body, attachments=before.attachments,
        rule_version=before.rule_version, content_hash=content_hash(content), template_key=before.template_key,
        angle=before.angle, claims=gate.claims_json(claims), evidence_ids=before.evidence_ids, why_now=before.why_now,
        rationale=before.rationale, confidence=before.confidence, confidence_low=before.confidence_low,
        confidence_high=before.confidence_high, quality_points=graded.score, grade=graded.grade,
        quality=graded.as_dict(), parent=before, edited_by=case.actor, trace_id=before.trace_id,
    )  # fmt: skip


def _approved(case: _Case, message: Message, kind: str, *, words: str, pieces: list[dict[str, Any]]) -> Decided:
    request = case.request
    closed = no_way_out(message.channel)
    if closed:
        raise CannotSend(f"This cannot be approved: {closed}.")
    if request.contact.synthetic and not request.client.sandbox:
        raise CannotSend("This person is made up for the demo: nothing goes to them outside the sandbox.")
    first = case.first
    if request.playbook_version.two_approvers and (first is None or first.content_hash != message.content_hash):
        decision = _write(case, Kind.FIRST_APPROVE, message, words=words, diff=pieces)
        request.version += 1
        request.save(update_fields=["version"])
        _record(case, decision)
        return Decided(decision, None, request)
    decision = _write(case, kind, message, words=words, diff=pieces)
    request.approve()
    request.save(update_fields=["status"])
    dispatch = _dispatch(case, decision, message)
    _record(case, decision, dispatch=dispatch.pk)
    nudge.outbox(after=request.playbook_version.undo_seconds)
    return Decided(decision, dispatch, request)


def _closed(case: _Case, kind: str, **fields: Any) -> Decided:
    decision = _write(case, kind, case.message, **fields)
    request = case.request
    if kind == Kind.REJECT:
        request.reject()
    elif kind == Kind.DEFER:
        request.defer()
        request.defer_until = fields["until"]
    else:
        request.hand_back()
    request.save(update_fields=["status", "defer_until"])
    _record(case, decision)
    return Decided(decision, None, request)


def _write(case: _Case, kind: str, message: Message, **fields: Any) -> Decision:
    request = case.request
    return Decision.objects.create(
        client=case.client, request=request, request_version=request.version, kind=kind, user=case.actor, at=case.at,
        message=message, content_hash=message.content_hash, trace_id=request.trace_id, **fields,
    )  # fmt: skip


def _dispatch(case: _Case, decision: Decision, message: Message) -> Dispatch:
    version = case.request.playbook_version
    key = f"decision-{decision.pk}.{decision.content_hash[:32]}"
    if message.channel == Channel.EMAIL:
        key = email.message_id(decision.pk, decision.content_hash, message.sender)
    return Dispatch.objects.create(
        client=case.client, decision=decision, request=case.request, prospect=case.request.prospect,
        contact=case.request.contact, channel=message.channel, message=message, content_hash=message.content_hash,
        recipient=message.recipient, person_keys=sorted(hashes_of([case.request.contact])), idempotency_key=key,
        mode=Dispatch.Mode.of(case.request.client), not_before=_leaves_at(case, message),
        expires_at=case.at + timedelta(hours=version.request_hours), trace_id=case.request.trace_id,
    )  # fmt: skip


def _leaves_at(case: _Case, message: Message) -> datetime:
    """The end of the undo window; for what really leaves, the best hours at the recipient's that begin after it.

    In the sandbox nothing reaches anybody, so nothing waits for an hour; nor does it where nobody knows theirs.
    """
    version, contact = case.request.playbook_version, case.request.contact
    undo_ends = case.at + timedelta(seconds=version.undo_seconds)
    if case.request.client.sandbox or timing.zone_named(contact.time_zone) is None:
        return undo_ends
    seen = Signal.objects.filter(prospect=case.request.prospect_id, kind__in=timing.ANSWERS)
    window = timing.best_window(
        message.channel, compliance.country_code(contact.country), contact.time_zone, undo_ends,
        within=timedelta(hours=version.request_hours) - timing.LEAST, instead=case.client.time_zone,
        answered=list(seen.values_list("observed_at", flat=True)),
    )  # fmt: skip
    return window.not_before or undo_ends


def _record(case: _Case, decision: Decision, **detail: Any) -> None:
    next_steps.tell([case.request.prospect_id])
    audit.record(
        client=case.client,
        event=AuditEvent.DECISION_MADE,
        subject=decision,
        actor=case.actor,
        trace_id=decision.trace_id,
        detail={
            "request": decision.request_id,
            "version": decision.request_version,
            "kind": decision.kind,
            "message": decision.message_id,
            "content_hash": decision.content_hash,
            "reason": decision.reason_code,
            "said": seals.said(
                at=decision.at,
                reason=decision.reason_code,
                words=decision.words,
                diff=decision.diff,
                until=decision.until,
            ),
            "shown": seals.shown(case.request.dossier),
            **detail,
        },
    )
