"""``import_prospects FILE --client C --playbook P``: companies and people out of a CSV or JSON file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from playbooks.management.naming import find_playbook
from prospects.importing.columns import parse_mapping
from prospects.importing.reading import UnreadableFile, open_source
from prospects.management.imports import add_file, as_of, print_report, read_text
from prospects.services.importing.prospects import Preview, import_prospects, mapping_for, preview_prospects


class Command(BaseCommand):
    help = "Import companies and people from a CSV or JSON file. Importing the same file again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        add_file(parser)
        parser.add_argument("--mapping", type=Path, help="YAML file: `column: field` lines that override the guesses")
        parser.add_argument("--source", default="", help="whose ids the file's ids are (default: from the file name)")
        parser.add_argument("--as-of", metavar="DATE", help="when the facts were true, for rows without a date")
        parser.add_argument(
            "--dry-run", action=argparse.BooleanOptionalAction, default=False,
            help="show what would happen and write nothing",
        )  # fmt: skip

    def handle(self, *_args: Any, **options: Any) -> None:
        playbook = find_playbook(options["client"], options["playbook"])
        path: Path = options["file"]
        try:
            source = open_source(path)
            given = parse_mapping(read_text(options["mapping"])) if options["mapping"] else None
            mapping = mapping_for(source, given)
            moment = as_of(options["as_of"])
            if options["dry_run"]:
                preview = preview_prospects(
                    source, client=playbook.client, playbook=playbook, mapping=mapping, file_name=path.name,
                    source_name=options["source"], as_of=moment,
                )  # fmt: skip
                self._print_preview(preview, as_json=options["json"])
                return
            report = import_prospects(
                source, client=playbook.client, playbook=playbook, actor=None, mapping=mapping, file_name=path.name,
                source_name=options["source"], as_of=moment,
            )  # fmt: skip
        except UnreadableFile as error:
            raise CommandError(error.message, returncode=1) from error
        print_report(self.stdout, report, as_json=options["json"])

    def _print_preview(self, preview: Preview, *, as_json: bool) -> None:
        if as_json:
            columns = [
                {"column": c.column, "field": c.target, "confidence": c.confidence, "why": c.why}
                for c in preview.mapping
            ]
            document = {**preview.report.as_dict(), "columns": columns, "preview": preview.rows}
            self.stdout.write(json.dumps(document, ensure_ascii=False, default=str))
            return
        self.stdout.write("Columns as understood:")
        for choice in preview.mapping:
            self.stdout.write(f"  {choice.column} → {choice.target}" + (f"  ({choice.why})" if choice.why else ""))
        self.stdout.write(f"First {len(preview.rows)} rows:")
        for row in preview.rows:
            self.stdout.write("  " + json.dumps(row, ensure_ascii=False, default=str))
        print_report(self.stdout, preview.report, as_json=False)
