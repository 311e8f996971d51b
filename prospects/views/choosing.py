"""Which playbook a page is about."""

from __future__ import annotations

from dataclasses import dataclass

from playbooks.models import Playbook
from salesops.access import ClientRequest

# Plain SQL: most pages ask this, and composing the query would cost more than answering it.
_PLAYBOOKS = "SELECT * FROM playbooks_playbook WHERE client_id = %s ORDER BY name, id"


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
    playbooks = list(Playbook.objects.raw(_PLAYBOOKS, [request.client.pk]))
    for playbook in playbooks:
        playbook.client = request.client  # known already: nobody asks the database for it again
    wanted = request.GET.get("playbook", "")
    named = next((playbook for playbook in playbooks if str(playbook.pk) == wanted), None)
    return Chosen(named or (playbooks[0] if playbooks else None), playbooks)
