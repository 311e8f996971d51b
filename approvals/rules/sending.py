"""The life of one dispatch, and how much a mailbox may send.

The promise: at most one hand-off per approval. Only a failure that provably happened before the other side accepted
the message may be tried again by itself; anything else waits, as `unknown`, for reconciliation or a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Literal


class State(StrEnum):
    """Where a dispatch stands."""

    UNDO_HOLD = "undo_hold"
    QUEUED = "queued"
    POSTPONED = "postponed"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


MOVES: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.UNDO_HOLD: frozenset({State.QUEUED, State.CANCELLED}),
        State.QUEUED: frozenset({State.SENDING, State.POSTPONED, State.CANCELLED}),
        State.POSTPONED: frozenset({State.QUEUED, State.CANCELLED}),
        # Back to queued only after a failure that came provably before acceptance.
        State.SENDING: frozenset({State.ACCEPTED, State.REFUSED, State.UNKNOWN, State.QUEUED}),
        # A person, or a look-up by Message-ID, settles what was in doubt.
        State.UNKNOWN: frozenset({State.ACCEPTED, State.REFUSED}),
        State.ACCEPTED: frozenset(),
        State.REFUSED: frozenset(),
        State.CANCELLED: frozenset(),
    }
)

#: How the reason of what a pause put off begins.
PAUSED = "paused: "
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


def may_move(before: str, after: str) -> bool:
    """Whether a dispatch in state `before` may become `after`."""
    return State(after) in MOVES[State(before)]


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
            return Outcome.REFUSED
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


def ramp_cap(clean_days: int, *, frozen: bool = False, halved: bool = False, ramp: Ramp = DEFAULT_RAMP) -> int:
    """E-mails allowed today after `clean_days` clean business days.

    A warning freezes the ramp one step back; a pause halves what was reached.
    """
    days = max(0, clean_days - 1 if frozen else clean_days)
    reached = ramp.seasoned if days >= ramp.seasoned_days else min(ramp.plateau, ramp.start + ramp.step * days)
    return max(1, reached // 2) if halved else reached


Safety = Literal["ok", "warn", "pause", "stop"]


@dataclass(frozen=True, slots=True)
class SafetyVerdict:
    """What a mailbox's record asks for, and the numbers it follows from."""

    verdict: Safety
    saw: str


def bounce_verdict(*, sent: int, hard: int, hard_in_last_50: int, complaints: int) -> SafetyVerdict:
    """The rule book's sending safety. `sent` and `hard` count the same period; complaints are people's, not rates."""
    if sent < 0 or hard < 0 or hard > sent:
        raise ValueError("hard bounces are part of what was sent")
    rate = hard / sent if sent else 0.0
    saw = f"{hard} hard bounces and {complaints} complaints in {sent} e-mails"
    if complaints:
        return SafetyVerdict("stop", f"{saw}: one complaint stops the client's e-mail until a person resumes it")
    if hard_in_last_50 >= 3 or (sent >= 50 and rate >= 0.05) or (20 <= sent < 50 and rate > 0.05):
        return SafetyVerdict("pause", saw)
    if sent >= 50 and rate >= 0.02:
        return SafetyVerdict("warn", saw)
    return SafetyVerdict("ok", saw)
