"""`serve` starts everything in order, keeps it up, and leaves nothing behind."""

import signal
import socket
import subprocess
import sys
import time

import pytest

from salesops.engines.layout import CHECKOUT
from tests.stack import PARTS, Stack

# One running app at a time is enough for a small machine.
pytestmark = pytest.mark.xdist_group("stack")


def test_it_starts_answers_survives_and_stops(stack: Stack) -> None:
    assert stack.get("/healthz") == (200, b"ok\n")
    stack.wait_ready()
    assert all(stack.part(name) for name in PARTS)
    _two_apps_on_one_folder_are_refused(stack)
    _a_killed_part_comes_back(stack)
    _a_flushed_valkey_recovers(stack)

    assert stack.stop(signal.SIGINT) == 0
    assert stack.leftovers() == []
    order = [line for line in stack.lines if "Stopp" in line or "Warm shutdown" in line]
    assert order[0].startswith("Stopping: workers finish")
    assert order[-1] == "Stopped."


def _two_apps_on_one_folder_are_refused(stack: Stack) -> None:
    second = subprocess.run(
        [sys.executable, "manage.py", "serve", "--port", "1"],
        cwd=CHECKOUT,
        env=stack.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert "already running" in second.stderr


def _a_killed_part_comes_back(stack: Stack) -> None:
    before = {name: stack.part(name).pid for name in ("outreach", "web", "postgres", "valkey")}
    for name in before:
        stack.kill(name)
    deadline = time.monotonic() + 180
    while any((part := stack.part(name)) is None or part.pid == pid for name, pid in before.items()):
        assert time.monotonic() < deadline, stack.output()
        time.sleep(0.2)


def _a_flushed_valkey_recovers(stack: Stack) -> None:
    stack.flush_valkey()  # and with it every sign of life: ready is only who has given a new one
    stack.wait_ready()


def test_a_pulled_plug_is_survived_and_killing_serve_alone_takes_everything_down(stack: Stack) -> None:
    with stack.database() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS plug (words text)")
        connection.execute("INSERT INTO plug VALUES ('kept')")
    stack.kill_all()
    stack.start()
    with stack.database() as connection:
        assert connection.execute("SELECT words FROM plug").fetchall() == [("kept",)]
        connection.execute("DROP TABLE plug")

    stack.process.kill()
    stack.process.wait()
    stack.process.stdout.close()
    deadline = time.monotonic() + 180
    while stack.leftovers():
        assert time.monotonic() < deadline, [process.cmdline() for process in stack.leftovers()]
        time.sleep(0.2)


def test_a_taken_port_is_named(stack_data: object) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        tried = subprocess.run(
            [sys.executable, "manage.py", "serve", "--port", str(port)],
            cwd=CHECKOUT,
            env=Stack(stack_data).environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert tried.returncode == 1
    assert f"Port {port} is in use" in tried.stderr
