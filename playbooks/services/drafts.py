"""Writing playbooks: a new draft from the version that rules, or from a document."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction
from django.db.models import Max

from playbooks import audit
from playbooks.document import ROWS, Document, head_slots
from playbooks.events import AuditEvent
from playbooks.models import Client, Playbook, PlaybookVersion, User
from playbooks.queries import document_of
from playbooks.services.authority import require_admin
from playbooks.services.lifecycle import lock_playbook
from playbooks.validation import problems
from salesops.errors import Refusal


class InvalidPlaybook(Refusal):
    """The document breaks rules that every playbook keeps; ``problems`` lists them."""

    def __init__(self, lines: list[str]) -> None:
        self.problems = lines
        super().__init__("This playbook cannot be used yet. " + " ".join(f"{line}." for line in lines[:5]))


class AnotherKind(Refusal):
    """A playbook cannot turn from companies to households or back: its prospects could not follow."""


class NothingToCopy(Refusal):
    """The playbook has no version yet."""


@transaction.atomic
def new_version(playbook: Playbook, *, actor: User | None) -> PlaybookVersion:
    """Draft the next version as a copy of the active one (else the newest), child rows included.

    Two statements a kind of child row, whatever their number. Raises NotAllowed, NothingToCopy.
    """
    playbook = lock_playbook(playbook)
    require_admin(playbook.client, actor)
    versions = playbook.versions.order_by("-number")
    source = versions.active().first() or versions.first()
    if source is None:
        raise NothingToCopy(f"{playbook} has no version to copy. Load one from a file.")
    head = {column: getattr(source, column) for column in head_slots()} | {"change_note": ""}
    draft = _insert_version(playbook, head, actor=actor, based_on=source)
    for shape in ROWS.values():
        _copy_rows(getattr(source, shape.related), draft)
    return draft


@transaction.atomic
def load_document(document: Document, *, client: Client, actor: User | None) -> tuple[PlaybookVersion, bool]:
    """Bring a document in as a new draft; an identical newest version is returned as it is, with False.

    Raises NotAllowed, InvalidPlaybook, AnotherKind.
    """
    require_admin(client, actor)
    broken = problems(document)
    if broken:
        raise InvalidPlaybook([str(problem) for problem in broken])
    playbook, _ = Playbook.objects.get_or_create(
        client=client, slug=document.slug, defaults={"name": document.name, "kind": document.kind}
    )
    playbook = lock_playbook(playbook)
    if playbook.kind != document.kind:
        raise AnotherKind(f"{playbook} works {playbook.get_kind_display().lower()}; give the new kind another name.")
    newest = playbook.versions.order_by("-number").first()
    if newest is not None and document_of(newest).says_the_same(document):
        return newest, False
    draft = _insert_version(playbook, document.head, actor=actor, based_on=None)
    for name, shape in ROWS.items():
        model = getattr(draft, shape.related).model
        rows = document.rows.get(name, [])
        ranks = [{"position": number} if shape.ranked else {} for number in range(len(rows))]
        model._default_manager.bulk_create(
            model(version=draft, **row, **rank) for row, rank in zip(rows, ranks, strict=True)
        )
    return draft, True


def _insert_version(
    playbook: Playbook, head: dict[str, Any], *, actor: User | None, based_on: PlaybookVersion | None
) -> PlaybookVersion:
    last = playbook.versions.aggregate(last=Max("number"))["last"] or 0
    draft = PlaybookVersion.objects.create(playbook=playbook, number=last + 1, created_by=actor, **head)
    detail = {"playbook": playbook.pk, "number": draft.number, "based_on": based_on.number if based_on else None}
    audit.record(client=playbook.client, event=AuditEvent.PLAYBOOK_DRAFTED, subject=draft, actor=actor, detail=detail)
    return draft


def _copy_rows(source: models.Manager[Any], draft: PlaybookVersion) -> None:
    rows = list(source.order_by("id"))
    for row in rows:
        row.pk, row.version = None, draft
        row._state.adding = True
    source.model._default_manager.bulk_create(rows)
