"""The sandbox's SMTP server keeps every receipt, and says 250 only for what it kept."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from approvals.channels.email import Server, hand_off
from approvals.models import CapturedMail
from approvals.services import capture
from tests.approvals.post_office import HOST, sandbox_server
from tests.approvals.scene import scene

ROOT = Path(__file__).resolve().parents[2]
RAW = (
    b"From: a@us.example\r\nTo: b@acme.example\r\nMessage-ID: <m1@us.example>\r\n"
    b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHi\r\n"
)


def send(port, raw=RAW):
    return hand_off(raw, sender="a@us.example", recipient="b@acme.example", server=Server(HOST, port, timeout=5))


@pytest.mark.django_db(transaction=True)
def test_a_duplicate_shows_as_two_receipts():
    sent = scene().approved()
    raw = RAW.replace(b"<m1@us.example>", sent.idempotency_key.encode())
    with sandbox_server(capture.store) as port:
        assert [send(port, raw).outcome for _ in range(2)] == ["accepted", "accepted"]
    rows = CapturedMail.objects.order_by("pk")
    assert [(row.dispatch, row.rcpt_to, row.subject) for row in rows] == [(sent, "b@acme.example", "Grüße")] * 2
    assert bytes(rows[0].raw).endswith(b"\r\n\r\nHi\r\n")


def test_what_could_not_be_kept_is_not_taken():
    def fails(*_):
        raise OSError("the disk is full")

    with sandbox_server(fails) as port:
        handed = send(port)
    assert (handed.outcome, handed.code) == ("retry", 451)


def start(port, **held):
    environment = os.environ | {"SANDBOX_SMTP_PORT": str(port)} | {name: str(number) for name, number in held.items()}
    command = [sys.executable, "manage.py", "sandbox_smtp"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, pass_fds=tuple(held.values())
    )


def place_in(process):
    """Where the command says that it listens."""
    heard = []
    for line in process.stderr:
        heard.append(line)
        if found := re.search(r"Sandbox SMTP server on (\S+):(\d+)\.", line):
            return found[1], int(found[2])
    raise AssertionError("".join(heard))


def test_the_command_listens_where_it_says_and_stops_on_a_signal():
    with start(0) as process:
        host, port = place_in(process)
        with socket.create_connection((host, port), 60) as line:
            assert line.recv(3) == b"220"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 0


def test_the_command_serves_at_a_socket_that_others_hold_for_it():
    with socket.create_server((HOST, 0)) as held:
        port = held.getsockname()[1]
        early = socket.create_connection((HOST, port), 60)
        with early, start(1, SANDBOX_SMTP_FD=held.fileno()) as process:
            assert early.recv(3) == b"220", "whoever came before it was there is answered"
            assert place_in(process) == (HOST, port)
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0


def test_the_command_says_when_its_port_is_taken():
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start(port) as process:
            _, words = process.communicate(timeout=150)
    assert process.returncode == 1
    assert f"Port {port}" in words
