"""What was done under one version of a playbook: prospects judged, messages, requests, decisions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from approvals.models import ApprovalRequest, Decision, Message
from playbooks.models import PlaybookVersion
from prospects.models import Convergence, Prospect

#: Counted no further than this, so that the page costs the same however much was done.
MOST = 10_000
NEWEST = 10


@dataclass(frozen=True, slots=True)
class Use:
    """One kind of thing: how many, counted up to ``MOST`` (``is_more``: there are more), and the newest of them."""

    title: str
    count: int
    is_more: bool
    rows: list[Any]


def uses_of(version: PlaybookVersion) -> dict[str, Use]:
    """Everything that stands on this version, by kind, each newest first. Two queries a kind."""
    about = ("prospect__company", "prospect__contact")
    decided = Decision.objects.for_client(version.playbook.client_id).filter(request__playbook_version=version)
    return {
        "judged": _use("Prospects judged", _judged(version)),
        "requests": _use("Approval requests", _under(ApprovalRequest, version).select_related(*about)),
        "decisions": _use("Decisions", decided.select_related(*(f"request__{path}" for path in about), "user")),
        "messages": _use("Messages", _under(Message, version).select_related(*about)),
        "jobs": _use("Runs of the agents", Convergence.objects.filter(version=version)),
    }


def _judged(version: PlaybookVersion) -> QuerySet[Prospect]:
    rows = Prospect.objects.for_client(version.playbook.client_id).filter(playbook=version.playbook_id)
    return rows.filter(converged_version=version).select_related("company", "contact")


def _under(model: type[Any], version: PlaybookVersion) -> QuerySet[Any]:
    rows: QuerySet[Any] = model.objects.for_client(version.playbook.client_id).filter(playbook_version=version)
    return rows


def _use(title: str, rows: QuerySet[Any]) -> Use:
    newest = rows.order_by("-pk")
    count = newest.values("pk")[: MOST + 1].count()
    return Use(title, min(count, MOST), count > MOST, list(newest[:NEWEST]))
