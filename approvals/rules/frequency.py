"""How often one person and one company may hear from us, over all channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

DAY = timedelta(days=1)
#: Signals that are a person's reply, whatever it says: any of them halts outreach to the company.
REPLY_KINDS = ("reply", "replied", "email_reply", "email_replied", "meeting_booked", "call_accepted")


@dataclass(frozen=True, slots=True)
class Caps:
    """Our own defaults (P); a playbook may tighten them."""

    version: str = "frequency-1"
    per_day: int = 1
    per_week: int = 2
    per_month: int = 5
    rest: timedelta = 90 * DAY
    people_per_company_week: int = 3


DEFAULT_CAPS = Caps()


@dataclass(frozen=True, slots=True)
class Cap:
    """Whether a touch is allowed now; if not why, and from when on it would be (None: not by waiting)."""

    ok: bool
    reason: str = ""
    until: datetime | None = None


def check(
    person_touches: Sequence[datetime],
    company_people: Mapping[int, datetime],
    person: int,
    now: datetime,
    caps: Caps = DEFAULT_CAPS,
    *,
    company_replied: bool = False,
) -> Cap:
    """May this person be touched at `now`?

    `person_touches` are earlier touches of the person on every channel; `company_people` maps people of the same
    company to their latest touch. Any reply from the company halts: only a person can start again.
    """
    if company_replied:
        return Cap(ok=False, reason="somebody at this company has replied; a person goes on from here")
    waits = [*_person(sorted(at for at in person_touches if at <= now), now, caps)]
    waits += [*_company(company_people, person, now, caps)]
    if not waits:
        return Cap(ok=True)
    return max(waits, key=lambda wait: wait.until or now)


def _person(touches: list[datetime], now: datetime, caps: Caps) -> list[Cap]:
    waits: list[Cap] = []
    for window, most, words in ((DAY, caps.per_day, "24 hours"), (7 * DAY, caps.per_week, "7 days")):
        recent = [at for at in touches if at > now - window]
        if len(recent) >= most:
            freed = recent[-most] + window
            waits.append(Cap(ok=False, reason=f"{len(recent)} of {most} touches in {words}", until=freed))
    rest_until = _rest_until(touches, caps)
    if rest_until is not None and rest_until > now:
        reason = f"{caps.per_month} touches within 30 days: resting for {caps.rest.days} days"
        waits.append(Cap(ok=False, reason=reason, until=rest_until))
    return waits


def _rest_until(touches: list[datetime], caps: Caps) -> datetime | None:
    """The end of the latest rest: it starts at any touch that completed a full month's allowance."""
    most = caps.per_month
    full = [last for first, last in zip(touches, touches[most - 1 :], strict=False) if last - first < 30 * DAY]
    return full[-1] + caps.rest if full else None


def _company(people: Mapping[int, datetime], person: int, now: datetime, caps: Caps) -> list[Cap]:
    others = sorted(at for other, at in people.items() if other != person and now - 7 * DAY < at <= now)
    most = caps.people_per_company_week
    if person in people and people[person] > now - 7 * DAY:
        return []  # already one of this week's people
    if len(others) < most:
        return []
    return [Cap(ok=False, reason=f"{len(others)} of {most} people at this company in 7 days",
                until=others[-most] + 7 * DAY)]  # fmt: skip
