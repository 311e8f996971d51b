"""People and what they may do at a client."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db import transaction

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, Membership, Role, User
from playbooks.services.authority import require_admin
from salesops.errors import Refusal


class LastAdmin(Refusal):
    """A client keeps at least one admin."""


@transaction.atomic
def set_roles(user: User, *, client: Client, roles: Collection[str], actor: User | None) -> list[str]:
    """Give a person exactly these roles at a client; none takes them away from it. Returns the roles in force.

    Raises NotAllowed; LastAdmin when nobody would be left to undo it.
    """
    Client.objects.select_for_update().get(pk=client.pk)
    require_admin(client, actor)
    wanted = {Role(role).value for role in roles}
    mine = Membership.objects.filter(user=user, client=client)
    had = set(mine.values_list("role", flat=True))
    if wanted == had:
        return sorted(wanted)
    if Role.ADMIN in had - wanted:
        others = Membership.objects.filter(client=client, role=Role.ADMIN, user__is_active=True).exclude(user=user)
        if not others.exists():
            raise LastAdmin(f"{user} is the last admin of {client}. Make somebody else an admin first.")
    mine.exclude(role__in=wanted).delete()
    Membership.objects.bulk_create(Membership(user=user, client=client, role=role) for role in sorted(wanted - had))
    detail = {"user": user.pk, "had": sorted(had), "has": sorted(wanted)}
    audit.record(client=client, event=AuditEvent.ROLE_CHANGED, subject=user, actor=actor, detail=detail)
    return sorted(wanted)


def roles_at(user: User, clients: Collection[Client]) -> Mapping[int, list[str]]:
    """Client id → the person's roles there."""
    held: dict[int, list[str]] = {client.pk: [] for client in clients}
    for client_id, role in Membership.objects.filter(user=user, client__in=clients).values_list("client_id", "role"):
        held[client_id].append(role)
    return held
