"""Several workers on one convergence, killed workers, and a queue that forgets: on real connections and processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import close_old_connections, connection, connections
from django.utils import timezone

from approvals.models import ApprovalRequest, Message
from prospects.models import AgentRun, Convergence, Evidence, Prospect, Signal
from prospects.services.converging import claims, convergences, reports
from prospects.services.converging import converge as service
from prospects.tasks import converge_batch, sweep_convergences
from tests import factories
from tests.runtime import scene

pytestmark = pytest.mark.django_db(transaction=True)


def crowd(size: int) -> Any:
    """A ruling playbook with ``size`` due prospects of all fates."""
    under = scene.demo()
    for number in range(size):
        facts = (scene.GOOD, scene.GONE, scene.POOR)[number % 3]
        account = {**facts, "name": f"Globex {number}", "name_key": f"globex {number}", "domain": f"g{number}.example"}
        person = factories.contact(
            under.playbook.client, email=f"d@g{number}.example", attributes={"collected_on": "2026-04-07"}
        )
        scene.company(under, account, contact=person)
    return under


def opened(under: Any) -> Convergence:
    return convergences.open_convergence(
        client=under.playbook.client, playbook=under.playbook, actor=None, clock=scene.CLOCK
    )


def work_until_done(convergence_id: int, size: int) -> None:
    after: int | None = 0
    while after is not None:
        after = service.work(convergence_id, after, batch_size=size)


def assert_nothing_twice() -> None:
    runs = Counter(AgentRun.objects.values_list("prospect", "agent", "implementation_version", "watermark"))
    judged = Counter(Evidence.objects.values_list("prospect", "scorecard", "criterion"))
    drafts = Counter(Message.objects.values_list("prospect", "content_hash"))
    asked = Counter(ApprovalRequest.objects.values_list("prospect", flat=True))
    for counted in (runs, judged, drafts, asked):
        assert not counted or max(counted.values()) == 1


def test_four_workers_at_once_do_everything_once() -> None:
    under = crowd(24)
    convergence = opened(under)
    failures: list[BaseException] = []

    def worker() -> None:
        try:
            work_until_done(convergence.pk, 3)
        except BaseException as error:
            failures.append(error)
        finally:
            connections.close_all()

    workers = [threading.Thread(target=worker) for _ in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join(timeout=300)
    assert failures == []
    convergence.refresh_from_db()
    assert (convergence.status, convergence.done) == ("done", 24)
    assert not Prospect.objects.filter(verdict="").exists()
    assert_nothing_twice()


def test_what_one_worker_holds_another_leaves_alone() -> None:
    convergence = opened(crowd(4))
    taken: list[int] = []

    def other() -> None:
        with claims.claim(convergence, 0, 10) as claim:
            taken.extend(claim.ids)
        connections.close_all()

    with claims.claim(convergence, 0, 2) as mine:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(mine.ids) == 2
    assert len(taken) == 2
    assert not set(taken) & set(mine.ids)


def test_facts_that_arrive_while_agents_run_are_judged_before_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    under = scene.demo()
    good = scene.company(under, scene.GOOD)
    from prospects.host.store import ProspectHost

    atomic, calls = ProspectHost.atomic, []

    def news_first(self: ProspectHost) -> Any:
        if not calls:
            calls.append(1)
            thread = threading.Thread(target=arrive)
            thread.start()
            thread.join()
        return atomic(self)

    def arrive() -> None:
        factories.signal(good, kind="profile", data={**scene.GOOD, "status": "Acquired"}, observed_at=scene.CHANGED)
        scene.seen(good)
        connections.close_all()

    monkeypatch.setattr(ProspectHost, "atomic", news_first)
    scene.run(under)
    good.refresh_from_db()
    assert (good.verdict, good.route) == ("rejected", "cold")
    assert good.converged_no == good.facts_no
    assert_nothing_twice()


SCRIPT = """
import django; django.setup()
from django.db import connections
connections["default"].settings_dict.update({database!r})
from prospects.services.converging import converge
after = 0
for _ in range({batches}):
    after = converge.work({convergence}, after, batch_size=4)
    if after is None:
        break
else:
    import signal
    signal.pause()
"""


def worker_process(convergence: Convergence, batches: int = 99, **environment: str) -> subprocess.Popen[bytes]:
    """A process of its own that works on the test database, and waits to be killed after so many batches."""
    database = {key: connection.settings_dict[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(database=database, convergence=convergence.pk, batches=batches)],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "salesops.settings", **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _wait_for_more_runs() -> None:
    before, deadline = AgentRun.objects.count(), time.monotonic() + 150
    while AgentRun.objects.count() == before:
        assert time.monotonic() < deadline, "the worker never began"
        time.sleep(0.02)


@pytest.mark.chaos
def test_workers_killed_at_any_moment_leave_nothing_double_and_nothing_undone() -> None:
    rounds = int(os.environ.get("CHAOS_ROUNDS", "2"))
    under = crowd(15 * rounds)
    convergence = opened(under)
    for number in range(rounds):
        process = worker_process(convergence, batches=3)  # however late the kill comes, it is not done
        try:
            _wait_for_more_runs()
            time.sleep(0.03 * number)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    close_old_connections()
    assert Prospect.objects.due().exists(), "killed before the end"
    work_until_done(convergence.pk, 4)
    convergence.refresh_from_db()
    assert convergence.status == "done"
    assert not Prospect.objects.due().exists()
    assert not Prospect.objects.filter(verdict="").exists()
    assert_nothing_twice()
    resumed = reports.digest_of(convergence)

    fresh = crowd_again(under)
    assert reports.digest_of(fresh) == resumed


def test_a_process_with_another_hash_seed_proposes_the_same_byte_for_byte() -> None:
    under = crowd(6)
    elsewhere = opened(under)
    assert worker_process(elsewhere, PYTHONHASHSEED="4242").wait(timeout=150) == 0
    elsewhere.refresh_from_db()
    assert (elsewhere.status, elsewhere.done) == ("done", 6)
    assert reports.digest_of(elsewhere) == reports.digest_of(crowd_again(under))


def crowd_again(under: Any) -> Convergence:
    """The same prospects for another client, converged in one go."""
    owner = factories.client(name=under.playbook.client.name, sender_email=under.playbook.client.sender_email)
    twin = scene.demo(owner)
    for old in Prospect.objects.filter(playbook=under.playbook).order_by("pk").select_related("company", "contact"):
        assert old.company is not None
        assert old.contact is not None
        first = Signal.objects.filter(prospect=old, kind="profile").earliest("fact_no")
        facts = {k: v for k, v in first.data.items() if k not in ("name", "domain")}
        account = {**facts, "name": old.company.name, "name_key": old.company.name_key, "domain": old.company.domain}
        person = factories.contact(owner, email=old.contact.email, attributes=old.contact.attributes)
        scene.company(twin, account, contact=person)
    return scene.run(twin).convergence


class Queue:
    """Stands where the broker is: collects nudges, and can be flushed."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, int]] = []

    def delay(self, convergence_id: int, after: int) -> None:
        self.messages.append((convergence_id, after))

    def drain(self, at_most: int = 1000) -> None:
        for _ in range(at_most):
            if not self.messages:
                return
            converge_batch(*self.messages.pop(0))


def test_a_flushed_queue_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    under = crowd(12)
    queue = Queue()
    monkeypatch.setattr(converge_batch, "delay", queue.delay)
    work = service.work
    monkeypatch.setattr(service, "work", lambda cid, after, **kw: work(cid, after, batch_size=3, **kw))
    convergence = convergences.start(
        client=under.playbook.client, playbook=under.playbook, actor=None, clock=scene.CLOCK
    )
    queue.drain(at_most=2)
    convergence.refresh_from_db()
    assert (convergence.status, 0 < convergence.done < 12) == ("running", True)

    queue.messages.clear()  # the flush
    assert convergences.sweep(at=timezone.now()) == 0, "a worker was heard a moment ago"
    Convergence.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=2))
    sweep_convergences()
    assert queue.messages
    queue.drain()
    convergence.refresh_from_db()
    assert (convergence.status, convergence.done) == ("done", 12)
    assert_nothing_twice()


def test_starting_twice_is_one_convergence(monkeypatch: pytest.MonkeyPatch) -> None:
    under = crowd(2)
    monkeypatch.setattr(converge_batch, "delay", Queue().delay)
    asked = {"client": under.playbook.client, "playbook": under.playbook, "actor": None}
    assert convergences.start(**asked).pk == convergences.start(**asked).pk
    assert Convergence.objects.count() == 1


def test_a_nudge_for_a_finished_convergence_does_nothing() -> None:
    under = crowd(3)
    done = scene.run(under).convergence
    runs = AgentRun.objects.count()
    assert service.work(done.pk, 0) is None
    assert AgentRun.objects.count() == runs
