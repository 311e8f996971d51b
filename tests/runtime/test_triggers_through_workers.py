"""A trigger through the real scheduler, queue and workers: a signal comes in, and the agents have judged it."""

from __future__ import annotations

import os

import pytest

from tests.stack import Stack

pytestmark = [
    pytest.mark.xdist_group("stack"),
    pytest.mark.chaos,
    pytest.mark.skipif("CHAOS_ROUNDS" not in os.environ, reason="waits for the scheduler: CHAOS_ROUNDS=1 runs it"),
]

RULES = """
from tests import factories
from tests.runtime import scene
triggers = "triggers:\\n  - {{key: news, label: News, kind: event, signal: change}}\\nbrand_rules:"
under = scene.demo(factories.client(slug="watched"), edit={{"(?s)triggers:.*brand_rules:": triggers}})
print(under.playbook_id)
"""
NEWS = """
from playbooks.models import PlaybookVersion
from tests.runtime import scene
under = PlaybookVersion.objects.select_related("playbook__client").get(playbook={playbook}, status="active")
print(scene.company(under, scene.GOOD).pk)
"""
FIRED = (
    "SELECT count(*), count(*) FILTER (WHERE c.status = 'done') FROM prospects_triggerfiring f"
    " JOIN prospects_convergence c ON c.id = f.convergence_id WHERE f.playbook_id = %s"
)


def rows(stack: Stack, sql: str, *given: object) -> tuple[int, ...]:
    with stack.database() as connection:
        found = connection.execute(sql, given).fetchone()
    assert found is not None
    return tuple(found)


def test_news_sets_the_agents_to_work_by_itself(stack: Stack) -> None:
    stack.wait_ready()
    playbook = int(stack.python(RULES.format()).split()[-1])
    stack._until(
        lambda: rows(stack, "SELECT count(*) FROM prospects_triggerwatch WHERE playbook_id = %s", playbook)[0], 90
    )
    prospect = int(stack.python(NEWS.format(playbook=playbook)).split()[-1])
    stack._until(lambda: rows(stack, FIRED, playbook) == (1, 1), 120)
    with stack.database() as connection:
        verdict = connection.execute("SELECT verdict FROM prospects_prospect WHERE id = %s", [prospect]).fetchone()
    assert verdict == ("qualified",)
