"""Questions wait side by side: the time of many is the time of the rounds they need."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
from django.urls import reverse

from prospects.models import Evidence, ModelAnswer
from salesops.bench.standin import Say, StandIn
from salesops.llm import wire
from tests.llm import actors
from tests.llm.test_model_agents import EVIDENCE, playbook, provider, with_page
from tests.runtime import scene

__all__ = ["provider"]
PROSPECTS, SECONDS = 96, 8.0  # three rounds of 32 take 3 s at least, one after the other 96 s


@pytest.mark.django_db
def test_ninety_six_prospects_wait_three_rounds_and_not_more(provider: Callable[..., StandIn]) -> None:
    under = playbook(*EVIDENCE)
    for _ in range(PROSPECTS):
        with_page(under)

    def slow(asked):
        said = actors.honest(asked)
        return Say(answer=said.answer, after=1.0)

    wire.import_library()
    server = provider(slow, limit=32)
    reverse("home")  # imports the pages, as a worker has long done
    before, started = time.process_time(), time.monotonic()
    scene.run(under)
    took, worked = time.monotonic() - started, time.process_time() - before
    assert (len(server.asked), server.turned_away, server.most_at_once) == (PROSPECTS, 0, 32)
    assert ModelAnswer.objects.count() == PROSPECTS
    assert Evidence.objects.filter(run__implementation="llm", criterion="industry").count() == PROSPECTS
    # Our own work, and the stand-in's in this very process, stands between the rounds of one worker.
    is_busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    assert took <= SECONDS * (2 if is_busy else 1), f"{took:.1f} s, {worked:.1f} s of it work"
