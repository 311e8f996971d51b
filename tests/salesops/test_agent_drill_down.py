"""From the Agents page down to one run, one job and one trace; what failed shows, and can be tried again."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playbooks.services import stops
from prospects.agents import fit_evidence
from prospects.models import AgentDay, AgentRun, Convergence, Diagnostic, Handoff, ImportBatch, Prospect
from prospects.reading.timeline import timeline_of
from salesops.reading.agent_health import MIN_FIT, health_of
from salesops.reading.agent_numbers import agent_rows
from tests import factories
from tests.runtime import scene

pytestmark = pytest.mark.django_db


@pytest.fixture
def worked(client: Client) -> Any:
    """Three prospects converged under the demo playbook, and an operator signed in."""
    under = scene.demo()
    for number in range(3):
        scene.company(under, {**scene.GOOD, "name": f"G{number}", "domain": f"g{number}.example"})
    scene.run(under)
    client.force_login(factories.user(under.playbook.client, "operator"))
    return under


@pytest.fixture
def broken(client: Client, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One prospect on which an agent broke."""
    under = scene.demo()
    scene.company(under, scene.GOOD)

    def breaks(*_: Any) -> Any:
        raise TimeoutError("nobody answered")

    with monkeypatch.context() as patch:
        kind, good = next(iter(fit_evidence.AGENT.implementations.items()))
        patch.setitem(fit_evidence.AGENT.implementations, kind, type(good)(breaks, good.version))
        scene.run(under)
    client.force_login(factories.user(under.playbook.client, "operator"))
    return under


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_shows_each_agents_numbers_and_health(client: Client, worked: Any) -> None:
    with time_machine.travel(datetime.combine(AgentDay.objects.latest("day").day, time(12), UTC)):  # whatever it is now
        page = text(client, reverse("agents"))
    assert "Fit evidence" in page
    assert "3 runs in 14 days, 3 today" in page
    assert "Who does what" in page
    assert reverse("prospects:sources") in page
    row = next(row for row in agent_rows(worked.playbook.client, set()) if row.agent.name == "fit_evidence")
    runs = AgentRun.objects.filter(agent="fit_evidence")
    assert (row.total.runs, row.total.promoted) == (3, sum(runs.values_list("promoted", flat=True)))
    assert row.p95 is not None


def test_a_check_that_fails_says_the_number_and_the_bound(client: Client, worked: Any) -> None:
    AgentDay.objects.filter(agent="fit_evidence").update(marks=1.2, marked=3)
    assert "Mean fit: 0.40, needs ≥ 0.60" in text(client, reverse("agents"))
    (row,) = agent_rows(worked.playbook.client, set(), only="fit_evidence")
    (check,) = health_of(worked.playbook.client, [row])["fit_evidence"].failed
    assert (check.passed, check.bound) == (False, MIN_FIT)


def test_nothing_measured_passes_no_check(client: Client) -> None:
    client.force_login(factories.user(factories.version().playbook.client))
    page = text(client, reverse("agents"))
    assert "nothing yet" in page
    assert "passed" not in page


def test_the_numbers_are_the_clients_own(client: Client, worked: Any) -> None:
    client.force_login(factories.user(factories.version().playbook.client, "operator"))
    assert "3 runs" not in text(client, reverse("agents"))
    run = AgentRun.objects.earliest("pk")
    for url in (
        reverse("run", args=[run.pk]),
        reverse("job", args=[run.convergence_id]),
        reverse("prospect_runs", args=[run.prospect_id]),
        reverse("trace", args=[run.trace_id]),
    ):
        assert client.get(url).status_code == 404


def test_an_agents_runs_lead_to_each_run_and_its_proposals(client: Client, worked: Any) -> None:
    run = AgentRun.objects.filter(agent="fit_evidence").latest("pk")
    page = text(client, reverse("agent", args=["fit_evidence"]))
    assert reverse("run", args=[run.pk]) in page
    one = text(client, reverse("run", args=[run.pk]))
    assert f"{run.promoted} kept, 0 refused" in one
    assert run.trace_id in one
    assert "Evidence: place" in one
    assert run.prospect.get_absolute_url() in one
    assert client.get(reverse("agent", args=["nobody"])).status_code == 404


def test_runs_are_narrowed_by_how_they_ended_by_whom_and_by_refusals(client: Client, worked: Any) -> None:
    base = reverse("agent", args=["fit_evidence"])
    assert "No such run." in text(client, f"{base}?status=failed")
    assert "No such run." in text(client, f"{base}?implementation=llm")
    assert "No such run." in text(client, f"{base}?refused=1")
    assert "No such run." not in text(client, f"{base}?status=ok&implementation=rules")


def test_a_refused_proposal_stands_beside_its_reason(client: Client, worked: Any) -> None:
    who = Prospect.objects.earliest("pk")
    job = Convergence.objects.latest("pk")
    run = AgentRun.objects.create(
        client=who.client, convergence=job, cycle=1, agent="fit_evidence", implementation="llm", prospect=who,
        implementation_version="x", playbook_version=worked, watermark=99, proposed=2, promoted=1, refused=1,
        proposals=[
            {"type": "evidence", "criterion": "place", "value": 90.0},
            {"type": "evidence", "criterion": "size", "quote": "we are <b>forty</b>"},
        ],
        at=scene.CLOCK, trace_id=job.trace_id,
    )  # fmt: skip
    Diagnostic.objects.create(
        client=who.client, prospect=who, run=run, agent="fit_evidence", kind="provenance", at=scene.CLOCK,
        message="The quote stands nowhere.", detail={"proposal": 1}, trace_id=job.trace_id,
    )  # fmt: skip
    page = text(client, reverse("run", args=[run.pk]))
    before, after = page.split("The quote stands nowhere.")
    assert before.count("Evidence: place") == 1
    assert "Refused" in before[before.index("Evidence: place") :]
    assert "&lt;b&gt;forty" in after
    assert str(run.pk) in text(client, f"{reverse('agent', args=['fit_evidence'])}?refused=1")


def test_pausing_an_agent_shows_who_why_and_how_to_go_on(client: Client, worked: Any) -> None:
    owner = worked.playbook.client
    stops.stop(client=owner, actor=factories.user(owner, name="Mira"), level="agent", agent="enrichment", reason="Wait")
    page = text(client, reverse("agents"))
    assert "Paused" in page
    assert "Wait" in page
    assert "Resume" in page


def test_what_failed_shows_its_class_and_trace_and_can_be_tried_again(client: Client, broken: Any) -> None:
    who = Prospect.objects.get()
    page = text(client, reverse("agents"))
    run = AgentRun.objects.get(status="failed")
    assert (run.error, run.fault, who.failures) == ("TimeoutError", "network", 1)
    assert "network" in page
    assert run.trace_id[:8] in page
    assert "Try again" in page
    answer = client.post(reverse("retry"), {"prospect": [who.pk, "x"]})
    assert answer.status_code == 302
    who.refresh_from_db()
    assert who.failures == 0
    assert who.due_again_at is not None
    assert Convergence.objects.latest("pk").status == "queued"
    scene.run(broken, clock=None)
    who.refresh_from_db()
    assert (who.verdict, who.failures) == ("qualified", 0)
    assert "Over" in text(client, reverse("agents"))


def test_only_who_may_start_agents_may_try_again(client: Client, broken: Any) -> None:
    who = Prospect.objects.get()
    client.force_login(factories.user(broken.playbook.client, "reviewer"))
    assert "Try again" not in text(client, reverse("agents"))
    assert client.post(reverse("retry"), {"prospect": who.pk}).status_code == 403
    client.force_login(factories.user(factories.version().playbook.client, "operator"))
    assert client.post(reverse("retry"), {"prospect": who.pk}).status_code == 409
    who.refresh_from_db()
    assert who.failures == 1


def test_a_stop_keeps_a_retry_from_changing_anything(client: Client, broken: Any) -> None:
    owner = broken.playbook.client
    stops.stop(client=owner, actor=factories.user(owner, "admin"), level="client", reason="Wrong list")
    assert client.post(reverse("retry"), {"prospect": Prospect.objects.get().pk}).status_code == 409
    assert Prospect.objects.get().failures == 1


def test_a_job_tells_how_far_it_is_by_level_and_how_often_it_was_taken_up(client: Client, worked: Any) -> None:
    job = Convergence.objects.latest("pk")
    assert (job.level_totals, job.level_done, job.attempts) == ([0, 3, 0], [0, 3, 0], 1)
    page = text(client, reverse("job", args=[job.pk]))
    assert "3 of 3 prospects" in page
    assert "Attempts" in page
    Convergence.objects.filter(pk=job.pk).update(status="running", finished_at=None, level_totals=[1, 2, 0])
    page = text(client, reverse("job", args=[job.pk]))
    assert "Hot or in the first tier" in page
    assert "Stop this run" in page
    assert "3 of 3" in text(client, f"{reverse('jobs')}?status=running")
    assert "No run in this state." in text(client, f"{reverse('jobs')}?status=failed")


def test_a_trace_goes_from_the_import_to_the_request(client: Client) -> None:
    under = scene.demo()
    owner = under.playbook.client
    batch = ImportBatch.objects.create(
        client=owner, playbook=under.playbook, kind="companies", file_name="companies.csv", sha256="0" * 64,
        status="done", finished_at=scene.CLOCK,
    )  # fmt: skip
    who = scene.company(under, scene.GOOD)
    scene.run(under)
    assert Convergence.objects.get().trace_id == batch.trace_id
    client.force_login(factories.user(owner))
    page = text(client, reverse("trace", args=[batch.trace_id]))
    for title in ("Imports", "Agents set to work", "Runs", "Handoffs", "Messages", "Approval requests", "Audit log"):
        assert f">{title}<" in page
    assert "Fit evidence on" in page
    own = text(client, f"{reverse('trace', args=[batch.trace_id])}?prospect={who.pk}")
    assert "Fit evidence<" in own
    assert Handoff.objects.filter(trace_id=batch.trace_id).count() == 2
    assert client.get(reverse("trace", args=["0" * 32])).status_code == 404


def test_every_line_of_a_prospects_timeline_leads_to_a_trace_that_holds_it(client: Client) -> None:
    ruling = factories.version()
    who = factories.qualified(ruling)
    client.force_login(factories.user(who.client))
    lines = timeline_of(who).events
    assert {line.kind for line in lines} >= {"signal", "stage"}
    for line in lines:
        if line.trace_id:
            page = text(client, f"{reverse('trace', args=[line.trace_id])}?prospect={who.pk}")
            assert "What was seen" in page if line.kind == "signal" else "Moves" in page


def test_after_two_imports_a_run_has_a_trace_of_its_own_that_leads_to_both(client: Client) -> None:
    under = scene.demo()
    owner = under.playbook.client
    for name in ("companies.csv", "people.csv"):
        ImportBatch.objects.create(
            client=owner, playbook=under.playbook, kind="companies", file_name=name, sha256="0" * 64, status="done",
            finished_at=scene.CLOCK,
        )  # fmt: skip
    scene.company(under, scene.GOOD)
    scene.run(under)
    job = Convergence.objects.get()
    assert not ImportBatch.objects.filter(trace_id=job.trace_id).exists()
    client.force_login(factories.user(owner))
    page = text(client, reverse("trace", args=[job.trace_id]))
    assert "Worked on what came in from companies.csv" in page
    assert "Worked on what came in from people.csv" in page
    first = ImportBatch.objects.earliest("pk")
    assert job.trace_id in text(client, reverse("trace", args=[first.trace_id]))


@pytest.mark.parametrize("name", ["agents", "agent", "run", "trace", "prospect"])
def test_pages_ask_the_same_number_of_questions_however_much_there_is(client: Client, name: str) -> None:
    under = scene.demo()
    client.force_login(factories.user(under.playbook.client, "operator"))
    asked = []
    for size in (2, 6):
        for number in range(size):
            scene.company(under, {**scene.GOOD, "name": f"G{size}{number}", "domain": f"g{size}-{number}.example"})
        scene.run(under)
        run = AgentRun.objects.filter(agent="fit_evidence").latest("pk")
        url = {
            "agents": reverse("agents"),
            "agent": reverse("agent", args=["fit_evidence"]),
            "run": reverse("run", args=[run.pk]),
            "trace": reverse("trace", args=[run.trace_id]),
            "prospect": run.prospect.get_absolute_url(),
        }[name]
        client.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1] <= 32
