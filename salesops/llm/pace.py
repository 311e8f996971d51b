"""How fast a model is asked: so many questions at once, a gate that closes when told to wait, a brake on failure."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field

from salesops.llm.slots import Slots
from salesops.llm.wire import Attempt, Call, Result, attempt

_BACKOFF, _MOST_BACKOFF = 0.5, 20.0


@dataclass(slots=True)
class Pace:
    """Shared by all questions to one model in one process; the slots by all processes. Times of the monotonic clock."""

    concurrency: int
    slots_folder: str
    slots_name: str
    brake_after: int
    brake_seconds: float
    longest_wait: float
    opens_at: float = 0.0
    failures: int = 0
    braked_until: float = 0.0
    braked_by: str = ""
    lasting: bool = False  # what put the brake on: something that only a person can mend
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _slots: Slots | None = None
    _loop: asyncio.AbstractEventLoop | None = None

    def brake(self) -> str:
        """Why nothing is asked at the moment; empty when it is."""
        return self.braked_by if time.monotonic() < self.braked_until else ""

    def note(self, done: Attempt) -> None:
        """Learn from an attempt. Several failures in a row, or one that no repetition heals, put the brake on."""
        with self._lock:
            if done.result in (Result.DONE, Result.HOPELESS):
                self.failures, self.braked_until = 0, 0.0
            elif done.result is Result.WAIT:
                self._told_to_wait(done.wait or 0.0)
            elif done.result is Result.BRAKE:
                self.braked_until, self.braked_by = time.monotonic() + 5 * self.brake_seconds, done.words
                self.lasting = True
            else:
                self.failures += 1
                if self.failures >= self.brake_after:
                    self.braked_until, self.braked_by = time.monotonic() + self.brake_seconds, done.words
                    self.lasting = False

    def _told_to_wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        if seconds <= self.longest_wait:
            self.opens_at = max(self.opens_at, until)
        else:
            self.braked_until = max(self.braked_until, until)
            self.lasting = False
            self.braked_by = f"The model's service asked us to wait {seconds:.0f} seconds."

    async def send(self, call: Call, delay: float) -> Attempt:
        """Wait for ``delay``, for the gate and for a free slot, then ask once."""
        if delay > 0:
            await asyncio.sleep(delay)
        while True:
            async with self._slot().one():
                wait = self.opens_at - time.monotonic()
                if wait <= 0:
                    done = await attempt(call)
                    self.note(done)
                    return done
            await asyncio.sleep(wait + spread(0.25))

    def _slot(self) -> Slots:
        running = asyncio.get_running_loop()
        if self._slots is None or self._loop is not running:
            self.close()
            self._slots, self._loop = Slots(self.concurrency, self.slots_folder, self.slots_name), running
        return self._slots

    def close(self) -> None:
        """Let go of the slots' files."""
        if self._slots is not None:
            self._slots.close()
            self._slots = None


def backoff(tries: int) -> float:
    """Seconds before the next attempt: doubling, half of it by chance, so that many askers do not return together."""
    longest = min(_MOST_BACKOFF, _BACKOFF * 2.0**tries)
    return longest / 2 + spread(longest / 2)


def spread(most: float) -> float:
    """Somewhere between 0 and ``most`` seconds."""
    return random.uniform(0.0, most)  # noqa: S311 — only keeps askers apart
