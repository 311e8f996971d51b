"""What worked before, when, and whether it is enough: the agents on plain views, and in the database."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection

from approvals.agents import (
    approval_gate,
    channel_decision,
    historical_outcome,
    message_hypothesis,
    saturation,
    timing_optimization,
)
from approvals.models import Advice, ApprovalRequest, Dispatch
from approvals.rules.history import Cell, Kind
from approvals.rules.saturation import Heard
from approvals.services import dispatch, task
from playbooks.models import ChannelPolicy, PlaybookVersion
from prospects.models import Diagnostic, Prospect, Signal, StageTransition
from salesops.runtime.outreach_proposals import (
    EvaluationProposal,
    HistoryProposal,
    RequestProposal,
    SaturationProposal,
    TimingProposal,
)
from salesops.runtime.playbook_views import StepView
from salesops.runtime.proposals import NoteProposal
from salesops.runtime.views import AdviceView, EvaluationView
from tests import factories
from tests.approvals.scene import Scene, reload, soon
from tests.approvals.scene import scene as office_scene
from tests.approvals.test_agents import ask, drafted, policy, prospect, rules, template
from tests.runtime import scene
from tests.runtime.memory import NOW, contact

KIND = Kind("", "B2B", 1, "")


def cells(n: int, positive: int, angle: str = "proof") -> dict[str, Any]:
    return {historical_outcome.CELLS: (Cell(KIND, "email", angle, n, positive),)}


def with_history(about: Any, under: Any) -> Any:
    (found,) = ask(historical_outcome, about, under)
    assert isinstance(found, HistoryProposal)
    data = found.model_dump(mode="json", include={"alike", "channels", "angles"})
    about.add_advice(AdviceView("history", "", found.words, data, None, None, blocked=False, fact_no=60))
    return about


def test_without_predecessors_history_is_silent() -> None:
    assert ask(historical_outcome, prospect(), rules()) == []
    assert ask(historical_outcome, prospect(extras=cells(4, 4)), rules()) == []


def test_history_says_how_often_and_how_sure() -> None:
    (found,) = ask(historical_outcome, prospect(extras=cells(40, 6)), rules())
    assert isinstance(found, HistoryProposal)
    (email,) = found.channels
    assert (email.n, email.positive, email.prior) == (40, 6, 0.05)
    assert email.low < 6 / 40 < email.high
    assert "6 positive of 40" in found.words
    assert "proof angle did best" in found.words


def test_an_angle_that_worked_before_is_drafted_first() -> None:
    under = rules(templates=(template("direct"), template("proof")))
    plain = [draft.angle for draft in ask(message_hypothesis, prospect(), under)]
    taught = with_history(prospect(extras=cells(40, 8)), under)
    assert plain == ["direct", "proof"]
    assert [draft.angle for draft in ask(message_hypothesis, taught, under)] == ["proof", "direct"]


@pytest.mark.parametrize(("n", "brings"), [(19, "brings 5.0\u202f%"), (20, "has brought 22.5\u202f% in 20 cases")])
def test_a_clients_own_rate_counts_once_there_are_enough_cases(n: int, brings: str) -> None:
    under = rules(channels=(policy(),), deal_value=Decimal(4800))
    about = with_history(ready(extras=cells(n, 8)), under)
    (found,) = (e for e in ask(channel_decision, about, under) if e.channel == "email")
    assert brings in found.rationale


def ready(**fields: Any) -> Any:
    """A prospect with a draft that has passed."""
    about = drafted()
    for name, value in fields.items():
        setattr(about, name, value)
    passed = {"compliance": "PASS", "grade": "A", "quality_points": 95.0}
    about.messages[:] = [dataclasses.replace(message, **passed) for message in about.messages]
    return about


def test_a_window_is_advised_for_every_channel_that_has_words() -> None:
    about = ready(contact=contact(time_zone="America/New_York"))
    (found,) = ask(timing_optimization, about, rules())
    assert isinstance(found, TimingProposal)
    assert (found.channel, found.zone) == ("email", "America/New_York")
    assert found.not_before is not None
    assert found.not_before >= NOW


def test_the_gate_asks_nobody_while_somebody_rests() -> None:
    about = ready(extras={saturation.HEARD: Heard(5, (NOW - timedelta(hours=2),))})
    answer, note = ask(saturation, about, rules())
    assert isinstance(answer, SaturationProposal)
    assert isinstance(note, NoteProposal)
    assert answer.until == NOW + timedelta(hours=22)
    assert note.message == answer.words


@pytest.mark.parametrize(("hours", "asked"), [(1, False), (0, True), (None, False)])
def test_the_gate_asks_again_when_the_rest_is_over(hours: int | None, asked: bool) -> None:
    under = rules(deal_value=Decimal(4800), sequences=(StepView("TIER_2", 0, "preferred", ""),))
    about = ready(tier="TIER_2")
    for number, evaluation in enumerate(ask(channel_decision, about, under)):
        about.add_evaluation(stored(evaluation, number))
    until = None if hours is None else NOW + timedelta(hours=hours)
    about.add_advice(AdviceView("saturation", "", "Rests.", {}, until, None, blocked=True, fact_no=90))
    found = ask(approval_gate, about, under)
    assert [type(p) for p in found] == ([RequestProposal] if asked else [])
    if asked:
        dossier = found[0].dossier
        assert dossier["sequence"] == {"tier": "TIER_2", "touch": 1, "touches": 1, "days": 0}
        assert dossier["timing"]["words"]
        assert dossier["saturation"]["words"] == "Rests."
        assert dossier["history"] is None


def stored(proposal: EvaluationProposal, number: int) -> Any:
    fields = proposal.model_dump(exclude={"type", "probability_low", "probability_high"})
    return EvaluationView(**fields, id=number + 1, fact_no=70 + number)


# --- in the database -------------------------------------------------------------------------------------------------


def write(statement: str, *parameters: Any) -> None:
    """What waiting would bring. PostgreSQL lets nobody write it with its guards on."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(statement, parameters)
        cursor.execute("SET session_replication_role = DEFAULT")


def asked_of(who: Prospect) -> list[ApprovalRequest]:
    return list(ApprovalRequest.objects.filter(prospect=who))


def sold(under: PlaybookVersion, count: int, at: datetime) -> list[Prospect]:
    """Prospects that got a live message at ``at``."""
    at_work = Scene(under.playbook.client, under, factories.user(under.playbook.client))
    made = [scene.company(under, scene.GOOD) for _ in range(count)]
    scene.run(under, clock=at)
    # A request lasts from its own clock; here that is months ago.
    write("UPDATE approvals_approvalrequest SET expires_at = now() + interval '2 days'")
    for who in made:
        at_work.approve(ApprovalRequest.objects.get(prospect=who))
    factories.end_undo_windows()
    dispatch.sweep(at=soon())
    write("UPDATE approvals_dispatch SET mode = 'live', claimed_at = %s WHERE status = 'accepted'", at)
    assert Dispatch.objects.filter(status="accepted").count() == count
    return made


@pytest.mark.django_db(transaction=True)
def test_a_touched_person_is_asked_for_again_by_itself_when_the_rest_is_over(office: Any) -> None:
    under = scene.demo()
    (touched,) = sold(under, 1, scene.CLOCK - timedelta(hours=2))
    other = scene.company(under, scene.GOOD, contact=touched.contact)
    scene.run(under)
    other.refresh_from_db()
    assert asked_of(other) == []
    assert other.due_again_at == scene.CLOCK + timedelta(hours=22)
    assert "It may go on from" in other.verdict_missing[0]
    assert Diagnostic.objects.filter(prospect=other, agent="saturation").exists()
    scene.run(under, clock=scene.CLOCK + timedelta(hours=1))
    assert asked_of(other) == []
    scene.run(under, clock=scene.CLOCK + timedelta(hours=23))
    assert len(asked_of(other)) == 1


@pytest.mark.django_db(transaction=True)
def test_new_facts_do_not_end_a_rest_early(office: Any) -> None:
    under = scene.demo()
    (touched,) = sold(under, 1, scene.CLOCK - timedelta(hours=2))
    other = scene.company(under, scene.GOOD, contact=touched.contact)
    scene.run(under)
    factories.signal(other, kind="weather", data={}, dedup_key="weather", observed_at=scene.CHANGED)
    scene.seen(other)
    scene.run(under, clock=scene.CLOCK + timedelta(hours=1))
    other.refresh_from_db()
    assert asked_of(other) == []
    assert other.due_again_at == scene.CLOCK + timedelta(hours=22)


@pytest.mark.django_db(transaction=True)
def test_what_worked_before_is_counted_over_finished_live_touches(
    office: Any,
) -> None:
    under = scene.demo()
    made = sold(under, 6, scene.CLOCK - timedelta(days=11))
    for who in made[:2]:
        met = scene.CLOCK - timedelta(days=8)
        factories.signal(who, kind="meeting_booked", data={}, dedup_key="met", observed_at=met)
    fresh = scene.company(under, scene.GOOD)
    scene.run(under)
    assert not Advice.objects.filter(prospect=fresh, aspect="history").exists(), "four could still say yes: two cases"
    later = scene.company(under, scene.GOOD)
    scene.run(under, clock=scene.CLOCK + timedelta(days=4))
    advice = Advice.objects.get(prospect=later, aspect="history")
    (email,) = advice.data["channels"]
    assert (email["n"], email["positive"]) == (6, 2)
    (request,) = asked_of(later)
    assert request.dossier["history"]["words"] == advice.words


@pytest.fixture
def in_new_york(office: Any) -> Scene:
    return office_scene(undo_seconds=0, request_hours=72)


@pytest.mark.django_db(transaction=True)
def test_what_really_leaves_waits_for_good_hours_and_the_sandbox_does_not(in_new_york: Scene, in_public: Any) -> None:
    client = in_new_york.client
    monday_evening = datetime(2035, 6, 11, 22, tzinfo=UTC)  # PostgreSQL lets nobody approve in the past
    with time_machine.travel(monday_evening, tick=False):
        captured = in_new_york.approved(contact={"time_zone": "America/New_York"})
        factories.go_live(client)
        live = in_new_york.approved(contact={"time_zone": "America/New_York", "synthetic": False})
        nowhere = in_new_york.approved(contact={"synthetic": False})
    assert captured.not_before == nowhere.not_before == monday_evening
    assert live.not_before.astimezone(ZoneInfo("America/New_York")).strftime("%a %H:%M") == "Tue 09:00"
    assert live.status == "undo_hold"


@pytest.mark.django_db(transaction=True)
def test_nothing_leaves_in_the_recipients_night(in_new_york: Scene, in_public: Any) -> None:
    factories.go_live(in_new_york.client)
    sent = in_new_york.approved(contact={"time_zone": "America/New_York", "synthetic": False})
    factories.end_undo_windows()  # its good hour, as if it had come
    tomorrow = (soon() + timedelta(days=1)).astimezone(ZoneInfo("America/New_York"))
    night = tomorrow.replace(hour=3, minute=0).astimezone(UTC)
    dispatch.sweep(at=night)
    after = reload(sent)
    assert (after.status, after.reason.startswith("quiet hours")) == ("postponed", True)
    assert after.not_before.astimezone(ZoneInfo("America/New_York")).hour == 7


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("agent", ["email_execution"])
def test_an_executor_that_the_playbook_switched_off_sends_nothing(office: Any, agent: str) -> None:
    under = scene.demo(edit={r"(?m)^agents: \[\]$": f"agents:\n  - {{agent: {agent}, implementation: 'off'}}"})
    at_work = Scene(under.playbook.client, under, factories.user(under.playbook.client))
    who = scene.company(under, scene.GOOD)
    scene.run(under)
    write("UPDATE approvals_approvalrequest SET expires_at = now() + interval '2 days'")
    at_work.approve(ApprovalRequest.objects.get(prospect=who))
    factories.end_undo_windows()
    dispatch.sweep(at=soon())
    sent = Dispatch.objects.get(prospect=who)
    assert (sent.status, sent.reason) == ("cancelled", "the playbook has switched email execution off")


@pytest.mark.django_db(transaction=True)
def test_a_note_made_by_hand_names_the_agent_it_was_made_for(office: Any) -> None:
    client = factories.client()
    version = factories.version(client, active=False, undo_seconds=0, linkedin_per_day=15)
    ChannelPolicy.objects.create(version=version, channel="linkedin", daily_cap=15, unit_cost=0)
    at_work = Scene(client, factories.activate(version), factories.user(client))
    request = at_work.request(contact={"linkedin_url": "https://linkedin.example/in/dana"})
    note = factories.message(
        request.prospect, at_work.version, channel="linkedin", recipient="https://linkedin.example/in/dana",
        subject="", body="Hi Dana, may I send you ten names?", rule_version="1",
    )  # fmt: skip
    made = at_work.approve(factories.request(words=note)).dispatch
    assert made is not None
    dispatch.sweep(at=soon())
    found = made.tasks.get(kind="linkedin")
    task.close(found.pk, actor=at_work.reviewer, client=at_work.client, resolution=task.DONE_BY_HAND)
    sent = Signal.objects.get(prospect=request.prospect, kind="outreach_sent")
    assert sent.data["agent"] == "message_execution"
    moved = StageTransition.objects.get(prospect=request.prospect, to_stage="contacted")
    assert moved.agent == "message_execution"
