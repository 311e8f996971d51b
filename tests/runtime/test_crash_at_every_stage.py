"""kill -9 at every stage of a run, one after the other; each time another process goes on where the last one fell."""

from __future__ import annotations

import importlib
import os
import signal
from typing import Any

import pytest
from django.db import connections

from prospects.models import Convergence, Prospect
from prospects.services.converging import convergences, reports
from tests.runtime import scene
from tests.runtime.test_workers import assert_nothing_twice, crowd, crowd_again, work_until_done

pytestmark = pytest.mark.django_db(transaction=True)

# Where a process is killed: right after the call of this function, the second time it is made.
STAGES = {
    "contexts are loaded": "prospects.host.store:ProspectHost.load",
    "stops are asked": "prospects.host.store:ProspectHost.halted",
    "an agent has run": "salesops.runtime.engine:_BatchRun._execute",
    "proposals are validated": "salesops.runtime.engine:_BatchRun._take",
    "people are loaded": "approvals.host.store:ApprovalsPort.prepare",
    "rows are locked": "prospects.host.store:ProspectHost.guard",
    "runs are recorded": "prospects.host.store:ProspectHost.record",
    "facts are copied": "prospects.host.fact_ledger:FactLedger.write",
    "messages are copied": "approvals.host.store:MessageLedger.write",
    "requests are made": "approvals.host.store:create_requests",
    "scores are written": "prospects.services.scores:rescore_contexts",
    "stages have moved": "prospects.services.moving.stages:advance",
    "verdicts are given": "prospects.host.store:ProspectHost.conclude",
    "projections are saved": "prospects.host.store:ProspectHost.save",
    "a cycle is committed": "salesops.runtime.engine:_BatchRun._close",
    "a batch is done": "salesops.runtime.engine:Engine.run",
    "a batch is counted": "prospects.services.converging.converge:_count",
}


def killed_at(target: str, convergence: Convergence, size: int) -> int:
    """The exit status of a worker process that is to die right after its second call of ``target``."""
    connections.close_all()  # a connection must not live in two processes
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        _arm(target)
        work_until_done(convergence.pk, size)
    finally:
        os._exit(1)


def _arm(target: str) -> None:
    module, _, path = target.partition(":")
    owner = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    real, calls = getattr(owner, name), []

    def crash(*args: Any, **fields: Any) -> Any:
        result = real(*args, **fields)
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, crash)


@pytest.mark.chaos
def test_a_run_killed_at_every_stage_ends_with_the_hash_of_an_undisturbed_one() -> None:
    prospects = int(os.environ.get("CHAOS_PROSPECTS", "100"))
    size = max(2, prospects // (2 * len(STAGES)))
    under = crowd(prospects)
    convergence = convergences.open_convergence(
        client=under.playbook.client, playbook=under.playbook, actor=None, clock=scene.CLOCK
    )
    for stage, target in STAGES.items():
        assert killed_at(target, convergence, size) == -signal.SIGKILL, f"never came to: {stage}"
        assert Prospect.objects.due().exists(), f"nothing was left to do when {stage}"
    work_until_done(convergence.pk, size)
    convergence.refresh_from_db()
    assert (convergence.status, Prospect.objects.due().count()) == ("done", 0)
    assert not Prospect.objects.filter(verdict="").exists()
    assert_nothing_twice()
    resumed = reports.digest_of(convergence)
    assert reports.digest_of(crowd_again(under)) == resumed
