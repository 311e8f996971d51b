"""Writing playbooks: a new draft from the version that rules, or from a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from django.db import models, transaction
from django.db.models import Max
from django.utils import timezone

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, Client, Playbook, PlaybookVersion, StageRule, User
from playbooks.queries import document_of
from playbooks.rules.document import ROWS, Document, head_slots
from playbooks.rules.stages import BY_REASON, CUSTOMER_MOVES, ONWARDS
from playbooks.rules.validation import problems
from playbooks.services.authority import require_admin
from playbooks.services.lifecycle import lock_playbook
from salesops.errors import Refusal

#: The rules a new playbook starts with: (from, to, what is needed).
FIRST_RULES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("sourced", "researched", {"team": "lead_gen"}),
    ("researched", "qualifying", {"min_categories": 1}),
    ("qualifying", "qualified", {"min_categories": 3, "min_score": 50, "min_coverage": 0.4}),
    ("stalled", "qualifying", {}),
    ("nurture", "qualifying", {}),
    ("rejected", "qualifying", {}),
    ("qualified", "contacted", {"min_categories": 3, "team": "lead_gen"}),
    ("contacted", "engaged", {"team": "conversion"}),
    ("engaged", "converted", {"needs_person": True, "team": "conversion"}),
    *(
        (start, end, {"pipeline": "deal", "needs_person": True, "team": "conversion"})
        for start, end in pairwise(ONWARDS["deal"])
    ),
    *(
        (start, end, {"pipeline": "customer", "needs_person": True, "team": "lifecycle"})
        for start, end in CUSTOMER_MOVES
        if end not in BY_REASON["customer"]
    ),
)


class InvalidPlaybook(Refusal):
    """The document breaks rules that every playbook keeps; ``problems`` lists them."""

    def __init__(self, lines: list[str]) -> None:
        self.problems = lines
        super().__init__("This playbook cannot be used yet. " + " ".join(f"{line}." for line in lines[:5]))


class AnotherKind(Refusal):
    """A playbook cannot turn from companies to households or back: its prospects could not follow."""


class Frozen(Refusal):
    """The version has left draft."""


class NothingToCopy(Refusal):
    """The playbook has no version yet."""


class ChangedMeanwhile(Refusal):
    """Somebody else saved the draft since this person opened it."""


def open_draft(playbook: Playbook) -> PlaybookVersion | None:
    """The newest draft that somebody is working on, with who made it."""
    drafts = playbook.versions.filter(status=PlaybookVersion.Status.DRAFT).select_related("created_by")
    return drafts.order_by("-number").first()


@transaction.atomic
def draft_to_edit(
    playbook: Playbook, *, actor: User | None, source: PlaybookVersion | None = None
) -> tuple[PlaybookVersion, bool]:
    """The draft that is open, with False, else a new one: two people who want to change a playbook meet in one draft.

    Raises NotAllowed, NothingToCopy.
    """
    playbook = lock_playbook(playbook)
    require_admin(playbook.client, actor)
    found = open_draft(playbook)
    return (found, False) if found is not None else (new_version(playbook, actor=actor, source=source), True)


@transaction.atomic
def new_version(playbook: Playbook, *, actor: User | None, source: PlaybookVersion | None = None) -> PlaybookVersion:
    """Draft the next version as a copy of ``source``, else of the active one, else the newest; child rows included.

    Two statements a kind of child row, whatever their number. Raises NotAllowed, NothingToCopy.
    """
    playbook = lock_playbook(playbook)
    require_admin(playbook.client, actor)
    versions = playbook.versions.order_by("-number")
    source = versions.filter(pk=source.pk).first() if source else versions.active().first() or versions.first()
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


@transaction.atomic
def start_playbook(*, client: Client, slug: str, name: str, kind: str, actor: User | None) -> PlaybookVersion:
    """A new playbook with an empty first draft, moves between stages included. Raises NotAllowed."""
    require_admin(client, actor)
    playbook = Playbook.objects.create(client=client, slug=slug, name=name, kind=kind)
    draft = _insert_version(playbook, {}, actor=actor, based_on=None)
    StageRule.objects.bulk_create(
        StageRule(version=draft, from_stage=start, to_stage=end, position=rank, **needs)
        for rank, (start, end, needs) in enumerate(FIRST_RULES)
    )
    return draft


def require_editable(version: PlaybookVersion, *, actor: User | None, seen: int | None = None) -> None:
    """Lock a version for an edit in the caller's transaction. ``seen`` is the ``edit_no`` that the editor was shown.

    Raises NotAllowed, Frozen, ChangedMeanwhile.
    """
    playbook = lock_playbook(version.playbook)
    require_admin(playbook.client, actor)
    current = PlaybookVersion.objects.get(pk=version.pk)
    if not current.editable:
        raise Frozen(f"{version} has left draft meanwhile. Make a new version to change it.")
    if seen is not None and seen != current.edit_no:
        raise ChangedMeanwhile(" ".join(edits_since(version, seen)))


def edits_since(version: PlaybookVersion, seen: int) -> list[str]:
    """What others saved after edit number ``seen``: one sentence each, the oldest first."""
    entries = AuditEntry.objects.for_client(version.playbook.client_id).filter(
        event=AuditEvent.PLAYBOOK_EDITED, subject_type=version._meta.label_lower, subject_id=version.pk,
        detail__edit_no__gt=seen,
    )  # fmt: skip
    return [_edit_in_words(entry) for entry in entries.select_related("actor").order_by("seq")]


def _edit_in_words(entry: AuditEntry) -> str:
    fields = [name.replace("_", " ") for name in entry.detail.get("fields", [])]
    rows = [f"{count} of the {name.replace('_', ' ')}" for name, count in entry.detail.get("rows", {}).items()]
    what = ", ".join([*fields, *rows]) or "something"
    at = timezone.localtime(entry.at)
    return f"{entry.actor or 'The system'} changed {what} at {at:%H:%M} on {at.day} {at:%b}."


def record_edit(
    version: PlaybookVersion, *, actor: User | None, fields: Sequence[str], rows: Mapping[str, int]
) -> None:
    """Count an edit of a draft, and note in the audit log which fields and how many of its rows were changed."""
    if not fields and not rows:
        return
    version.edit_no = PlaybookVersion.objects.values_list("edit_no", flat=True).get(pk=version.pk) + 1
    PlaybookVersion.objects.filter(pk=version.pk).update(edit_no=version.edit_no)
    detail = {"number": version.number, "edit_no": version.edit_no, "fields": sorted(fields), "rows": dict(rows)}
    client = version.playbook.client
    audit.record(client=client, event=AuditEvent.PLAYBOOK_EDITED, subject=version, actor=actor, detail=detail)


def _insert_version(
    playbook: Playbook, head: dict[str, Any], *, actor: User | None, based_on: PlaybookVersion | None
) -> PlaybookVersion:
    last = playbook.versions.aggregate(last=Max("number"))["last"] or 0
    draft = PlaybookVersion.objects.create(
        playbook=playbook, number=last + 1, created_by=actor, based_on=based_on, **head
    )
    detail = {"playbook": playbook.pk, "number": draft.number, "based_on": based_on.number if based_on else None}
    audit.record(client=playbook.client, event=AuditEvent.PLAYBOOK_DRAFTED, subject=draft, actor=actor, detail=detail)
    return draft


def _copy_rows(source: models.Manager[Any], draft: PlaybookVersion) -> None:
    rows = list(source.order_by("id"))
    for row in rows:
        row.pk, row.version = None, draft
        row._state.adding = True
    source.model._default_manager.bulk_create(rows)
