"""The whole of SalesOps running as people run it, for tests that watch it from outside or kill parts of it.

Use the ``stack`` fixture::

    def test_something(stack: Stack) -> None:
        sent = stack.python("from approvals.models import Dispatch; print(Dispatch.objects.count())")
        stack.kill("outreach")            # or research, web, beat, mail, postgres, valkey: kill -9 and all its children
        stack.flush_valkey()
        stack.wait_ready()
        with stack.database() as connection: ...   # psycopg, autocommit, as the superuser

It has data of its own with durable settings, migrated once per session; what one test leaves there the next one finds.
The ORM in the test's own process speaks to the test database instead: use ``python``, ``manage`` or ``database``.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis

from salesops.engines.layout import CHECKOUT

PARTS = {
    "outreach": "outreach@",
    "research": "research@",
    "beat": "beat-schedule",
    "web": "salesops.wsgi",
    "mail": "sandbox_smtp",
}
START_SECONDS = 480.0  # the first start runs every migration, on a machine that runs other tests


class Stack:
    """One ``manage.py serve`` and its data folder. Not started until ``start``."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self.listener = threading.Thread()
        self.lines: list[str] = []

    # --- life ----------------------------------------------------------------------------------------------------
    def start(self) -> None:
        """Start everything and return when the app says that it is ready."""
        self._launch()
        self._until(lambda: self.said("is ready") or self.process.poll() is not None, START_SECONDS)
        found = re.search(r"is ready: http://[\d.]+:(\d+)/", self.output())
        assert found, self.output()
        self.port = int(found[1])

    def _launch(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", "0"],
            cwd=CHECKOUT,
            env=self.environment() | {"SANDBOX_SMTP_PORT": "0"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines = []
        self.listener = threading.Thread(target=self._listen, args=(self.process,), daemon=True)
        self.listener.start()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        with contextlib.suppress(ValueError):  # closed while we were listening
            for line in process.stdout:
                self.lines.append(line.rstrip())

    def _hear_out(self) -> None:
        """Take in the last of what the app and its children said; they have gone."""
        self.listener.join(30)
        self.process.stdout.close()

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Ask the app to stop; return its exit status."""
        self.process.send_signal(how)
        status = self.process.wait(120)
        self._until(lambda: not self.leftovers(), 90)
        self._hear_out()
        return status

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    # --- watching ------------------------------------------------------------------------------------------------
    def output(self) -> str:
        """Return everything the app has printed."""
        return "\n".join(self.lines)

    def said(self, words: str) -> bool:
        return any(words in line for line in list(self.lines))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> tuple[int, bytes]:
        """Return status and body; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=20) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def readiness(self) -> dict[str, Any]:
        """Return what /readyz says, {} when nobody answers."""
        _, body = self.get("/readyz")
        return json.loads(body) if body.startswith(b"{") else {}

    def wait_ready(self, seconds: float = 180.0) -> None:
        """Return when database, Redis, workers and sweeps are all well."""
        self._until(lambda: self.readiness().get("ready") is True, seconds)

    def _until(self, look: Callable[[], Any], seconds: float) -> Any:
        """Return what ``look`` gives as soon as that is something."""
        deadline = time.monotonic() + seconds
        while not (seen := look()):
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s; the app's output:\n{self.output()}"
            time.sleep(0.1)
        return seen

    # --- inside --------------------------------------------------------------------------------------------------
    def environment(self) -> dict[str, str]:
        """Return the environment of a process that works on this data, outside pytest's eyes."""
        hidden = ("PYTEST_", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "SANDBOX_SMTP_PORT")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        return kept | {"SALESOPS_DATA": str(self.data), "DJANGO_SETTINGS_MODULE": "salesops.settings"}

    def manage(self, *words: str) -> str:
        """Run a manage.py command on this data and return its stdout."""
        return self._run([sys.executable, "manage.py", *words])

    def python(self, code: str) -> str:
        """Run ``code`` with Django set up on this data and return what it prints."""
        return self._run([sys.executable, "-c", f"import django; django.setup()\n{code}"])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=CHECKOUT, env=self.environment(), capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @property
    def home(self) -> Path:
        return self.data / "engines"

    def database(self) -> psycopg.Connection:
        return psycopg.connect(f"host={self.home} user=salesops dbname=salesops", autocommit=True)

    def valkey(self, database: int = 0) -> redis.Redis:
        return redis.Redis.from_url(f"unix://{self.home}/valkey.sock?db={database}")

    def flush_valkey(self) -> None:
        """Lose everything in Valkey: cache, marks, queues, and messages being worked on."""
        with self.valkey() as client:
            client.flushall()

    # --- violence ------------------------------------------------------------------------------------------------
    def part(self, name: str) -> psutil.Process | None:
        """Return the main process of a part, None while it is down."""
        try:
            if name == "postgres":
                return psutil.Process(int((self.home / "postgres" / "postmaster.pid").read_text().split()[0]))
            if name == "valkey":
                return psutil.Process(int((self.home / "valkey" / "valkey.pid").read_text()))
            children = psutil.Process(self.process.pid).children()
        except (psutil.Error, OSError, ValueError, IndexError):
            return None
        return next((child for child in children if any(PARTS[name] in word for word in _command(child))), None)

    def kill(self, name: str) -> None:
        """Kill -9 a part with everything under it, as a machine out of memory would; waits for it to be up first."""
        victim = self._until(lambda: self.part(name), 180)
        for process in [*_under(victim), victim]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def kill_all(self) -> None:
        """Kill -9 the app and every process on this data: the plug is pulled."""
        for process in [psutil.Process(self.process.pid), *self.leftovers()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        self._hear_out()

    def leftovers(self) -> list[psutil.Process]:
        """Return every process that works on this data, except serve itself."""
        return [process for process in psutil.process_iter() if self._belongs(process)]

    def _belongs(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE or (self.process and process.pid == self.process.pid):
                return False
            if Path(process.cwd()).is_relative_to(self.data):
                return True
            return process.environ().get("SALESOPS_DATA") == str(self.data)
        except (psutil.Error, OSError):
            return False


def _command(process: psutil.Process) -> list[str]:
    """Its command line; empty for one that is dying, which must not hide its living siblings."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _under(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.fixture(scope="session")
def stack_data() -> Iterator[Path]:
    """One data folder per session, outside tmp_path: root's is closed to the engines' user."""
    folder = Path(tempfile.mkdtemp(prefix="so-stack-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder / "data"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stack(stack_data: Path) -> Iterator[Stack]:
    """A running app; whatever is left of it afterwards is ended."""
    running = Stack(stack_data)
    try:
        running.start()
        yield running
        if running.running():
            running.stop()
    finally:  # one that did not start, or not stop, must not stand in the next one's way
        for process in running.leftovers():
            process.kill()
        if running.running():
            running.process.kill()
            running.process.wait()
