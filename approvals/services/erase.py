"""What becomes of outreach when a person is erased: what waits is called off, what was said keeps only its facts.

See :class:`prospects.erasure.parts.Part`. A message that left stays as a row with its hash, its decision and its times.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q
from django.urls import reverse

from approvals.models import (
    Advice,
    ApprovalRequest,
    CapturedMail,
    ConsentBasis,
    Decision,
    DeliveryEvent,
    Dispatch,
    Evaluation,
    Message,
    Task,
)
from approvals.rules.sending import PAUSED, STOPPED
from approvals.services import suppress
from approvals.services.call_off import CALLED_OFF, HELD
from approvals.services.request import OPEN
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import User
from prospects.erasure.parts import Person, Sheet, always, never
from salesops.errors import Refusal

ERASED = "erased on request"
REPORTED = 50
GONE = (Dispatch.Status.ACCEPTED, Dispatch.Status.UNKNOWN, Dispatch.Status.SENDING)
#: Parts of a dossier that are about the person alone.
_ADDRESSED = ("message", "contact")


class OnItsWay(Refusal):
    """A message to this person is leaving at this very moment."""


class OutreachPart:
    """Requests, messages and whatever came of them."""

    def hold(self, person: Person) -> None:
        """Lock open requests, then messages that have not left. Raises OnItsWay for one that is just leaving.

        In this order: an approval that is being made holds its request, and its message is there when it lets go.
        """
        list(_requests(person).select_for_update(of=("self",)).order_by("pk"))
        list(_held(person).select_for_update(of=("self",)).order_by("pk"))
        if Dispatch.objects.filter(contact__in=person.ids, status=Dispatch.Status.SENDING).exists():
            raise OnItsWay("A message to them is leaving right now. Nothing was erased; try again in a minute.")

    def withdraw(self, person: Person, *, actor: User, at: datetime) -> None:
        """Cancel them, finish what a person would have done, and never contact this person again."""
        held = list(_held(person).order_by("pk"))
        named = list(_requests(person).exclude(contact__in=person.ids).order_by("pk"))
        ApprovalRequest.objects.filter(pk__in=[row.pk for row in named]).update(status=ApprovalRequest.Status.CANCELLED)
        for contact in person.contacts:
            suppress.suppress_contact(contact, client=person.client, actor=actor, reason=ERASED, source="erasure")
        Dispatch.objects.filter(pk__in=[row.pk for row in held]).update(
            status=Dispatch.Status.CANCELLED, reason=ERASED, finished_at=at
        )
        about = Q(prospect__in=person.own) | Q(dispatch__contact__in=person.ids)
        Task.objects.for_client(person.client).filter(about, status=Task.Status.OPEN).exclude(
            kind=Task.Kind.UNKNOWN_DISPATCH
        ).update(status=Task.Status.DONE, resolution="erased", done_at=at, done_by=actor)
        entries = [
            audit.Entry(event=AuditEvent.DISPATCH_CANCELLED, subject=row, trace_id=row.trace_id,
                        detail={"request": row.request_id, "reason": ERASED})
            for row in held
        ]  # fmt: skip
        entries += [
            audit.Entry(event=AuditEvent.REQUEST_CANCELLED, subject=row, trace_id=row.trace_id,
                        detail={"reason": ERASED})
            for row in named
        ]  # fmt: skip
        audit.record_many(client=person.client, entries=entries, actor=actor)
        _report(person)

    def sheets(self, person: Person) -> Iterable[Sheet]:
        """What was written to them, asked about them and answered; and advice and tasks that name them."""
        yield from _written(person)
        yield from _asked(person)
        here = {"prospect__in": person.prospects}
        yield Sheet(
            Evaluation.objects.filter(**here).select_related("message"),
            ("rationale", "alternatives"),
            lambda row: (
                row.prospect_id in person.own or (row.message is not None and row.message.contact_id in person.ids)
            ),
        )
        yield Sheet(Advice.objects.filter(**here), ("words", "data"), person.is_own)
        tasks = Task.objects.for_client(person.client).select_related("dispatch")
        yield Sheet(
            tasks.filter(Q(**here) | Q(dispatch__contact__in=person.ids)),
            ("title", "detail", "words"),
            lambda row: (
                row.prospect_id in person.own or (row.dispatch is not None and row.dispatch.contact_id in person.ids)
            ),
            named=("asks",),
        )
        # A stop's reason stands in whatever it called off or put off.
        stopped = Q(reason__startswith=STOPPED) | Q(reason__startswith=PAUSED)
        dispatches = Dispatch.objects.for_client(person.client).exclude(contact__in=person.ids)
        yield Sheet(dispatches.filter(stopped).only("reason"), (), never, named=("reason",))
        ended = Task.objects.for_client(person.client).filter(resolution=CALLED_OFF)
        yield Sheet(ended.only("words"), (), never, named=("words",))


def _report(person: Person) -> None:
    """What cannot be taken back is for a person: messages to others that gave this name and have left."""
    sent = _gone_out(person)
    if not sent:
        return
    shown = "\n".join(reverse("approvals:outbox_detail", args=[pk]) for pk in sent[:REPORTED])
    more = f"\nand {len(sent) - REPORTED} more" if len(sent) > REPORTED else ""
    Task.objects.create(
        client=person.client, kind=Task.Kind.REVIEW, title="Messages to others named somebody who was erased",
        detail=f"Their words are bound to approvals and stay. See whether their readers must be told:\n{shown}{more}",
    )  # fmt: skip


def _requests(person: Person) -> Any:
    """Open requests to write to them, or to write their name to somebody else."""
    rows = ApprovalRequest.objects.for_client(person.client).filter(status__in=OPEN)
    return rows.filter(Q(contact__in=person.ids) | Q(message__in=_naming(person, rows)))


def _held(person: Person) -> Any:
    """What was approved and has not left, to them or with their name in it."""
    rows = Dispatch.objects.for_client(person.client).filter(status__in=HELD)
    return rows.filter(Q(contact__in=person.ids) | Q(message__in=_naming(person, rows)))


def _naming(person: Person, rows: Any) -> list[int]:
    """Of the messages of these requests or sendings to others, those that name the person.

    To their own company a first name says enough; anybody else who is called so is greeted by it.
    """
    here, traces = frozenset(person.prospects), person.traces
    others = rows.exclude(contact__in=person.ids)
    found = others.values_list("message", "prospect", "message__subject", "message__body").iterator(chunk_size=500)
    return [
        pk
        for pk, prospect, subject, body in found
        if (traces.in_ if prospect in here else traces.in_full)(f"{subject}\n{body}")
    ]


def _gone_out(person: Person) -> list[int]:
    """Sendings to others, gone out or in doubt, whose words give the whole name or an address of this person."""
    told = Q()
    for text in person.addresses | {contact.name for contact in person.contacts if contact.name}:
        told |= Q(message__subject__icontains=text) | Q(message__body__icontains=text)
    rows = Dispatch.objects.for_client(person.client).filter(status__in=GONE).exclude(contact__in=person.ids)
    return list(rows.filter(told).order_by("pk").values_list("pk", flat=True)) if told else []


def _written(person: Person) -> Iterable[Sheet]:
    theirs = {"contact__in": person.ids}
    yield Sheet(
        Message.objects.filter(**theirs),
        ("recipient", "subject", "body", "claims", "why_now", "rationale", "quality", "compliance_detail"),
        always,
    )
    yield Sheet(
        Dispatch.objects.filter(**theirs), ("recipient", "person_keys"), always, named=("reason",),
        emptied=("person_keys",),
    )  # fmt: skip
    yield Sheet(DeliveryEvent.objects.filter(dispatch__contact__in=person.ids), ("detail",), always)
    caught = Q(dispatch__contact__in=person.ids)
    for address in sorted(person.addresses):
        caught |= Q(dispatch__isnull=True, rcpt_to__iexact=address)
    yield Sheet(CapturedMail.objects.filter(caught), ("rcpt_to", "subject", "raw"), always)
    yield Sheet(ConsentBasis.objects.filter(**theirs), ("url",), always)


def _asked(person: Person) -> Iterable[Sheet]:
    requests = ApprovalRequest.objects.for_client(person.client).only("prospect_id", "dossier")
    theirs, ours = Q(contact__in=person.ids), Q(prospect__in=person.prospects)
    # What is known of their company stays; what was to be said to them, and who they are, goes.
    yield Sheet(requests.filter(theirs), ("dossier",), person.is_own, parts=_ADDRESSED)
    yield Sheet(requests.filter(ours).exclude(theirs), ("dossier",), person.is_own)
    yield Sheet(Decision.objects.filter(request__contact__in=person.ids), ("words", "diff"), always)


PART = OutreachPart()
