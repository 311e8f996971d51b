"""A person in an agent's place is stopped like the agent, and what waits for one is called off like the rest."""

from __future__ import annotations

import pytest

from approvals.models import Task
from approvals.services import answer as answers
from playbooks.models import AuditEntry
from playbooks.services import stops
from prospects.models import Evidence
from tests import factories
from tests.approvals.test_answering import asked, first_ask, judgement
from tests.stops.levels import LEVELS, set_one

pytestmark = pytest.mark.django_db
AGENT = "fit_evidence"


@pytest.mark.parametrize("kind", ["pause", "cancel"])
@pytest.mark.parametrize("level", LEVELS)
def test_work_for_a_person_is_stopped_like_an_agents(level: str, kind: str) -> None:
    prospect, task = asked(AGENT)
    person = factories.user(prospect.client, "reviewer", "admin")
    stop = set_one(
        level, kind, client=prospect.client, by=person, playbook=prospect.playbook_id, prospect=prospect.pk,
        request=task.pk, agent=AGENT,
    )  # fmt: skip
    task.refresh_from_db()
    touched = level != "request"
    called_off = touched and kind == "cancel"
    assert (task.status, task.resolution) == (("done", "called_off") if called_off else ("open", ""))
    assert stop.called_off == ({"tasks": 1} if called_off else {})
    assert AuditEntry.objects.filter(event="task.done", subject_id=task.pk).count() == int(called_off)

    def answer() -> Task:
        return answers.answer(task.pk, actor=person, client=prospect.client, filled_in=judgement(first_ask(task)))

    if touched:
        with pytest.raises((answers.AnswerRefused, answers.TaskClosed), match=r"Look first|done already"):
            answer()
        assert not Evidence.objects.filter(prospect=prospect, category="fit").exists()
        stops.lift(stop.pk, client=prospect.client, actor=person, reason="Looked")
    if not called_off:
        answer()
        assert Evidence.objects.filter(prospect=prospect, category="fit").exists()


def test_another_clients_tasks_stay() -> None:
    (mine, _), (theirs, task) = asked(AGENT), asked(AGENT)
    person = factories.user(mine.client, "admin")
    stops.stop(client=mine.client, actor=person, level="client", kind="cancel", reason="Over")
    task.refresh_from_db()
    assert (task.status, theirs.client == mine.client) == ("open", False)
