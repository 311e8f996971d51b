"""Turns at a source: never more in any minute than it states, however many threads and processes ask."""

import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from prospects.sources.limits import Limiter, pace
from prospects.sources.troubles import NotAsked
from salesops import engines

NOWHERE = "redis://127.0.0.1:1/0"


def limiter(url: str = "") -> Limiter:
    return Limiter(url or engines.urls().cache_url)


@pytest.fixture
def key() -> str:
    return f"test:{uuid.uuid4().hex}"


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 7, 10, 60, 100, 6000])
def test_no_minute_holds_more_than_the_stated_limit_and_a_long_run_80_percent_of_it(limit: int) -> None:
    """Simulated for ten minutes with somebody always asking."""
    interval, burst = pace(limit)
    full, now, taken = 0.0, 0.0, []
    while now < 600:
        full = max(full, now)
        wait = full - interval * (burst - 1) - now
        if wait > 1e-9:
            now += wait
            continue
        full += interval
        taken.append(now)
    counts = [sum(start <= at < start + 59.999 for at in taken) for start in taken[:: max(1, len(taken) // 200)]]
    assert max(counts) <= limit
    assert len(taken) <= 0.8 * limit * 10 + burst


def test_threads_share_one_bucket(key: str) -> None:
    shared, taken, stop = limiter(), [], time.monotonic() + 1.5

    def work() -> None:
        while time.monotonic() < stop or len(taken) < 240:
            asked = time.monotonic()
            if shared.take(key, 1200) == 0:
                taken.append((asked, time.monotonic()))
            else:
                time.sleep(0.005)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # 1,200 a minute: 16 a second flow in, 240 may go at once.
    span = max(at for _, at in taken) - min(asked for asked, _ in taken)
    assert 240 <= len(taken) <= 240 + 16 * span + 2


PROCESS = """
import sys, time
from prospects.sources.limits import Limiter
limiter, stop, taken = Limiter(sys.argv[1]), time.time() + 1.5, 0
while time.time() < stop or taken < 15:
    asked = time.time()
    if limiter.take(sys.argv[2], 300) == 0:
        taken += 1
        print(asked, time.time())
    else:
        time.sleep(0.01)
"""


def test_processes_share_one_bucket(key: str) -> None:
    command = [sys.executable, "-c", PROCESS, engines.urls().cache_url, key]
    root = Path(__file__).parents[3]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) for _ in range(4)]
    moments = [float(word) for process in running for word in process.communicate(timeout=150)[0].split()]
    assert all(process.returncode == 0 for process in running)
    # 300 a minute: 4 a second flow in, 60 may go at once; the processes do not begin at the same moment.
    span = max(moments) - min(moments)
    assert 60 <= len(moments) / 2 <= 60 + 4 * span + 2


def test_waiting_for_a_turn_takes_as_long_as_it_has_to(key: str) -> None:
    one, started = limiter(), time.monotonic()
    for _ in range(48):
        assert one.take(key, 240) == 0 or time.monotonic() - started > 0.3
    one.turn(key, 240, until=time.monotonic() + 60)
    assert time.monotonic() - started > 0.3, "48 go at once, the next one 1/3.2 s after them"


def test_nobody_waits_longer_than_allowed(key: str) -> None:
    one = limiter()
    assert one.take(key, 0.5) == 0
    with pytest.raises(NotAsked, match="Not asked yet"):
        one.turn(key, 0.5, until=time.monotonic() + 1)


def test_when_a_source_says_wait_everybody_waits(key: str) -> None:
    mine, theirs = limiter(), limiter()
    assert mine.take(key, 600) == 0
    mine.hold(key, 600, 3000)
    assert 2900 < theirs.take(key, 600) <= 3000
    mine.hold(key, 600, 5)
    assert theirs.take(key, 600) > 2800


def test_without_redis_a_process_keeps_to_a_quarter_so_that_four_stay_within_the_limit(key: str) -> None:
    alone, started = limiter(NOWHERE), time.monotonic()
    taken = sum(alone.take(key, 400) == 0 for _ in range(500))
    span = time.monotonic() - started
    assert 20 <= taken <= 20 + 80 / 60 * span + 1, "80 a minute flow in, 20 may go at once"
    alone.hold(key, 400, 3000)
    assert alone.take(key, 400) > 2900
