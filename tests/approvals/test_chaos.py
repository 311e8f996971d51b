"""kill -9 of workers, web and both engines while approved messages go out: nothing lost, nothing sent twice.

One short round in the ordinary suite; `CHAOS_ROUNDS=10 pytest -m chaos` (or `make chaos`) runs ten rounds of 200.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "1"))
SENDS = int(os.environ.get("CHAOS_SENDS", "200" if ROUNDS > 1 else "40"))
APPROVING_SECONDS = max(15.0, SENDS * 0.2)
KILLING_SECONDS = 3 * APPROVING_SECONDS  # approving takes longer the more is broken; at some time it must end
SETTLE_SECONDS = 240

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("stack")]  # one whole app at a time


@pytest.fixture
def surroundings(stack_data: Path) -> Iterator[dict[str, str]]:
    """Ports of its own, engines set as in production, and claims that run out soon enough to watch.

    The data is the one migrated for all tests of the whole app; every round has a client of its own in it.
    """
    hidden = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DJANGO_SETTINGS_MODULE")
    kept = {name: value for name, value in os.environ.items() if name not in hidden and not name.startswith("PYTEST")}
    yield kept | {
        "SALESOPS_DATA": str(stack_data),
        "SANDBOX_SMTP_PORT": "0",
        "SMTP_TIMEOUT": "5",
        "SENDING_LEASE_SECONDS": "20",
        "PYTHONWARNINGS": "ignore",
        "WEB_CONCURRENCY": "1",
    }
    of_data = Stack(stack_data)
    until = time.monotonic() + 60
    while of_data.leftovers() and time.monotonic() < until:  # the engines leave when their last user has
        time.sleep(0.1)


def people(surroundings: dict[str, str], *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.approvals.chaos_people", *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str], seconds: float = 300) -> dict[str, Any]:
    out, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, out
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return found


@contextmanager
def serving(surroundings: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`manage.py serve` until the end of the block."""
    with log.open("ab") as out:
        command = [sys.executable, "manage.py", "serve", "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_for(lambda: b"SalesOps is ready" in log.read_bytes(), 240, process, log)
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def wait_for(ready: Any, seconds: float, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + seconds
    while not ready():
        assert process.poll() is None, log.read_text()[-4000:]
        assert time.monotonic() < until, log.read_text()[-4000:]
        time.sleep(0.2)


def victims(serve: psutil.Process, data: str) -> dict[str, list[psutil.Process]]:
    """Who can be killed now, by what they are: workers, web servers, and the two engines."""
    found: dict[str, list[psutil.Process]] = {"worker": [], "web": [], "postgres": [], "valkey": []}
    for process in serve.children(recursive=True):
        words = _command(process)
        if "celery" in words and "outreach" in words:
            found["worker"].append(process)
        elif "gunicorn" in words:
            found["web"].append(process)
    for process in psutil.process_iter(["name"]):
        words = _command(process)
        if data not in words:
            continue
        if "bin/postgres" in words and " -D " in words:
            found["postgres"].append(process)
        elif "keeper" not in words and ("valkey-server" in words or "valkey.conf" in words):
            found["valkey"].append(process)
    return found


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def kill_at_random(
    serve: psutil.Process, data: str, while_running: subprocess.Popen[str], dice: random.Random
) -> list[str]:
    """Every second or two, kill -9 one of them, until the people are done approving."""
    killed: list[str] = []
    until = time.monotonic() + KILLING_SECONDS
    while while_running.poll() is None and time.monotonic() < until:
        time.sleep(dice.uniform(0.5, 3))
        found = victims(serve, data)
        # Everybody's turn comes before anybody's second.
        kind = dice.choice([kind for kind in found if kind not in killed] or list(found))
        if found[kind]:
            try:
                dice.choice(found[kind]).kill()
            except psutil.NoSuchProcess:
                continue
            killed.append(kind)
    return killed


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_nothing_is_lost_and_nothing_is_sent_twice(round_: int, surroundings: dict[str, str], tmp_path: Path) -> None:
    dice = random.Random(f"chaos {round_} {os.environ.get('CHAOS_SEED', '')}")
    client = answer(people(surroundings, "prepare", SENDS))["client"]
    log = tmp_path / "serve.log"
    with serving(surroundings, log) as process:
        approving = people(surroundings, "approve", client, APPROVING_SECONDS)
        killed = kill_at_random(psutil.Process(process.pid), surroundings["SALESOPS_DATA"], approving, dice)
        answer(approving)
        found = answer(people(surroundings, "report", client, SETTLE_SECONDS), SETTLE_SECONDS + 180)
    assert process.returncode == 0, log.read_text()[-4000:]  # asked to stop, it did
    print(f"round {round_}: killed {killed}; {found}")
    assert {"worker", "web", "postgres", "valkey"} <= set(killed), killed
    assert (found["requests"], found["decisions"]) == (SENDS, SENDS), found
    assert found["unsettled"] == 0, (found, log.read_text()[-6000:])
    assert found["twice"] == [], found
    assert found["accepted_without_receipt"] == [], found
    assert found["receipt_without_acceptance"] == [], found
    assert found["doubt_without_task"] == [], found
    assert set(found["statuses"]) <= {"accepted", "unknown"}, found
    assert (found["strangers"], found["fault"]) == (0, ""), found
