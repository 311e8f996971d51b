"""Measure the product: ``manage.py bench [NAME] [--size N] [--json]``."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from salesops.bench import BENCHES, Line, load
from salesops.bench.isolation import empty_database, is_isolated, isolated_environment


class Command(BaseCommand):
    help = "Run the benchmarks in a database of their own and print one table."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", choices=sorted(BENCHES), help="one benchmark; all without it")
        parser.add_argument("--size", type=int, help="number of prospects or rows, for scale")
        parser.add_argument("--keep", action="store_true", help="start from what the last run left in its database")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout and nothing else")

    def handle(self, *_: Any, **options: Any) -> None:
        if not is_isolated():
            arguments = [sys.executable, *sys.argv]
            os.execve(sys.executable, arguments, isolated_environment())  # noqa: S606 — this very program, again
        logging.disable(logging.INFO)  # a line per request would drown the table
        if not options["keep"]:
            empty_database()
        call_command("migrate", verbosity=0)
        names = [options["name"]] if options["name"] else list(BENCHES)
        lines: list[Line] = []
        failed = []
        for name in names:
            try:
                lines += load(name)(options["size"], self._say)
            except Exception:  # one benchmark's fault must not hide what the others measured
                failed.append(name)
                self._say(f"{name} failed:\n{traceback.format_exc()}")
        if options["json"]:
            self.stdout.write(json.dumps([asdict(line) for line in lines], indent=2))
        else:
            self.stdout.write(f"{_table(lines)}\n\n{_verdict(lines)}")
        if failed:
            raise CommandError(f"Failed: {', '.join(failed)}.")

    def _say(self, words: str) -> None:
        """Progress goes to stderr, so that stdout holds the result alone."""
        self.stderr.write(words)


def _table(lines: list[Line]) -> str:
    rows = [("benchmark", "what", "measured", "aim", "", "note")]
    for line in lines:
        mark = {True: "met", False: "missed", None: ""}[line.is_met]
        figure = f"{line.value:,.0f}" if line.value >= 100 else f"{line.value:,.2f}"
        rows.append((line.bench, line.what, f"{figure} {line.unit}", line.aim, mark, line.note))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([text[0], "-" * len(text[0]), *text[1:]])


def _verdict(lines: list[Line]) -> str:
    """Which aims were missed, in one line."""
    aims = [line for line in lines if line.is_met is not None]
    missed = [f"{line.what} ({line.value:,.2f} {line.unit})" for line in aims if not line.is_met]
    return f"Missed {len(missed)} of {len(aims)} aims: {'; '.join(missed)}." if missed else f"All {len(aims)} aims met."
