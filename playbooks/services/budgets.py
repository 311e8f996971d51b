"""Budgets: reserved atomically before the act, released when it did not happen. They cannot be overspent by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connection

from playbooks.models import BudgetPeriod, Client, PlaybookVersion

Bucket = BudgetPeriod.Bucket

# One statement, so that any number of workers can race for the last unit and one of them gets it.
_RESERVE = """
INSERT INTO playbooks_budgetperiod AS b (playbook_id, bucket, period_start, "limit", used)
SELECT %(playbook)s, %(bucket)s, %(start)s, %(limit)s, %(amount)s WHERE %(amount)s <= %(limit)s
ON CONFLICT (playbook_id, bucket, period_start)
DO UPDATE SET used = b.used + EXCLUDED.used, "limit" = EXCLUDED."limit" WHERE b.used + EXCLUDED.used <= EXCLUDED."limit"
RETURNING used
"""
_RELEASE = """
UPDATE playbooks_budgetperiod SET used = greatest(used - %(amount)s, 0)
WHERE playbook_id = %(playbook)s AND bucket = %(bucket)s AND period_start = %(start)s
"""
# As many whole units as fit. The inner lock makes every worker see what the one before it left.
_TAKE = """
UPDATE playbooks_budgetperiod AS b SET used = b.used + fit.units * %(unit)s, "limit" = %(limit)s
  FROM (SELECT id, least(%(wanted)s, floor((%(limit)s - used) / %(unit)s)) AS units FROM playbooks_budgetperiod
         WHERE playbook_id = %(playbook)s AND bucket = %(bucket)s AND period_start = %(start)s FOR UPDATE) AS fit
 WHERE b.id = fit.id AND fit.units > 0
RETURNING fit.units
"""
_FIRST = """
INSERT INTO playbooks_budgetperiod (playbook_id, bucket, period_start, "limit", used)
VALUES (%(playbook)s, %(bucket)s, %(start)s, %(limit)s, 0) ON CONFLICT DO NOTHING
"""
# What was spent is spent, whatever the limit says: as much of it is written down as the limit holds.
_ADD = """
UPDATE playbooks_budgetperiod AS b SET used = b.used + fit.amount
  FROM (SELECT id, least(%(amount)s, "limit" - used) AS amount FROM playbooks_budgetperiod
         WHERE playbook_id = %(playbook)s AND bucket = %(bucket)s AND period_start = %(start)s FOR UPDATE) AS fit
 WHERE b.id = fit.id RETURNING fit.amount
"""


@dataclass(frozen=True)
class Limit:
    """One limit of a playbook and how much of it the present period has used."""

    name: str
    label: str
    used: Decimal
    limit: Decimal

    @property
    def left(self) -> Decimal:
        return max(self.limit - self.used, Decimal(0))


def limits_of(version: PlaybookVersion) -> Mapping[str, Decimal]:
    """Bucket → limit of its period, as this version says."""
    return {
        Bucket.CALLS: Decimal(version.calls_per_day),
        Bucket.EMAILS: Decimal(version.emails_per_day),
        Bucket.LINKEDIN: Decimal(version.linkedin_per_day),
        Bucket.SMS: Decimal(version.sms_per_day),
        Bucket.MONEY: version.money_per_month,
        Bucket.EXPERIMENTS: Decimal(version.experiments_per_week),
        Bucket.TOKENS: Decimal(version.tokens_per_day),
    }


def zone_of(client: Client) -> ZoneInfo:
    """The client's time zone; UTC when it names none that exists."""
    return zone_named(client.time_zone)


def zone_named(name: str) -> ZoneInfo:
    """The time zone of this name; UTC when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones, such as America
        return ZoneInfo("UTC")


def period_start(bucket: str, at: datetime, client: Client) -> date:
    """First day of the period that `at` falls into, in the client's time zone."""
    today = at.astimezone(zone_of(client)).date()
    if bucket == Bucket.MONEY:
        return today.replace(day=1)
    if bucket == Bucket.EXPERIMENTS:
        return today - timedelta(days=today.weekday())
    return today


def next_period(bucket: str, at: datetime, client: Client) -> datetime:
    """When the period that `at` falls into ends: midnight in the client's time zone, of that day, week or month."""
    start = period_start(bucket, at, client)
    if bucket == Bucket.MONEY:
        following = (start + timedelta(days=32)).replace(day=1)
    else:
        following = start + timedelta(days=7 if bucket == Bucket.EXPERIMENTS else 1)
    return datetime.combine(following, time(), tzinfo=zone_of(client))


def next_day(at: datetime, client: Client) -> datetime:
    """When the client's next day, and with it every daily budget, begins."""
    local = at.astimezone(zone_of(client))
    return (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def _period(version: PlaybookVersion, bucket: str, at: datetime, client: Client) -> dict[str, Any]:
    """What names the period's row."""
    return {"playbook": version.playbook_id, "bucket": str(bucket), "start": period_start(bucket, at, client)}


def reserve(
    version: PlaybookVersion, bucket: str, amount: Decimal, *, client: Client, at: datetime, cap: Decimal | None = None
) -> bool:
    """Take `amount` from the period's budget; False, and nothing taken, when that would exceed the limit.

    `cap` is a tighter limit than the version's own. Inside a transaction the row stays locked until it ends.
    """
    limit = limits_of(version)[bucket]
    if amount <= 0:
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            _RESERVE,
            {
                **_period(version, bucket, at, client),
                "limit": limit if cap is None else min(limit, cap),
                "amount": amount,
            },
        )
        return cursor.fetchone() is not None


def reserve_up_to(
    version: PlaybookVersion,
    bucket: str,
    unit: Decimal,
    wanted: int,
    *,
    client: Client,
    at: datetime,
    cap: Decimal | None = None,
) -> int:
    """Take as many times `unit` as the period's budget still holds, `wanted` at most; how many.

    One statement takes them, so any number of workers can ask at once. `cap` is a tighter limit than the version's.
    """
    if wanted <= 0 or unit <= 0:
        return max(wanted, 0)
    limit = limits_of(version)[bucket]
    given: dict[str, Any] = {
        **_period(version, bucket, at, client),
        "limit": limit if cap is None else min(limit, cap),
        "unit": unit,
        "wanted": wanted,
    }
    with connection.cursor() as cursor:
        taken = _take(cursor, given)
        if taken == 0:
            cursor.execute(_FIRST, given)  # the period's first act, or nothing is left: asking again tells which
            taken = _take(cursor, given)
    return taken


def _take(cursor: Any, given: Mapping[str, Any]) -> int:
    cursor.execute(_TAKE, given)
    row = cursor.fetchone()
    return int(row[0]) if row is not None else 0


def settle(
    version: PlaybookVersion, bucket: str, reserved: Decimal, actual: Decimal, *, client: Client, at: datetime
) -> Decimal:
    """Correct what was reserved at `at` to what the act really took; returns what of it lay beyond the limit.

    A positive answer means that the period is spent to its limit: stop there.
    """
    if actual <= reserved:
        release(version, bucket, reserved - actual, client=client, at=at)
        return Decimal(0)
    given = {**_period(version, bucket, at, client), "limit": limits_of(version)[bucket], "amount": actual - reserved}
    with connection.cursor() as cursor:
        cursor.execute(_FIRST, given)  # where nothing was reserved, nothing is on record yet
        cursor.execute(_ADD, given)
        row = cursor.fetchone()
    return actual - reserved - (row[0] if row is not None else Decimal(0))


def release(version: PlaybookVersion, bucket: str, amount: Decimal, *, client: Client, at: datetime) -> None:
    """Give back what was reserved at `at` for an act that did not happen."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, {**_period(version, bucket, at, client), "amount": amount})


def usage(version: PlaybookVersion, *, client: Client, at: datetime) -> list[Limit]:
    """Every limit of the version with what the present periods have used. One query."""
    starts = {bucket: period_start(bucket, at, client) for bucket in limits_of(version)}
    rows = BudgetPeriod.objects.filter(playbook=version.playbook_id, period_start__in=set(starts.values()))
    used = {(row.bucket, row.period_start): row.used for row in rows}
    return [
        Limit(str(bucket), Bucket(bucket).label, used.get((bucket, starts[bucket]), Decimal(0)), limit)
        for bucket, limit in limits_of(version).items()
    ]
