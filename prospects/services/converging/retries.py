"""Trying again what failed: the prospects are due at once, and the agents set to work on them."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.utils import timezone

from playbooks.models import Client, Playbook, User
from playbooks.services.authority import require
from prospects.models import Prospect
from prospects.services.converging import convergences
from salesops.errors import Refusal


class NothingToTry(Refusal):
    """None of these prospects is there any more."""


def try_again(prospect_ids: Collection[int], *, client: Client, actor: User | None) -> int:
    """Make these prospects of the client due now, with a clean count of failures, and start their playbooks' agents.

    Returns how many prospects. Raises ``NotAllowed``, ``NothingToTry``, and what ``convergences.start`` raises: then
    nothing changed.
    """
    require(client, actor, convergences.STARTERS, to="try again")
    with transaction.atomic():
        rows = Prospect.objects.for_client(client).filter(pk__in=list(prospect_ids)).going_on()
        locked = list(rows.order_by("pk").select_for_update(no_key=True).only("pk", "playbook_id"))
        if not locked:
            raise NothingToTry("There is nothing to try again: these prospects are not worked any more.")
        Prospect.objects.filter(pk__in=[row.pk for row in locked]).update(due_again_at=timezone.now(), failures=0)
        for playbook in Playbook.objects.for_client(client).filter(pk__in={row.playbook_id for row in locked}):
            convergences.start(client=client, playbook=playbook, actor=actor)
    return len(locked)
