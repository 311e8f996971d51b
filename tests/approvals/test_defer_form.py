"""Days that a person chooses are those where the client is."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine

from approvals.views.forms import DeferForm

LATE = datetime(2026, 6, 9, 4, 0, tzinfo=UTC)  # 21:00 of the 8th in Los Angeles, 16:00 of the 9th in Auckland


@pytest.mark.parametrize(
    ("zone", "day", "ends"),
    [
        ("America/Los_Angeles", "2026-06-08", None),
        ("America/Los_Angeles", "2026-06-09", datetime(2026, 6, 9, 16, tzinfo=UTC)),
        ("Pacific/Auckland", "2026-06-09", None),
        ("Pacific/Auckland", "2026-06-10", datetime(2026, 6, 9, 21, tzinfo=UTC)),
    ],
)
def test_the_day_after_today_is_told_by_the_clients_own_clock(zone: str, day: str, ends: datetime | None) -> None:
    with time_machine.travel(LATE, tick=False):
        form = DeferForm({"when": "at", "day": day}, zone=ZoneInfo(zone))
        assert form.is_valid() == (ends is not None)
        if ends is None:
            assert form.errors["day"] == ["Choose a day after today."]
        else:
            assert form.until() == ends
