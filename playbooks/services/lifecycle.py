"""The life of a playbook version: draft → in review → approved → active → retired, and back to active as a rollback.

Past scores and decisions stay bound to the version they were made under; nothing here touches them.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from django.utils import timezone
from django_fsm import can_proceed

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Activation, Playbook, PlaybookVersion, User
from playbooks.queries import document_of
from playbooks.rules.sealing import seal
from playbooks.rules.validation import problems
from playbooks.services.authority import require_admin
from salesops.dbtypes import new_trace_id
from salesops.errors import Refusal

AppliesTo = Activation.AppliesTo
Status = PlaybookVersion.Status


class WrongStatus(Refusal):
    """The version is not in a state from which this can be done."""


class NotReady(Refusal):
    """The version breaks rules that every playbook keeps; ``problems`` lists them by path."""

    def __init__(self, version: PlaybookVersion, lines: list[str]) -> None:
        self.problems = lines
        more = f" … and {len(lines) - 5} more." if len(lines) > 5 else ""
        super().__init__(f"{version} is not ready: " + "; ".join(lines[:5]) + "." + more)


class NoNote(Refusal):
    """Nobody said why."""


class ReadAgain(Refusal):
    """What would be published is not what the person read."""


class SecondPersonNeeded(Refusal):
    """Whoever submitted a version may not be the one who lets it rule."""


def lock_playbook(playbook: Playbook) -> Playbook:
    """The playbook, reloaded and locked until the transaction ends: every change to its versions queues up here."""
    return Playbook.objects.select_for_update(of=("self",)).select_related("client").get(pk=playbook.pk)


@transaction.atomic
def publish(
    version: PlaybookVersion, *, actor: User | None, note: str, applies_to: str = AppliesTo.ALL, seen: str = ""
) -> PlaybookVersion:
    """Take a version from wherever it stands to ruling; of a retired one this is a rollback.

    ``note`` says what changed and why. Where the playbook asks for two people, a draft has to be submitted by one and
    is published by the other. ``seen`` is what ``as_read`` said when the person was shown what would change; "" asks
    nothing. Raises NotAllowed, NoNote, ReadAgain, NotReady, SecondPersonNeeded, WrongStatus.
    """
    current = _load(version, actor)
    require_note(note)
    if seen and seen != as_read(current):
        raise ReadAgain("This was changed since you opened the page. What would happen now is below; read it first.")
    if current.status == Status.DRAFT:
        if current.playbook.two_person_publish:
            raise SecondPersonNeeded("Two people publish this playbook: ask for approval, and somebody else publishes.")
        current = submit(current, actor=actor, note=note)
    if current.status == Status.IN_REVIEW:
        current = approve(current, actor=actor, note=note)
    return activate(current, actor=actor, note=note, applies_to=applies_to)


@transaction.atomic
def submit(version: PlaybookVersion, *, actor: User | None, note: str = "") -> PlaybookVersion:
    """Freeze a draft and put it before a second pair of eyes. Raises NotAllowed, WrongStatus, NotReady."""
    current = _load(version, actor)
    _check_move(current, current.submit)
    _check_rules(current)
    current.submitted_by, current.change_note = actor, note.strip() or current.change_note
    fields = ["submitted_by", "change_note"]
    event, extra = AuditEvent.PLAYBOOK_SUBMITTED, {"says": seal(document_of(current))}
    return _move(current, current.submit, event, actor=actor, fields=fields, extra=extra)


@transaction.atomic
def send_back(version: PlaybookVersion, *, actor: User | None) -> PlaybookVersion:
    """Return a version in review to its author; it thaws. Raises NotAllowed, WrongStatus."""
    current = _load(version, actor)
    current.submitted_by = None
    return _move(current, current.send_back, AuditEvent.PLAYBOOK_SENT_BACK, actor=actor, fields=["submitted_by"])


@transaction.atomic
def approve(version: PlaybookVersion, *, actor: User | None, note: str = "") -> PlaybookVersion:
    """Accept a version; it does not rule yet. Raises NotAllowed, WrongStatus, NotReady, SecondPersonNeeded."""
    current = _load(version, actor)
    _check_move(current, current.approve)
    _check_rules(current)
    if current.playbook.two_person_publish and (actor is None or actor.pk == current.submitted_by_id):
        raise SecondPersonNeeded(f"You submitted {current}; somebody else has to approve it.")
    current.approved_by, current.change_note = actor, note.strip() or current.change_note
    fields = ["approved_by", "change_note"]
    return _move(current, current.approve, AuditEvent.PLAYBOOK_APPROVED, actor=actor, fields=fields)


@transaction.atomic
def activate(
    version: PlaybookVersion, *, actor: User | None, note: str = "", applies_to: str = AppliesTo.ALL
) -> PlaybookVersion:
    """Let a version rule from now on; the one that ruled retires in the same breath.

    ``applies_to`` NEW leaves those who are in work under the version they are judged by today. Of a retired version
    this is a rollback. Raises NotAllowed, WrongStatus, SecondPersonNeeded.
    """
    current = _load(version, actor)
    _check_move(current, current.activate)
    _check_second_person(current)
    trace_id = new_trace_id()
    ruling = current.playbook.versions.active().exclude(pk=current.pk).first()
    if ruling is not None:
        ruling.playbook = current.playbook
        _move(ruling, ruling.retire, AuditEvent.PLAYBOOK_RETIRED, actor=actor, trace_id=trace_id)
    current.activated_at, current.activated_by = timezone.now(), actor
    event, extra = AuditEvent.PLAYBOOK_ACTIVATED, {"applies_to": str(AppliesTo(applies_to).value)}
    fields = ["activated_at", "activated_by"]
    _move(current, current.activate, event, actor=actor, trace_id=trace_id, fields=fields, extra=extra)
    Activation.objects.create(version=current, by=actor, note=note.strip(), applies_to=applies_to, trace_id=trace_id)
    return current


@transaction.atomic
def retire(version: PlaybookVersion, *, actor: User | None) -> PlaybookVersion:
    """Stop a version from ruling; nothing rules until another is activated. Raises NotAllowed, WrongStatus."""
    current = _load(version, actor)
    return _move(current, current.retire, AuditEvent.PLAYBOOK_RETIRED, actor=actor)


@transaction.atomic
def ask_for_two(playbook: Playbook, *, wanted: bool, actor: User | None) -> Playbook:
    """Ask for a second person before a version of this playbook may rule, or stop asking. Raises NotAllowed."""
    current = lock_playbook(playbook)
    require_admin(current.client, actor)
    if current.two_person_publish != wanted:
        current.two_person_publish = wanted
        current.save(update_fields=["two_person_publish"])
        event, detail = AuditEvent.PLAYBOOK_PUBLISHING, {"two_people": wanted}
        audit.record(client=current.client, event=event, subject=current, actor=actor, detail=detail)
    return current


def as_read(version: PlaybookVersion) -> str:
    """What a page on publishing shows: where the version stands, which edit of it, and what rules instead."""
    ruling = version.playbook.active_version
    return f"{version.status}.{version.edit_no}.{ruling.pk if ruling else ''}"


def _load(version: PlaybookVersion, actor: User | None) -> PlaybookVersion:
    playbook = lock_playbook(version.playbook)
    require_admin(playbook.client, actor)
    current = PlaybookVersion.objects.get(pk=version.pk)
    current.playbook = playbook
    return current


def require_note(note: str) -> None:
    """Raises NoNote for words that say nothing."""
    if not note.strip():
        raise NoNote("Say in a sentence what changes and why. It is kept with the version.")


def _check_second_person(version: PlaybookVersion) -> None:
    alone = version.approved_by_id is None or version.approved_by_id == version.submitted_by_id
    if version.status == Status.APPROVED and version.playbook.two_person_publish and alone:
        raise SecondPersonNeeded(f"{version} was not approved by a second person. Make a new version of it.")


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
    extra: dict[str, str] | None = None,
) -> PlaybookVersion:
    _check_move(version, step)
    step()
    version.save(update_fields=["status", *(fields or [])])
    detail = {"playbook": version.playbook_id, "number": version.number, **(extra or {})}
    audit.record(
        client=version.playbook.client, event=event, subject=version, actor=actor, trace_id=trace_id, detail=detail
    )
    return version
