"""Questions wait side by side: the time of many is the time of the rounds they need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


LATE = """
import django; django.setup()
import json, sys
from django.conf import settings
from prospects.host import toolbox
from salesops.llm import config, wire
toolbox.import_early()
early = set(sys.modules)
import prospects.sources.tool
choice = config.from_settings(settings).choose("fast")
assert choice is not None
wire._client(choice)
print(json.dumps(sorted(set(sys.modules) - early)))
"""


def test_the_first_question_of_a_worker_imports_nothing_that_its_start_could_have() -> None:
    model = "anthropic:stand-in"
    told = {
        "LLM_ANTHROPIC_URL": "http://127.0.0.1:9",
        "LLM_MODEL_FAST": model,
        "LLM_PRICES": json.dumps({model: {"in": 0.5, "out": 2.5}}),
    }
    done = subprocess.run([sys.executable, "-c", LATE], env=os.environ | told, capture_output=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []
