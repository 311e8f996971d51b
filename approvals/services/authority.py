"""Who decides what goes out."""

from __future__ import annotations

from playbooks.models import Client, Role, User
from playbooks.services.authority import holds
from salesops.errors import NotAllowed

DECIDERS = (Role.REVIEWER, Role.LEADER, Role.ADMIN)


def check_decider(actor: User, client: Client) -> None:
    """Raises NotAllowed for people without a deciding role at this client."""
    if not holds(actor, client, DECIDERS):
        raise NotAllowed("Only reviewers, leaders and admins of this client decide. Ask an admin for the role.")
