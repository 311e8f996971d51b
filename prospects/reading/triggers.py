"""The triggers of a playbook's versions, as pages show them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from playbooks.models import PlaybookVersion, Trigger
from playbooks.rules import triggers as rules
from playbooks.services.budgets import zone_named
from prospects.models import TriggerFiring

#: Plain SQL: a version and a client are wide rows, of which pages show a word each.
_STANDING = """
SELECT trigger.*, version.status AS ruling, playbook.id AS place, playbook.name AS playbook, client.time_zone AS zone
  FROM playbooks_trigger AS trigger JOIN playbooks_playbookversion AS version ON version.id = trigger.version_id
  JOIN playbooks_playbook AS playbook ON playbook.id = version.playbook_id
  JOIN playbooks_client AS client ON client.id = playbook.client_id
 WHERE trigger.version_id = ANY(%s) ORDER BY trigger.position, trigger.id
"""
_NEWEST = """
SELECT * FROM prospects_triggerfiring
 WHERE id IN (SELECT max(id) FROM prospects_triggerfiring WHERE playbook_id = ANY(%s) GROUP BY playbook_id, key)
"""


@dataclass(frozen=True)
class Standing:
    """One trigger as the pages show it, and its playbook's name."""

    trigger: Trigger
    playbook: str
    words: str
    last: TriggerFiring | None
    next_at: datetime | None


def standing(versions: Collection[int], *, at: datetime) -> list[Standing]:
    """Every trigger of these versions (ids), its last firing, and when a schedule that rules is next. Two queries."""
    rows = [(trigger, vars(trigger)) for trigger in Trigger.objects.raw(_STANDING, [list(versions)])]
    if not rows:
        return []
    places = [*{said["place"] for _, said in rows}]
    last = {(f.playbook_id, f.key): f for f in TriggerFiring.objects.raw(_NEWEST, [places])}
    return [
        Standing(
            trigger,
            said["playbook"],
            rules.explain(said),
            last.get((said["place"], trigger.key)),
            _due(trigger, said["ruling"], at, said["zone"]),
        )
        for trigger, said in rows
    ]


def _due(trigger: Trigger, status: str, at: datetime, zone: str) -> datetime | None:
    rules_now = status == PlaybookVersion.Status.ACTIVE and trigger.enabled
    scheduled = rules_now and trigger.kind == Trigger.Kind.SCHEDULE
    if not scheduled:
        return None
    try:
        return rules.next_due(trigger.cron, at, zone_named(zone))
    except ValueError:  # it never comes
        return None
