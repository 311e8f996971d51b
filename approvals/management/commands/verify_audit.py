"""`manage.py verify_audit`: is history what it was?"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from approvals.verify import history


class Command(BaseCommand):
    help = "Recompute every audit chain and check words, decisions and dispatches against it. Exit 1 names the row."
    checks = history.HISTORY

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *_args: Any, as_json: bool = False, **_options: Any) -> None:
        fault = history.first_fault(self.checks)
        names = [name for name, _ in self.checks]
        erased = history.erased()
        if as_json:
            found = None if fault is None else asdict(fault)
            document = {"intact": fault is None, "checked": names, "erased": erased, "fault": found}
            self.stdout.write(json.dumps(document, indent=2))
        if fault is not None:
            raise CommandError(str(fault), returncode=1)
        if not as_json:
            self.stdout.write(f"Intact: {', '.join(names)}.")
            if erased["people"]:
                people, messages = erased["people"], erased["messages"]
                self.stdout.write(
                    f"Erased on request: {people} {'person' if people == 1 else 'people'},"
                    f" {messages} message{'' if messages == 1 else 's'}."
                )
