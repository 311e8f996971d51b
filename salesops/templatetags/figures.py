"""Numbers, money and times as people read them. ``{% load ui %}`` brings these too."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from math import isfinite

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from salesops.percent import NARROW, percent

register = template.Library()

NONE_YET = "–"
_HASHED = re.compile(r"\b[0-9a-f]{12}:(?=row )")
MINUTE, HOUR, DAY = 60, 3600, 86_400


def _number(value: object) -> Decimal | None:
    if value is None or value == "":
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


@register.filter
def num(value: object, places: int = 0) -> str:
    """1234.5 as "1,235"; nothing as a dash."""
    if type(value) is int and not places:  # most of what a page counts
        return f"{value:,}"
    if type(value) is float and not places and isfinite(value):  # a half is a half in either: both round it alike
        return f"{value:,.0f}"
    number = _number(value)
    return NONE_YET if number is None else f"{number:,.{places}f}"


@register.filter
def pct(share: object, places: int = 0) -> str:
    """A share 0–1 as "42 %"."""
    number = _number(share)
    return NONE_YET if number is None else percent(number, places)


@register.filter
def money(value: object, currency: str = "€") -> str:
    """Whole amounts without cents, small ones with them: "310 €", "0.40 €"."""
    number = _number(value)
    if number is None:
        return NONE_YET
    places = 0 if number == number.to_integral_value() and abs(number) >= 1 else 2
    return f"{number:,.{places}f}{NARROW}{currency}"


@register.filter
def duration(seconds: object) -> str:
    """Seconds as the two largest units: "2 d 4 h"; part of a second, which is not none, as "< 1 s"."""
    number = _number(seconds)
    if number is None:
        return NONE_YET
    if 0 < number < 1:
        return f"<{NARROW}1{NARROW}s"
    left = int(number)
    parts = []
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{NARROW}{unit}")
    return " ".join(parts[:2]) or f"{left}{NARROW}s"


@register.filter
def place(source: object) -> str:
    """Where something was seen; the hash of a file that stands before its row tells people nothing."""
    return _HASHED.sub("", str(source))


def moment(value: object) -> datetime | None:
    """A datetime, or an ISO 8601 string from stored JSON, as an aware datetime."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if timezone.is_aware(value) else value.replace(tzinfo=UTC)


def is_day(at: datetime) -> bool:
    """Whether it names a day rather than a moment: files and feeds give dates, which are kept as midnight UTC.

    In a zone west of Greenwich such a midnight would fall on the day before the one that was written.
    """
    return at.timestamp() % DAY == 0


def relative(at: datetime, now: datetime, zone: tzinfo | None = None) -> str:
    """ "3 h ago", "in 5 min", "12 Nov"; beyond four weeks the date itself, in ``zone`` or the page's."""
    seconds = (now - at).total_seconds()
    size = abs(seconds)
    if size >= 28 * DAY:
        day = timezone.localtime(at, UTC if is_day(at) else zone)
        return f"{day.day} {day:%b}" if day.year == timezone.localtime(now, zone).year else f"{day.day} {day:%b %Y}"
    if size < 45:
        return "just now" if seconds >= 0 else "in a moment"
    unit, word = (MINUTE, "min") if size < HOUR - 30 else (HOUR, "h") if size < DAY - 1800 else (DAY, "d")
    words = f"{max(1, round(size / unit))}{NARROW}{word}"
    return f"{words} ago" if seconds >= 0 else f"in {words}"


@register.simple_tag
def when(value: object, empty: str = NONE_YET) -> SafeString:
    """A relative time; the exact one on hover and for machines."""
    at = moment(value)
    if at is None:
        return format_html('<span class="quiet">{}</span>', empty)
    zone = timezone.get_current_timezone()  # asked once, and one format for it all: pages draw this a hundred times
    day = is_day(at)
    local = at.astimezone(UTC if day else zone)
    exact = local.strftime(f"%a {local.day} %b %Y" if day else f"%a {local.day} %b %Y, %H:%M:%S %Z")
    words = relative(at, timezone.now(), zone)
    # Made of digits and names of days alone: there is nothing to escape.
    return mark_safe(f'<time datetime="{at.isoformat()}" title="{exact}">{words}</time>')  # noqa: S308
