"""Which playbook a page is about."""

from __future__ import annotations

from dataclasses import dataclass

from playbooks.models import Playbook
from playbooks.queries import playbooks_of
from salesops.access import ClientRequest


@dataclass(frozen=True, slots=True)
class Chosen:
    """The client's playbooks and the one the address names, else the first; None when there is none yet."""

    playbook: Playbook | None
    playbooks: list[Playbook]

    @property
    def as_query(self) -> dict[str, str]:
        """The URL parameter that keeps the choice; none is needed when there is nothing to choose."""
        return {"playbook": str(self.playbook.pk)} if self.playbook and len(self.playbooks) > 1 else {}


def chosen_playbook(request: ClientRequest) -> Chosen:
    """One query. A playbook of another client is as unknown as one that does not exist."""
    playbooks = playbooks_of(request.client)
    wanted = request.GET.get("playbook", "")
    named = next((playbook for playbook in playbooks if str(playbook.pk) == wanted), None)
    return Chosen(named or (playbooks[0] if playbooks else None), playbooks)
