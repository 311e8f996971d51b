"""How long the evidence of many prospects takes when a language model takes a second for each.

The model is a stand-in in a process of its own that takes one second a question and 32 at once, and turns away what
goes beyond. Everything else is real: two worker processes, HTTP, budgets, stored answers, the whole convergence.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from playbooks.models import Playbook
from prospects.models import AgentRun, Convergence, ModelAnswer
from prospects.services.converging import convergences
from salesops.bench import Line, Say
from salesops.bench.convergence import CLOCK, make_playbook, make_prospects

SIZE, AT_ONCE, SECONDS, SPARE = 640, 32, 1.0, 1.2
WORKERS = 2
EVIDENCE = ("fit_evidence", "timing_evidence", "need_evidence", "risk_evidence")
_MODEL = "anthropic:stand-in"
_WORKER = """
import django; django.setup()
import json, sys, time
import salesops.urls  # what a worker imports once in its life: the pages' addresses, agents, the models' client
from prospects.host import toolbox
from salesops.bench.convergence import work
toolbox.import_early()
print("ready", flush=True)
sys.stdin.readline()
before = time.process_time()
prospects = work(%d)
print(json.dumps({"prospects": prospects, "work": time.process_time() - before}), flush=True)
"""


def run(size: int | None, say: Say) -> Iterator[Line]:
    """One convergence in which four agents judge by a model."""
    count = size or SIZE
    playbook = make_playbook("bench-llm", _with_models)
    make_prospects(playbook, count)
    ideal = math.ceil(count / AT_ONCE) * SECONDS
    say(f"llm: {count:,} prospects, ideal {ideal:.0f} s")
    with _stand_in() as url:
        convergence = convergences.open_convergence(client=playbook.client, playbook=playbook, actor=None, clock=CLOCK)
        took, work = _work(convergence, url)
    _check(playbook, count)
    aim = ideal * SPARE
    note = f"four agents, one question each prospect, {WORKERS} workers; ideal {ideal:.0f} s"
    yield Line("llm", f"evidence of {count:,} prospects", took, "s", f"≤ {aim:.0f} s", took <= aim, note)
    yield Line("llm", "own work a prospect", 1000 * work / count, "ms", note="CPU time, rules and writing included")


def _work(convergence: Convergence, url: str) -> tuple[float, float]:
    """Seconds on the wall and of the workers' CPU, from the word go until the last worker finds nothing more to do."""
    environment = os.environ | {
        "LLM_ANTHROPIC_URL": url,
        "LLM_PRICES": json.dumps({_MODEL: {"in": 0.5, "out": 2.5}}),
        "LLM_CONCURRENCY": str(AT_ONCE),
        **{f"LLM_MODEL_{role}": _MODEL for role in ("FAST", "SEARCH", "ANALYSIS", "WRITING")},
    }
    workers = [_process([sys.executable, "-c", _WORKER % convergence.pk], environment) for _ in range(WORKERS)]
    for worker in workers:
        if worker.stdout is None or worker.stdout.readline() != "ready\n":
            raise RuntimeError("a worker did not start")
    started = time.perf_counter()
    for worker in workers:
        if worker.stdin is not None:
            worker.stdin.write("go\n")
            worker.stdin.flush()
    answers = [json.loads(worker.stdout.readline()) for worker in workers if worker.stdout is not None]
    took = time.perf_counter() - started
    for worker in workers:
        worker.communicate()
    return took, sum(answer["work"] for answer in answers)


def _check(playbook: Playbook, count: int) -> None:
    answers = ModelAnswer.objects.filter(client=playbook.client, outcome=ModelAnswer.Outcome.ANSWERED).count()
    runs = AgentRun.objects.filter(convergence__playbook=playbook, agent="fit_evidence", implementation="llm")
    done = Convergence.objects.get(playbook=playbook).done
    if not (done == answers == runs.count() == count):
        raise RuntimeError(f"of {count} prospects {done} converged on {answers} answers")


def _with_models(text: str) -> str:
    rows = ", ".join(f"{{agent: {agent}, implementation: llm}}" for agent in EVIDENCE)
    return text.replace("\nagents: []", f"\nagents: [{rows}]").replace(
        "tokens_per_day: 0", "tokens_per_day: 1000000000"
    )


@contextmanager
def _stand_in() -> Iterator[str]:
    """The provider, in a process of its own: its work must not count as ours."""
    command = [sys.executable, "-m", "salesops.bench.standin", str(SECONDS), str(AT_ONCE)]
    process = _process(command, dict(os.environ))
    try:
        yield process.stdout.readline().strip() if process.stdout is not None else ""
    finally:
        process.communicate()


def _process(command: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdin=pipe, stdout=pipe, text=True)  # noqa: S603 — our own words
