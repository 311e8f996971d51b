"""What was done under one version of a playbook: prospects judged, messages, requests, decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from approvals.models import ApprovalRequest, Decision, Message
from playbooks.models import PlaybookVersion
from prospects.models import Convergence, Prospect
from prospects.views.publishing import version_of
from salesops.access import ClientRequest, require_role
from salesops.partials import render_page

#: Counted no further than this, so that the page costs the same however much was done.
MOST = 10_000
NEWEST = 10


@dataclass(frozen=True, slots=True)
class Use:
    """One kind of thing: how many (``MOST`` or more is shown as such) and the newest of them."""

    title: str
    count: int
    rows: list[Any]

    @property
    def is_more(self) -> bool:
        """Whether there are more than were counted."""
        return self.count >= MOST


@require_GET
@require_role()
def where_used(request: ClientRequest, version_id: int) -> HttpResponse:
    """Everything that stands on this version, each newest first with its link."""
    version = version_of(request, version_id)
    context = {
        "version": version,
        "judged": _use("Prospects judged", _judged(version)),
        "requests": _use(
            "Approval requests",
            _of(ApprovalRequest, version).select_related("prospect__company", "prospect__contact"),
        ),
        "decisions": _use("Decisions", _decisions(version)),
        "messages_used": _use(
            "Messages", _of(Message, version).select_related("prospect__company", "prospect__contact")
        ),
        "jobs": _use("Runs of the agents", Convergence.objects.filter(version=version)),
    }
    return render_page(request, "playbooks/where_used.html", context)


def _judged(version: PlaybookVersion) -> QuerySet[Prospect]:
    rows = Prospect.objects.for_client(version.playbook.client_id).filter(playbook=version.playbook_id)
    return rows.filter(converged_version=version).select_related("company", "contact")


def _of(model: type[Any], version: PlaybookVersion) -> QuerySet[Any]:
    rows: QuerySet[Any] = model.objects.for_client(version.playbook.client_id).filter(playbook_version=version)
    return rows


def _decisions(version: PlaybookVersion) -> QuerySet[Decision]:
    rows = Decision.objects.for_client(version.playbook.client_id).filter(request__playbook_version=version)
    return rows.select_related("request__prospect__company", "request__prospect__contact", "user")


def _use(title: str, rows: QuerySet[Any]) -> Use:
    newest = rows.order_by("-pk")
    return Use(title, newest.values("pk")[:MOST].count(), list(newest[:NEWEST]))
