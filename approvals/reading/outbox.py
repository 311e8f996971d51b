"""The outbox: dispatches, newest first, and one with all that came of it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from approvals.models import CapturedMail, DeliveryEvent, Dispatch
from playbooks.models import Client


def dispatches_of(client: Client, status: str = "") -> QuerySet[Dispatch]:
    """What the outbox lists: dispatches of one status, or all."""
    rows: QuerySet[Dispatch] = Dispatch.objects.for_client(client)
    rows = rows.select_related("prospect__company", "prospect__contact", "contact", "message")
    return rows.filter(status=status) if status else rows


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
