"""The outbox: dispatches, newest first, and one with all that came of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.shortcuts import get_object_or_404

from approvals.models import CapturedMail, DeliveryEvent, Dispatch
from playbooks.models import Client
from salesops.ids import id_in


@dataclass(frozen=True)
class OutboxPage:
    rows: list[Dispatch]
    next: str


def outbox_page(client: Client, *, status: str = "", after: str = "", size: int = 50) -> OutboxPage:
    """Dispatches, newest first."""
    rows = Dispatch.objects.for_client(client).select_related(
        "prospect__company", "prospect__contact", "contact", "message"
    )
    if status:
        rows = rows.filter(status=status)
    last = id_in(after)
    if last is not None:
        rows = rows.filter(pk__lt=last)
    found = list(rows.order_by("-id")[: size + 1])
    return OutboxPage(found[:size], str(found[size - 1].pk) if len(found) > size else "")


@dataclass(frozen=True)
class DispatchPage:
    """One dispatch, what came back, and the messages the sandbox caught for it."""

    dispatch: Dispatch
    events: list[DeliveryEvent]
    captured: list[CapturedMail]


def dispatch_page(client: Client, dispatch_id: int) -> DispatchPage:
    """Raises Http404 for another client's dispatch."""
    related = ("decision__user", "request", "prospect__company", "contact", "message")
    dispatch = get_object_or_404(Dispatch.objects.for_client(client).select_related(*related), pk=dispatch_id)
    return DispatchPage(dispatch, list(dispatch.events.order_by("at", "id")), list(dispatch.captured.order_by("id")))
