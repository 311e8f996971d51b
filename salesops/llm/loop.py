"""One event loop on one background thread per process: it talks to the network and to nothing else.

The thread that asks does everything with the database, so no connection is ever used from two threads. A process that
was forked after the loop began (a worker's child) gets a loop of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from salesops.llm.wire import close_clients

T = TypeVar("T")


class _Loop:
    """The running loop of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name="language-models", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def close(self) -> None:
        """Cancel what is under way and end the thread."""
        if self.pid != os.getpid() or self.loop.is_closed():
            return
        with suppress(TimeoutError, RuntimeError):
            asyncio.run_coroutine_threadsafe(_wind_down(), self.loop).result(timeout=30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=5)
        if not self.thread.is_alive():
            self.loop.close()


async def _wind_down() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await close_clients()


_current: _Loop | None = None
_making = threading.Lock()


def submit(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Run a coroutine on this process's loop, started on first use."""
    return asyncio.run_coroutine_threadsafe(work, _mine().loop)


def _mine() -> _Loop:
    global _current
    with _making:
        if _current is None or _current.pid != os.getpid() or not _current.thread.is_alive():
            _current = _Loop()
            atexit.register(_current.close)
        return _current


def close() -> None:
    """End this process's loop, if it has one. The next question starts another."""
    global _current
    with _making:
        mine, _current = _current, None
    if mine is not None:
        mine.close()
