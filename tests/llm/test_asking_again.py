"""What kept a model from answering may pass: the rules speak meanwhile, and it is asked again, not for ever."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.utils import timezone

from playbooks.models import PlaybookVersion
from prospects.agents.asking import A_DAY, AN_HOUR, MOST_TRIES
from prospects.models import AgentRun, Evidence, Prospect
from salesops.bench.standin import Asked, Say, StandIn
from tests.llm import actors
from tests.llm.test_model_agents import playbook, provider, with_page
from tests.runtime import scene

__all__ = ["provider"]
pytestmark = pytest.mark.django_db
HOUR = timedelta(seconds=AN_HOUR)


def states() -> list[str]:
    return list(AgentRun.objects.filter(agent="fit_evidence").order_by("pk").values_list("status", flat=True))


def due_in(made: Prospect) -> timedelta | None:
    made.refresh_from_db()
    return made.due_again_at - timezone.now() if made.due_again_at else None


def again(under: PlaybookVersion, made: Prospect) -> None:
    Prospect.objects.filter(pk=made.pk).update(due_again_at=timezone.now())
    scene.run(under)


def test_after_a_fault_the_rules_stand_in_and_the_model_is_asked_an_hour_later(
    provider: Callable[..., StandIn], settings: LazySettings
) -> None:
    under = playbook("fit_evidence")
    made = with_page(under)
    failing = True

    def behaviour(asked: Asked) -> Say:
        return Say(status=503) if failing else actors.honest(asked)

    provider(behaviour)
    settings.LLM = {**settings.LLM, "ATTEMPTS": 1}
    scene.run(under)
    wait = due_in(made)
    assert made.verdict == "qualified"
    assert wait is not None
    assert HOUR - timedelta(minutes=2) < wait <= HOUR
    assert states() == ["again"]
    failing = False
    again(under, made)
    assert states() == ["again", "ok"]
    assert due_in(made) is None
    assert Evidence.objects.filter(prospect=made, run__implementation="llm", quote__gt="").exists()


def test_it_is_asked_later_and_later_and_in_the_end_no_more(
    provider: Callable[..., StandIn], settings: LazySettings
) -> None:
    under = playbook("fit_evidence")
    made = with_page(under)
    provider(lambda asked: Say(status=503))
    settings.LLM = {**settings.LLM, "ATTEMPTS": 1}
    scene.run(under)
    waits = [due_in(made)]
    for _ in range(MOST_TRIES):
        again(under, made)
        waits.append(due_in(made))
    hours = [round(wait / HOUR) if wait is not None else None for wait in waits]
    assert hours == [1, 2, 4, 8, 16, None]
    assert states() == ["again"] * MOST_TRIES + ["ok"]


def test_an_empty_budget_is_whole_again_tomorrow(provider: Callable[..., StandIn]) -> None:
    under = playbook("fit_evidence", tokens=100)
    made = with_page(under)
    provider()
    scene.run(under)
    wait = due_in(made)
    assert wait is not None
    assert round(wait.total_seconds() / A_DAY, 2) == 1


@pytest.mark.parametrize(
    "said",
    [Say(status=401, error="authentication_error"), Say(refusal="No."), Say(answer={"permissions": "write"})],
    ids=["key", "refusal", "malformed"],
)
def test_what_time_does_not_heal_is_left_to_the_rules(said: Say, provider: Callable[..., StandIn]) -> None:
    under = playbook("fit_evidence")
    made = with_page(under)
    provider(lambda asked: said)
    scene.run(under)
    assert due_in(made) is None
    assert states() == ["ok"]
