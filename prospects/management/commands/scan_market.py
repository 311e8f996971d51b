"""Look for companies in a playbook's sources."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from playbooks.management.naming import add_playbook, find_playbook
from prospects.models import MarketScan
from prospects.services import market_scan
from salesops.errors import Refusal


class Command(BaseCommand):
    help = "Look for companies in the sources of a playbook that deliver candidates, and bring in what is found."

    def add_arguments(self, parser: CommandParser) -> None:
        add_playbook(parser)
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *_: Any, client: str, playbook: str, as_json: bool, **__: Any) -> None:
        found = find_playbook(client, playbook)
        version = found.active_version
        if version is None:
            raise CommandError(f"{found} has no active version. Activate one, then scan.")
        try:
            done = market_scan.scan(version, actor=None)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        document = market_scan.as_dict(done)
        self.stdout.write(json.dumps(document, indent=2) if as_json else _words(done))
        if done.status in (MarketScan.Status.REFUSED, MarketScan.Status.FAILED):
            raise CommandError(done.words)


def _words(done: MarketScan) -> str:
    lines = [
        f"{done.found} candidates: {done.created} new, {done.updated} updated, {done.merged} known from another source,"
        f" {done.unchanged} unchanged, {done.rejected} skipped.",
        *(f"  {source}: {counts.get('found', 0)} found, {counts.get('created', 0)} new"
          for source, counts in done.sources.items()),
        *(f"  ! {problem}" for problem in done.problems),
    ]  # fmt: skip
    return "\n".join(lines)
