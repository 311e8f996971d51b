"""Run the agents over every prospect that is due."""

from __future__ import annotations

import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from playbooks.management.naming import add_playbook, find_playbook
from prospects.management.progress_bar import Bar
from prospects.models import Convergence
from prospects.services.converging import converge, convergences, reports
from salesops.errors import Refusal
from salesops.runtime.words import Depth

_POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = "Run the agents over every prospect that is due, until each has a verdict."

    def add_arguments(self, parser: CommandParser) -> None:
        add_playbook(parser)
        parser.add_argument("--depth", choices=list(Depth), default=Depth.PRIMARY)
        parser.add_argument("--limit", type=int, help="converge at most this many due prospects")
        parser.add_argument("--sync", action="store_true", help="in this process instead of through the workers")
        parser.add_argument("--seed", type=int, default=0, help="seed of the agents' random numbers")
        parser.add_argument("--clock", help="the time the agents are told it is (ISO 8601); default: now")
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *_: Any, **options: Any) -> None:
        playbook = find_playbook(options["client"], options["playbook"])
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError("--limit must be at least 1.")
        asked: convergences.Order = {
            "client": playbook.client,
            "playbook": playbook,
            "actor": None,
            "depth": options["depth"],
            "limit": options["limit"],
            "seed": options["seed"],
            "clock": _clock(options["clock"]),
        }
        bar = Bar(self.stderr, quiet=options["as_json"])
        try:
            if options["sync"]:
                report = converge.converge(**asked, progress=bar.show)
            else:
                report = self._through_workers(asked, bar)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        bar.end()
        document = report.as_dict()
        self.stdout.write(json.dumps(document, indent=2) if options["as_json"] else _words(document))

    def _through_workers(self, asked: convergences.Order, bar: Bar) -> reports.Report:
        """Queue it and watch the row; leaving with Ctrl-C leaves the workers at it."""
        started = time.perf_counter()
        convergence = convergences.start(**asked)
        while convergence.status in (Convergence.Status.QUEUED, Convergence.Status.RUNNING):
            time.sleep(_POLL_SECONDS)
            convergences.sweep(at=timezone.now())
            convergence.refresh_from_db()
            bar.show(convergence.done, convergence.total)
        report = reports.Report(convergence, seconds=time.perf_counter() - started)
        report.outcome = reports.outcome_of(convergence)
        return report


def _clock(given: str | None) -> Any:
    if given is None:
        return None
    at = parse_datetime(given)
    if at is None:
        raise CommandError(f"--clock {given!r} is not a time; expected e.g. 2026-06-01T09:00:00Z.")
    return at if timezone.is_aware(at) else timezone.make_aware(at)


def _words(document: dict[str, Any]) -> str:
    verdicts = document["verdicts"]
    return (
        f"{document['prospects']} prospects in {document['cycles']} cycles: {verdicts['qualified']} qualified,"
        f" {verdicts['rejected']} rejected, {verdicts['stalled']} stalled; {document['requests']} approval requests."
        f" {document['seconds']:.1f} s. Status: {document['status']}."
    )
