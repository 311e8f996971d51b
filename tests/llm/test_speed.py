"""Questions wait side by side: the time of many is the time of the rounds they need."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import LazySettings

from prospects.models import Evidence, ModelAnswer
from salesops.bench.standin import StandIn
from tests.llm import actors
from tests.llm.rounds import PATIENCE, Rounds
from tests.llm.test_model_agents import EVIDENCE, playbook, provider, with_page
from tests.runtime import scene

__all__ = ["provider"]
PROSPECTS, AT_ONCE = 96, 32


@pytest.mark.django_db
def test_ninety_six_prospects_wait_three_full_rounds_and_not_one_more(
    provider: Callable[..., StandIn], settings: LazySettings
) -> None:
    under = playbook(*EVIDENCE)
    for _ in range(PROSPECTS):
        with_page(under)
    rounds = Rounds(AT_ONCE, actors.honest)
    server = provider(rounds, limit=AT_ONCE)
    settings.LLM = {**settings.LLM, "TIMEOUT": 2 * PATIENCE}
    scene.run(under)
    assert rounds.sizes == [AT_ONCE] * 3
    assert (len(server.asked), server.turned_away) == (PROSPECTS, 0)
    assert ModelAnswer.objects.count() == PROSPECTS
    assert Evidence.objects.filter(run__implementation="llm", criterion="industry").count() == PROSPECTS
