"""Write a playbook version as YAML."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from playbooks.management.naming import find_playbook
from playbooks.models import Playbook, PlaybookVersion
from playbooks.queries import document_of
from playbooks.rules.yaml_io import dump


class Command(BaseCommand):
    help = "Print a playbook version as YAML: CLIENT/PLAYBOOK, or CLIENT/PLAYBOOK@NUMBER. The active one by default."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("playbook", help="CLIENT/PLAYBOOK[@version]")

    def handle(self, *_: Any, playbook: str, **__: Any) -> None:
        name, _at, number = playbook.partition("@")
        client, _slash, slug = name.partition("/")
        if not slug:
            raise CommandError(f"{name!r} names no playbook; expected CLIENT/PLAYBOOK, such as demo/founders.")
        found = find_playbook(client, slug)
        self.stdout.write(dump(document_of(self._version(found, number))), ending="")

    def _version(self, playbook: Playbook, number: str) -> PlaybookVersion:
        versions = playbook.versions.select_related("playbook__client").order_by("-number")
        if number:
            wanted = versions.filter(number=int(number)).first() if number.isdigit() else None
        else:
            wanted = versions.active().first() or versions.first()
        if wanted is None:
            raise CommandError(f"{playbook} has no version {number}" if number else f"{playbook} has no version yet")
        return wanted
