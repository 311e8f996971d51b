"""What an answer's status means, and how often a question is asked again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from prospects.sources.troubles import (
    AuthenticationTrouble,
    BadAnswer,
    Gone,
    NetworkTrouble,
    NotAsked,
    NotKnown,
    RateLimited,
    Refused,
)
from prospects.sources.web import Page

T = TypeVar("T")

ATTEMPTS = 3
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds, doubled from one attempt to the next, then a random part of it
LONGEST_HOLD = 3600.0
DEFAULT_HOLD = 15.0


def judge(page: Page, *, api: bool, keyed: bool, one_of_many: bool) -> Page:
    """The page, if it is an answer; else raises the trouble its status means.

    ``api``: an interface on a host of its own, not some company's site. ``keyed``: we sent it a key. ``one_of_many``:
    the address is one company's, so what is gone there is not the interface.
    """
    status = page.status
    if status == 204:
        raise NotKnown("it has nothing under this")
    if 200 <= status < 300:
        return page
    if status == 429 or (status == 503 and "retry-after" in page.headers):
        raise RateLimited(f"it asked us to slow down ({status})", told_to_wait(page.headers.get("retry-after", "")))
    if status == 410 and api and not one_of_many:
        raise Gone("it says that this interface is gone (410)")
    if status in (404, 410):
        raise NotKnown("it has nothing under this")
    if api and (status == 401 or (status == 403 and keyed)):
        raise AuthenticationTrouble(f"it refused our key ({status})" if keyed else f"it asks for a key ({status})")
    if status in (401, 403, 451):
        raise Refused(f"it does not let us read this ({status})")
    if status >= 500 or status == 408:
        raise NetworkTrouble(f"it failed ({status})")
    raise BadAnswer(f"it answered {status}")


def told_to_wait(header: str, now: datetime | None = None) -> float:
    """Seconds out of a Retry-After header, as a number or as a date; between 1 s and an hour."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            seconds = (parsedate_to_datetime(text) - (now or datetime.now(UTC))).total_seconds()
        except (TypeError, ValueError):
            seconds = DEFAULT_HOLD
    return min(max(seconds, 1.0), LONGEST_HOLD)


def announced_end(page: Page) -> str:
    """Words when the server announces that this interface will end (RFC 9745, RFC 8594), else nothing."""
    sunset, deprecated = page.headers.get("sunset", ""), page.headers.get("deprecation", "")
    if sunset:
        return f"announced its end for {sunset[:40]}"
    return "announced that it is deprecated" if deprecated and deprecated.lower() not in ("?0", "false") else ""


def again(
    ask: Callable[[], T],
    *,
    until: float,
    hold: Callable[[float], None],
    sleep: Callable[[float], None] = time.sleep,
    attempts: int = ATTEMPTS,
) -> T:
    """Ask up to ``attempts`` times while trouble passes. ``until`` (monotonic seconds) ends all waiting.

    ``hold`` is told how long a source wants to be left alone. Raises the last trouble, or NotAsked when a source wants
    to be left alone for longer than there is time.
    """
    for attempt in range(1, attempts + 1):
        try:
            return ask()
        except RateLimited as trouble:
            hold(trouble.wait)
            if attempt == attempts or time.monotonic() + trouble.wait > until:
                raise NotAsked(f"{trouble}; next turn in {trouble.wait:.0f} s") from trouble
            sleep(trouble.wait)
        except NetworkTrouble:
            wait = min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT)
            wait *= random.uniform(0.5, 1.0)  # noqa: S311 — spreads load
            if attempt == attempts or time.monotonic() + wait > until:
                raise
            sleep(wait)
    raise AssertionError("the last attempt returns or raises")
