"""One approval request with everything its page shows, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.shortcuts import get_object_or_404
from django.utils import timezone

from approvals.models import ApprovalRequest, Decision, DeliveryEvent, Dispatch, Message
from approvals.rules.content import split_footer
from approvals.services import seen as seen_state
from approvals.services.call_off import called_off_by
from approvals.services.seen import Rules, Seen
from playbooks.models import Channel, Client, Stop
from playbooks.rules.halts import Brake
from playbooks.services import budgets
from prospects.models import Contact, Prospect, RouteOverride
from prospects.reading.trust import marked_today, trusted

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
    limits: list[budgets.Limit]
    changed_since: list[str]
    stops: tuple[Brake, ...]
    called_off: Stop | None  # what ended the request, when that stop holds no more
    sandbox: bool
    seen: Seen
    route_by_hand: RouteOverride | None = None


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
    limits = budgets.usage(now.version or request.playbook_version, client=client, at=timezone.now())
    return Dossier(
        request=request,
        message=message,
        prospect=request.prospect,
        contact=request.contact,
        words=words,
        footer=footer,
        decisions=list(request.decisions.select_related("user").only(*DECISION_COLUMNS).order_by("-id")),
        said_before=said_before(client, request.prospect_id),
        limits=[limit for limit in limits if limit.limit],
        changed_since=_changed_since(request),
        stops=now.stops,
        route_by_hand=request.prospect.route_overrides.in_force().first(),
        called_off=ended if ended is not None and ended.pk not in {brake.id for brake in now.stops} else None,
        sandbox=client.sandbox,
        seen=now.seen,
    )


def _changed_since(request: ApprovalRequest) -> list[str]:
    """What is different from when the dossier was frozen."""
    frozen = request.dossier.get("prospect") or {}
    found = []
    if frozen.get("stage") and frozen["stage"] != request.prospect.stage:
        found.append(f"the prospect moved from {frozen['stage']} to {request.prospect.stage}")
    if request.prospect.facts_no > request.facts_no:
        found += seen_state.new_facts(request.prospect_id, request.facts_no)
    return found


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


def moved_on(client: Client, request_id: int) -> ApprovalRequest | None:
    """The request if it waits no longer, its newest decision as ``last_decision``; None while it still waits."""
    found = ApprovalRequest.objects.for_client(client).exclude(status=ApprovalRequest.Status.WAITING)
    request = found.filter(pk=request_id).first()
    if request is not None:
        newest = request.decisions.select_related("user").order_by("-id").first()
        request.last_decision = newest  # type: ignore[attr-defined]
    return request
