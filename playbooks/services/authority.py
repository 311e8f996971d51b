"""Who may do what at a client."""

from __future__ import annotations

from collections.abc import Collection

from playbooks.models import Client, Membership, Role, User
from salesops.errors import NotAllowed


def holds(actor: User, client: Client, roles: Collection[Role]) -> bool:
    """Whether this person, as of now, has one of the roles at this client. Who left the team has none."""
    return actor.is_active and Membership.objects.filter(user=actor, client=client, role__in=roles).exists()


def require(client: Client, actor: User | None, roles: Collection[Role], *, to: str) -> None:
    """Refuse anybody without one of these roles here; ``to`` says what for. The system (None) and superusers pass.

    Raises NotAllowed.
    """
    if _passes(actor, client, roles):
        return
    named = "members" if set(roles) == set(Role) else " or ".join(sorted(f"{role.label.lower()}s" for role in roles))
    raise NotAllowed(f"Only {named} of {client} may {to}. Ask an admin for the role.")


def require_admin(client: Client, actor: User | None) -> None:
    """Refuse anybody but an admin of this client. The system (None) and superusers pass.

    Raises NotAllowed.
    """
    if not _passes(actor, client, {Role.ADMIN}):
        raise NotAllowed(f"Only an admin of {client} may do this. Ask one, or ask for the role.")


def _passes(actor: User | None, client: Client, roles: Collection[Role]) -> bool:
    return actor is None or (actor.is_superuser and actor.is_active) or holds(actor, client, roles)
