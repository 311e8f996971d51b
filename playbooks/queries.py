"""Questions about playbooks."""

from __future__ import annotations

from typing import Any

from django.db import models

from playbooks.models import Client, Playbook, PlaybookVersion
from playbooks.rules.document import IDENTITY, ROWS, Document, RowShape, arrange, head_slots

# Plain SQL: most pages ask this, and composing the query would cost more than answering it.
_PLAYBOOKS = "SELECT * FROM playbooks_playbook WHERE client_id = %s ORDER BY name, id"


def document_of(version: PlaybookVersion) -> Document:
    """The version with all its child rows as one plain value. One query a kind of row, nine in all."""
    playbook = version.playbook
    names = {"client": playbook.client.slug, **{slot.at: getattr(playbook, slot.at) for slot in IDENTITY[1:]}}
    rows = {name: arrange(name, child_rows(version, shape)) for name, shape in ROWS.items()}
    return Document(**names, head={column: getattr(version, column) for column in head_slots()}, rows=rows)


def child_rows(version: PlaybookVersion, shape: RowShape) -> list[dict[str, Any]]:
    """The version's rows of one kind, by column, in their own order."""
    manager: models.Manager[Any] = getattr(version, shape.related)
    order = ("position", "id") if shape.ranked else ("id",)
    return list(manager.order_by(*order).values(*(slot.at for slot in shape.slots)))


def playbooks_of(client: Client) -> list[Playbook]:
    """The client's playbooks by name; one query."""
    playbooks = list(Playbook.objects.raw(_PLAYBOOKS, [client.pk]))
    for playbook in playbooks:
        playbook.client = client  # known already: nobody asks the database for it again
    return playbooks


def playbooks_with_versions(client: Client) -> list[Playbook]:
    """The client's playbooks, versions newest first in ``shown``. Two queries."""
    versions = PlaybookVersion.objects.select_related("activated_by", "created_by").order_by("-number")
    rows = Playbook.objects.for_client(client).prefetch_related(models.Prefetch("versions", versions, "shown"))
    return list(rows)
