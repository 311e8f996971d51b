"""A stop at every level, before agents run and while they run: nothing it covers goes on, everything else does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from approvals.models import ApprovalRequest
from playbooks.models import AuditEntry, PlaybookVersion, Stop, User
from playbooks.services import stops
from prospects.models import AgentRun, Convergence, Prospect
from prospects.services.converging import converge as service
from prospects.services.converging import convergences, halting
from prospects.services.converging.convergences import Stopped
from salesops.all_agents import registry
from salesops.runtime.contract import Agent, Implementation
from salesops.runtime.registry import Registry
from salesops.runtime.words import ImplementationKind, Key, Phase, Team
from tests import factories
from tests.runtime import scene
from tests.stops.levels import LEVELS, WHOLE, set_one

pytestmark = pytest.mark.django_db
KINDS = ("pause", "cancel")
AGENT = "message_hypothesis"


@pytest.fixture
def under() -> PlaybookVersion:
    return scene.demo()


@pytest.fixture
def person(under: PlaybookVersion) -> User:
    return factories.user(under.playbook.client, "admin")


def request_of(prospect: Prospect) -> int:
    """Any number a request could have: agents have nothing to do with it."""
    return prospect.pk


def stop_it(under: PlaybookVersion, person: User, prospect: Prospect, level: str, kind: str, **more: Any) -> Stop:
    return set_one(
        level, kind, client=under.playbook.client, by=person, playbook=under.playbook_id, prospect=prospect.pk,
        request=request_of(prospect), agent=AGENT, **more,
    )  # fmt: skip


def agents_of(prospect: Prospect) -> set[str]:
    return set(AgentRun.objects.filter(prospect=prospect).values_list("agent", flat=True))


def verdict(prospect: Prospect) -> str:
    return Prospect.objects.get(pk=prospect.pk).verdict


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", LEVELS)
def test_before_a_run(under: PlaybookVersion, person: User, level: str, kind: str) -> None:
    stopped, free = scene.company(under, scene.GOOD), scene.company(under, scene.GOOD)
    stop = stop_it(under, person, stopped, level, kind)
    if level in WHOLE:
        with pytest.raises(Stopped, match="Look first"):
            scene.run(under)
        assert AgentRun.objects.count() == 0
    else:
        scene.run(under)
        assert (agents_of(stopped) == set()) == (level == "prospect")
        assert (AGENT in agents_of(free)) == (level != "agent")
        assert verdict(free) == "qualified"
    stops.lift(stop.pk, client=under.playbook.client, actor=person, reason="Looked")
    scene.run(under)
    assert {AGENT} <= agents_of(stopped) & agents_of(free)
    assert (verdict(stopped), verdict(free)) == ("qualified", "qualified")


@pytest.mark.parametrize("kind", KINDS)
def test_another_client_goes_on_whatever_of_ours_is_stopped(under: PlaybookVersion, person: User, kind: str) -> None:
    mine, other = scene.company(under, scene.GOOD), scene.demo()
    theirs = scene.company(other, scene.GOOD)

    def stop(level: str) -> None:
        # Their rows can have any numbers: the same ones as ours must not matter.
        set_one(
            level, kind, client=under.playbook.client, by=person, playbook=other.playbook_id, prospect=theirs.pk,
            request=1, agent=AGENT,
        )  # fmt: skip

    for level in LEVELS[1:]:
        stop(level)
    scene.run(other)
    assert AGENT in agents_of(theirs)
    stop("everything")
    late = scene.company(other, scene.GOOD)
    with pytest.raises(Stopped):
        scene.run(other)
    assert agents_of(mine) == agents_of(late) == set()


@pytest.fixture
def in_mid_run(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Let something happen while agents run: right after qualification's, before outreach's."""

    def arrange(happen: Callable[[], None]) -> None:
        done: list[bool] = []

        def run(batch: Any, tools: Any) -> dict[int, Any]:
            if not done:
                done.append(True)
                happen()
            return {}

        probe = Agent(
            name="probe", team=Team.QUALIFICATION, phase=Phase.QUALIFICATION, order=999, reads=frozenset({Key.SIGNALS}),
            writes=frozenset({Key.HYPOTHESES}), implementations={ImplementationKind.RULES: Implementation(run)},
        )  # fmt: skip
        monkeypatch.setattr(service, "registry", lambda: Registry([*registry(), probe]))

    return arrange


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", LEVELS)
def test_in_mid_run(
    under: PlaybookVersion, person: User, in_mid_run: Callable[..., None], level: str, kind: str
) -> None:
    stopped, free = scene.company(under, scene.GOOD), scene.company(under, scene.GOOD)
    in_mid_run(lambda: stop_it(under, person, stopped, level, kind) and None)
    report = scene.run(under)
    agents = agents_of(stopped)
    assert {"fit_evidence", "probe"} <= agents  # what was under way counts
    if level in WHOLE:
        assert AGENT not in agents | agents_of(free)
        assert report.convergence.status == ("running" if kind == "pause" else "cancelled")
        assert ("Look first" in report.convergence.error) == (kind == "cancel")
        assert not ApprovalRequest.objects.exists()
    else:
        assert report.convergence.status == "done"
        assert (AGENT in agents) == (level == "request")
        assert (AGENT in agents_of(free)) == (level != "agent")
    stops.lift(Stop.objects.get().pk, client=under.playbook.client, actor=person, reason="Looked")
    again = scene.run(under)
    assert AGENT in agents_of(stopped) & agents_of(free)
    assert ApprovalRequest.objects.filter(status="waiting").count() == 2
    if level in WHOLE:
        assert (again.convergence.pk == report.convergence.pk) == (kind == "pause")
    assert AgentRun.objects.filter(agent="fit_evidence", prospect=stopped).count() == 1  # nothing is done twice


def test_a_cancel_lifted_while_the_batch_at_hand_goes_on_brings_no_run_back(
    under: PlaybookVersion, person: User, in_mid_run: Callable[..., None]
) -> None:
    prospect, client = scene.company(under, scene.GOOD), under.playbook.client

    def and_back() -> None:
        stop = stop_it(under, person, prospect, "client", "cancel")
        stops.lift(stop.pk, client=client, actor=person, reason="Looked")

    in_mid_run(and_back)
    run = scene.run(under).convergence
    assert (run.status, run.done) == ("cancelled", 1)
    ended = AuditEntry.objects.for_client(client).filter(event="convergence.finished", subject_id=run.pk)
    assert [entry.detail["status"] for entry in ended] == ["cancelled"]


@pytest.mark.parametrize("level", [level for level in LEVELS if level != "request"])
def test_a_pause_ends_by_itself(under: PlaybookVersion, person: User, level: str) -> None:
    prospect = scene.company(under, scene.GOOD)
    until = timezone.now() + timedelta(hours=1)
    stop_it(under, person, prospect, level, "pause", until=until)
    if level in WHOLE:
        with pytest.raises(Stopped):
            scene.run(under)
    else:
        scene.run(under)
    assert AGENT not in agents_of(prospect)
    with time_machine.travel(until + timedelta(seconds=1)):
        scene.run(under, clock=scene.CLOCK + timedelta(hours=2))
    assert AGENT in agents_of(prospect)
    assert not AuditEntry.objects.filter(event="stop.lifted").exists()


def test_a_cancel_ends_open_convergences_at_once_and_no_others(under: PlaybookVersion, person: User) -> None:
    other = scene.demo()
    for each in (under, other):
        scene.company(each, scene.GOOD)
        convergences.start(client=each.playbook.client, playbook=each.playbook, actor=None)
    stop = stops.stop(client=under.playbook.client, actor=person, level="client", kind="cancel", reason="Wrong list")
    assert stop.called_off == {"convergences": 1}
    mine, theirs = (Convergence.objects.get(playbook=each.playbook_id) for each in (under, other))
    assert (mine.status, mine.error) == ("cancelled", "Stopped: Wrong list")
    assert theirs.status == "queued"
    entry = AuditEntry.objects.for_client(under.playbook.client).get(event="stop.set")
    assert entry.detail["called_off"] == {"convergences": 1}


def test_a_pause_leaves_open_convergences_to_go_on_when_it_is_lifted(under: PlaybookVersion, person: User) -> None:
    prospect = scene.company(under, scene.GOOD)
    client = under.playbook.client
    opened = convergences.start(client=client, playbook=under.playbook, actor=None)
    stop = stops.stop(client=client, actor=person, level="playbook", target_id=under.playbook_id, reason="Tea")
    assert service.work(opened.pk, 0) is None
    assert agents_of(prospect) == set()
    opened.refresh_from_db()
    assert opened.status == "queued"
    stops.lift(stop.pk, client=client, actor=person, reason="Drunk")
    service.work(opened.pk, 0)
    opened.refresh_from_db()
    assert (opened.status, verdict(prospect)) == ("done", "qualified")


def test_a_prospect_left_waiting_for_a_stop_that_is_over_is_found_by_the_sweep(
    under: PlaybookVersion, person: User
) -> None:
    mine, theirs = scene.company(under, scene.GOOD), scene.company(scene.demo(), scene.GOOD)
    far = datetime(9999, 12, 31, tzinfo=UTC)
    for prospect in (mine, theirs):
        Prospect.objects.filter(pk=prospect.pk).update(due_again_at=far)
    stops.stop(client=under.playbook.client, actor=person, level="agent", agent=AGENT, reason="Tone")
    assert halting.wake(at=timezone.now()) == 1
    waiting = {p.pk: p.due_again_at for p in Prospect.objects.all()}
    assert waiting[mine.pk] == far
    assert waiting[theirs.pk] <= timezone.now()
    assert halting.wake(at=timezone.now()) == 0
