"""Questions wait side by side: the time of many is the time of the rounds they need."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from django.conf import LazySettings

from prospects.models import Evidence, ModelAnswer
from salesops.bench.standin import Asked, Say, StandIn
from tests.llm import actors
from tests.llm.test_model_agents import EVIDENCE, playbook, provider, with_page
from tests.runtime import scene

__all__ = ["provider"]
PROSPECTS, AT_ONCE = 96, 32
PATIENCE = 20.0  # seconds: far more than a busy machine needs to ask 32


class Rounds:
    """Answers nobody until as many as it takes at once are waiting, then all of them.

    So what is measured is how many wait together, not how fast this machine is: asked fewer at once, it runs out of
    patience, answers those there are, and notes how few they were.
    """

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self._waiting = 0
        self._go: asyncio.Event | None = None

    async def __call__(self, asked: Asked) -> Say:
        if self._go is None:
            self._go = asyncio.Event()
        mine = self._go
        self._waiting += 1
        if self._waiting == AT_ONCE:
            self._begin()
        try:
            await asyncio.wait_for(mine.wait(), PATIENCE)
        except TimeoutError:
            if not mine.is_set():
                self._begin()
        return actors.honest(asked)

    def _begin(self) -> None:
        assert self._go is not None
        self.sizes.append(self._waiting)
        self._go.set()
        self._waiting, self._go = 0, None


@pytest.mark.django_db
def test_ninety_six_prospects_wait_three_full_rounds_and_not_one_more(
    provider: Callable[..., StandIn], settings: LazySettings
) -> None:
    under = playbook(*EVIDENCE)
    for _ in range(PROSPECTS):
        with_page(under)
    rounds = Rounds()
    server = provider(rounds, limit=AT_ONCE)
    settings.LLM = {**settings.LLM, "TIMEOUT": 2 * PATIENCE}
    scene.run(under)
    assert rounds.sizes == [AT_ONCE] * 3
    assert (len(server.asked), server.turned_away) == (PROSPECTS, 0)
    assert ModelAnswer.objects.count() == PROSPECTS
    assert Evidence.objects.filter(run__implementation="llm", criterion="industry").count() == PROSPECTS
