"""A person does an agent's work: the task, the form, and what becomes of the answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from approvals.models import ApprovalRequest, Message, Task
from approvals.services import answer as answers
from approvals.services.refusals import TaskClosed
from playbooks.models import Role, User
from playbooks.rules.describe import describe
from prospects.models import Diagnostic, Evidence, Prospect, Signal
from salesops.errors import NotAllowed
from tests import factories
from tests.runtime import scene

pytestmark = pytest.mark.django_db


def by_people(*agents: str) -> dict[str, str]:
    rows = "".join(f"\n  - {{agent: {name}, implementation: human}}" for name in agents)
    return {r"(?m)^agents: \[\]$": f"agents:{rows}"}


def staff(prospect: Prospect) -> User:
    return factories.user(prospect.client, Role.REVIEWER)


def judgement(criterion: str = "icp.team_size", **fields: Any) -> dict[str, Any]:
    return {
        "observations": [
            {"key": criterion, "kind": "judgement", "observed_at": timezone.now(), "text": "Twelve people."}
        ],
        "judgements": [{"key": criterion, "value": 90.0, "confidence": 0.9, **fields}],
    }


def asked(*agents: str) -> tuple[Prospect, Task]:
    version = scene.demo(edit=by_people(*agents))
    prospect = scene.company(version, scene.GOOD)
    scene.run(version)
    return prospect, Task.objects.get(prospect=prospect, agent=agents[0])


def first_ask(task: Task) -> str:
    return task.asks[0]["key"]


def test_an_agent_set_to_human_asks_once_and_the_prospect_waits_with_the_reason() -> None:
    prospect, task = asked("fit_evidence")
    scene.run(task.playbook_version)
    assert Task.objects.filter(prospect=prospect).count() == 1
    assert not Evidence.objects.filter(prospect=prospect, category="fit").exists()
    prospect.refresh_from_db()
    assert prospect.verdict == "stalled"
    assert any("A person has to answer" in words for words in prospect.verdict_missing)


def test_a_persons_judgement_becomes_evidence_that_cites_what_they_saw() -> None:
    prospect, task = asked("fit_evidence")
    answers.answer(task.pk, actor=staff(prospect), client=prospect.client, filled_in=judgement(first_ask(task)))
    evidence = Evidence.objects.get(prospect=prospect, category="fit")
    assert (evidence.run.implementation, evidence.run.agent) == ("human", "fit_evidence")
    signal = Signal.objects.get(pk=evidence.signal_ids[0])
    assert (signal.source, signal.text) == ("person", "Twelve people.")
    task.refresh_from_db()
    assert task.status == "done"


def test_after_the_answer_the_prospect_is_due_and_goes_on() -> None:
    prospect, task = asked("fit_evidence")
    answers.answer(task.pk, actor=staff(prospect), client=prospect.client, filled_in=judgement(first_ask(task)))
    report = scene.run(task.playbook_version)
    assert report.outcome.prospects == 1


def test_an_answer_out_of_range_is_refused_whole_and_the_task_stays_open() -> None:
    prospect, task = asked("fit_evidence")
    wrong = judgement(first_ask(task), value=400.0)
    with pytest.raises(answers.AnswerRefused):
        answers.answer(task.pk, actor=staff(prospect), client=prospect.client, filled_in=wrong)
    task.refresh_from_db()
    assert task.status == "open"
    assert not Signal.objects.filter(prospect=prospect, kind="judgement").exists()
    assert not Diagnostic.objects.filter(prospect=prospect, trace_id=task.trace_id, agent="fit_evidence").exists()


def test_only_people_with_a_deciding_role_answer() -> None:
    prospect, task = asked("fit_evidence")
    operator = factories.user(prospect.client, Role.OPERATOR)
    with pytest.raises(NotAllowed):
        answers.answer(task.pk, actor=operator, client=prospect.client, filled_in=judgement(first_ask(task)))


@pytest.mark.django_db(transaction=True)
def test_two_people_answer_at_once_and_one_counts() -> None:
    prospect, task = asked("fit_evidence")
    people = [staff(prospect), staff(prospect)]

    def give(person: User) -> str:
        try:
            answers.answer(task.pk, actor=person, client=prospect.client, filled_in=judgement(first_ask(task)))
        except TaskClosed:
            return "closed"
        finally:
            connection.close()
        return "counted"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(give, people)) == ["closed", "counted"]
    assert Evidence.objects.filter(prospect=prospect, category="fit").count() == 1


def test_words_written_by_a_person_are_graded_before_anybody_is_asked() -> None:
    version = scene.demo(edit=by_people("message_hypothesis"))
    company = factories.company(version.playbook.client, **scene.GOOD)
    person = factories.contact(version.playbook.client, company, country="US", entity_type="company")
    prospect = scene.company(version, scene.GOOD)
    Prospect.objects.filter(pk=prospect.pk).update(contact=person)
    scene.run(version)
    task = Task.objects.get(prospect=prospect, agent="message_hypothesis")
    filled_in = {"channel": "email", "subject": "Your new team", "body": "Hi.\n\nBuy now!!!\n"}
    answers.answer(task.pk, actor=staff(prospect), client=prospect.client, filled_in=filled_in)
    message = Message.objects.get(prospect=prospect)
    assert message.recipient == person.email
    assert message.grade
    assert message.compliance
    scene.run(version)
    assert not ApprovalRequest.objects.filter(prospect=prospect).exists()


def test_the_page_shows_the_facts_takes_the_answer_and_says_what_is_wrong(client: Browser) -> None:
    prospect, task = asked("fit_evidence")
    client.force_login(staff(prospect))
    url = reverse("approvals:answer_task", args=[task.pk])
    page = client.get(url).content.decode()
    assert "industry: B2B" in page
    assert "tags: SaaS, B2B" in page
    refused = client.post(url, {"value_0": "80"})
    assert refused.status_code == 422
    assert "Say what you saw" in refused.content.decode()
    done = client.post(url, {"value_0": "80", "words_0": "Twelve people on their page.", "confidence_0": "0.9"})
    assert done.status_code == 302
    assert Evidence.objects.filter(prospect=prospect, category="fit", value=80).exists()


def test_each_criterion_stands_in_one_row_with_what_it_asks_what_is_known_and_its_three_fields(client: Browser) -> None:
    prospect, task = asked("fit_evidence", "timing_evidence")
    client.force_login(staff(prospect))
    page = client.get(reverse("approvals:answer_task", args=[task.pk])).content.decode()
    rows = page.split('<div class="judge-row"')[1:]
    assert len(rows) == len(task.asks)
    criterion = task.playbook_version.criteria.get(scorecard="icp", key="industry")
    industry = rows[[ask["key"] for ask in task.asks].index("icp.industry")]
    assert f"Asks: {escape(describe('in_set', criterion.params))}" in industry
    assert "Industry: B2B" in industry
    assert "as wanted" not in industry  # the fact, not what rules make of it
    assert industry.count("<input") + industry.count("<select") == 3
    blank = scene.company(task.playbook_version, {"country": "US"}, news=False)
    other = Task.objects.create(
        client=prospect.client, kind="agent_work", prospect=blank, agent="fit_evidence", form="evidence",
        title="Judge", playbook_version=task.playbook_version, asks=task.asks,
    )  # fmt: skip
    bare = client.get(reverse("approvals:answer_task", args=[other.pk])).content.decode()
    assert "Nothing known yet." in bare.split('<div class="judge-row"')[1:][rows.index(industry)]


def test_whoever_cannot_judge_closes_the_task_and_says_why(client: Browser) -> None:
    prospect, task = asked("fit_evidence")
    client.force_login(staff(prospect))
    closing = reverse("approvals:resolve_task", args=[task.pk])
    assert closing in client.get(reverse("approvals:answer_task", args=[task.pk])).content.decode()
    client.post(closing, {"outcome": "no_answer", "words": "Their page is down."})
    task.refresh_from_db()
    assert (task.status, task.resolution, task.words) == ("done", "no answer", "Their page is down.")
    assert not Evidence.objects.filter(prospect=prospect, criterion=first_ask(task)).exists()


def test_another_clients_task_is_not_found(client: Browser) -> None:
    _, task = asked("fit_evidence")
    stranger = factories.user(factories.client(), Role.ADMIN)
    client.force_login(stranger)
    assert client.get(reverse("approvals:answer_task", args=[task.pk])).status_code == 404
