"""When to reach somebody: the best hours of the coming days in the recipient's own time. Pure.

The best hours are our own defaults (P), by channel; hours at which the person has answered before come first. Nights,
weekends and the recipient's public holidays are quiet. A phone rings only within the law's calling hours as well, and
not at all where nobody knows what time it is. A day of waiting costs some of an hour's worth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from approvals.rules import compliance
from approvals.rules.calls import SUNDAY, is_holiday

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = range(5)
WORKDAYS = (MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)
_MIDWEEK, _EDGES = (TUESDAY, WEDNESDAY, THURSDAY), (MONDAY, FRIDAY)
WAIT_COST = 0.1  # of an hour's worth, a day
LEAST = timedelta(minutes=30)  # less than this is left of a window: too late for it
HABIT_CASES = 3
_STEP = timedelta(minutes=15)
_LOOK_AHEAD = 14  # days in which the next hour that is not quiet is looked for


@dataclass(frozen=True, slots=True)
class Hours:
    """Local hours (9.5 is half past nine) on some weekdays, and what they are worth, 0–1."""

    days: tuple[int, ...]
    begin: float
    end: float
    worth: float
    words: str


VERSION = "timing-1"
#: Signals that show at what time of day somebody reads and answers.
ANSWERS = frozenset(
    {"opened", "clicked", "reply", "replied", "email_opened", "email_clicked", "email_reply", "email_replied"}
)
BEST: Mapping[str, tuple[Hours, ...]] = MappingProxyType(
    {
        "email": (
            Hours(_MIDWEEK, 9, 11.5, 1.0, "the morning of a midweek day"),
            Hours(_EDGES, 9.5, 11.5, 0.8, "the morning"),
            Hours(WORKDAYS, 13.5, 16, 0.7, "the early afternoon"),
        ),
        "call": (
            Hours(_MIDWEEK, 10, 11.5, 1.0, "before noon of a midweek day"),
            Hours(_MIDWEEK, 16, 17.5, 0.95, "the end of a midweek day"),
            Hours(_EDGES, 10, 11.5, 0.8, "before noon"),
            Hours(WORKDAYS, 14, 16, 0.6, "the afternoon"),
        ),
        "linkedin": (Hours(_MIDWEEK, 9, 12, 1.0, "a midweek morning"), Hours(WORKDAYS, 9, 17, 0.8, "office hours")),
        "sms": (Hours(WORKDAYS, 10, 17, 1.0, "office hours"),),
    }
)
#: Outside of these local hours nothing reaches anybody; Sundays and public holidays are quiet all day.
AWAKE: Mapping[str, tuple[float, float]] = MappingProxyType({"email": (7, 20), "sms": (9, 20)})


@dataclass(frozen=True, slots=True)
class Timing:
    """The window to act in, and why. No window (both None): nobody can say when, and the words say what is missing."""

    not_before: datetime | None
    until: datetime | None
    zone: str
    words: str


def zone_named(name: str) -> ZoneInfo | None:
    """The time zone of this name, or None."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as America
        return None


def best_window(
    channel: str,
    country: str,
    zone_name: str,
    now: datetime,
    *,
    within: timedelta,
    instead: str = "UTC",
    answered: Sequence[datetime] = (),
) -> Timing:
    """The best window that begins within ``within`` of ``now``.

    ``country`` is an ISO code. ``instead`` is the zone used for writing to somebody whose own nobody knows.
    ``answered`` are times at which the person opened, clicked or replied.
    """
    zone = zone_named(zone_name)
    if zone is None and channel in ("call", "sms"):
        what = "call" if channel == "call" else "text message"
        return Timing(None, None, "", f"Nobody knows this person's time zone: a {what} has to wait until it is known.")
    used = zone or zone_named(instead) or ZoneInfo("UTC")
    habit = _habit(answered, used) if zone is not None else None
    hours = (*((habit,) if habit else ()), *BEST[channel])
    found = [*_windows(channel, country, used, now, now + within, hours)]
    if not found:
        return Timing(None, None, used.key, _none_words(channel, country, used, now, within))
    begins, ends, why = max(found, key=lambda w: (w[2].worth - _waited(now, w[0]), -w[0].timestamp()))
    return Timing(begins, ends, used.key, _words(begins, ends, why, used, known=zone is not None))


def quiet_until(channel: str, country: str, zone_name: str, at: datetime) -> datetime | None:
    """When the quiet hours that ``at`` falls into are over; None when it falls into none or the zone is unknown."""
    zone, awake = zone_named(zone_name), AWAKE.get(channel)
    if zone is None or awake is None:
        return None
    local = at.astimezone(zone)
    if not _is_quiet_day(country, local.date()) and awake[0] <= _hour(local) < awake[1]:
        return None
    for days in range(_LOOK_AHEAD):
        day = local.date() + timedelta(days=days)
        opens = _at(day, awake[0], zone)
        if opens > at and not _is_quiet_day(country, day):
            return opens
    return at + timedelta(days=1)


Window = tuple[datetime, datetime, Hours]


def _windows(
    channel: str, country: str, zone: ZoneInfo, now: datetime, last: datetime, hours: Sequence[Hours]
) -> Iterator[Window]:
    day = now.astimezone(zone).date()
    while _at(day, 0, zone) <= last:
        for wanted in hours:
            if day.weekday() not in wanted.days or is_holiday(country, day):
                continue
            begins, ends = max(now, _at(day, wanted.begin, zone)), _at(day, wanted.end, zone)
            if channel == "call":
                begins, ends = _ringing(country, zone, begins, ends)
            if begins <= last and ends - begins >= LEAST:
                yield begins, ends, wanted
        day += timedelta(days=1)


def _ringing(country: str, zone: ZoneInfo, begins: datetime, ends: datetime) -> tuple[datetime, datetime]:
    """The part of a window in which the law lets a phone ring."""
    while begins < ends and not _may_ring(country, zone, begins):
        begins += _STEP
    while begins < ends and not _may_ring(country, zone, ends - _STEP):
        ends -= _STEP
    return begins, ends


def _may_ring(country: str, zone: ZoneInfo, at: datetime) -> bool:
    return compliance.call_window(country, (zone.key,), at).open


def _habit(answered: Sequence[datetime], zone: ZoneInfo) -> Hours | None:
    """The two hours around the time of day at which somebody mostly answered, on workdays."""
    local = [at.astimezone(zone) for at in answered]
    usual = [_hour(at) for at in local if at.weekday() in WORKDAYS and 8 <= at.hour < 18]
    if len(usual) < HABIT_CASES:
        return None
    middle = median(usual)
    return Hours(WORKDAYS, max(8.0, middle - 1), min(18.0, middle + 1), 1.2, "the time at which they have answered")


def _waited(now: datetime, begins: datetime) -> float:
    return WAIT_COST * ((begins - now) / timedelta(days=1))


def _is_quiet_day(country: str, day: date) -> bool:
    return day.weekday() == SUNDAY or is_holiday(country, day)


def _hour(at: datetime) -> float:
    return at.hour + at.minute / 60


def _at(day: date, hour: float, zone: ZoneInfo) -> datetime:
    minutes = round(hour * 60)
    return datetime.combine(day, time(minutes // 60, minutes % 60), tzinfo=zone).astimezone(UTC)


def _words(begins: datetime, ends: datetime, why: Hours, zone: ZoneInfo, *, known: bool) -> str:
    local, end = begins.astimezone(zone), ends.astimezone(zone)
    when = f"{local:%A} {local.day} {local:%B}, {local:%H:%M}–{end:%H:%M}"
    place = zone.key.rpartition("/")[2].replace("_", " ")
    if known:
        return f"{when} in {place}: {why.words}."
    return f"{when} in {place}, our own time, as theirs is unknown: {why.words}."


def _none_words(channel: str, country: str, zone: ZoneInfo, now: datetime, within: timedelta) -> str:
    if channel == "call":
        seen = compliance.call_window(country, (zone.key,), now).saw
        return f"No good hour to call in the next {_span(within)}: {seen}."
    return f"No good hour in the next {_span(within)}."


def _span(within: timedelta) -> str:
    hours = within // timedelta(hours=1)
    return f"{hours} hours" if hours < 48 else f"{hours // 24} days"
