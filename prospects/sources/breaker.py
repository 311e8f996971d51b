"""A brake per source: after failures in a row it rests, then one question is tried; a refused key halts it.

Pure but for a lock: what was learnt is read off ``learnt`` and saved by whoever owns the database connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from prospects.sources.troubles import AuthenticationTrouble, Gone, NotAsked

FAILURES = 5
#: Sources whose every question goes to another host: a few dead sites in a row are ordinary there.
FAILURES_PER_HOST = 200
FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a source stood when it was last looked at."""

    failures: int = 0
    open_until: datetime | None = None
    last_error: str = ""
    last_error_at: datetime | None = None
    halted: bool = False
    retired: bool = False

    def rest(self) -> timedelta:
        """How long to rest when it fails again: twice the last rest, a minute at first, an hour at most."""
        if self.open_until is None or self.last_error_at is None:
            return FIRST_REST
        return min(max(2 * (self.open_until - self.last_error_at), FIRST_REST), LONGEST_REST)


@dataclass(slots=True)
class Learnt:
    """What happened since. ``failures`` counts those since the last success, if ``succeeded``."""

    succeeded: bool = False
    failures: int = 0
    open_until: datetime | None = None
    error: str = ""
    error_at: datetime | None = None
    ok_at: datetime | None = None
    halted: bool = False
    retired: bool = False
    warning: str = ""

    @property
    def urgent(self) -> bool:
        """Whether others should hear of it at once."""
        return self.halted or self.retired or self.open_until is not None

    @property
    def anything(self) -> bool:
        return self.succeeded or self.failures > 0 or self.halted or self.retired or bool(self.warning)


@dataclass
class Brake:
    """One source's brake in one process. Call ``enter`` before a question, then ``succeed`` or ``fail``."""

    source: str
    standing: Standing = field(default_factory=Standing)
    threshold: int = FAILURES
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self._turn = threading.Condition()
        self._failures = self.standing.failures
        self._open_until = self.standing.open_until
        self._probing = False
        self._learnt = Learnt()
        self._halted, self._retired = self.standing.halted, self.standing.retired

    def enter(self, wait: float = 60.0) -> None:
        """Let a question through. After a rest only one goes, and the others wait for what becomes of it.

        Raises AuthenticationTrouble when halted, Gone when retired, NotAsked while it rests.
        """
        with self._turn:
            if not self._turn.wait_for(lambda: not self._probing, timeout=wait):
                raise NotAsked("it is just being tried again after failures")
            self._check()
            if self._failures >= self.threshold:
                self._probing = True

    def _check(self) -> None:
        if self._halted:
            raise AuthenticationTrouble("halted because it refused our key; resume it once the key is right")
        if self._retired:
            raise Gone("gone for good")
        if self._open_until is not None and self.now() < self._open_until:
            raise NotAsked(f"it rests until {self._open_until:%H:%M} UTC after {self._failures} failures in a row")

    def succeed(self) -> None:
        with self._turn:
            self._failures, self._open_until, self._probing = 0, None, False
            self._learnt.succeeded, self._learnt.ok_at = True, self.now()
            self._learnt.failures, self._learnt.open_until = 0, None
            self._turn.notify_all()

    def fail(self, words: str) -> None:
        """A failure that is the source's. Opens the brake when there were too many in a row."""
        with self._turn:
            probing, self._probing = self._probing, False
            self._failures += 1
            learnt, now = self._learnt, self.now()
            learnt.failures += 1
            learnt.error, learnt.error_at = words[:500], now
            opened = self._open_until is not None and now < self._open_until
            if self._failures >= self.threshold and not opened:
                rest = self.standing.rest() if probing else FIRST_REST
                self._open_until = learnt.open_until = now + rest
            self._turn.notify_all()

    def leave(self) -> None:
        """The question said nothing about the source; if it was a probe, the next one is."""
        with self._turn:
            self._probing = False
            self._turn.notify_all()

    def halt(self, words: str) -> None:
        """Our key was refused: nobody asks until a person resumes it."""
        with self._turn:
            self._halted, self._probing = True, False
            self._learnt.halted, self._learnt.error, self._learnt.error_at = True, words[:500], self.now()
            self._turn.notify_all()

    def retire(self, words: str) -> None:
        """The interface is gone."""
        with self._turn:
            self._retired, self._probing = True, False
            self._learnt.retired, self._learnt.error, self._learnt.error_at = True, words[:500], self.now()
            self._turn.notify_all()

    def warn(self, words: str) -> None:
        with self._turn:
            self._learnt.warning = words[:500]

    @property
    def retired(self) -> bool:
        return self._retired

    @property
    def urgent(self) -> bool:
        return self._learnt.urgent

    def take(self) -> Learnt | None:
        """What was learnt since the last call; None when nothing was."""
        with self._turn:
            learnt, self._learnt = self._learnt, Learnt()
            return learnt if learnt.anything else None
