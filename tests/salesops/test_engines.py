"""The embedded engines in processes of their own: started when needed, stopped when not, whole after any kill."""

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from salesops.engines.layout import CHECKOUT

_HOLD = """
import sys
from salesops import engines
engines.ensure()
print(engines.urls().cache_url, engines.engines_home(), sep="\\n", flush=True)
sys.stdin.read()
"""


@dataclass
class Holder:
    """A process that uses the engines of one data folder until told to leave."""

    process: subprocess.Popen[str]
    cache_url: str
    home: Path

    @property
    def conninfo(self) -> str:
        sockets = Path(self.cache_url.removeprefix("unix://").split("?")[0]).parent
        return f"host='{sockets}' user=salesops dbname=salesops"

    def sql(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def valkey(self) -> redis.Redis:
        return redis.Redis.from_url(self.cache_url)

    def leave(self) -> None:
        self.process.stdin.close()
        self.process.wait(60)


def processes_of(home: Path) -> list[psutil.Process]:
    """Return every live server process under ``home``: they all work in there."""
    return [process for process in psutil.process_iter() if _works_in(home, process)]


def _works_in(home: Path, process: psutil.Process) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(home) and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def eventually(holds: Callable[[], bool], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)


@dataclass
class Place:
    """A data folder, and the means to use it from other processes."""

    base: Path
    data: Path
    holders: list[Holder] = field(default_factory=list)
    homes: set[Path] = field(default_factory=set)

    def environment(self, **more: str) -> dict[str, str]:
        # Durable settings and no pytest: these are the engines people run.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "DJANGO_SETTINGS_MODULE"):
            kept.pop(name, None)
        return kept | {"SALESOPS_DATA": str(self.data)} | more

    def hold(self, *, user: str | None = None, python: str = sys.executable) -> Holder:
        process = subprocess.Popen(
            [python, "-c", _HOLD],
            cwd=CHECKOUT,
            env=self.environment(PYTHONPATH=sysconfig.get_path("purelib")),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            user=user,
            group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None,
        )
        holder = Holder(process, "", Path())
        self.holders.append(holder)
        holder.cache_url, holder.home = process.stdout.readline().strip(), Path(process.stdout.readline().strip())
        assert holder.cache_url, "the engines did not start"
        self.homes.add(holder.home)
        return holder

    def running(self) -> list[psutil.Process]:
        return [process for home in self.homes for process in processes_of(home)]

    def keepers(self) -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter(["cmdline"])
            if "salesops.engines.keeper" in (process.info["cmdline"] or []) and self._ours(process)
        ]

    def _ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("SALESOPS_DATA") == str(self.data)
        except psutil.Error:
            return False


@pytest.fixture
def make_place() -> Iterator[Callable[[str], Place]]:
    places: list[Place] = []

    def make(name: str = "data", mode: int = 0o755) -> Place:
        # Not tmp_path: root's is closed to others, and the engines' user must get in.
        base = Path(tempfile.mkdtemp(prefix="so-", dir="/tmp"))
        base.chmod(mode)
        places.append(Place(base, base / name))
        return places[-1]

    yield make
    for place in places:
        for holder in place.holders:
            holder.process.kill()
            holder.process.wait()
            holder.process.stdin.close()
            holder.process.stdout.close()
        eventually(lambda place=place: not place.running() and not place.keepers(), 90)
        for folder in (place.base, *place.homes):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    return make_place()


def postmaster(holder: Holder) -> psutil.Process:
    return psutil.Process(int((holder.home / "postgres" / "postmaster.pid").read_text().split()[0]))


def valkey_server(holder: Holder) -> psutil.Process:
    return psutil.Process(int((holder.home / "valkey" / "valkey.pid").read_text()))


def note(holder: Holder) -> None:
    holder.sql("CREATE TABLE note (words text)")
    holder.sql("INSERT INTO note VALUES ('kept')")


def noted(holder: Holder) -> bool:
    try:
        return holder.sql("SELECT words FROM note") == [("kept",)]
    except psycopg.OperationalError:
        return False


def test_the_engines_run_while_anybody_uses_them_and_stop_after_the_last(place: Place) -> None:
    first, second = place.hold(), place.hold()
    assert len(place.keepers()) == 2
    first.leave()
    time.sleep(0.6)
    assert second.sql("SELECT 1") == [(1,)]
    assert second.valkey().ping()
    second.leave()
    eventually(lambda: not place.running() and not place.keepers())


def test_the_database_sorts_and_compares_like_any_machine(place: Place) -> None:
    holder = place.hold()
    ((encoding, locale, durable),) = holder.sql(
        "SELECT pg_encoding_to_char(encoding), datlocale, current_setting('fsync') FROM pg_database"
        " WHERE datname = 'salesops'"
    )
    assert (encoding, locale, durable) == ("UTF8", "C.UTF-8", "on")


def test_engines_killed_outright_come_back_with_their_data(place: Place) -> None:
    holder = place.hold()
    note(holder)
    with holder.valkey() as client:
        client.set("nudge", "kept")
        assert client.execute_command("WAITAOF", 1, 0, 60_000)[0] == 1  # it writes its file through once a second
    for victim in (postmaster(holder), valkey_server(holder)):
        victim.kill()
    eventually(lambda: noted(holder))
    eventually(lambda: _get(holder, "nudge") == b"kept")


def test_what_a_killed_server_leaves_running_does_not_stop_the_next(place: Place) -> None:
    holder = place.hold()
    note(holder)
    server = postmaster(holder)
    orphan = next(one for one in server.children() if "checkpointer" in " ".join(one.cmdline()))
    orphan.suspend()  # as on a machine too busy to let it notice
    server.kill()
    try:
        eventually(lambda: noted(holder))
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            orphan.resume()


def _get(holder: Holder, key: str) -> bytes | None:
    try:
        return holder.valkey().get(key)
    except redis.RedisError:
        return None


def test_a_server_whose_keeper_and_user_were_killed_is_adopted_and_later_stopped(place: Place) -> None:
    holder = place.hold()
    note(holder)
    server = postmaster(holder)
    for victim in (*place.keepers(), holder.process):
        victim.kill()
    eventually(lambda: not place.keepers())
    successor = place.hold()
    assert postmaster(successor) == server
    assert noted(successor)
    successor.leave()
    eventually(lambda: not place.running())


def test_everything_killed_at_once_starts_again_whole(place: Place) -> None:
    holder = place.hold()
    note(holder)
    for victim in (*place.keepers(), holder.process, postmaster(holder), valkey_server(holder)):
        victim.kill()
    assert noted(place.hold())


def test_a_pid_file_that_names_a_stranger_does_not_stop_the_start(place: Place) -> None:
    holder = place.hold()
    note(holder)
    owner = (holder.home / "postgres").stat()
    path = holder.home / "postgres" / "postmaster.pid"
    left_behind = path.read_text().split("\n")
    holder.leave()
    eventually(lambda: not place.keepers())
    stranger = subprocess.Popen(
        ["sleep", "900"], user=owner.st_uid if os.geteuid() == 0 else None, cwd="/", start_new_session=True
    )
    try:
        path.write_text("\n".join([str(stranger.pid), *left_behind[1:]]))
        os.chown(path, owner.st_uid, owner.st_gid)
        path.chmod(0o600)
        assert noted(place.hold())
        assert stranger.poll() is None, "a stranger's process is none of our business"
    finally:
        stranger.kill()
        stranger.wait()


def test_two_folders_hold_two_worlds(make_place: Callable[..., Place]) -> None:
    one, other = make_place().hold(), make_place().hold()
    note(one)
    assert noted(one)
    assert other.sql("SELECT to_regclass('note') IS NULL") == [(True,)]
    one.valkey().set("here", 1)
    assert other.valkey().get("here") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_ordinary_user_runs_them_as_himself(place: Place) -> None:
    python = _python_for_everyone()
    os.chown(place.base, pwd.getpwnam("nobody").pw_uid, -1)
    holder = place.hold(user="nobody", python=python)
    assert postmaster(holder).username() == "nobody"
    assert holder.home == place.data / "engines"
    assert holder.home.stat().st_mode & 0o077 == 0


def _python_for_everyone() -> str:
    for candidate in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(PermissionError):
            subprocess.run([candidate, "-c", ""], user="nobody", extra_groups=[], cwd="/", check=True)
            return candidate
    pytest.skip("no Python here that other users may run")


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user reaches his own folders")
def test_root_puts_the_databases_where_their_user_can_reach_them(make_place: Callable[..., Place]) -> None:
    place = make_place(mode=0o700)
    holder = place.hold()
    assert holder.home.parent == Path("/var/lib/salesops")
    assert postmaster(holder).username() == "pgserver"
    assert holder.sql("SELECT 1") == [(1,)]


def test_a_long_path_still_gets_sockets(make_place: Callable[..., Place]) -> None:
    holder = make_place("a-folder-with-a-rather-long-name/" * 4).hold()
    assert holder.sql("SELECT 1") == [(1,)]
    sockets = Path(holder.cache_url.removeprefix("unix://").split("?")[0]).parent
    assert sockets.stat().st_mode & 0o077 == 0
    shutil.rmtree(sockets, ignore_errors=True)


def test_ctrl_c_in_the_terminal_does_not_reach_the_engines(place: Place) -> None:
    holder = place.hold()
    group = os.getpgid(holder.process.pid)
    assert all(os.getpgid(process.pid) != group for process in (postmaster(holder), *place.keepers()))


def test_a_start_that_cannot_succeed_says_why(place: Place) -> None:
    holder = place.hold()
    holder.leave()
    eventually(lambda: not place.keepers())
    (holder.home / "postgres" / "global" / "pg_control").write_bytes(b"")
    tried = subprocess.run(
        [sys.executable, "-c", _HOLD],
        cwd=CHECKOUT,
        env=place.environment(),
        input="",
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert tried.returncode == 1
    assert "did not start" in tried.stderr
    assert "pg_control" in tried.stderr


def test_named_servers_are_used_and_nothing_is_started(place: Place, make_place: Callable[..., Place]) -> None:
    holder = make_place().hold()
    sockets = Path(holder.cache_url.removeprefix("unix://").split("?")[0]).parent
    environment = place.environment(
        DATABASE_URL=f"postgres://salesops@/{sockets}/salesops", REDIS_URL=holder.cache_url, SECRET_KEY="x" * 50
    )
    tried = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--plan"],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Planned operations" in tried.stdout, tried.stderr
    assert not (place.data / "engines").exists()
