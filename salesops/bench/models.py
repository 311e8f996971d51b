"""How long the evidence of many prospects takes when a language model takes a second for each.

The model is a stand-in in a process of its own that takes one second a question and 32 at once, and turns away what
goes beyond. Everything else is real: HTTP, budgets, stored answers, validation, the whole convergence.
"""

from __future__ import annotations

import copy
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from playbooks.models import Playbook
from prospects.models import AgentRun, ModelAnswer
from prospects.services import converge as service
from salesops.bench import Line, Say
from salesops.bench.convergence import CLOCK, make_playbook, make_prospects
from salesops.llm import loop, wire

SIZE, AT_ONCE, SECONDS, SPARE = 640, 32, 1.0, 1.2
EVIDENCE = ("fit_evidence", "timing_evidence", "need_evidence", "risk_evidence")
_MODEL = "anthropic:stand-in"


def run(size: int | None, say: Say) -> Iterator[Line]:
    """One convergence in which four agents judge by a model, and then the same questions again."""
    count = size or SIZE
    playbook = make_playbook("bench-llm", _with_models)
    make_prospects(playbook, count)
    ideal = math.ceil(count / AT_ONCE) * SECONDS
    wire.import_library()  # a worker does this once in its life
    with _stand_in() as url, _models_at(url):
        say(f"llm: {count:,} prospects, ideal {ideal:.0f} s")
        started, worked = time.perf_counter(), time.process_time()
        outcome = _converge(playbook)
        took, worked = time.perf_counter() - started, time.process_time() - worked
    answers = ModelAnswer.objects.filter(client=playbook.client)
    judged = AgentRun.objects.filter(convergence__playbook=playbook, agent="fit_evidence", implementation="llm").count()
    if outcome != count or answers.filter(outcome="answered").count() != count or judged != count:
        raise RuntimeError(f"of {count} prospects {outcome} converged, {answers.count()} answers were stored")
    aim = ideal * SPARE
    note = f"four agents, one question each prospect; ideal {ideal:.0f} s; {count / took:.0f} prospects/s"
    yield Line("llm", f"evidence of {count:,} prospects", took, "s", f"≤ {aim:.0f} s", took <= aim, note)
    yield Line("llm", "own work a prospect", 1000 * worked / count, "ms", note="CPU time, rules and writing included")


def _converge(playbook: Playbook) -> int:
    report = service.converge(client=playbook.client, playbook=playbook, actor=None, clock=CLOCK)
    return report.outcome.prospects


def _with_models(text: str) -> str:
    rows = ", ".join(f"{{agent: {agent}, implementation: llm}}" for agent in EVIDENCE)
    return text.replace("\nagents: []", f"\nagents: [{rows}]").replace(
        "tokens_per_day: 0", "tokens_per_day: 1000000000"
    )


@contextmanager
def _models_at(url: str) -> Iterator[None]:
    """The settings point every role at the stand-in."""
    before = settings.LLM
    changed = copy.deepcopy(before)
    changed["MODELS"] = dict.fromkeys(changed["MODELS"], _MODEL)
    changed["PRICES"] = {_MODEL: {"in": "0.5", "out": "2.5"}}
    changed["BASE_URLS"] = {"anthropic": url}
    changed["CONCURRENCY"] = AT_ONCE
    settings.LLM = changed
    try:
        yield
    finally:
        settings.LLM = before
        loop.close()


@contextmanager
def _stand_in() -> Iterator[str]:
    """The provider, in a process of its own: its work must not count as ours."""
    command = [sys.executable, "-m", "salesops.bench.standin", str(SECONDS), str(AT_ONCE)]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 — our own words
    assert process.stdin is not None  # noqa: S101 — we asked for pipes
    assert process.stdout is not None  # noqa: S101
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
