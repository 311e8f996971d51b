"""What only people can settle."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from approvals.models import Dispatch, Task
from approvals.rules.sending import Outcome
from approvals.services import settle
from approvals.services.authority import check_decider
from approvals.services.refusals import RequestNotFound, TaskClosed
from approvals.services.settle import Answer
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, User

DONE_BY_HAND = "done"


def resolve_unknown(task_id: int, *, actor: User, client: Client, went_out: bool, words: str = "") -> Task:
    """A person says what became of an unknown dispatch. Raises TaskClosed when that is settled, RequestNotFound.

    "It did not" ends this approval: sending after all needs a new one.
    """
    with transaction.atomic():
        # The dispatch is locked before its task, as everywhere; then what is known is read again.
        task = _task(task_id, client)
        dispatch = _dispatch_of(task)
        check_decider(actor, client)
        task = _open(task_id, client)
        if dispatch is None or dispatch.status != Dispatch.Status.UNKNOWN:
            raise TaskClosed("This is settled already.")
        at = timezone.now()
        answer = Answer(Outcome.ACCEPTED if went_out else Outcome.REFUSED, words or "said by a person", "person")
        (settle.accepted if went_out else settle.refused)(dispatch, answer, at=at, actor=actor)
        task.refresh_from_db()
        task.words = words
        task.save(update_fields=["words"])
        audit.record(
            client=client, event=AuditEvent.DISPATCH_RESOLVED, subject=dispatch, actor=actor,
            trace_id=dispatch.trace_id, detail={"task": task.pk, "went_out": went_out},
        )  # fmt: skip
        return task


def close(task_id: int, *, actor: User, client: Client, resolution: str, words: str = "") -> Task:
    """A person did it, or says why not. A call or a note that was made counts as contact with the prospect."""
    with transaction.atomic():
        found = _task(task_id, client)
        dispatch = _dispatch_of(found)
        check_decider(actor, client)
        task = _open(task_id, client)
        if task.kind == Task.Kind.UNKNOWN_DISPATCH:
            raise TaskClosed("Say whether it went out or not.")
        at = timezone.now()
        task.status = Task.Status.DONE
        task.resolution = resolution[:40]
        task.words, task.done_at, task.done_by = words, at, actor
        task.save(update_fields=["status", "resolution", "words", "done_at", "done_by"])
        if dispatch is not None and task.kind in (Task.Kind.CALL, Task.Kind.LINKEDIN) and resolution == DONE_BY_HAND:
            settle.made_contact(dispatch, at=at, actor=actor)
        audit.record(
            client=client, event=AuditEvent.TASK_DONE, subject=task, actor=actor, trace_id=task.trace_id,
            detail={"kind": task.kind, "resolution": task.resolution},
        )  # fmt: skip
        return task


def _task(task_id: int, client: Client) -> Task:
    found = Task.objects.for_client(client).filter(pk=task_id).first()
    if found is None:
        raise RequestNotFound("There is no such task.")
    return found


def _dispatch_of(task: Task) -> Dispatch | None:
    if task.dispatch_id is None:
        return None
    rows = Dispatch.objects.select_related("client", "contact", "message", "request__playbook_version")
    return rows.select_for_update(of=("self",)).get(pk=task.dispatch_id)


def _open(task_id: int, client: Client) -> Task:
    task = Task.objects.for_client(client).select_for_update(of=("self",)).get(pk=task_id)
    if task.status != Task.Status.OPEN:
        raise TaskClosed("This task is done already.")
    return task
