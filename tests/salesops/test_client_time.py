"""Days and hours on pages are those where the client is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from approvals.reading.audit import AuditFilter, audit_entries
from approvals.views.answer_forms import SignalForm
from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client
from prospects.models import Signal
from tests import factories as make

pytestmark = pytest.mark.django_db

NEW_YORK, AUCKLAND, LOS_ANGELES = "America/New_York", "Pacific/Auckland", "America/Los_Angeles"


def at(*given: int) -> datetime:
    return datetime(*given, tzinfo=UTC)  # type: ignore[arg-type,misc]


def recorded(client: Client, moments: list[datetime]) -> None:
    for moment in moments:
        with time_machine.travel(moment, tick=False):
            audit.record(client=client, event=AuditEvent.STOP_SET, subject=client, actor=None)


@pytest.mark.parametrize(
    ("zone", "day", "first", "after"),
    [
        (AUCKLAND, "2026-06-09", at(2026, 6, 8, 12), at(2026, 6, 9, 12)),
        (NEW_YORK, "2026-03-08", at(2026, 3, 8, 5), at(2026, 3, 9, 4)),  # 23 hours
        (NEW_YORK, "2026-11-01", at(2026, 11, 1, 4), at(2026, 11, 2, 5)),  # 25 hours
        (NEW_YORK, "2026-12-31", at(2026, 12, 31, 5), at(2027, 1, 1, 5)),
        ("UTC", "2028-02-29", at(2028, 2, 29), at(2028, 3, 1)),
    ],
)
def test_a_day_of_the_audit_log_is_the_clients_own(zone: str, day: str, first: datetime, after: datetime) -> None:
    client = make.client(time_zone=zone)
    second = timedelta(seconds=1)
    recorded(client, [first - second, first, after - second, after])
    found = audit_entries(client, AuditFilter(day=day)).order_by("seq").values_list("at", flat=True)
    assert list(found) == [first, after - second]


@pytest.mark.parametrize("day", ["9999-12-31", "0001-01-01", "2026-02-30", "x"])
def test_a_day_that_is_none_breaks_nothing(day: str, client: Browser) -> None:
    made = make.client(time_zone=AUCKLAND)
    client.force_login(make.user(made))
    assert client.get(reverse("approvals:audit"), {"day": day}).status_code == 200


def test_pages_tell_times_by_the_clients_clock_and_leave_it_at_that(client: Browser) -> None:
    made = make.client(time_zone=AUCKLAND)
    recorded(made, [at(2026, 6, 8, 20)])
    client.force_login(make.user(made))
    page = client.get(reverse("approvals:audit"), {"day": "2026-06-09"}).content.decode()
    assert "Tue 9 Jun 2026, 08:00:00 NZST" in page
    assert timezone.get_current_timezone_name() == "UTC", "the next request is somebody else's"


@pytest.mark.parametrize(
    ("zone", "now", "day", "taken"),
    [
        (AUCKLAND, at(2026, 6, 8, 20), "2026-06-09", at(2026, 6, 8, 20)),  # eight in the morning of the 9th there
        (LOS_ANGELES, at(2026, 6, 9, 4), "2026-06-09", None),  # still the evening of the 8th
        (LOS_ANGELES, at(2026, 6, 9, 4), "2026-06-08", at(2026, 6, 8, 19)),
    ],
)
def test_what_somebody_said_today_was_said_on_the_clients_today(
    zone: str, now: datetime, day: str, taken: datetime | None, client: Browser
) -> None:
    made = make.client(time_zone=zone)
    who = make.qualified(make.version(made))
    given: dict[str, Any] = {"what": "letter", "letter": "budget", "answer": "said", "quote": "Yes.", "said_on": day}
    with time_machine.travel(now, tick=False):
        client.force_login(make.user(made))
        client.post(reverse("prospects:buying", args=[who.pk]), given)
    said = Signal.objects.filter(prospect=who, text="Yes.").values_list("observed_at", flat=True)
    assert list(said) == ([] if taken is None else [taken])


def test_what_somebody_saw_was_seen_at_that_hour_of_the_clients_day() -> None:
    now = at(2026, 6, 9, 4)
    form = SignalForm({"kind": "news", "observed_on": "2026-06-08", "text": "They moved."}, asks=[])
    with time_machine.travel(now, tick=False), timezone.override(LOS_ANGELES):
        assert form.is_valid(), form.errors
        assert form.filled_in(now)["observations"][0]["observed_at"] == now
