"""Print the whole why of one prospect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, time, tzinfo
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from playbooks.management.naming import find_client
from playbooks.services.budgets import zone_of
from prospects.reading.explain import explain, find
from salesops.errors import Refusal
from salesops.percent import percent


class Command(BaseCommand):
    help = "Everything known about one prospect and what followed from it: evidence, scores, messages, decisions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prospect", help="id, external id, domain or e-mail address")
        parser.add_argument("--client", help="slug of the client, where the name alone is ambiguous")
        parser.add_argument(
            "--at", help="as it was known at this time (ISO 8601), or at the end of a day, by the client's clock"
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="print one JSON document")

    def handle(self, *_: Any, prospect: str, client: str | None, at: str | None, as_json: bool, **__: Any) -> None:
        owner = None if client is None else find_client(client)
        try:
            found = find(prospect, client=owner)
            document = explain(found, at=None if at is None else _moment(at, zone_of(found.client)))
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        self.stdout.write(json.dumps(document, indent=2, default=str) if as_json else "\n".join(_lines(document)))


def _moment(given: str, zone: tzinfo) -> datetime:
    """The time given, or the last of the day given; by the client's clock unless it names its own offset."""
    try:
        day = parse_date(given)
        at = datetime.combine(day, time.max) if day else parse_datetime(given)
    except ValueError:  # 30 February
        at = None
    if at is None:
        raise CommandError(f"--at {given!r} is not a time; expected e.g. 2026-06-01 or 2026-06-01T09:00:00Z.")
    return at if timezone.is_aware(at) else at.replace(tzinfo=zone)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    who = document["prospect"]
    yield f"{who['name']} ({who['client']}/{who['playbook']} #{who['id']}), {document['stage']} at {document['at']}"
    verdict = document["verdict"]
    if verdict and verdict["verdict"]:
        yield f"Verdict: {verdict['verdict']}. {verdict['reason']}"
    yield from _section("Scores", document["scores"], _score)
    yield from _section("Evidence", document["evidence"], _evidence)
    yield from _section("Transitions", document["transitions"], _transition)
    yield from _section("Handoffs", document["handoffs"], _handoff)
    yield from _section("Costs", document["costs"], _cost)
    yield from _section("Messages", document.get("messages", []), _message)
    yield from _section("Decisions", document.get("decisions", []), _decision)
    yield from _section("Dispatches", document.get("dispatches", []), _dispatch)
    yield from _section("Outcomes", document.get("outcomes", []), lambda o: f"{o['at']} {o['kind']}")
    yield from _section("Diagnostics", document["diagnostics"], lambda d: f"{d['at']} {d['agent']}: {d['message']}")


def _section(title: str, rows: list[dict[str, Any]], say: Any) -> Iterator[str]:
    if rows:
        yield f"\n{title}"
        for row in rows:
            yield f"  {say(row)}"


def _score(row: dict[str, Any]) -> str:
    words = f"{row['scorecard']}: {row['value']:.1f}, coverage {percent(row['coverage'])}"
    return words + (" (provisional)" if row["provisional"] else "")


def _evidence(row: dict[str, Any]) -> str:
    value = "rules it out" if row["strong_negative"] else f"{row['value']:.0f}"
    signals = ", ".join(f"#{i}" for i in row["signal_ids"])
    head = f"{row['layer']} / {row['category']} / {row['criterion']} = {value} (confidence {row['confidence']:.2f})"
    return f"{head}: {row['rationale']} [{row['source']}, signal {signals}, {row['observed_at'][:10]}]"


def _transition(row: dict[str, Any]) -> str:
    return f"{row['at']} {row['from']} → {row['to']} by {row['by']}: {row['reason']}"


def _handoff(row: dict[str, Any]) -> str:
    taken = row["accepted"]
    end = f"taken up by {taken['agent']} at {taken['at']}" if taken else "nobody has taken it up yet"
    moved = f"{row['at']} {row['from']} → {row['to']} at {row['stage']}"
    return f"{moved}, {end}. {row['summary'].get('next', '')}".rstrip()


def _cost(row: dict[str, Any]) -> str:
    return f"{row['agent']}: {row['cost']} and {row['tokens']:,} tokens in {row['runs']} runs"


def _message(row: dict[str, Any]) -> str:
    by = f", edited by {row['edited_by']}" if row["edited_by"] else ""
    head = f"#{row['id']} {row['channel']} {row['angle']}, grade {row['grade']}, {row['compliance']}{by}"
    return f"{head}, to {row['to']}: {row['subject']}"


def _decision(row: dict[str, Any]) -> str:
    said = "; ".join(f"{d['kind']} by {d['by']} at {d['at']}" for d in row["decisions"])
    return f"request #{row['request']} ({row['channel']}, {row['status']}): {said or 'nobody has decided yet'}"


def _dispatch(row: dict[str, Any]) -> str:
    return f"#{row['id']} {row['channel']} {row['status']} {row['finished_at'] or ''} {row['reason']}".rstrip()
