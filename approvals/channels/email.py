"""E-mail: the bytes of one message, and one SMTP conversation that always knows how far it came.

The body in the message decodes to exactly the approved words. The conversation is held step by step rather than by
`sendmail`, because what may be tried again depends on where it ended.
"""

from __future__ import annotations

import email.policy
import smtplib
import ssl
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Literal

from approvals.rules.content import check_address, check_header, sender_address
from approvals.rules.sending import Outcome, SmtpStage, classify

Tls = Literal["", "starttls", "ssl"]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One approved e-mail. `sender` is the From header as approved; `sent_at` is aware; references are Message-IDs."""

    message_id: str
    sender: str
    recipient: str
    subject: str
    body: str
    sent_at: datetime
    unsubscribe_url: str = ""
    unsubscribe_address: str = ""
    references: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Server:
    """Where to hand e-mail over."""

    host: str
    port: int
    username: str = ""
    password: str = ""
    tls: Tls = ""
    timeout: float = 20.0


@dataclass(frozen=True, slots=True)
class HandOff:
    """What one conversation came to: the outcome, how far it went, the last reply."""

    outcome: Outcome
    stage: SmtpStage
    code: int | None
    detail: str


def message_id(dispatch_id: int, content_hash: str, sender: str) -> str:
    """The Message-ID of a dispatch: always the same one, so that a look-up can find what a crash left in doubt."""
    domain = sender_address(sender).rpartition("@")[2]
    return f"<d{dispatch_id}.{content_hash[:32]}@{domain}>"


def build(mail: Outgoing) -> bytes:
    """The message as RFC 5322 bytes with CRLF line ends: one plain-text part that decodes to `mail.body`.

    Raises UnsafeHeader when a value cannot stand in a header.
    """
    sender_address(mail.sender)
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = check_header("The sender", mail.sender)
    message["To"] = check_address(mail.recipient)
    message["Subject"] = check_header("The subject", mail.subject)
    message.set_content(mail.body, charset="utf-8", cte="quoted-printable")
    # Long machine-read values are written as they are: the library would fold them into encoded words.
    return _plain_headers(mail) + message.as_bytes()


def _plain_headers(mail: Outgoing) -> bytes:
    lines = [f"Date: {format_datetime(mail.sent_at)}", f"Message-ID: {_ascii('Message-ID', mail.message_id)}"]
    if mail.references:
        ids = [_ascii("References", reference) for reference in mail.references]
        lines += [f"In-Reply-To: {ids[-1]}", "References: " + "\r\n ".join(ids)]
    ways = [f"<{_ascii('List-Unsubscribe', mail.unsubscribe_url)}>"] if mail.unsubscribe_url else []
    if mail.unsubscribe_address:
        ways.append(f"<mailto:{check_address(mail.unsubscribe_address)}?subject=unsubscribe>")
    if ways:
        lines.append("List-Unsubscribe: " + ",\r\n ".join(ways))
    if mail.unsubscribe_url:
        lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def _ascii(name: str, value: str) -> str:
    check_header(name, value)
    return value.encode("ascii", "strict").decode("ascii")


def hand_off(raw: bytes, *, sender: str, recipient: str, server: Server) -> HandOff:
    """Hold one SMTP conversation. Never raises for what the other side or the network does."""
    conversation = _Conversation(server)
    try:
        return conversation.run(raw, sender_address(sender), check_address(recipient))
    finally:
        conversation.close()


class _Refused(Exception):  # noqa: N818 — ends a conversation; never leaves this module
    def __init__(self, code: int, detail: bytes) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail.decode("utf-8", "replace")


class _Conversation:
    """One SMTP session that remembers its stage."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._smtp: smtplib.SMTP | None = None
        self._stage = SmtpStage.CONNECT

    def run(self, raw: bytes, sender: str, recipient: str) -> HandOff:
        try:
            return self._talk(raw, sender, recipient)
        except _Refused as refusal:
            return self._ended(refusal.code, refusal.detail)
        except smtplib.SMTPResponseException as error:
            # For an answer too long to read the library makes up a 500: after the text, that answer may be a yes.
            code = None if self._stage is SmtpStage.BODY else error.smtp_code
            return self._ended(code, str(error.smtp_error))
        except (smtplib.SMTPException, OSError) as error:
            return self._ended(None, f"{type(error).__name__}: {error}")
        except ValueError:  # the error itself would quote the password
            return self._ended(None, "the host, name or password of EMAIL_URL cannot be put into this protocol")

    def _ended(self, code: int | None, detail: str) -> HandOff:
        known = code if code is not None and code > 0 else None
        return HandOff(classify(self._stage, known), self._stage, known, detail[:500])

    def _talk(self, raw: bytes, sender: str, recipient: str) -> HandOff:
        smtp = self._connect()
        self._stage = SmtpStage.MAIL
        self._expect(smtp.mail(sender))
        self._stage = SmtpStage.RCPT
        self._expect(smtp.rcpt(recipient))
        self._stage = SmtpStage.DATA
        self._expect(smtp.docmd("DATA"), positive=354)
        # Without the closing dot nothing can have been accepted: losing the line up to here is still safe.
        smtp.send(_dotted(raw))
        self._stage = SmtpStage.BODY
        smtp.send(b".\r\n")
        code, reply = smtp.getreply()
        if code > 0:
            self._stage = SmtpStage.DONE
        return self._ended(code, reply.decode("utf-8", "replace"))

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        if server.tls == "ssl":
            context = ssl.create_default_context()
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(timeout=server.timeout, context=context)
        else:
            smtp = smtplib.SMTP(timeout=server.timeout)
        self._smtp = smtp
        smtp._host = server.host  # type: ignore[attr-defined]  # the name TLS checks; set only by the constructor
        self._expect(smtp.connect(server.host, server.port), positive=220)
        self._stage = SmtpStage.GREETING
        smtp.ehlo_or_helo_if_needed()
        if server.tls == "starttls":
            self._expect(smtp.starttls(context=ssl.create_default_context()), positive=220)
            smtp.ehlo_or_helo_if_needed()
        if server.username:
            smtp.login(server.username, server.password)
        return smtp

    @staticmethod
    def _expect(reply: tuple[int, bytes], positive: int = 250) -> None:
        code, detail = reply
        if code != positive and not (positive == 250 and code == 251):
            raise _Refused(code, detail)

    def close(self) -> None:
        if self._smtp is None:
            return
        try:
            if self._stage is SmtpStage.DONE:
                self._smtp.quit()
        except (smtplib.SMTPException, OSError):
            pass  # the message is settled; how the other side says goodbye changes nothing
        finally:
            self._smtp.close()


def _dotted(raw: bytes) -> bytes:
    """CRLF line ends and doubled leading dots (RFC 5321, 4.5.2), ready for the closing dot."""
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").rstrip(b"\n").split(b"\n")
    return b"".join((b"." + line if line.startswith(b".") else line) + b"\r\n" for line in lines)
