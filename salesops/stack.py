"""The programs that together are SalesOps, as ``serve`` runs them on one machine."""

import functools
import http.client
import os
import socket
import sys
import time
from pathlib import Path

from django.conf import settings

from salesops import engines, health
from salesops.supervisor import Program

HOST = "127.0.0.1"
# Two pools, so that a morning's sending never queues behind a night's research.
_WORKERS = {"outreach": ("outreach", "default"), "research": ("research", "learning")}
_PROCESSES_PER_WORKER = 2
_WEB_THREADS = 8
# True, and of no use to whoever reads the terminal: root was their choice, and static files come from the finders.
_KNOWN_WARNINGS = ("ignore:You're running the worker with superuser", "ignore:No directory at")
_MEMORY_DISK = Path("/dev/shm")  # noqa: S108 — Linux's memory file system


def hold(port: int) -> socket.socket:
    """Take the port for the web server; 0 is any free one. Whoever serves there may come and go. Raises OSError."""
    return socket.create_server((HOST, port), backlog=1024)


def programs(web_at: socket.socket, mail_at: socket.socket) -> tuple[Program, list[Program]]:
    """Return the sandbox mail server, and everything that may start together once it answers.

    They serve on sockets that the caller holds: no port is lost to somebody else while one of them starts again.
    """
    port, mail_port = web_at.getsockname()[1], mail_at.getsockname()[1]
    environment = _environment(port, mail_port)
    # Shared leases: should serve be killed, the engines outlive it until the last worker has finished.
    leases = tuple(engines.lease_fds())
    program = functools.partial(Program, pass_fds=leases)
    mail = program(
        "mail",
        [sys.executable, str(settings.BASE_DIR / "manage.py"), "sandbox_smtp"],
        environment | {"SANDBOX_SMTP_FD": str(mail_at.fileno())},
        ready=functools.partial(_greets, settings.SANDBOX_SMTP_HOST, mail_port),
        stop_rank=2,
        pass_fds=(*leases, mail_at.fileno()),
    )
    started = time.time()
    workers = [
        program(
            name,
            _worker(name, queues),
            environment,
            ready=functools.partial(_worker_seen, queues, started),
            stop_seconds=60,
        )
        for name, queues in _WORKERS.items()
    ]
    web = program(
        "web",
        _gunicorn(web_at.fileno()),
        environment | {"SALESOPS_WEB": "1"},
        ready=functools.partial(_responds, port),
        stop_rank=1,
        pass_fds=(*leases, web_at.fileno()),
    )
    return mail, [*workers, program("beat", _beat(), environment), web]


def _environment(port: int, mail_port: int) -> dict[str, str]:
    """What every program is told: where the others serve, and how to log for whoever reads along."""
    told = os.environ | {"PORT": str(port), "SANDBOX_SMTP_PORT": str(mail_port), "PYTHONUNBUFFERED": "1"}
    told.setdefault("PYTHONWARNINGS", ",".join(_KNOWN_WARNINGS))
    if sys.stdout.isatty():
        told.setdefault("LOG_FORMAT", "console")
    return told


def _celery(*words: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-q", "-A", "salesops.celery", *words]


def _worker(name: str, queues: tuple[str, ...]) -> list[str]:
    words = ["-Q", ",".join(queues), "-n", f"{name}@%h", "-c", str(_PROCESSES_PER_WORKER)]
    return _celery("worker", *words, "--without-gossip", "--without-mingle")


def _beat() -> list[str]:
    return _celery("beat", "--schedule", str(engines.data_dir() / "beat-schedule"), "--pidfile=")


def _gunicorn(held: int) -> list[str]:
    command = [sys.executable, "-m", "gunicorn", "salesops.wsgi", "--worker-class", "gthread"]
    command += ["--workers", os.environ.get("WEB_CONCURRENCY", "2"), "--threads", str(_WEB_THREADS)]
    command += ["--bind", f"fd://{held}", "--timeout", "60", "--graceful-timeout", "20"]
    command += ["--log-level", "warning", "--no-control-socket"]
    if _MEMORY_DISK.is_dir():
        command += ["--worker-tmp-dir", str(_MEMORY_DISK)]  # heartbeat files must not wait for a busy disk
    return command


def hold_for_mail() -> socket.socket:
    """Take the sandbox mail server's port: the wanted one, or any free one when it is taken."""
    try:
        return socket.create_server((settings.SANDBOX_SMTP_HOST, settings.SANDBOX_SMTP_PORT))
    except OSError:
        return socket.create_server((settings.SANDBOX_SMTP_HOST, 0))


def _greets(host: str, port: int) -> bool:
    """Say whether the mail server itself answers: its socket listens before it does."""
    try:
        with socket.create_connection((host, port), timeout=1) as line:
            return line.recv(3) == b"220"
    except OSError:
        return False


def _responds(port: int) -> bool:
    """Say whether the app itself answers: gunicorn listens long before its workers have loaded it."""
    client = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        client.request("GET", "/healthz")
        return client.getresponse().status < http.client.INTERNAL_SERVER_ERROR
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def _worker_seen(queues: tuple[str, ...], since: float) -> bool:
    """Say whether a worker has reported on each of these queues since ``since`` (Unix time)."""
    try:
        ages = health.seconds_since_workers()
    except Exception:  # Redis is being restarted: look again
        return False
    longest = time.time() - since
    return all((age := ages[queue]) is not None and age < longest for queue in queues)
