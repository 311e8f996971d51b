"""``python -m salesops.engines.keeper postgres|valkey``: runs one engine while anybody holds a lease on it.

It restarts an engine that dies, adopts one whose keeper was killed, and stops it when the last user has gone.
"""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from types import FrameType

import psutil

from salesops.engines.layout import Account, EngineError, prepare
from salesops.engines.lease import ENGINES, keeper_lock, log_path, open_lock, try_exclusive, users_lock
from salesops.engines.programs import start_as

LOOK_SECONDS = 0.2
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
HEALTHY_SECONDS = 5.0  # a run this long forgives the failures before it
MOST_FAILURES = 7  # in a row, some seconds: then whoever waits is told why
LARGEST_LOG = 10_000_000


class Keeper:
    """One engine and the process that runs it, which is our child or was adopted."""

    def __init__(self, engine: str, owner: Account) -> None:
        self.engine = engine
        self.rules = ENGINES[engine]
        self.owner = owner
        self.process: subprocess.Popen[bytes] | psutil.Process | None = None
        self.started = 0.0
        self.failures = 0
        self.stopping = False

    def say(self, words: str) -> None:
        """Add a line to the engine's log."""
        print(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC keeper[{os.getpid()}] {words}", flush=True)

    def alive(self) -> bool:
        """Say whether the engine's process runs; reaps our own child."""
        if isinstance(self.process, subprocess.Popen):
            return self.process.poll() is None
        return self.process is not None and self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE

    def start(self) -> None:
        """Adopt the engine of this folder if it is running, else start it."""
        self.started = time.monotonic()
        self.rules.make_way()
        self.process = self.rules.running()
        if self.process is not None:
            self.say(f"adopted {self.engine}, process {self.process.pid}")
            return
        self.rules.initialise(self.owner)
        self.process = start_as(self.owner, self.rules.command(self.owner))
        self.say(f"started {self.engine}, process {self.process.pid}")

    def revive(self) -> bool:
        """Start the engine again after a pause that grows with each failure; False when it is hopeless."""
        if time.monotonic() - self.started > HEALTHY_SECONDS:
            self.failures = 0
        self.failures += 1
        if self.failures > MOST_FAILURES:
            self.say(f"{self.engine} failed {MOST_FAILURES} times in a row; giving up")
            return False
        if self.failures > 1:
            time.sleep(min(FIRST_PAUSE * 2 ** (self.failures - 2), LONGEST_PAUSE))
        try:
            self.start()
        except EngineError as error:
            self.say(str(error))
        return True

    def stop(self) -> None:
        """Ask the engine to stop, more and more firmly."""
        for how in self.rules.STOP_SIGNALS:
            if not self.alive() or self.process is None:
                break
            self.process.send_signal(how)
            deadline = time.monotonic() + 20
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.02)
        self.say(f"stopped {self.engine}")

    def run(self, users: int) -> int:
        """Keep the engine until nobody uses it; return the exit status."""
        while not self.stopping and users_lock(self.engine).exists():
            if not self.alive() and not self.revive():
                return 1
            if try_exclusive(users):  # nobody is left; newcomers wait for this lock until we have stopped
                break
            time.sleep(LOOK_SECONDS)
        self.stop()
        return 0


def main(engine: str) -> int:
    """Run as the keeper of ``engine``; 0 when it stopped in good order or another keeper is there already."""
    owner = prepare()
    lock = open_lock(keeper_lock(engine))
    if not _only_keeper(lock):
        return 0
    if log_path(engine).stat().st_size > LARGEST_LOG:
        os.truncate(log_path(engine), 0)
    keeper = Keeper(engine, owner)

    def end(_signal: int, _frame: FrameType | None) -> None:
        keeper.stopping = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    users = open_lock(users_lock(engine))
    status = keeper.run(users)
    os.close(lock)  # before the users' lock: whoever waits for that one must find that we have gone
    return status


def _only_keeper(lock: int) -> bool:
    """Become the keeper, unless there is one. Others look whether there is by touching the lock, so look again."""
    for _attempt in range(20):
        if try_exclusive(lock):
            return True
        time.sleep(0.02)
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
