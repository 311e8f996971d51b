"""The sandbox's SMTP server keeps every receipt, and says 250 only for what it kept."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from approvals.channels.email import Server, hand_off
from approvals.channels.sandbox import controller
from approvals.models import CapturedMail
from approvals.services import capture
from tests.approvals.post_office import HOST, free_port
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
    port = free_port()
    server = controller(capture.store, host=HOST, port=port)
    server.ready_timeout = 60
    server.start()
    try:
        raw = RAW.replace(b"<m1@us.example>", sent.idempotency_key.encode())
        assert [send(port, raw).outcome for _ in range(2)] == ["accepted", "accepted"]
    finally:
        server.stop()
    rows = CapturedMail.objects.order_by("pk")
    assert [(row.dispatch, row.rcpt_to, row.subject) for row in rows] == [(sent, "b@acme.example", "Grüße")] * 2
    assert bytes(rows[0].raw).endswith(b"\r\n\r\nHi\r\n")


def test_what_could_not_be_kept_is_not_taken():
    def fails(*_):
        raise OSError("the disk is full")

    port = free_port()
    server = controller(fails, host=HOST, port=port)
    server.ready_timeout = 60
    server.start()
    try:
        handed = send(port)
    finally:
        server.stop()
    assert (handed.outcome, handed.code) == ("retry", 451)


def start(port):
    environment = os.environ | {"SANDBOX_SMTP_PORT": str(port)}
    command = [sys.executable, "manage.py", "sandbox_smtp"]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


def test_the_command_listens_and_stops_on_a_signal():
    port = free_port()
    with start(port) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                socket.create_connection((HOST, port), 1).close()
                break
            except OSError:
                time.sleep(0.2)
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
