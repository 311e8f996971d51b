"""When a phone may ring: the called party's local time, by country, with holidays.

Two plausible time zones mean both must be open. An unknown zone is never open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

SATURDAY, SUNDAY = 5, 6
LOOK_AHEAD_DAYS = 14
_STEP = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Window:
    """Whether calling is allowed now, else when it next is (None: not within two weeks), and what was seen."""

    open: bool
    opens_at: datetime | None
    saw: str


def call_window(
    country: str,
    time_zones: tuple[str, ...],
    now: datetime,
    windows: Mapping[str, tuple[float, float]],
    *,
    holidays: bool,
) -> Window:
    """Look at `now` (aware) in every plausible zone of the called party."""
    zones = tuple(_zones(time_zones))
    if not time_zones or len(zones) != len(time_zones):
        return Window(open=False, opens_at=None, saw="the local time is unknown")

    def is_open(at: datetime) -> bool:
        return all(_open_locally(country, at.astimezone(zone), windows, holidays) for zone in zones)

    local = ", ".join(f"{now.astimezone(zone):%a %H:%M} in {zone.key}" for zone in zones)
    if is_open(now):
        return Window(open=True, opens_at=now, saw=local)
    return Window(open=False, opens_at=next((at for at in _ahead(now) if is_open(at)), None), saw=local)


def _ahead(now: datetime) -> Iterator[datetime]:
    at = now.replace(minute=now.minute - now.minute % 15, second=0, microsecond=0)
    for _ in range(LOOK_AHEAD_DAYS * 96):
        at += _STEP
        yield at


def _zones(names: tuple[str, ...]) -> Iterator[ZoneInfo]:
    for name in names:
        try:
            yield ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as America
            continue


def _open_locally(country: str, local: datetime, windows: Mapping[str, tuple[float, float]], holidays: bool) -> bool:
    day = {SATURDAY: "saturday", SUNDAY: "sunday"}.get(local.weekday(), "weekdays")
    hours = windows.get(day)
    if hours is None or (holidays and is_holiday(country, local.date())):
        return False
    return hours[0] <= local.hour + local.minute / 60 < hours[1]


def is_holiday(country: str, day: date) -> bool:
    """Whether this is a public holiday all over the country (an ISO code); no for countries without a calendar."""
    return day in _calendar(country, day.year)


@cache
def _calendar(country: str, year: int) -> frozenset[object]:
    import holidays as holiday_calendar  # slow to import, and few processes ring anybody

    # Only national holidays: the region of a called party is seldom known.
    try:
        return frozenset(holiday_calendar.country_holidays(country, years=year))
    except NotImplementedError:
        return frozenset()
