"""Leases: how any number of processes share the embedded engines, and how the last one out stops them.

A process that uses an engine holds a shared ``flock`` on ``<engine>.users``. One keeper process per engine runs it, and
leaves as soon as it can take that lock exclusively: nobody is using the engine then. The kernel drops the lock of a
process however it dies, so there is no count to get wrong. A keeper that is stopping still holds the lock, so that a
newcomer waits for it and then starts afresh.
"""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

from salesops.engines import postgres, valkey
from salesops.engines.layout import CHECKOUT, EngineError, engines_home, prepare
from salesops.engines.urls import urls

START_SECONDS = 90.0  # crash recovery of a large cluster is the long case
STOP_SECONDS = 60.0
ENGINES: dict[str, ModuleType] = {"postgres": postgres, "valkey": valkey}

_held: dict[str, int] = {}
_keepers: dict[str, subprocess.Popen[bytes]] = {}  # those this process started; kept so that they are reaped


def users_lock(engine: str) -> Path:
    """Return the file on which users of ``engine`` hold a shared lock."""
    return engines_home() / f"{engine}.users"


def keeper_lock(engine: str) -> Path:
    """Return the file on which the keeper of ``engine`` holds an exclusive lock."""
    return engines_home() / f"{engine}.keeper"


def log_path(engine: str) -> Path:
    """Return the file that collects what the engine and its keeper say."""
    return engines_home() / f"{engine}.log"


def open_lock(path: Path) -> int:
    """Open a lock file, created on first use, closed in children unless passed on."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def try_exclusive(lock: int) -> bool:
    """Take the lock alone if nobody has it in any way."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def ensure() -> None:
    """Have the embedded engines up and held for the life of this process; at once when they run or aren't ours.

    Raises EngineError with the end of the engine's log when one does not come up.
    """
    wanted = _wanted()
    if not wanted:
        return
    prepare()
    missing = [engine for engine in wanted if engine not in _held]
    for engine in missing:
        lock = open_lock(users_lock(engine))
        fcntl.flock(lock, fcntl.LOCK_SH)
        _held[engine] = lock
    tend()
    for engine in missing:
        _wait_until_ready(engine)


def tend() -> None:
    """Start a keeper for every engine we hold that has none, running or not: without one nobody would stop it."""
    for engine in _held:
        if not _has_keeper(engine):
            _start_keeper(engine)


def _wanted() -> list[str]:
    where = urls()
    return [name for name, ours in (("postgres", where.embedded_postgres), ("valkey", where.embedded_valkey)) if ours]


def lease_fds() -> tuple[int, ...]:
    """Return the descriptors of this process's leases, for children that should share them (``pass_fds``)."""
    return tuple(_held.values())


def release(*, wait: bool = False) -> bool:
    """Give the leases back. With ``wait``, return once our engines have stopped, or at once if others use them.

    Returns True when no engine is left running.
    """
    engines = list(_held)
    for engine in engines:
        os.close(_held.pop(engine))
    outcomes = [_gone(engine) for engine in engines] if wait else [False]
    return all(outcomes)


def _gone(engine: str) -> bool:
    lock = open_lock(users_lock(engine))
    deadline = time.monotonic() + STOP_SECONDS
    try:
        while time.monotonic() < deadline:
            # Ours alone and no keeper: it has gone. Ours alone with a keeper: it has yet to notice. Not ours: either
            # the keeper holds it while it stops, or another process is using the engine.
            if try_exclusive(lock):
                fcntl.flock(lock, fcntl.LOCK_UN)
                if not _has_keeper(engine):
                    _reap(engine)
                    return True
            elif _is_shared(lock):
                return False
            time.sleep(0.05)
    finally:
        os.close(lock)
    return False


def _reap(engine: str) -> None:
    keeper = _keepers.pop(engine, None)
    if keeper:
        keeper.wait()


def _is_shared(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(lock, fcntl.LOCK_UN)
    return True


def _has_keeper(engine: str) -> bool:
    lock = open_lock(keeper_lock(engine))
    try:
        return not try_exclusive(lock)
    finally:
        os.close(lock)


def _start_keeper(engine: str) -> None:
    with log_path(engine).open("ab") as log:
        _keepers[engine] = subprocess.Popen(  # noqa: S603 — ourselves
            [sys.executable, "-m", "salesops.engines.keeper", engine],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for the app; the engines stop after it
        )


def _wait_until_ready(engine: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    pause = 0.02
    while not ENGINES[engine].answers():
        ours = _keepers.get(engine)
        status = ours.poll() if ours else 0
        if status == 0 and not _has_keeper(engine):
            _start_keeper(engine)  # the one we relied on was just leaving
        elif status or time.monotonic() > deadline:
            raise EngineError(f"The embedded {engine} did not start. The end of {log_path(engine)}:\n{_tail(engine)}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def _tail(engine: str) -> str:
    lines = log_path(engine).read_text(errors="replace").splitlines()
    return "\n".join(lines[-15:])
