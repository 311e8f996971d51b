"""The life of a playbook version: draft → in review → approved → active → retired, and back to active as a rollback."""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.utils import timezone
from django_fsm import can_proceed

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Activation, Playbook, PlaybookVersion, User
from playbooks.queries import document_of
from playbooks.services.authority import require_admin
from playbooks.validation import problems
from salesops.dbtypes import new_trace_id
from salesops.errors import Refusal


class WrongStatus(Refusal):
    """The version is not in a state from which this can be done."""


class NotReady(Refusal):
    """The version breaks rules that every playbook keeps; ``problems`` lists them by path."""

    def __init__(self, version: PlaybookVersion, lines: list[str]) -> None:
        self.problems = lines
        more = f" … and {len(lines) - 5} more." if len(lines) > 5 else ""
        super().__init__(f"{version} is not ready: " + "; ".join(lines[:5]) + "." + more)


def lock_playbook(playbook: Playbook) -> Playbook:
    """The playbook, reloaded and locked until the transaction ends: every change to its versions queues up here."""
    return Playbook.objects.select_for_update(of=("self",)).select_related("client").get(pk=playbook.pk)


@transaction.atomic
def submit(version: PlaybookVersion, *, actor: User | None) -> PlaybookVersion:
    """Freeze a draft and put it before a second pair of eyes. Raises NotAllowed, WrongStatus, NotReady."""
    current = _load(version, actor)
    _check_rules(current)
    return _move(current, current.submit, AuditEvent.PLAYBOOK_SUBMITTED, actor=actor)


@transaction.atomic
def send_back(version: PlaybookVersion, *, actor: User | None) -> PlaybookVersion:
    """Return a version in review to its author; it thaws. Raises NotAllowed, WrongStatus."""
    current = _load(version, actor)
    return _move(current, current.send_back, AuditEvent.PLAYBOOK_SENT_BACK, actor=actor)


@transaction.atomic
def approve(version: PlaybookVersion, *, actor: User | None) -> PlaybookVersion:
    """Accept a version; it does not rule yet. Raises NotAllowed, WrongStatus, NotReady."""
    current = _load(version, actor)
    _check_rules(current)
    return _move(current, current.approve, AuditEvent.PLAYBOOK_APPROVED, actor=actor)


@transaction.atomic
def activate(version: PlaybookVersion, *, actor: User | None, note: str = "") -> PlaybookVersion:
    """Let a version rule from now on; the one that ruled retires in the same breath.

    Of a retired version this is a rollback. Raises NotAllowed, WrongStatus.
    """
    current = _load(version, actor)
    _check_move(current, current.activate)
    trace_id = new_trace_id()
    ruling = current.playbook.versions.active().exclude(pk=current.pk).first()
    if ruling is not None:
        _move(ruling, ruling.retire, AuditEvent.PLAYBOOK_RETIRED, actor=actor, trace_id=trace_id)
    current.activated_at, current.activated_by = timezone.now(), actor
    event = AuditEvent.PLAYBOOK_ACTIVATED
    _move(current, current.activate, event, actor=actor, trace_id=trace_id, fields=["activated_at", "activated_by"])
    Activation.objects.create(version=current, by=actor, note=note.strip(), trace_id=trace_id)
    return current


@transaction.atomic
def retire(version: PlaybookVersion, *, actor: User | None) -> PlaybookVersion:
    """Stop a version from ruling; nothing rules until another is activated. Raises NotAllowed, WrongStatus."""
    current = _load(version, actor)
    return _move(current, current.retire, AuditEvent.PLAYBOOK_RETIRED, actor=actor)


def _load(version: PlaybookVersion, actor: User | None) -> PlaybookVersion:
    playbook = lock_playbook(version.playbook)
    require_admin(playbook.client, actor)
    current = PlaybookVersion.objects.get(pk=version.pk)
    current.playbook = playbook
    return current


def _check_rules(version: PlaybookVersion) -> None:
    broken = problems(document_of(version))
    if broken:
        raise NotReady(version, [str(problem) for problem in broken])


def _check_move(version: PlaybookVersion, step: Callable[[], None]) -> None:
    if not can_proceed(step):
        did = step.__name__.replace("_", " ")
        raise WrongStatus(f"{version} is {version.get_status_display().lower()}; it cannot be told to {did}.")


def _move(
    version: PlaybookVersion,
    step: Callable[[], None],
    event: AuditEvent,
    *,
    actor: User | None,
    trace_id: str = "",
    fields: list[str] | None = None,
) -> PlaybookVersion:
    _check_move(version, step)
    step()
    version.save(update_fields=["status", *(fields or [])])
    detail = {"playbook": version.playbook_id, "number": version.number}
    audit.record(
        client=version.playbook.client, event=event, subject=version, actor=actor, trace_id=trace_id, detail=detail
    )
    return version
