"""Who may change what a client's agents go by."""

from __future__ import annotations

from playbooks.models import Client, Membership, Role, User
from salesops.errors import NotAllowed


def require_admin(client: Client, actor: User | None) -> None:
    """Refuse anybody but an admin of this client. The system (None) and superusers pass.

    Raises NotAllowed.
    """
    if actor is None or actor.is_superuser:
        return
    if not Membership.objects.filter(user=actor, client=client, role=Role.ADMIN).exists():
        raise NotAllowed(f"Only an admin of {client} may do this. Ask one, or ask for the role.")
