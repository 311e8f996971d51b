"""What becomes of the agents' own work when people stop and lift: convergences end, wait, or go on."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Stop
from playbooks.services.stops import Ended
from prospects.models import Convergence, Prospect
from prospects.services import converge, funnel_cells

_FOR_EVER = datetime(9000, 1, 1, tzinfo=UTC)  # whoever waits beyond it waits for a person


class Convergences:
    """See :class:`playbooks.services.stops.Follower`."""

    def call_off(self, stop: Stop) -> Ended:
        """End every open convergence under the stop. A worker in the middle of one finishes the agent at hand."""
        rows = list(_under(stop).select_for_update(no_key=True, of=("self",)).order_by("pk"))
        Convergence.objects.filter(pk__in=[row.pk for row in rows]).update(
            status=Convergence.Status.CANCELLED, error=f"Stopped: {stop.reason}", finished_at=timezone.now()
        )
        if rows:
            funnel_cells.nudge_funnel()
        detail = {"status": Convergence.Status.CANCELLED.value, "stop": stop.pk}
        event = AuditEvent.CONVERGENCE_FINISHED
        entries = [
            (row.client_id, audit.Entry(event=event, subject=row, trace_id=row.trace_id, detail=detail)) for row in rows
        ]
        return Ended({"convergences": len(rows)}, entries)

    def resume(self, stop: Stop) -> None:
        """Wake the convergences that waited, and let agents look again at whom they were kept away from."""
        for convergence in _under(stop):
            transaction.on_commit(lambda c=convergence: converge.nudge(c))  # type: ignore[misc]
        if stop.level == Stop.Level.AGENT:
            kept_away = Q(due_again_at__gt=_FOR_EVER) if stop.until is None else Q(due_again_at=stop.until)
            Prospect.objects.for_client(stop.client_id or 0).filter(kept_away).update(due_again_at=timezone.now())


def _under(stop: Stop) -> QuerySet[Convergence]:
    """Open convergences that the stop covers whole. Stops of an agent, a prospect or a request only narrow one."""
    levels = Stop.Level
    rows = Convergence.objects.filter(status__in=converge.OPEN)
    if stop.level == levels.EVERYTHING:
        return rows
    if stop.level == levels.CLIENT:
        return rows.filter(client=stop.client_id)
    if stop.level == levels.PLAYBOOK:
        return rows.filter(client=stop.client_id, playbook=stop.target_id)
    return rows.none()


FOLLOWER = Convergences()
