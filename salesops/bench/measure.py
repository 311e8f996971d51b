"""How long a page takes on the server, and how many queries it asks."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from time import perf_counter

from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

WARM_UP = 8
ROUNDS = 80


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of server time and the number of queries of one page."""

    median: float
    p95: float
    queries: int
    kilobytes: float


def time_page(browser: Browser, url: str, *, rounds: int = ROUNDS) -> Timing:
    """Ask for a page through the whole middleware stack, signed in, in this process; no network, no other load."""
    for _ in range(WARM_UP):
        _get(browser, url)
    seconds = []
    for _ in range(rounds):
        start = perf_counter()
        size = _get(browser, url)
        seconds.append(perf_counter() - start)
    with CaptureQueriesContext(connection) as captured:
        _get(browser, url)
    seconds.sort()
    return Timing(
        median=statistics.median(seconds) * 1000,
        p95=seconds[int(len(seconds) * 0.95) - 1] * 1000,
        queries=len(captured),
        kilobytes=size / 1024,
    )


def _get(browser: Browser, url: str) -> int:
    response = browser.get(url)
    if response.status_code != 200:
        raise RuntimeError(f"{url} answered {response.status_code}")
    return len(response.content)
