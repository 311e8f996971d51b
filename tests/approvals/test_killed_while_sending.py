"""A worker killed with -9 at the worst moment: the server has the message, the worker has not read its answer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from approvals.models import CapturedMail, Dispatch, Task
from approvals.services import dispatch, recover
from salesops import engines
from tests.approvals.post_office import PostOffice, post_office
from tests.approvals.scene import reload, scene

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]
WORK = """
import os, sys, django
django.setup()
from django.utils import timezone
from approvals.services import dispatch
print(os.getpid(), flush=True)
sys.stdin.readline()
dispatch.sweep(at=timezone.now())
"""


class Executioner(PostOffice):
    """Takes the message, then kills whoever sent it instead of answering."""

    victim = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        answer = await super().handle_DATA(server, session, envelope)
        os.kill(self.victim, signal.SIGKILL)
        return answer


def worker(port: int) -> subprocess.Popen[str]:
    """A worker of its own process on this test's database."""
    parts = urlsplit(engines.urls().database_url)
    folder = parts.path.rpartition("/")[0]
    environment = os.environ | {
        "DATABASE_URL": urlunsplit(parts._replace(path=f"{folder}/{connection.settings_dict['NAME']}")),
        "SECRET_KEY": django_settings.SECRET_KEY,
        "SANDBOX_SMTP_PORT": str(port),
        "DJANGO_SETTINGS_MODULE": "salesops.settings",
    }
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", WORK], cwd=ROOT, env=environment, text=True, **pipes)


def test_it_is_in_doubt_a_person_hears_of_it_and_it_is_never_sent_again(settings: Any) -> None:
    with post_office(Executioner) as office, worker(office.port) as process:
        settings.SANDBOX_SMTP_PORT = office.port
        assert process.stdout is not None
        office.victim = int(process.stdout.readline())
        sent = scene().approved()
        process.communicate("go\n", timeout=150)
        assert process.returncode == -signal.SIGKILL
        assert (reload(sent).status, len(office.received)) == ("sending", 1)

        later = timezone.now() + timedelta(seconds=django_settings.SENDING_LEASE_SECONDS + 1)
        assert recover.recover_stale(at=later) == 1
        for _ in range(3):
            dispatch.sweep(at=later)
        assert len(office.received) == 1
    assert reload(sent).status == Dispatch.Status.UNKNOWN
    assert Task.objects.get(dispatch=sent).status == "open"
    CapturedMail.objects.create(message_id=sent.idempotency_key, rcpt_to=sent.recipient, raw=b"")
    assert recover.reconcile_unknown(at=later) == 1
    assert reload(sent).status == Dispatch.Status.ACCEPTED
