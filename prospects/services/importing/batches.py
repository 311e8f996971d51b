"""Import batches: one row per file on its way in."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from playbooks.models import Client, Playbook, User
from prospects.models import ImportBatch


def open_batch(
    *, client: Client, playbook: Playbook, kind: str, file_name: str, sha256: str, mapping: dict[str, object],
    as_of: datetime | None, actor: User | None,
) -> ImportBatch:  # fmt: skip
    """The unfinished batch of this very file and mapping, if there is one, else a new one."""
    unfinished = ImportBatch.objects.for_client(client).filter(
        playbook=playbook, kind=kind, sha256=sha256, mapping=mapping, as_of=as_of,
        status__in=(ImportBatch.Status.RUNNING, ImportBatch.Status.FAILED),
    )  # fmt: skip
    found = unfinished.order_by("-id").first()
    if found is not None:
        return found
    return ImportBatch.objects.create(
        client=client, playbook=playbook, kind=kind, file_name=file_name, sha256=sha256, mapping=mapping, as_of=as_of,
        created_by=actor, started_at=timezone.now(), status=ImportBatch.Status.RUNNING,
    )  # fmt: skip
