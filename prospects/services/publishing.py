"""Publishing a playbook version with what follows for prospects: they are due again, and the agents set to work."""

from __future__ import annotations

from django.db import transaction

from playbooks.models import Client, PlaybookVersion, User
from playbooks.services import lifecycle
from prospects.models import Convergence
from prospects.services.converging import convergences


def publish(
    version: PlaybookVersion, *, client: Client, actor: User | None, note: str, applies_to: str, seen: str = ""
) -> tuple[PlaybookVersion, Convergence | None]:
    """Let a version rule and have the agents look at everybody it rules; None where a person has stopped work.

    What older convergences still do under the version before ends with their present batch. Earlier scores and
    decisions stay as they are. Raises what ``lifecycle.publish`` raises.
    """
    with transaction.atomic():
        ruling = lifecycle.publish(version, actor=actor, note=note, applies_to=applies_to, seen=seen)
        older = Convergence.objects.for_client(client).filter(playbook=ruling.playbook_id, status__in=convergences.OPEN)
        older.exclude(version=ruling).update(cancel_requested=True)
        try:
            return ruling, convergences.start(client=client, playbook=ruling.playbook, actor=actor)
        except convergences.Stopped:
            return ruling, None
