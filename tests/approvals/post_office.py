"""Real SMTP servers for tests: one that keeps what it gets, and ones that fail at a chosen place."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, TypeVar

from aiosmtpd.smtp import SMTP, Envelope, Session

from approvals.channels.sandbox import Listening, Store, controller

HOST = "127.0.0.1"
STAGES = {
    b"EHLO": ("ehlo", "250 fine"), b"HELO": ("ehlo", "250 fine"), b"MAIL": ("mail", "250 fine"),
    b"RCPT": ("rcpt", "250 fine"), b"DATA": ("data", "354 go on"), b"QUIT": ("quit", "221 bye"),
}  # fmt: skip


OfficeT = TypeVar("OfficeT", bound="PostOffice")


@contextmanager
def nobody_home() -> Iterator[int]:
    """A port at which nobody answers, and nobody else can: it is taken, and not listened at."""
    with socket.socket() as held:
        held.bind((HOST, 0))
        yield int(held.getsockname()[1])


@contextmanager
def sandbox_server(store: Store) -> Iterator[int]:
    """The sandbox's own server, at the port this yields."""
    server = controller(store, host=HOST, port=0)
    server.ready_timeout = 60
    server.start()
    try:
        yield server.port
    finally:
        server.stop()


@dataclass
class PostOffice:
    """What arrived, and how to answer the next messages: `answers` are used up first, then 250."""

    port: int
    received: list[tuple[str, str, bytes]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    @property
    def mail(self) -> list[EmailMessage]:
        return [message_from_bytes(raw, policy=policy.default) for _, _, raw in self.received]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            self.received += [
                (envelope.mail_from or "", rcpt, envelope.original_content or b"") for rcpt in envelope.rcpt_tos
            ]
        return answer


@contextmanager
def post_office(kind: type[OfficeT] = PostOffice) -> Iterator[OfficeT]:  # type: ignore[assignment]
    bound = socket.create_server((HOST, 0))
    office = kind(int(bound.getsockname()[1]))
    server = Listening(office, bound)
    server.ready_timeout = 60
    server.start()
    try:
        yield office
    finally:
        server.stop()


@dataclass
class BadLine:
    """A server that follows a script of replies and drops the line where the script says so.

    `at` names the stage it fails at; `reply` is what it says there ("" drops the line in silence).
    """

    port: int
    at: str
    reply: str
    bodies: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        going = await self._say(writer, "greeting", "220 hello")
        while going and (line := await reader.readline()):
            stage, words = STAGES.get(line[:4].upper(), ("other", "500 what?"))
            going = await self._say(writer, stage, words) and stage != "quit"
            if going and stage == "data" and self.at != "data":
                going = await self._take(reader, writer)

    async def _say(self, writer: asyncio.StreamWriter, stage: str, words: str) -> bool:
        """Whether the line holds after this reply."""
        said = self.reply if stage == self.at else words
        if said:
            writer.write(f"{said}\r\n".encode())
            await writer.drain()
        return bool(said)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.at == "body":
            await reader.readline()
            return False
        self.bodies.append(await reader.readuntil(b"\r\n.\r\n"))
        return await self._say(writer, "end", "250 taken")


@contextmanager
def bad_line(at: str, reply: str = "") -> Iterator[BadLine]:
    bound = socket.create_server((HOST, 0))
    line = BadLine(int(bound.getsockname()[1]), at, reply)
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def main() -> None:
        server = await asyncio.start_server(line.serve, sock=bound)
        ready.set()
        async with server:
            await server.serve_forever()

    def run() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(task)
        except asyncio.CancelledError:
            pass
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()

    task: Any = loop.create_task(main())
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait(60)
    try:
        yield line
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(5)
