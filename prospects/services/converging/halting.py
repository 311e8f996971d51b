"""What becomes of the agents' own work when people stop and lift: convergences end, wait, or go on."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Stop
from playbooks.services.stops import Ended
from prospects.models import Convergence, Prospect
from prospects.services import funnel_cells
from prospects.services.converging import convergences
from salesops.sweeps import each

FOR_EVER = datetime(9000, 1, 1, tzinfo=UTC)  # whoever waits beyond it waits for a person
AT_ONCE = 20_000  # prospects made due in one go; the sweep takes the next


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
            transaction.on_commit(lambda c=convergence: convergences.nudge(c))  # type: ignore[misc]
        if stop.level == Stop.Level.AGENT and stop.client_id is not None:
            kept_away = Q(due_again_at__gt=FOR_EVER) if stop.until is None else Q(due_again_at=stop.until)
            held = Prospect.objects.for_client(stop.client_id).filter(kept_away).order_by("pk")
            # Locked in the order in which agents lock them, so that neither waits for the other for ever.
            _due_now(held.select_for_update(no_key=True)[:AT_ONCE])


def wake(*, at: datetime) -> int:
    """Let agents look again at prospects that wait for a person although no agent of the client is stopped any more.

    A batch that was at work while the stop was lifted may have put them there. Returns how many.
    """
    stopped = Stop.objects.in_force(at).filter(level=Stop.Level.AGENT, until__isnull=True)
    free = Client.objects.exclude(pk__in=stopped.values("client")).values_list("pk", flat=True)
    return sum(each(free, _wake, sweep="prospects that wait", name=lambda pk: f"client {pk}"))


@transaction.atomic
def _wake(client_id: int) -> int:
    held = Prospect.objects.for_client(client_id).filter(due_again_at__gt=FOR_EVER).order_by("pk")
    return _due_now(held.select_for_update(no_key=True, skip_locked=True)[:AT_ONCE])


def _due_now(locked: QuerySet[Prospect]) -> int:
    ids = list(locked.values_list("pk", flat=True))
    return Prospect.objects.filter(pk__in=ids).update(due_again_at=timezone.now()) if ids else 0


def _under(stop: Stop) -> QuerySet[Convergence]:
    """Open convergences that the stop covers whole. Stops of an agent, a prospect or a request only narrow one."""
    levels = Stop.Level
    rows = Convergence.objects.filter(status__in=convergences.OPEN)
    if stop.level == levels.EVERYTHING:
        return rows
    if stop.level == levels.CLIENT:
        return rows.filter(client=stop.client_id)
    if stop.level == levels.PLAYBOOK:
        return rows.filter(client=stop.client_id, playbook=stop.target_id)
    return rows.none()


FOLLOWER = Convergences()
