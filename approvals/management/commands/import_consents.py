"""``import_consents FILE --client C``: on what grounds people may be written to, with the proof."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.services.consents import COLUMNS, BadConsent, read_consents, record_consents
from playbooks.management.naming import find_client


class Command(BaseCommand):
    help = f"Record consents from a CSV file with the columns {', '.join(COLUMNS)} and, if it matters, role relevant."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--client", required=True, help="slug of the client")

    def handle(self, *_args: Any, file: Path, client: str, **_options: Any) -> None:
        found = find_client(client)
        try:
            done = record_consents(list(read_consents(file)), client=found, actor=None)
        except (BadConsent, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{done.written} recorded, {done.known} known already, {done.unknown} about nobody we know")
