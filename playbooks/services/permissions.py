"""The agent permission matrix: what each team may do with each resource, per client over a global default."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import AgentPermission, Client, Team, User
from playbooks.services.authority import require_admin
from salesops.errors import NotAllowed

Cell = tuple[str, str]
_NONE, _READ, _WRITE = (AgentPermission.Access.NONE, AgentPermission.Access.READ, AgentPermission.Access.WRITE)

#: What holds where neither the client nor the global default says otherwise: (team, resource) → access.
BUILT_IN: Mapping[Cell, str] = {
    (team.value, resource.value): _WRITE if team in writers else _READ
    for resource, writers in (
        (AgentPermission.Resource.CONTACT, {Team.LEAD_GEN}),
        (AgentPermission.Resource.DEAL_STAGE, {Team.QUALIFICATION, Team.CONVERSION}),
        (AgentPermission.Resource.ACTIVITY, set(Team)),
        (AgentPermission.Resource.ICP_EVIDENCE, {Team.QUALIFICATION}),
        (AgentPermission.Resource.DEAL_VALUE, {Team.CONVERSION}),
        (AgentPermission.Resource.CHURN_RISK, {Team.LIFECYCLE}),
    )
    for team in Team
}


def matrix(client: Client | None) -> dict[Cell, tuple[str, bool]]:
    """Every cell as (access, is it this client's own word). ``client`` None is the global default. One query."""
    cells = {cell: (access, False) for cell, access in BUILT_IN.items()}
    rows = AgentPermission.objects.filter(client__isnull=True)
    if client is not None:
        rows = rows | AgentPermission.objects.filter(client=client)
    for row in sorted(rows, key=lambda row: row.client_id is not None):
        own = row.client_id == (client.pk if client is not None else None)
        cells[row.team, row.resource] = (row.access, own)
    return cells


@transaction.atomic
def set_matrix(wanted: Mapping[Cell, str | None], *, client: Client | None, actor: User | None) -> int:
    """Set cells of a client's matrix, or of the global default (``client`` None).

    An access of None gives a cell back to what it inherits. Returns how many cells changed. Raises NotAllowed; the
    global default is a superuser's to change.
    """
    _check(client, actor)
    own = {(row.team, row.resource): row for row in AgentPermission.objects.select_for_update().filter(client=client)}
    changed: dict[str, list[str | None]] = {}
    for (team, resource), access in wanted.items():
        row = own.get((Team(team).value, AgentPermission.Resource(resource).value))
        before = row.access if row is not None else None
        if before == access:
            continue
        changed[f"{team}.{resource}"] = [before, access]
        if access is None and row is not None:
            row.delete()
        elif access is not None:
            AgentPermission.objects.update_or_create(
                client=client, team=team, resource=resource, defaults={"access": AgentPermission.Access(access)}
            )
    if changed:
        _record(client, changed, actor)
    return len(changed)


def _check(client: Client | None, actor: User | None) -> None:
    if client is not None:
        require_admin(client, actor)
    elif actor is not None and not actor.is_superuser:
        raise NotAllowed("The default for all clients is changed by whoever runs this installation.")


def _record(client: Client | None, changed: dict[str, list[str | None]], actor: User | None) -> None:
    """One entry; a change of the default is recorded with every client it touches."""
    for touched in [client] if client is not None else list(Client.objects.all()):
        detail = {"cells": changed, "default": client is None}
        audit.record(client=touched, event=AuditEvent.PERMISSION_CHANGED, subject=touched, actor=actor, detail=detail)
