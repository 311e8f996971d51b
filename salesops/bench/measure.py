"""How long a page takes on the server, how many queries it asks, and how much memory a process has held."""

from __future__ import annotations

import re
import resource
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext

WARM_UP = 8
ROUNDS = 80


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds of server time, milliseconds of this process's own work in it, and the number of queries."""

    median: float
    p95: float
    cpu: float
    queries: int
    kilobytes: float


def peak_megabytes() -> float:
    """The most memory this process has held, by Linux's own count: ``ru_maxrss`` begins with what the parent held."""
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text("ascii")) if status.exists() else None
    return (int(found[1]) if found else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) / 1024


def time_pages(pages: Sequence[tuple[Browser, str]], *, rounds: int = ROUNDS) -> list[Timing]:
    """Ask for pages through the whole middleware stack, signed in, in this process; no network, no other load.

    They are asked in turn, so that whatever else the machine does meets them all alike.
    """
    for browser, url in pages:
        for _ in range(WARM_UP):
            _get(browser, url)
    wall: list[list[float]] = [[] for _ in pages]
    cpu: list[list[float]] = [[] for _ in pages]
    for _ in range(rounds):
        for place, (browser, url) in enumerate(pages):
            start, worked = perf_counter(), process_time()
            _get(browser, url)
            wall[place].append(perf_counter() - start)
            cpu[place].append(process_time() - worked)
    return [_timing(*page, wall[place], cpu[place]) for place, page in enumerate(pages)]


def _timing(browser: Browser, url: str, wall: list[float], cpu: list[float]) -> Timing:
    with CaptureQueriesContext(connection) as captured:
        size = _get(browser, url)
    wall.sort()
    return Timing(
        median=statistics.median(wall) * 1000,
        p95=wall[int(len(wall) * 0.95) - 1] * 1000,
        cpu=statistics.median(cpu) * 1000,
        queries=len(captured),
        kilobytes=size / 1024,
    )


def _get(browser: Browser, url: str) -> int:
    response = browser.get(url)
    if response.status_code != 200:
        raise RuntimeError(f"{url} answered {response.status_code}")
    return len(response.content)
