"""``suppress FILE --client C --reason R``: whom this client leaves alone, from a list of one a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.rules.leave_alone import BadLineError, keys_in
from approvals.services.suppress import add
from playbooks.management.naming import find_client


class Command(BaseCommand):
    help = "Put e-mail addresses, domains, numbers (+…) or LinkedIn addresses, one a line, on the suppression list."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--client", required=True, help="slug of the client")
        parser.add_argument("--reason", default="refused before", help="why, as the audit log keeps it")

    def handle(self, *_args: Any, file: Path, client: str, reason: str, **_options: Any) -> None:
        found = find_client(client)
        try:
            keys = list(keys_in(file.read_text(encoding="utf-8-sig").splitlines()))
        except (BadLineError, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from error
        new = add(keys, client=found, actor=None, reason=reason[:200], source="list")
        self.stdout.write(f"{len(new)} on the list that were not, {len(set(keys)) - len(new)} there already")
