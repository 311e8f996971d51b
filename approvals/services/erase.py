"""What becomes of outreach when a person is erased: what waits is called off, what was said keeps only its facts.

See :class:`prospects.erasure.parts.Part`. A message that left stays as a row with its hash, its decision and its times.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q

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
from approvals.services import suppress
from approvals.services.call_off import HELD
from approvals.services.request import OPEN
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import User
from prospects.erasure.parts import Person, Sheet
from salesops.errors import Refusal

ERASED = "erased on request"
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
        audit.record_many(client=person.client, entries=entries, actor=actor)

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
        yield Sheet(Advice.objects.filter(**here), ("words", "data"), lambda row: row.prospect_id in person.own)
        tasks = Task.objects.for_client(person.client).select_related("dispatch")
        yield Sheet(
            tasks.filter(Q(**here) | Q(dispatch__contact__in=person.ids)),
            ("title", "detail", "words"),
            lambda row: (
                row.prospect_id in person.own or (row.dispatch is not None and row.dispatch.contact_id in person.ids)
            ),
            named=("asks",),
        )


def _requests(person: Person) -> Any:
    return ApprovalRequest.objects.for_client(person.client).filter(contact__in=person.ids, status__in=OPEN)


def _held(person: Person) -> Any:
    return Dispatch.objects.for_client(person.client).filter(contact__in=person.ids, status__in=HELD)


def _written(person: Person) -> Iterable[Sheet]:
    theirs = {"contact__in": person.ids}
    yield Sheet(
        Message.objects.filter(**theirs),
        ("recipient", "subject", "body", "claims", "why_now", "rationale", "quality", "compliance_detail"),
        _always,
    )
    yield Sheet(Dispatch.objects.filter(**theirs), ("recipient",), _always, named=("reason",))
    yield Sheet(DeliveryEvent.objects.filter(dispatch__contact__in=person.ids), ("detail",), _always)
    caught = Q(dispatch__contact__in=person.ids)
    for address in sorted(person.addresses):
        caught |= Q(dispatch__isnull=True, rcpt_to__iexact=address)
    yield Sheet(CapturedMail.objects.filter(caught), ("rcpt_to", "subject", "raw"), _always)
    yield Sheet(ConsentBasis.objects.filter(**theirs), ("url",), _always)


def _asked(person: Person) -> Iterable[Sheet]:
    requests = ApprovalRequest.objects.for_client(person.client).only("prospect_id", "dossier")
    theirs, ours = Q(contact__in=person.ids), Q(prospect__in=person.prospects)
    # What is known of their company stays; what was to be said to them, and who they are, goes.
    yield Sheet(requests.filter(theirs), ("dossier",), lambda row: row.prospect_id in person.own, parts=_ADDRESSED)
    yield Sheet(requests.filter(ours).exclude(theirs), ("dossier",), lambda row: row.prospect_id in person.own)
    yield Sheet(Decision.objects.filter(request__contact__in=person.ids), ("words", "diff"), _always)


def _always(_: Any) -> bool:
    return True


PART = OutreachPart()
