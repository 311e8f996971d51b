"""What a funnel is about: mode, days and dimensions, as the URL says them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

from django.utils import timezone

from playbooks.models import Client, Route, Tier
from playbooks.services.budgets import zone_of
from prospects.rules.statistics import WINDOWS
from salesops.ids import id_in

Mode = Literal["cohort", "period"]
COHORT: Mode = "cohort"
PERIOD: Mode = "period"
PERIODS = (7, 30, 90, 365)
"""Days a period can reach back from today; None is "from the beginning"."""
NONE = "(none)"
"""In a URL: the dimension's value is empty. An absent parameter means any value."""
DIMENSIONS = ("segment", "source", "route", "tier", "version")
_DEFAULT_PERIOD = "90"


@dataclass(frozen=True, slots=True)
class FunnelFilters:
    """What one funnel is about. ``first`` and ``last`` are days in the client's time zone, both included.

    ``today`` is the client's present day: nothing lies behind it.
    """

    mode: Mode = COHORT
    period: str = _DEFAULT_PERIOD
    first: date | None = None
    last: date | None = None
    today: date = date.max
    within: int | None = None
    segment: str = ""
    source: str = ""
    route: str = ""
    tier: str = ""
    version: str = ""

    @property
    def dimensions(self) -> dict[str, str]:
        """The dimensions narrowed to one value each, as stored: "" is the value of those that have none."""
        return {name: "" if value == NONE else value for name, value in self._narrowed.items()}

    @property
    def _narrowed(self) -> dict[str, str]:
        return {name: value for name in DIMENSIONS if (value := getattr(self, name))}

    def as_query(self) -> dict[str, str]:
        """The URL parameters that say the same; defaults stay out of the URL."""
        given = {
            "mode": self.mode if self.mode != COHORT else "",
            "period": self.period if self.period != _DEFAULT_PERIOD else "",
            "from": self.first.isoformat() if self.period == "days" and self.first else "",
            "to": self.last.isoformat() if self.period == "days" and self.last else "",
            "within": str(self.within or ""),
            **self._narrowed,
        }
        return {name: value for name, value in given.items() if value}


def read_filters(params: Mapping[str, str], *, client: Client, now: datetime | None = None) -> FunnelFilters:
    """Filters from URL parameters; whatever cannot be read falls back to its default."""
    today = (now or timezone.now()).astimezone(zone_of(client)).date()
    period, first, last = _read_period(params, today)
    mode: Mode = PERIOD if params.get("mode") == PERIOD else COHORT
    within = params.get("within", "")
    return FunnelFilters(
        mode=mode,
        period=period,
        first=first,
        last=last,
        today=today,
        within=int(within) if mode == COHORT and within in map(str, WINDOWS) else None,
        segment=params.get("segment", "")[:120],
        source=params.get("source", "")[:120],
        route=_known(params.get("route", ""), (*Route.values, NONE)),
        tier=_known(params.get("tier", ""), (*Tier.values, NONE)),
        version=params.get("version", "") if id_in(params.get("version")) is not None else "",
    )


def _known(value: str, values: Iterable[str]) -> str:
    return value if value in values else ""


def _read_period(params: Mapping[str, str], today: date) -> tuple[str, date | None, date | None]:
    period = params.get("period", _DEFAULT_PERIOD)
    if period == "days":
        first, last = read_day(params.get("from", "")), read_day(params.get("to", ""))
        if first or last:
            return period, first, last or today
    if period == "all":
        return period, None, today
    days = int(period) if period in map(str, PERIODS) else int(_DEFAULT_PERIOD)
    return str(days), today - timedelta(days=days - 1), today


def read_day(text: str) -> date | None:
    """The day an address names; None for none, and for one so far off that no day could come before or after it."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 1900 <= day.year < 3000 else None


def matured(filters: FunnelFilters, *, client: Client, as_of: datetime) -> FunnelFilters:
    """The same filters with the last day moved back so that every entry is at least ``within`` days old."""
    if filters.within is None:
        return filters
    youngest = (as_of - timedelta(days=filters.within)).astimezone(zone_of(client)).date()
    newest = youngest - timedelta(days=1)
    return replace(filters, last=min(newest, filters.last) if filters.last else newest)
