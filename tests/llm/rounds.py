"""A server that shows how many questions wait side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from salesops.bench.standin import Asked, Say

PATIENCE = 20.0  # seconds: far more than a busy machine needs to ask as many as go at once


class Rounds:
    """Answers nobody until as many as it takes at once are waiting, then all of them.

    So what is measured is how many wait together, not how fast this machine is: asked fewer at once, it runs out of
    patience, answers those there are, and notes how few they were.
    """

    def __init__(self, at_once: int, answer: Callable[[Asked], Say]) -> None:
        self._at_once, self._answer = at_once, answer
        self.sizes: list[int] = []
        self._waiting = 0
        self._go: asyncio.Event | None = None

    async def __call__(self, asked: Asked) -> Say:
        if self._go is None:
            self._go = asyncio.Event()
        mine = self._go
        self._waiting += 1
        if self._waiting == self._at_once:
            self._begin()
        try:
            await asyncio.wait_for(mine.wait(), PATIENCE)
        except TimeoutError:
            if not mine.is_set():
                self._begin()
        return self._answer(asked)

    def _begin(self) -> None:
        assert self._go is not None
        self.sizes.append(self._waiting)
        self._go.set()
        self._waiting, self._go = 0, None
