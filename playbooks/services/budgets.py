"""Budgets: reserved atomically before the act, released when it did not happen. They cannot be overspent by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connection

from playbooks.models import BudgetPeriod, Client, PlaybookVersion

Bucket = BudgetPeriod.Bucket
DAY_BUCKETS = (Bucket.CALLS, Bucket.EMAILS, Bucket.LINKEDIN, Bucket.SMS, Bucket.TOKENS)

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
    try:
        return ZoneInfo(client.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def period_start(bucket: str, at: datetime, client: Client) -> date:
    """First day of the period that `at` falls into, in the client's time zone."""
    today = at.astimezone(zone_of(client)).date()
    if bucket == Bucket.MONEY:
        return today.replace(day=1)
    if bucket == Bucket.EXPERIMENTS:
        return today - timedelta(days=today.weekday())
    return today


def next_day(at: datetime, client: Client) -> datetime:
    """When the client's next day, and with it every daily budget, begins."""
    local = at.astimezone(zone_of(client))
    return (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


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
                "playbook": version.playbook_id,
                "bucket": str(bucket),
                "start": period_start(bucket, at, client),
                "limit": limit if cap is None else min(limit, cap),
                "amount": amount,
            },
        )
        return cursor.fetchone() is not None


def release(version: PlaybookVersion, bucket: str, amount: Decimal, *, client: Client, at: datetime) -> None:
    """Give back what was reserved at `at` for an act that did not happen."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RELEASE,
            {
                "playbook": version.playbook_id,
                "bucket": str(bucket),
                "start": period_start(bucket, at, client),
                "amount": amount,
            },
        )


def left(version: PlaybookVersion, *, client: Client, at: datetime) -> list[Limit]:
    """Every limit of the version with what the present periods have used. One query."""
    starts = {bucket: period_start(bucket, at, client) for bucket in limits_of(version)}
    rows = BudgetPeriod.objects.filter(playbook=version.playbook_id, period_start__in=set(starts.values()))
    used = {(row.bucket, row.period_start): row.used for row in rows}
    return [
        Limit(str(bucket), Bucket(bucket).label, used.get((bucket, starts[bucket]), Decimal(0)), limit)
        for bucket, limit in limits_of(version).items()
    ]
