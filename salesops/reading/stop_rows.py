"""The list of stops, each with the name of what it stops. A constant number of queries, whatever the page holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from approvals.models import ApprovalRequest
from playbooks.models import Client, Playbook, Stop
from playbooks.services.stops import TARGETED
from prospects.models import Prospect

NOW, OVER = "now", "over"
STATES = ((NOW, "In force"), (OVER, "Over: lifted or expired"), ("all", "All"))
_WORDS = {"requests": "waiting request", "messages": "approved message", "convergences": "run", "tasks": "task"}


@dataclass(frozen=True)
class StopRow:
    """One stop as the list shows it. ``what`` is what it stops, ``url`` where that is seen."""

    stop: Stop
    what: str
    url: str

    @property
    def called_off(self) -> str:
        """What a cancel ended, in words."""
        found = [(count, _WORDS.get(kind, kind)) for kind, count in self.stop.called_off.items()]
        return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in found)


def stop_rows(stops: Sequence[Stop], client: Client) -> list[StopRow]:
    """The stops with their targets' names: one query for each kind of target there is."""
    names = {
        level: _named(level, {stop.target_id for stop in stops if stop.level == level and stop.target_id}, client)
        for level in TARGETED
    }
    return [_row(stop, names, client) for stop in stops]


def _row(stop: Stop, names: dict[Stop.Level, dict[int, tuple[str, str]]], client: Client) -> StopRow:
    level = Stop.Level(stop.level)
    if level in TARGETED:
        what, url = names[level].get(stop.target_id or 0, (f"{level.label} {stop.target_id}", ""))
    elif level == Stop.Level.AGENT:
        what, url = f"Agent {stop.agent.replace('_', ' ')}", reverse("agents")
    else:
        what, url = ("Everything, for every client" if level == Stop.Level.EVERYTHING else f"All of {client.name}"), ""
    return StopRow(stop, what, url)


def _named(level: Stop.Level, ids: set[int], client: Client) -> dict[int, tuple[str, str]]:
    """Id → (name, address) of the targets of one level."""
    if not ids:
        return {}
    if level == Stop.Level.PLAYBOOK:
        playbooks = Playbook.objects.for_client(client).filter(pk__in=ids)
        return {row.pk: (f"Playbook {row.name}", reverse("playbooks:list")) for row in playbooks}
    if level == Stop.Level.PROSPECT:
        prospects = Prospect.objects.for_client(client).filter(pk__in=ids).select_related("company", "contact")
        return {row.pk: (str(row), row.get_absolute_url()) for row in prospects}
    asked = ApprovalRequest.objects.for_client(client).filter(pk__in=ids)
    requests = asked.select_related("prospect__company", "prospect__contact")
    return {row.pk: (f"Request #{row.pk} to {row.prospect}", row.get_absolute_url()) for row in requests}
