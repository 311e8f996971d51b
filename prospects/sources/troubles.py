"""What can go wrong with a source, by what has to be done about it. The words are for people."""

from __future__ import annotations

from salesops.runtime.faults import Fault


class Trouble(Exception):  # noqa: N818 — what it is, not that it is an error
    """Base of all. ``str()`` is a sentence for people, without addresses of persons and without keys."""

    #: What kind of failure it is wherever it is not dealt with.
    fault = Fault.BUG
    #: Whether asking again at once may help.
    passing = False
    #: Whether it says something about the source itself (and not about this one question).
    blames_source = False


class NetworkTrouble(Trouble):
    """No answer, half an answer, or the server's own failure (5xx): ask again, later and later."""

    fault = Fault.NETWORK
    passing = True
    blames_source = True


class NoSuchHost(Trouble):
    """The host's name does not exist. Asking again would not help."""

    fault = Fault.NETWORK
    blames_source = True


class RateLimited(Trouble):
    """Asked too fast. ``wait`` is how long the source told us to wait, in seconds."""

    fault = Fault.RATE_LIMIT
    passing = True

    def __init__(self, words: str, wait: float) -> None:
        super().__init__(words)
        self.wait = wait


class AuthenticationTrouble(Trouble):
    """Our key is missing or refused: the source is halted until a person resumes it."""

    fault = Fault.AUTHENTICATION
    blames_source = True


class Gone(Trouble):
    """The interface is no more (410): its fallback takes over."""

    fault = Fault.DEPRECATED
    blames_source = True


class BadAnswer(Trouble):
    """An answer that cannot be read: too large, of the wrong kind, broken. Asking again would not help."""

    fault = Fault.BAD_RECORD
    blames_source = True


class NotKnown(Trouble):
    """The source has nothing under this question (404). Nothing went wrong."""


class Refused(Trouble):
    """We do not ask: a private address, another scheme, robots.txt, a block."""


class NotAsked(Trouble):
    """There was no turn, no time or no money for this question now; it may be asked again soon."""

    def __init__(self, words: str) -> None:
        super().__init__(f"Not asked yet: {words}")
