"""`manage.py erase_person`: take one person out of every table, on their request."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from playbooks.models import Client, User
from prospects.erased import known_as
from prospects.services import erasure
from salesops.errors import Refusal


class Command(BaseCommand):
    help = "Erase one person for good. Without --yes it only says in how many rows words would go."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--client", required=True, help="slug of the client")
        parser.add_argument("--email", required=True, help="the person's address")
        parser.add_argument("--by", required=True, help="e-mail address of the admin who answers for it")
        parser.add_argument("--reason", required=True, help="why, without naming the person: it stays for good")
        parser.add_argument("--yes", action="store_true", help="do it")

    def handle(self, *_: Any, client: str, email: str, by: str, reason: str, yes: bool, **__: Any) -> None:
        here = Client.objects.filter(slug=client).first()
        if here is None:
            raise CommandError(f"There is no client {client}.")
        contact = known_as(here, email).first()
        actor = User.objects.filter(email__iexact=by).first()
        if contact is None or actor is None:
            raise CommandError("Nobody here is known by that address." if contact is None else f"Nobody is {by}.")
        try:
            if yes:
                counts = erasure.erase_person(contact, actor=actor, reason=reason).counts
            else:
                counts = erasure.preview(contact)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        for table, number in counts.items():
            self.stdout.write(f"{number:>8,} {table}")
        self.stdout.write("Erased for good." if yes else "Nothing was erased. Say --yes to erase them for good.")
