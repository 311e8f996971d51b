"""Handing one dispatch over, and how much a mailbox may send.

The promise: at most one hand-off per approval. Only a failure that provably happened before the other side accepted
the message may be tried again by itself; anything else waits, as `unknown`, for reconciliation or a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

#: How the reason of what a pause put off begins.
PAUSED = "paused: "
#: How the reason of what a cancel called off begins.
STOPPED = "stopped: "
#: The agent that acts on each channel, and by whose name it is stopped.
EXECUTORS: Mapping[str, str] = MappingProxyType(
    {
        "email": "email_execution",
        "call": "call_execution",
        "linkedin": "message_execution",
        "sms": "message_execution",
    }
)


class Way(StrEnum):
    """How an approved message leaves."""

    SMTP = "smtp"
    PERSON = "person"  # a task, done and attested by a person


#: A channel that is not in here has no way out: nothing approved for it is handed to another channel's.
WAYS: Mapping[str, Way] = MappingProxyType({"email": Way.SMTP, "call": Way.PERSON, "linkedin": Way.PERSON})


def no_way_out(channel: str) -> str:
    """Why nothing can go out on this channel; empty when something can."""
    if channel in WAYS:
        return ""
    name = {"sms": "text messages"}.get(channel, channel)
    return f"nothing here sends {name}: the channel has no hand-off"


class Outcome(StrEnum):
    """What a hand-off is known to have come to."""

    ACCEPTED = "accepted"  # the other side took responsibility
    RETRY = "retry"  # provably not accepted, and worth another try later
    REFUSED = "refused"  # provably not accepted, for good
    UNKNOWN = "unknown"  # nobody here can tell


class SmtpStage(StrEnum):
    """How far the conversation had come when it ended."""

    CONNECT = "connect"
    GREETING = "greeting"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"  # DATA was asked for; the end of the text had not been sent
    BODY = "body"  # the text may have been sent whole; no answer to it was read
    DONE = "done"  # the answer to the text was read


def classify(stage: SmtpStage, code: int | None) -> Outcome:
    """What an SMTP conversation came to (RFC 5321, 4.2.5 and 6.1).

    `code` is the last reply code read at that stage, None when the line was lost or timed out. Responsibility passes
    with the positive answer to the end of the text: a line lost after the text went out leaves it open.
    """
    if code is not None:
        if stage is SmtpStage.DONE and 200 <= code < 300:
            return Outcome.ACCEPTED
        if 400 <= code < 500:
            return Outcome.RETRY
        if 500 <= code < 600:
            # Between its first word and the sender a server judges us, not the mail: it wants another password, or TLS.
            return Outcome.RETRY if stage is SmtpStage.GREETING else Outcome.REFUSED
    if stage in (SmtpStage.BODY, SmtpStage.DONE):
        return Outcome.UNKNOWN
    return Outcome.RETRY


RETRY_SECONDS = (15, 60, 300, 1800, 7200, 14400)


def retry_after(attempts: int) -> int | None:
    """Seconds to wait after failed attempt number `attempts` (from 1); None when it has been tried often enough."""
    return RETRY_SECONDS[attempts - 1] if attempts <= len(RETRY_SECONDS) else None


@dataclass(frozen=True, slots=True)
class Ramp:
    """How a new mailbox warms up (P): e-mails a day."""

    version: str = "ramp-1"
    start: int = 5
    step: int = 2
    plateau: int = 30
    seasoned: int = 40
    seasoned_days: int = 30


DEFAULT_RAMP = Ramp()


def ramp_cap(clean_days: int, *, ramp: Ramp = DEFAULT_RAMP) -> int:
    """E-mails allowed today after `clean_days` clean business days."""
    return ramp.seasoned if clean_days >= ramp.seasoned_days else min(ramp.plateau, ramp.start + ramp.step * clean_days)
