"""What a client says about itself in every message."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, User
from playbooks.services.authority import require_admin
from salesops.errors import NotAllowed

EDITABLE = frozenset(
    {"name", "slug", "sender_name", "sender_email", "postal_address", "privacy_url", "time_zone"}
)  # fmt: skip


@transaction.atomic
def save(client: Client, *, fields: Sequence[str], actor: User | None) -> Client:
    """Save changed sender details, or a new client. Whether it is live is not changed here. Raises NotAllowed."""
    if client._state.adding:
        if actor is not None and not actor.is_superuser:
            raise NotAllowed("A new client is set up by whoever runs this installation.")
        client.save()
    else:
        require_admin(client, actor)
        client.save(update_fields=sorted(EDITABLE & set(fields) - {"slug"}) or ["name"])
    detail = {"fields": sorted(fields)}
    audit.record(client=client, event=AuditEvent.CLIENT_CHANGED, subject=client, actor=actor, detail=detail)
    return client


def set_up(*, slug: str, name: str, actor: User | None) -> Client:
    """A new client in the sandbox, with nothing but its name. Raises NotAllowed."""
    return save(Client(slug=slug, name=name), fields=["name", "slug"], actor=actor)
