"""`manage.py erase_person`: take one person out of every table, on their request."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from playbooks.models import Client, User
from prospects.erasure.keys import known_as
from prospects.models import Contact
from prospects.services.erasing import erasure
from salesops.errors import Refusal
from salesops.ids import id_in


class Command(BaseCommand):
    help = "Erase one person for good. Without --yes it only says in how many rows words would go."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("contact", help="their e-mail address, or the id of a contact")
        parser.add_argument("--client", required=True, help="slug of the client")
        parser.add_argument("--by", required=True, help="e-mail address of the admin who answers for it")
        parser.add_argument("--reason", required=True, help="why, without naming the person: it stays for good")
        parser.add_argument("--yes", action="store_true", help="do it")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(
        self, *_: Any, contact: str, client: str, by: str, reason: str, yes: bool, as_json: bool, **__: Any
    ) -> None:
        person = _person(client, contact)
        actor = User.objects.filter(email__iexact=by).first()
        if actor is None:
            raise CommandError(f"Nobody is {by}.")
        try:
            counts = self._erase(person, actor, reason) if yes else erasure.preview(person)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        if as_json:
            self.stdout.write(json.dumps({"erased": yes, "rows": counts}, indent=2))
            return
        for table, number in counts.items():
            self.stdout.write(f"{number:>8,} {table}")
        self.stdout.write("Erased for good." if yes else "Nothing was erased. Say --yes to erase them for good.")

    @staticmethod
    def _erase(person: Contact, actor: User, reason: str) -> dict[str, int]:
        counts: dict[str, int] = erasure.erase_person(person, actor=actor, reason=reason).counts
        return counts


def _person(slug: str, named: str) -> Contact:
    """By id, or by an address they go or went by. Raises CommandError."""
    client = Client.objects.filter(slug=slug).first()
    if client is None:
        raise CommandError(f"There is no client {slug}.")
    number = id_in(named)
    here = Contact.objects.for_client(client).select_related("client")
    found = here.filter(pk=number).first() if number is not None else known_as(client, named).first()
    if found is None:
        raise CommandError("Nobody here is known by that.")
    return found
