"""Convergence against the real database: verdicts, grounds, requests, and doing it again."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection
from django.test.utils import CaptureQueriesContext

from approvals.models import ApprovalRequest, Evaluation, Message
from playbooks.models import AgentPermission, AuditEntry, Stop
from playbooks.services import stops
from prospects.host.store import HOST, NoActiveVersion
from prospects.models import (
    AgentRun,
    Contact,
    Convergence,
    Diagnostic,
    Evidence,
    Prospect,
    Score,
    Signal,
    StageTransition,
)
from prospects.services.converging import convergences
from prospects.services.converging.convergences import Stopped
from tests import factories
from tests.runtime import scene

pytestmark = pytest.mark.django_db

FACTS = (Signal, Evidence, Score, StageTransition, AgentRun, Diagnostic, Message, Evaluation, ApprovalRequest)


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in FACTS}


def test_every_prospect_leaves_with_an_explicit_verdict_and_reason() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    gone = scene.company(under, scene.GONE)
    quiet = scene.company(under, scene.GOOD, news=False)
    report = scene.run(under)

    for prospect in (good, gone, quiet):
        prospect.refresh_from_db()
        assert prospect.verdict_reason
        assert prospect.converged_no == prospect.facts_no
        assert prospect.converged_version == under
    assert (good.verdict, good.stage, good.verdict_missing) == ("qualified", "qualified", [])
    assert (gone.verdict, gone.stage, gone.route) == ("rejected", "rejected", "cold")
    assert "Acquired" in gone.verdict_reason
    assert (quiet.verdict, quiet.stage) == ("stalled", "stalled")
    assert any("Timing" in words for words in quiet.verdict_missing)
    assert report.as_dict()["verdicts"] == {"qualified": 1, "rejected": 1, "stalled": 1}


def test_evidence_cites_imported_facts_and_says_their_value() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    rows = Evidence.objects.filter(prospect=good)
    own = set(Signal.objects.filter(prospect=good).values_list("pk", flat=True))
    assert {row.category for row in rows} >= {"fit", "timing", "need", "risk"}
    assert all(row.signal_ids and set(row.signal_ids) <= own for row in rows)
    size = rows.get(criterion="size")
    assert "12" in size.rationale
    assert size.source == "companies.csv"
    assert "20 May 2026" in rows.get(criterion="hiring_started").rationale


def test_a_qualified_prospect_becomes_a_request_with_a_whole_dossier() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    asked = ApprovalRequest.objects.get(prospect=good)
    good.refresh_from_db()
    dossier = asked.dossier
    assert asked.status == "waiting"
    assert asked.grade in ("A", "B+")
    assert asked.facts_no == dossier["facts_no"] == good.facts_no
    assert [part["layer"] for part in dossier["why"]] == ["firmographic", "behavioral", "psychologic", "investment"]
    assert len(dossier["categories"]) >= 3
    assert "20 May 2026" in dossier["why_now"]["text"]
    assert all(gate["passed"] for gate in dossier["gates"])
    assert {row["kind"] for row in dossier["alternatives"]} >= {"channel", "nothing"}
    words = dossier["message"]
    for sentence in words["sentences"]:
        assert sentence["text"] in words["body"]
    assert good.contact is not None
    assert words["recipient"] == good.contact.email
    assert "{{" not in words["subject"] + words["body"]
    assert good.next_action == "Decide the waiting request."


def test_a_decision_while_agents_are_at_work_is_what_the_list_goes_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """The agents read the request as waiting; before they write, somebody has decided."""
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    factories.signal(good, kind="news")
    scene.seen(good)
    guard = HOST.guard

    def decided_meanwhile(contexts: Any) -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE approvals_approvalrequest SET status = 'cancelled' WHERE status = 'waiting'")
        return guard(contexts)

    monkeypatch.setattr(HOST, "guard", decided_meanwhile)
    scene.run(under)
    good.refresh_from_db()
    assert good.next_action == "The request was called off: agents ask again once something new is known."


def test_running_again_writes_nothing() -> None:
    under = scene.demo()
    for facts in (scene.GOOD, scene.GONE, scene.POOR):
        scene.company(under, facts)
    scene.run(under)
    before = counts()
    again = scene.run(under)
    assert counts() == before
    assert again.outcome.prospects == 0


def test_a_crash_before_the_end_loses_one_cycle_and_the_next_run_completes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    from prospects.host.store import ProspectHost

    save, calls = ProspectHost.save, []

    def crash_in_the_second_cycle(self: ProspectHost, *args: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        save(self, *args)

    monkeypatch.setattr(ProspectHost, "save", crash_in_the_second_cycle)
    with pytest.raises(KeyboardInterrupt):
        scene.run(under)
    assert ApprovalRequest.objects.count() == 0
    assert Evidence.objects.filter(prospect=good).exists()
    monkeypatch.setattr(ProspectHost, "save", save)
    resumed = scene.run(under)

    assert ApprovalRequest.objects.filter(prospect=good).count() == 1
    assert Convergence.objects.count() == 1
    doubled = Counter(AgentRun.objects.values_list("prospect", "agent", "implementation_version", "watermark"))
    assert max(doubled.values()) == 1
    assert resumed.convergence.status == "done"


def test_two_complete_runs_on_the_same_input_propose_the_same() -> None:
    digests = []
    for slug in ("one", "two"):
        owner = factories.client(name="Same", sender_email="robin@same.example", slug=slug)
        under = scene.demo(owner)
        for number, facts in enumerate((scene.GOOD, scene.GONE, scene.POOR)):
            account = {
                **facts,
                "name": f"Globex {number}",
                "name_key": f"globex {number}",
                "domain": f"g{number}.example",
            }
            person = factories.contact(
                owner, email=f"dana@g{number}.example", attributes={"collected_on": "2026-04-07"}
            )
            scene.company(under, account, contact=person)
        digests.append(scene.run(under).digest)
    assert digests[0] == digests[1]


def test_new_facts_bring_a_stalled_prospect_back() -> None:
    under = scene.demo()
    quiet = scene.company(under, scene.GOOD, news=False)
    scene.run(under)
    quiet.refresh_from_db()
    assert quiet.stage == "stalled"
    factories.signal(
        quiet, kind="hiring_started", observed_at=scene.CHANGED, text="Started hiring.", source="changes.csv"
    )
    scene.seen(quiet)
    scene.run(under)
    quiet.refresh_from_db()
    assert quiet.stage == "qualified"
    path = StageTransition.objects.filter(prospect=quiet).order_by("seq").values_list("to_stage", flat=True)
    assert list(path) == ["researched", "qualifying", "stalled", "qualifying", "qualified"]


def test_news_that_changes_nothing_moves_nobody() -> None:
    under = scene.demo()
    quiet = scene.company(under, scene.GOOD, news=False)
    scene.run(under)
    moves = StageTransition.objects.count()
    factories.signal(quiet, kind="weather", observed_at=scene.CHANGED, text="It rained.")
    scene.seen(quiet)
    scene.run(under)
    assert StageTransition.objects.count() == moves


def test_a_new_version_judges_everybody_again_and_keeps_the_old_judgements() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under)
    newer = scene.demo(
        under.playbook.client, edit={r"min_score: \d+": "min_score: 99.9", r"      maximum: 40": "      maximum: 4"}
    )
    scene.run(newer)
    good.refresh_from_db()
    assert good.converged_version == newer
    assert Evidence.objects.filter(prospect=good, playbook_version=under).exists()
    again = Evidence.objects.filter(prospect=good, playbook_version=newer)  # the rest was asked alike, and still holds
    assert set(again.values_list("criterion", flat=True)) == {"size"}
    assert Score.objects.filter(prospect=good, playbook_version=newer, scorecard="icp").exists()
    assert good.verdict == "stalled"


def test_a_denied_team_gets_diagnostics_and_one_audit_entry_each() -> None:
    under = scene.demo()
    prospects = [scene.company(under, scene.GOOD) for _ in range(3)]
    AgentPermission.objects.create(
        client=under.playbook.client, team="qualification", resource="icp_evidence", access="read"
    )
    report = scene.run(under)
    assert Evidence.objects.count() == 0
    denied = Diagnostic.objects.filter(kind="permission_denied")
    assert set(denied.values_list("prospect", flat=True)) == {p.pk for p in prospects}
    entries = AuditEntry.objects.filter(event="agent.permission_denied")
    assert {entry.detail["agent"] for entry in entries} >= {"fit_evidence", "timing_evidence"}
    assert sum(entry.detail["refused"] for entry in entries) == denied.count()
    assert report.as_dict()["verdicts"]["stalled"] == 3


@pytest.mark.parametrize("level", ["everything", "client", "playbook"])
def test_a_stop_keeps_agents_from_starting(level: str) -> None:
    under = scene.demo()
    scene.company(under, scene.GOOD)
    person = factories.user(under.playbook.client)
    Stop.objects.create(
        level=level, client=None if level == "everything" else under.playbook.client,
        target_id=under.playbook_id if level == "playbook" else None, reason="Look first", created_by=person,
    )  # fmt: skip
    with pytest.raises(Stopped, match="Look first"):
        scene.run(under)
    assert AgentRun.objects.count() == 0


def test_a_stopped_prospect_is_skipped_and_a_stopped_agent_does_not_run() -> None:
    under = scene.demo()
    stopped, free = scene.company(under, scene.GOOD), scene.company(under, scene.GOOD)
    person, client = factories.user(under.playbook.client), under.playbook.client
    Stop.objects.create(level="prospect", client=client, target_id=stopped.pk, reason="Mine", created_by=person)
    Stop.objects.create(level="agent", client=client, agent="message_hypothesis", reason="Tone", created_by=person)
    report = scene.run(under)
    assert report.convergence.status == "done"
    assert set(AgentRun.objects.values_list("prospect", flat=True)) == {free.pk}
    assert Message.objects.count() == 0


@pytest.mark.parametrize(("kind", "after"), [("pause", "running"), ("cancel", "cancelled")])
def test_a_stop_that_arrives_between_batches_ends_the_convergence_or_lets_it_wait(kind: str, after: str) -> None:
    under = scene.demo()
    for _ in range(3):
        scene.company(under, scene.GOOD)
    client = under.playbook.client
    person = factories.user(client)

    def stop(done: int, total: int) -> None:
        if done == 1 and not Stop.objects.exists():
            stops.stop(client=client, level="client", kind=kind, reason="Halt", actor=person)

    report = scene.run(under, batch_size=1, progress=stop)
    assert (report.convergence.status, report.convergence.done) == (after, 1)
    assert ("Halt" in report.convergence.error) == (kind == "cancel")
    stops.lift(Stop.objects.get().pk, client=client, actor=person, reason="Done")
    again = scene.run(under)
    assert (again.convergence.pk == report.convergence.pk) == (kind == "pause")
    assert again.convergence.status == "done"


def test_cancelling_stops_after_the_present_batch() -> None:
    under = scene.demo()
    for _ in range(3):
        scene.company(under, scene.GOOD)

    def cancel(done: int, total: int) -> None:
        if done == 1:
            newest = Convergence.objects.latest("pk")
            convergences.cancel(newest.pk, client=under.playbook.client, actor=None)

    report = scene.run(under, batch_size=1, progress=cancel)
    assert (report.convergence.status, report.convergence.done) == ("cancelled", 1)
    assert scene.run(under).outcome.prospects == 2


def test_a_limit_takes_that_many() -> None:
    under = scene.demo()
    for _ in range(4):
        scene.company(under, scene.GOOD)
    assert scene.run(under, limit=3, batch_size=2).convergence.done == 3
    assert Prospect.objects.due().count() == 1


def test_early_depth_judges_but_writes_to_nobody() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    scene.run(under, depth="early")
    good.refresh_from_db()
    assert good.verdict == "qualified"
    assert Message.objects.count() == 0
    assert scene.run(under, depth="early").outcome.prospects == 0
    assert scene.run(under).convergence.requests == 1


def test_one_prospect_that_breaks_the_runtime_is_given_up_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    under = scene.demo()
    bad, *others = [scene.company(under, scene.GOOD) for _ in range(3)]
    from prospects.services import scores

    original = scores.items_of

    def broken(context: Any) -> Any:
        if context.id == bad.pk:
            raise ZeroDivisionError
        return original(context)

    monkeypatch.setattr(scores, "items_of", broken)
    report = scene.run(under)
    bad.refresh_from_db()
    assert report.convergence.status == "done"
    assert (bad.verdict, bad.stage) == ("stalled", "sourced")
    assert report.convergence.trace_id in bad.verdict_reason
    assert Prospect.objects.filter(pk__in=[p.pk for p in others], verdict="qualified").count() == 2


def test_the_end_of_a_worker_s_time_gives_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    under = scene.demo()
    prospect = scene.company(under, scene.GOOD)

    def interrupted(*_: Any) -> None:
        raise SoftTimeLimitExceeded

    with monkeypatch.context() as patch:
        patch.setattr(HOST, "settle", interrupted)
        with pytest.raises(SoftTimeLimitExceeded):
            scene.run(under)
    prospect.refresh_from_db()
    assert (prospect.verdict, prospect.failures, Diagnostic.objects.count()) == ("", 0, 0)
    scene.run(under)
    prospect.refresh_from_db()
    assert prospect.verdict == "qualified"


def test_without_an_active_version_nothing_starts() -> None:
    under = scene.demo(activate=False)
    with pytest.raises(NoActiveVersion):
        scene.run(under)


def test_a_prospect_without_a_person_stays_qualified_and_asks_for_one() -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    Prospect.objects.filter(pk=good.pk).update(contact=None)
    Contact.objects.filter(company=good.company).update(company=None)
    scene.run(under)
    good.refresh_from_db()
    assert (good.verdict, good.next_action) == ("qualified", "Find a person to write to.")
    assert "no person" in Diagnostic.objects.get(prospect=good).message


def test_a_suppressed_person_is_not_written_to() -> None:
    from approvals.services.suppress import suppress_contact

    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    assert good.contact is not None
    suppress_contact(good.contact, client=under.playbook.client, actor=None, reason="asked", source="test")
    scene.run(under)
    assert Message.objects.count() == 0
    assert "must not be contacted" in Diagnostic.objects.get(prospect=good).message
    good.refresh_from_db()
    assert good.next_action == "They want to be left alone: find somebody else to write to, or end it."


def test_the_number_of_queries_does_not_grow_with_the_batch() -> None:
    def queries(size: int) -> int:
        under = scene.demo()
        for _ in range(size):
            scene.company(under, scene.GOOD)
        with CaptureQueriesContext(connection) as captured:
            scene.run(under)
        return len(captured)

    queries(1)  # caches warm up
    assert queries(2) == queries(12)
