"""``import_signals FILE --client C --playbook P``: dated observations about prospects that are already here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from playbooks.management.naming import find_playbook
from prospects.importing.columns import parse_mapping
from prospects.importing.reading import UnreadableFile, open_source
from prospects.management.imports import add_file, print_report, read_text
from prospects.services.importing.signals import import_signals, signal_mapping_for


class Command(BaseCommand):
    help = "Import signals (prospect, kind, observed_at, value, text, source) or a log of changes from a file."

    def add_arguments(self, parser: CommandParser) -> None:
        add_file(parser)
        parser.add_argument("--mapping", type=Path, help="YAML file: `column: field` lines that override the guesses")

    def handle(self, *_args: Any, **options: Any) -> None:
        playbook = find_playbook(options["client"], options["playbook"])
        path: Path = options["file"]
        try:
            source = open_source(path)
            given = parse_mapping(read_text(options["mapping"])) if options["mapping"] else None
            report = import_signals(
                source, client=playbook.client, playbook=playbook, actor=None,
                mapping=signal_mapping_for(source, given), file_name=path.name,
            )  # fmt: skip
        except UnreadableFile as error:
            raise CommandError(error.message, returncode=1) from error
        print_report(self.stdout, report, as_json=options["json"])
