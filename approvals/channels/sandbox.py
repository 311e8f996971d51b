"""The sandbox's own SMTP server: real conversations, and nothing leaves the machine.

Every receipt is stored, duplicates too: hiding a second copy would hide the very fault the sandbox is there to show.
250 is said only after the row is committed.
"""

from __future__ import annotations

import email
import email.policy
import socket
from asyncio import AbstractServer
from collections.abc import Awaitable, Callable

import structlog
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from asgiref.sync import sync_to_async

log = structlog.get_logger(__name__)
MAX_BYTES = 10 * 1024 * 1024
Store = Callable[[str, str, bytes, str, str], None]


class Capture:
    """aiosmtpd handler: hands each recipient's copy to `store` (from, to, bytes, Message-ID, subject)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802, ARG002
        raw = envelope.original_content or b""
        message_id, subject = _headers(raw)
        try:
            for recipient in envelope.rcpt_tos:
                await sync_to_async(self._store, thread_sensitive=False)(
                    envelope.mail_from or "", recipient, raw, message_id, subject
                )
        except Exception as error:  # whatever kept it from being stored, the sender must hear that it was not
            log.warning("sandbox_could_not_store", error=type(error).__name__)
            return "451 4.3.0 Not stored, try again later"
        return "250 2.0.0 Captured"


def _headers(raw: bytes) -> tuple[str, str]:
    """(Message-ID, subject) as plain text."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return str(message["Message-ID"] or "").strip()[:255], str(message["Subject"] or "")[:500]


class Listening(Controller):
    """A server in its own thread on a socket that it holds already, so nobody else can have its port meanwhile."""

    def __init__(self, handler: object, bound: socket.socket) -> None:
        self._bound = bound
        host, port = bound.getsockname()[:2]
        super().__init__(handler, hostname=host, port=port, data_size_limit=MAX_BYTES, ident="SalesOps sandbox")

    def _create_server(self) -> Awaitable[AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._bound)


def controller(store: Store, *, host: str, port: int, held: int | None = None) -> Listening:
    """A server that is not started yet; its ``port`` is a free one where 0 was asked for.

    ``held`` is a listening socket that whoever started this process holds (its number). Raises OSError when the port
    is taken.
    """
    bound = socket.create_server((host, port)) if held is None else socket.socket(fileno=held)
    return Listening(Capture(store), bound)
