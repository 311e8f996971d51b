"""Whether a person and their company have heard enough from us for now, and what is left of today's limits. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from approvals.rules import frequency
from approvals.rules.frequency import DEFAULT_CAPS, Caps

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody has had from us. ``people`` maps persons at the company to their latest touch of the last week."""

    person: int
    touches: tuple[datetime, ...] = ()
    people: Mapping[int, datetime] = field(default_factory=dict)
    company_replied: bool = False
    left_today: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Saturation:
    """Whether one more touch is allowed now, from when on it would be (None: not by waiting), and what was seen."""

    allowed: bool
    until: datetime | None
    words: str
    saw: Mapping[str, Any]


def saturation(heard: Heard, now: datetime, caps: Caps = DEFAULT_CAPS) -> Saturation:
    """The caps of :mod:`approvals.rules.frequency`, with the counts they were judged by.

    A daily limit that is used up is shown and blocks nothing: whoever decides tomorrow has tomorrow's.
    """
    cap = frequency.check(heard.touches, heard.people, heard.person, now, caps, company_replied=heard.company_replied)
    week = [at for at in heard.people.values() if now - 7 * DAY < at <= now]
    counts = {
        "day": _since(heard.touches, now, 1), "week": _since(heard.touches, now, 7),
        "month": _since(heard.touches, now, 30), "people_this_week": len(week),
        "company_replied": heard.company_replied,
    }  # fmt: skip
    most = {
        "day": caps.per_day, "week": caps.per_week, "month": caps.per_month,
        "people_this_week": caps.people_per_company_week,
    }  # fmt: skip
    saw = {**counts, "most": most, "left_today": dict(heard.left_today), "version": caps.version}
    return Saturation(cap.ok, None if cap.ok else cap.until, _words(cap, heard, counts, most), saw)


def _since(touches: Sequence[datetime], now: datetime, days: int) -> int:
    return sum(now - days * DAY < at <= now for at in touches)


def _words(cap: frequency.Cap, heard: Heard, counts: Mapping[str, Any], most: Mapping[str, int]) -> str:
    if not cap.ok:
        reason = f"{cap.reason[:1].upper()}{cap.reason[1:]}"
        return f"{reason}. It may go on from {cap.until:%d %B %Y, %H:%M} UTC." if cap.until else f"{reason}."
    if not heard.touches and not heard.people:
        return "Nobody here has heard from us."
    return (
        f"This person: {counts['week']} of {most['week']} touches in 7 days, {counts['month']} of {most['month']} in"
        f" 30; this company: {counts['people_this_week']} of {most['people_this_week']} people in 7 days."
    )
