"""Recompute scores from evidence."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from playbooks.management.naming import add_playbook, find_playbook
from prospects.management.progress_bar import Bar
from prospects.services import next_steps, rescoring
from salesops.errors import Refusal


class Command(BaseCommand):
    help = "Recompute every prospect's scores and next action. What has not changed is not written again."

    def add_arguments(self, parser: CommandParser) -> None:
        add_playbook(parser)
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")
        parser.add_argument("--processes", type=int, default=1, help="how many work at it at once")

    def handle(self, *_: Any, client: str, playbook: str, as_json: bool, processes: int, **__: Any) -> None:
        found = find_playbook(client, playbook)
        bar = Bar(self.stderr, quiet=as_json)
        try:
            report = rescoring.rescore(
                client=found.client, playbook=found, actor=None, progress=bar.show, processes=processes
            )
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        said = next_steps.rebuild(found)
        bar.end()
        if as_json:
            self.stdout.write(json.dumps({**dataclasses.asdict(report), "next_actions": said}, indent=2))
        else:
            self.stdout.write(
                f"{report.prospects} prospects: {report.written} scores written, {report.changed_route} changed route,"
                f" {said} next actions put right."
            )
