"""Numbers about the approval queue that a playbook's triggers can watch."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Min

from approvals.models import ApprovalRequest


def requests_waiting(playbook_id: int, at: datetime, enough: int) -> float:
    """Requests of the playbook that wait for a person, counted up to ``enough``."""
    del at
    waiting = ApprovalRequest.objects.waiting().filter(playbook_version__playbook=playbook_id)
    return float(waiting.order_by()[:enough].count())


def oldest_request_hours(playbook_id: int, at: datetime, enough: int) -> float | None:
    """Hours since the oldest waiting request was made; None when none waits."""
    del enough
    waiting = ApprovalRequest.objects.waiting().filter(playbook_version__playbook=playbook_id)
    oldest = waiting.order_by().aggregate(first=Min("created_at"))["first"]
    return (at - oldest) / timedelta(hours=1) if oldest is not None else None


METRICS = {"requests_waiting": requests_waiting, "oldest_request_hours": oldest_request_hours}
