"""Convergence through the real queue and workers, with the queue flushed and the workers killed in the middle."""

from __future__ import annotations

import json
import os
import threading

import pytest

from tests.stack import Stack

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.chaos,
    pytest.mark.skipif("CHAOS_ROUNDS" not in os.environ, reason="takes minutes: CHAOS_ROUNDS=1 runs it"),
]

CROWD = """
from tests import factories
from tests.runtime import scene
under = scene.demo(factories.client(slug="crowd"), edit={{"(?s)triggers:.*brand_rules:": "brand_rules:"}})
for number in range({size}):
    scene.company(under, (scene.GOOD, scene.GONE, scene.POOR)[number % 3])
print(under.playbook.slug)
"""
COUNTS = """
from collections import Counter
from approvals.models import ApprovalRequest
from prospects.models import AgentRun, Convergence, Prospect
crowd = Prospect.objects.filter(client__slug="crowd")
runs = Counter(AgentRun.objects.values_list("prospect", "agent", "implementation_version", "watermark"))
asked = Counter(ApprovalRequest.objects.filter(client__slug="crowd").values_list("prospect", flat=True))
print(crowd.exclude(verdict="").count(), crowd.due().count(),
      Convergence.objects.filter(client__slug="crowd").count(), len(asked), max(runs.values()), max(asked.values()))
"""
SIZE = 600


def test_a_flushed_queue_and_killed_workers_lose_and_double_nothing(stack: Stack) -> None:
    stack.wait_ready()
    playbook = stack.python(CROWD.format(size=SIZE)).strip().splitlines()[-1]
    said: list[str] = []

    def converge() -> None:
        said.append(stack.manage("converge", "--client", "crowd", "--playbook", playbook, "--json"))

    asking = threading.Thread(target=converge)
    asking.start()
    stack._until(lambda: _runs(stack) > 0, 60)
    stack.flush_valkey()
    stack.kill("research")
    asking.join(timeout=240)
    assert not asking.is_alive()
    report = json.loads(said[0])
    assert report["status"] == "done"
    assert report["verdicts"]["qualified"] == report["requests"] == SIZE // 3
    judged, due, convergences, requests, most_runs, most_requests = map(int, stack.python(COUNTS).split())
    assert (judged, due, convergences, requests) == (SIZE, 0, 1, SIZE // 3)
    assert (most_runs, most_requests) == (1, 1)


def _runs(stack: Stack) -> int:
    with stack.database() as connection:
        row = connection.execute("SELECT count(*) FROM prospects_agentrun").fetchone()
        return row[0] if row else 0
