"""A request moved: what should happen next with its prospect is another thing now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from django.db import transaction

from approvals.models import ApprovalRequest
from prospects.services import next_steps


def tell(prospects: Iterable[int]) -> None:
    """Once this transaction has committed: whoever decides holds no prospect, and waits for none."""
    moved = sorted(set(prospects))

    def send() -> None:  # a function with a name: Django's log of a robust hook asks for one
        _tell(moved)

    if moved:
        transaction.on_commit(send, robust=True)


def _tell(prospects: list[int]) -> None:
    asked: dict[int, list[str]] = defaultdict(list)
    rows = ApprovalRequest.objects.filter(prospect__in=prospects).order_by("pk")
    for prospect, status in rows.values_list("prospect", "status"):
        asked[prospect].append(status)
    next_steps.tell(asked)
