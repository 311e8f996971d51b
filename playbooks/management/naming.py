"""How commands are told a client and a playbook: by their slugs, and with what there is when a slug names nothing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from playbooks.models import Client, Playbook


def add_playbook(parser: CommandParser) -> None:
    """The two options that name a playbook."""
    parser.add_argument("--client", required=True, help="slug of the client")
    parser.add_argument("--playbook", required=True, help="slug of the playbook")


def find_client(slug: str) -> Client:
    """The client of this slug. Raises CommandError."""
    found = Client.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no client {slug!r}. Clients: {_slugs(Client.objects.all())}.")
    return found


def find_playbook(client: str, playbook: str) -> Playbook:
    """The playbook of the two slugs, with its client. Raises CommandError."""
    owner = find_client(client)
    found = Playbook.objects.for_client(owner).select_related("client").filter(slug=playbook).first()
    if found is None:
        there = _slugs(Playbook.objects.for_client(owner))
        raise CommandError(f"{owner} has no playbook {playbook!r}. Playbooks: {there}.")
    return found


def _slugs(rows: Any) -> str:
    return ", ".join(rows.values_list("slug", flat=True)[:20]) or "none yet"
