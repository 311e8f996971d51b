"""So many questions at once on one machine, however many worker processes there are: a provider counts per account.

A slot is a lock on a small file, which the system takes back when its process dies, however it dies. Without a folder
for the files each process counts for itself.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

_LOOK_AGAIN = 0.01  # seconds until the next look for a slot that another process gave back


class Slots:
    """The slots of one provider, used from one event loop. Files are opened on first use."""

    def __init__(self, count: int, folder: str, name: str) -> None:
        self._mine = asyncio.Semaphore(count)
        self._looking = asyncio.Lock()
        self._given_back = asyncio.Event()
        self._folder, self._name, self._count = folder, name, count
        self._files: list[int] | None = None
        self._held: set[int] = set()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Hold one slot, when there is one."""
        async with self._mine:
            number = await self._take()
            try:
                yield
            finally:
                self._give_back(number)

    async def _take(self) -> int:
        """The number of a slot now ours; whoever asked first in this process gets the next one."""
        async with self._looking:
            files = self._open()
            if not files:
                return -1
            while True:
                for number in range(len(files)):
                    if number not in self._held and _lock(files[number]):
                        self._held.add(number)
                        return number
                self._given_back.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._given_back.wait(), _LOOK_AGAIN)

    def _give_back(self, number: int) -> None:
        if self._files and number in self._held:
            self._held.discard(number)
            fcntl.flock(self._files[number], fcntl.LOCK_UN)
            self._given_back.set()

    def _open(self) -> list[int]:
        if self._files is None:
            try:
                self._files = _files(self._folder, self._name, self._count) if self._folder else []
            except OSError as error:
                log.warning("model_slots_not_shared", reason=type(error).__name__)
                self._files = []
        return self._files

    def close(self) -> None:
        """Close the files; what was locked is free."""
        for file in self._files or ():
            os.close(file)
        self._files, self._held = None, set()


def _files(folder: str, name: str, count: int) -> list[int]:
    Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC
    return [os.open(Path(folder, f"{name}-{number}"), flags, 0o600) for number in range(count)]


def _lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
