"""How often a source may be asked: a token bucket at 80 % of what it states, shared by all workers through Redis.

The bucket is kept as one number per key, the time at which it would be full again (the generic cell rate algorithm):
80 % of the limit flows in steadily and a fifth of the limit may go at once, so that no minute, wherever it begins, sees
more than the limit. While Redis is away each process keeps a bucket of its own, so much smaller that a few processes
together still stay within the limit.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import redis
import structlog

from prospects.sources.troubles import NotAsked

log = structlog.get_logger(__name__)

SHARE_USED = 0.8
#: Processes that may be at work at once while nothing keeps them together.
PROCESSES_ALONE = 4
_PREFIX = "salesops:sources:turn:"
_REDIS_REST = 5.0  # seconds until Redis is tried again after it failed
_LONGEST_NAP = 5.0

# KEYS: bucket. ARGV: milliseconds between two turns, turns that may go at once. Returns milliseconds to wait, 0: go.
_TAKE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local full = tonumber(redis.call('GET', KEYS[1]) or '0')
if full < now then full = now end
local wait = full - tonumber(ARGV[1]) * (tonumber(ARGV[2]) - 1) - now
if wait > 0 then return math.ceil(wait) end
full = full + tonumber(ARGV[1])
redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil(full - now) + 1000)
return 0
"""
# ARGV: as above, milliseconds for which nobody may go.
_HOLD = """
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local full = now + tonumber(ARGV[3]) + tonumber(ARGV[1]) * (tonumber(ARGV[2]) - 1)
if tonumber(redis.call('GET', KEYS[1]) or '0') < full then
  redis.call('SET', KEYS[1], string.format('%.3f', full), 'PX', math.ceil(full - now) + 1000)
end
return 0
"""


def pace(per_minute: float) -> tuple[float, int]:
    """(seconds between two turns, turns that may go at once) for a stated limit per minute.

    60 s hold at most ``burst + 60 / interval`` turns: 0.2 L + 0.8 L = L. Below five a minute one goes at a time.
    """
    return 60.0 / (SHARE_USED * per_minute), max(1, int((1 - SHARE_USED) * per_minute + 1e-9))


class _OwnBuckets:
    """The same buckets inside this process."""

    def __init__(self) -> None:
        self._full: dict[str, float] = {}
        self._lock = threading.Lock()

    def take(self, key: str, interval: float, burst: int) -> float:
        """Seconds to wait; 0: go."""
        now = time.monotonic()
        with self._lock:
            full = max(self._full.get(key, 0.0), now)
            wait = full - interval * (burst - 1) - now
            if wait > 0:
                return wait
            self._full[key] = full + interval
            if len(self._full) > 10_000:
                self._full = {k: v for k, v in self._full.items() if v > now}
            return 0.0

    def hold(self, key: str, interval: float, burst: int, seconds: float) -> None:
        full = time.monotonic() + seconds + interval * (burst - 1)
        with self._lock:
            self._full[key] = max(self._full.get(key, 0.0), full)


class Limiter:
    """Hands out turns. Safe to use from many threads; one per process is enough."""

    def __init__(self, url: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client: Any = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._take, self._hold = self._client.register_script(_TAKE), self._client.register_script(_HOLD)
        self._own = _OwnBuckets()
        self._redis_from = 0.0
        self._sleep = sleep

    def turn(self, key: str, per_minute: float, *, until: float) -> None:
        """Wait for a turn. Raises NotAsked when none comes before ``until`` (monotonic seconds)."""
        while (wait := self.take(key, per_minute)) > 0:
            if time.monotonic() + wait > until:
                raise NotAsked(f"its rate limit ({per_minute:g} a minute) leaves no turn for {wait:.0f} s")
            # Whoever waits for the same turn should not come back at the same moment.
            self._sleep(min(wait, _LONGEST_NAP) + random.uniform(0, 0.02))  # noqa: S311 — spreads load

    def take(self, key: str, per_minute: float) -> float:
        """Take a turn if there is one: 0, else the seconds to wait."""
        interval, burst = pace(per_minute)
        answer = self._ask(self._take, key, interval, burst)
        if answer is None:
            return self._own.take(key, *pace(per_minute / PROCESSES_ALONE))
        return answer / 1000.0

    def hold(self, key: str, per_minute: float, seconds: float) -> None:
        """Let nobody go for so long: the source said so."""
        interval, burst = pace(per_minute)
        self._own.hold(key, *pace(per_minute / PROCESSES_ALONE), seconds)
        self._ask(self._hold, key, interval, burst, seconds)

    def _ask(self, script: Any, key: str, interval: float, burst: int, seconds: float = 0.0) -> float | None:
        if time.monotonic() < self._redis_from:
            return None
        try:
            return float(script(keys=[_PREFIX + key], args=[interval * 1000, burst, seconds * 1000]))
        except redis.RedisError as error:
            self._redis_from = time.monotonic() + _REDIS_REST
            log.warning("limits_without_redis", error=type(error).__name__)
            return None
