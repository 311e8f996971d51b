"""``manage.py serve``: the whole of SalesOps in the foreground, and nothing of it left behind afterwards."""

import contextlib
import fcntl
import io
import os
import signal
import socket
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.migrations.executor import MigrationExecutor

from salesops import engines
from salesops.stack import HOST, hold, hold_for_mail, programs
from salesops.supervisor import StartFailed, Supervisor


class Command(BaseCommand):
    help = "Run web, workers, scheduler and sandbox mail server (and the embedded engines when no URLs are set)."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000), help="0: any free one")
        parser.add_argument("--demo", action="store_true", help="load the demo first, unless it is there")

    def handle(self, *_args: Any, port: int, demo: bool, **_options: Any) -> None:
        with _only_one(), _terminate_as_interrupt(), _held(port) as web:
            _answer_at(web.getsockname()[1])
            self.stdout.write(f"Data is kept in {engines.data_dir()}{_elsewhere()}")
            engines.ensure()
            try:
                welcome = self._prepare(demo=demo)
                self._run(web, welcome)
            except KeyboardInterrupt:
                self.stdout.write("Stopping before everything was up …")
            finally:
                connections.close_all()
                cache.close()
                if not engines.release(wait=True) and settings.URLS.embedded:
                    self.stdout.write("Another command is using the engines; they stop with it.")
        self.stdout.write("Stopped.")

    def _prepare(self, *, demo: bool) -> str:
        """Migrate and load what is missing; return what the loader wants people to read last."""
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            if not settings.URLS.embedded_postgres:
                raise CommandError("The database has unapplied migrations. Run: manage.py migrate")
            self.stdout.write("Preparing the database …")
            call_command("migrate", verbosity=0, interactive=False, database=DEFAULT_DB_ALIAS)
        words = io.StringIO()
        if demo:
            call_command("load_demo", stdout=words)
        return words.getvalue().strip()

    def _run(self, web: socket.socket, welcome: str) -> None:
        supervisor = Supervisor(tend=_every_second(engines.tend))
        supervisor.catch_signals()
        mail_at = hold_for_mail()
        mail, rest = programs(web, mail_at)
        try:
            # Mail first: a worker may find something to send in its first second.
            supervisor.start([mail])
            supervisor.start(rest)
            if not supervisor.asked_to_stop:
                place = f"http://{HOST}:{web.getsockname()[1]}/"
                supervisor.say(f"\nSalesOps is ready: {place}\n{welcome}\nCtrl-C stops everything.\n")
            supervisor.watch()
            supervisor.say("Stopping: workers finish what they are doing …")
        except StartFailed as error:
            raise CommandError(str(error)) from error
        finally:
            supervisor.stop()
            mail_at.close()


@contextlib.contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM and SIGINT end us in order before the supervisor listens, too; shells mute SIGINT for `serve &`."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _only_one() -> Iterator[None]:
    """Hold this data folder's one place for a running app."""
    path = engines.data_dir() / "serve.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                f"SalesOps is already running on the data in {engines.data_dir()}. Stop it, or set SALESOPS_DATA."
            ) from None
        yield


def _elsewhere() -> str:
    home = engines.engines_home()
    if not settings.URLS.embedded or engines.data_dir() in home.parents:
        return ""
    return f"; the databases in {home}, because PostgreSQL does not run as root and its user cannot enter the former"


def _answer_at(port: int) -> None:
    """Let links in messages lead here, in this process (which may draft the demo's) and in those it starts."""
    if not os.environ.get("PUBLIC_URL"):
        settings.PUBLIC_URL = os.environ["PUBLIC_URL"] = f"http://{HOST}:{port}"


def _held(port: int) -> socket.socket:
    try:
        return hold(port)
    except OSError as error:
        raise CommandError(f"Port {port} is in use. Choose another: PORT={port + 1} make demo") from error


def _every_second(act: Callable[[], None]) -> Callable[[], None]:
    last = 0.0

    def tend() -> None:
        nonlocal last
        if time.monotonic() - last >= 1:
            last = time.monotonic()
            act()

    return tend
