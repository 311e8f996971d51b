"""The prioritization and framework agents at work on the demo playbook, in the database."""

from __future__ import annotations

from datetime import timedelta

import pytest

from prospects.models import AgentRun, Evidence, Score
from prospects.services.rescoring import rescore
from tests import factories
from tests.runtime import scene

pytestmark = pytest.mark.django_db

BANT = r"(?m)^value_propositions:$"
LETTERS = """\\
  - {key: budget, label: Budget, scorecard: bant, layer: psychologic, category: commitment, kind: answer, weight: 25, missing: zero, params: {question: budget, credits: {'yes': 100, 'no': 0}}}
  - {key: timing, label: Timing, scorecard: bant, layer: behavioral, category: timing, kind: answer, weight: 25, missing: zero, params: {question: timing, credits: {'yes': 100}}}
value_propositions:"""  # noqa: E501
WITH_BANT = {BANT: LETTERS.replace("\\\n", "", 1)}


def test_everybody_of_whom_something_is_known_gets_a_priority_with_what_it_rests_on() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    good.refresh_from_db()
    score = Score.objects.get(prospect=good, scorecard="priority")
    assert score.run is not None
    assert score.run.agent == "prioritization"
    assert (good.priority, good.tier) == (score.value, score.breakdown["tier"])
    assert sum(part["contribution"] for part in score.breakdown["parts"]) == pytest.approx(score.value)
    own = set(Evidence.objects.filter(prospect=good).values_list("pk", flat=True))
    assert set(score.breakdown["evidence_ids"]) <= own
    assert score.breakdown["sequence"] == good.tier
    assert score.breakdown["touches"] == under.sequence_steps.filter(tier=good.tier).count()


def test_rescoring_at_the_same_time_writes_nothing_and_ranks_the_same() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    good.refresh_from_db()
    known = (good.priority, good.tier)
    report = rescore(client=under.playbook.client, playbook=under.playbook, actor=None, clock=scene.CLOCK)
    good.refresh_from_db()
    assert report.written == 0
    assert (good.priority, good.tier) == known


def test_rescoring_later_ranks_by_what_has_faded_meanwhile() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    good.refresh_from_db()
    before = good.priority
    later = scene.CLOCK + timedelta(days=200)
    rescore(client=under.playbook.client, playbook=under.playbook, actor=None, clock=later)
    good.refresh_from_db()
    assert 0 < good.priority < before
    assert Score.objects.filter(prospect=good, scorecard="priority").count() == 2
    assert Score.objects.filter(prospect=good, scorecard="priority").latest("pk").value == good.priority


def test_converging_again_on_new_facts_that_change_nothing_ranks_nobody_anew() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    factories.signal(good, kind="weather", data={}, dedup_key="weather", observed_at=scene.CHANGED)
    scene.seen(good)
    scene.run(under)
    assert Score.objects.filter(prospect=good, scorecard="priority").count() == 1


def test_a_playbook_that_switches_ranking_off_has_no_priorities() -> None:
    under = scene.demo(edit={r"(?m)^agents: \[\]$": "agents:\n  - {agent: prioritization, implementation: 'off'}"})
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    rescore(client=under.playbook.client, playbook=under.playbook, actor=None, clock=scene.CLOCK)
    good.refresh_from_db()
    assert (good.priority, good.tier) == (0.0, "")


def test_a_playbook_without_frameworks_has_no_work_for_their_agent() -> None:
    under = scene.demo()
    scene.company(under, scene.GOOD)
    scene.run(under)
    assert not AgentRun.objects.filter(agent="framework_qualification").exists()


def test_letters_are_evidenced_by_dated_triggers_and_claimed_by_answers() -> None:
    under = scene.demo(edit=WITH_BANT)
    good = scene.company(under, scene.GOOD)
    told = {"question": "budget", "answer": "yes", "speaker": "CFO", "proves": {"amount": "20–30 k", "owner": ""}}
    factories.signal(
        good, kind="answer", data=told, dedup_key="a1", observed_at=scene.CHANGED, text="There is money for it."
    )
    scene.seen(good)
    scene.run(under)
    rows = {e.criterion: e for e in Evidence.objects.filter(prospect=good, scorecard="bant")}
    assert {e.run.agent for e in rows.values() if e.run} == {"framework_qualification"}
    assert rows["timing"].value == 100
    assert rows["budget"].value == 40
    assert "lacks owner, cycle" in rows["budget"].rationale
    assert "by CFO" in rows["budget"].rationale
    assert rows["budget"].quote == "There is money for it."
    assert rows["budget"].confidence < rows["timing"].confidence
    assert Score.objects.get(prospect=good, scorecard="bant").value == pytest.approx(70)


def test_what_was_said_of_a_letter_expires_after_ninety_days() -> None:
    under = scene.demo(edit=WITH_BANT)
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    later = scene.CHANGED + timedelta(days=91)
    rescore(client=under.playbook.client, playbook=under.playbook, actor=None, clock=later)
    assert Score.objects.filter(prospect=good, scorecard="bant").count() == 1, "no evidence, no new score"
    factories.signal(
        good, kind="note", dedup_key="n1", observed_at=later - timedelta(days=1), text="No money this year.",
        data={"letters": {"budget": False}},
    )  # fmt: skip
    scene.seen(good)
    scene.run(under, clock=later)
    budget = Evidence.objects.get(prospect=good, scorecard="bant", criterion="budget")
    assert (budget.value, "contradicted" in budget.rationale) == (0, True)
    latest = Score.objects.filter(prospect=good, scorecard="bant").latest("pk")
    assert (latest.value, latest.coverage) == (0, 0.5)
