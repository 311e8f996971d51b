"""`manage.py sandbox_smtp`: the SMTP server of the sandbox, in the foreground."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from approvals.channels.sandbox import controller
from approvals.services.capture import store


class Command(BaseCommand):
    help = "Receive e-mail of clients in sandbox mode and keep it for the Outbox. Stops on SIGTERM or Ctrl-C."
    requires_system_checks = []

    def handle(self, *_args: Any, **_options: Any) -> None:
        host, port = settings.SANDBOX_SMTP_HOST, settings.SANDBOX_SMTP_PORT
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        held = os.environ.get("SANDBOX_SMTP_FD")
        try:
            server = controller(store, host=host, port=port, held=int(held) if held else None)
        except OSError as error:
            raise CommandError(f"Port {port} on {host} cannot be used: {error.strerror}.") from error
        server.start()
        self.stderr.write(f"Sandbox SMTP server on {host}:{server.port}.")
        stop.wait()
        server.stop()
