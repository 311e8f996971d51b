"""What becomes of waiting requests and approved messages when people stop and lift.

A cancel ends what waits under it, a pause does not touch it: the last look before each dispatch puts that off, and
lifting the stop lets it be looked at again at once. What is already on its way cannot be called back.
"""

from __future__ import annotations

from django.db.models import Q
from django.utils import timezone

from approvals.models import ApprovalRequest, Dispatch, Task
from approvals.rules.sending import EXECUTORS, PAUSED, STOPPED
from approvals.services import next_steps, nudge
from approvals.services.request import OPEN
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, Stop
from playbooks.services.stops import Ended

HELD = (Dispatch.Status.UNDO_HOLD, Dispatch.Status.QUEUED, Dispatch.Status.POSTPONED)
GATE = "approval_gate"
CALLED_OFF = "called_off"


class Outreach:
    """See :class:`playbooks.services.stops.Follower`."""

    def call_off(self, stop: Stop) -> Ended:
        """End the open requests under the stop, then messages that have not left and work that waits for a person.

        In this order: an approval that is being made holds its request, and its message is there when it lets go.
        A few statements, whatever their number.
        """
        requests, dispatches, tasks = _requests(stop), _dispatches(stop), _tasks(stop)
        entries = [
            *(_entry(AuditEvent.REQUEST_CANCELLED, row, stop) for row in requests),
            *(_entry(AuditEvent.DISPATCH_CANCELLED, row, stop) for row in dispatches),
            *(_entry(AuditEvent.TASK_DONE, row, stop) for row in tasks),
        ]
        return Ended({"requests": len(requests), "messages": len(dispatches), "tasks": len(tasks)}, entries)

    def resume(self, stop: Stop) -> None:
        """What the stop put off is due now; if another stop still holds it, the next look puts it off again."""
        put_off = Dispatch.objects.filter(status=Dispatch.Status.POSTPONED, reason__startswith=PAUSED)
        if put_off.filter(_sends(stop)).update(not_before=timezone.now()):
            nudge.outbox()


def called_off_by(request: ApprovalRequest) -> Stop | None:
    """The stop that ended this request, whether it still holds or not; None when none did. Two queries at most."""
    if request.status != ApprovalRequest.Status.CANCELLED:
        return None
    ended = AuditEntry.objects.for_client(request.client_id).filter(
        subject_type=request._meta.label_lower, subject_id=request.pk, event=AuditEvent.REQUEST_CANCELLED
    )
    entry = ended.order_by("-seq").first()
    stop_id = entry.detail.get("stop") if entry is not None else None
    return Stop.objects.filter(pk=stop_id).select_related("created_by", "lifted_by").first() if stop_id else None


def _requests(stop: Stop) -> list[ApprovalRequest]:
    rows = ApprovalRequest.objects.filter(_asks(stop), status__in=OPEN).order_by("pk")
    found = list(rows.select_for_update(of=("self",)).only("client_id", "prospect_id", "trace_id"))
    next_steps.tell(row.prospect_id for row in found)
    # The status is protected on instances only; PostgreSQL judges the move as it does every other.
    ApprovalRequest.objects.filter(pk__in=[row.pk for row in found]).update(status=ApprovalRequest.Status.CANCELLED)
    return found


def _dispatches(stop: Stop) -> list[Dispatch]:
    rows = Dispatch.objects.filter(_sends(stop), status__in=HELD).order_by("pk")
    found = list(rows.select_for_update(of=("self",)).only("client_id", "prospect_id", "trace_id"))
    next_steps.tell(row.prospect_id for row in found)
    Dispatch.objects.filter(pk__in=[row.pk for row in found]).update(
        status=Dispatch.Status.CANCELLED, reason=f"{STOPPED}{stop.reason}"[:500], finished_at=timezone.now()
    )
    return found


def _tasks(stop: Stop) -> list[Task]:
    """Calls and notes that nobody has made yet, and agents' work that nobody has done. What came of sends stays."""
    by_hand = Q(kind__in=(Task.Kind.CALL, Task.Kind.LINKEDIN), dispatch__in=Dispatch.objects.filter(_sends(stop)))
    rows = Task.objects.filter(by_hand | _works(stop), status=Task.Status.OPEN).order_by("pk")
    found = list(rows.select_for_update(of=("self",)).only("client_id", "trace_id"))
    Task.objects.filter(pk__in=[row.pk for row in found]).update(
        status=Task.Status.DONE, resolution=CALLED_OFF, words=stop.reason, done_at=timezone.now(),
        done_by=stop.created_by,
    )  # fmt: skip
    return found


def _works(stop: Stop) -> Q:
    """Agents' work under the stop that waits for a person."""
    level = Stop.Level
    work = Q(kind=Task.Kind.AGENT_WORK)
    if stop.level == level.EVERYTHING:
        return work
    target = {
        level.CLIENT: Q(),
        level.PLAYBOOK: Q(playbook_version__playbook=stop.target_id),
        level.AGENT: Q(agent=stop.agent),
        level.PROSPECT: Q(prospect=stop.target_id),
        level.REQUEST: Q(pk__in=()),
    }
    return work & Q(client=stop.client_id) & target[level(stop.level)]


def _channels(agent: str) -> list[str]:
    return [channel for channel, executor in EXECUTORS.items() if executor == agent]


def _asks(stop: Stop) -> Q:
    """Requests under the stop. An agent's are those it drafted, put together or would have acted on."""
    level = Stop.Level
    if stop.level == level.EVERYTHING:
        return Q()
    own = Q(client=stop.client_id)
    if stop.level == level.AGENT:
        made_by_agents = Q(created_by__isnull=True) if stop.agent == GATE else Q(pk__in=())
        return own & (Q(channel__in=_channels(stop.agent)) | Q(message__run__agent=stop.agent) | made_by_agents)
    target = {
        level.PLAYBOOK: Q(prospect__playbook=stop.target_id),
        level.PROSPECT: Q(prospect=stop.target_id),
        level.REQUEST: Q(pk=stop.target_id),
    }
    return own & target.get(level(stop.level), Q())


def _sends(stop: Stop) -> Q:
    """Messages under the stop. A person has decided them, so an agent's are only those it would act on."""
    level = Stop.Level
    if stop.level == level.EVERYTHING:
        return Q()
    target = {
        level.AGENT: Q(channel__in=_channels(stop.agent)),
        level.PLAYBOOK: Q(prospect__playbook=stop.target_id),
        level.PROSPECT: Q(prospect=stop.target_id),
        level.REQUEST: Q(request=stop.target_id),
    }
    return Q(client=stop.client_id) & target.get(level(stop.level), Q())


def _entry(event: AuditEvent, row: ApprovalRequest | Dispatch | Task, stop: Stop) -> tuple[int, audit.Entry]:
    """One for the log of its own client; the reason stands in the stop it names."""
    detail = {"stop": stop.pk, "level": stop.level}
    return row.client_id, audit.Entry(event=event, subject=row, trace_id=row.trace_id, detail=detail)


FOLLOWER = Outreach()
