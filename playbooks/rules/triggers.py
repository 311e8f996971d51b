"""When agents set themselves to work: what a trigger watches, in words, and when a schedule is due. Pure: no Django."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from cronsim import CronSim, CronSimError

EVENT, SCHEDULE, THRESHOLD = "event", "schedule", "threshold"
KINDS: Final = (EVENT, SCHEDULE, THRESHOLD)
COMPARISONS: Final = ("below", "above")
DEPTHS: Final = ("early", "primary", "extended")
#: What a threshold can watch. Each is counted by the app that keeps the rows (see ``prospects.services.metrics``).
METRICS: Final[Mapping[str, str]] = {
    "due_prospects": "prospects with something new",
    "stalled_share": "share that stalled when the agents last came to rest, 0 to 1",
    "days_since_convergence": "days since the agents last came to rest",
    "requests_waiting": "requests waiting for a decision",
    "oldest_request_hours": "hours the oldest request has waited",
}
_SIGNAL = re.compile(r"[a-z0-9_]{1,60}")
_CRON_FIELDS = 5


def next_due(cron: str, after: datetime, zone: tzinfo) -> datetime:
    """The first time after `after` that a cron line names on the clocks of `zone`, in UTC.

    A time that a clock change skips happens when the gap ends, one that it repeats happens once; lines that begin
    with ``*`` for minutes or hours run by elapsed time. Raises ValueError for a line that is not cron or never comes.
    """
    try:
        for due in CronSim(cron, after.astimezone(zone)):
            moment = due.astimezone(UTC)
            if moment > after:  # the first of a repeated hour may lie behind us already
                return moment
    except CronSimError as error:
        raise ValueError(str(error)) from error
    raise ValueError("it never comes")


def cron_problem(cron: str) -> str:
    """What is wrong with a cron line, in words; empty when nothing is."""
    if len(cron.split()) != _CRON_FIELDS:
        return f"expected five fields (minute, hour, day, month, weekday) such as 0 2 * * *, got {cron!r}"
    try:
        next_due(cron, datetime(2026, 1, 1, tzinfo=UTC), UTC)
    except ValueError as error:
        words = "expected minute, hour, day, month and weekday such as 0 2 * * *"
        return f"{words}; {cron!r} is no time that ever comes ({str(error)[:1].lower()}{str(error)[1:]})"
    return ""


def explain(row: Mapping[str, Any]) -> str:
    """What sets this trigger off, as the end of a sentence: "when a signal of kind funding arrives"."""
    if row["kind"] == EVENT:
        return f"when a signal of kind {str(row['signal_kind']).replace('_', ' ')} arrives"
    if row["kind"] == SCHEDULE:
        try:
            words = CronSim(row["cron"], datetime(2026, 1, 1, tzinfo=UTC)).explain()
        except CronSimError:
            return str(row["cron"])
        return words[:1].lower() + words[1:]
    beyond = "under" if row["comparison"] == "below" else "over"
    return f"when {METRICS.get(row['metric'], row['metric'])}: {beyond} {row['value']:g}"


def trigger_problems(row: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Broken rules of one trigger, as (column, words, detail)."""
    kind = row.get("kind")
    for column, needed in (("signal_kind", EVENT), ("cron", SCHEDULE), ("metric", THRESHOLD)):
        if kind != needed and str(row.get(column) or ""):
            yield column, f"only a trigger of kind {needed} has this; leave it empty", ""
    if kind == EVENT and not _SIGNAL.fullmatch(str(row.get("signal_kind") or "")):
        yield "signal_kind", "name the kind of signal to wait for, such as funding", ""
    if kind == SCHEDULE:
        problem = cron_problem(str(row.get("cron") or ""))
        if problem:
            yield "cron", problem, ""
    if kind == THRESHOLD:
        if row.get("metric") not in METRICS:
            yield "metric", f"expected one of {', '.join(METRICS)}, got {row.get('metric')!r}", ""
        if row.get("value") is None or row["value"] < 0:
            yield "value", f"expected a number of at least 0, got {row.get('value')}", ""


def reached(comparison: str, value: float, now: float | None) -> bool:
    """Whether a metric stands beyond its threshold; one that has no value does not."""
    if now is None:
        return False
    return now < value if comparison == "below" else now > value
