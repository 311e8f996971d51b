"""The named ways in which approvals says no. Every message is for the person who asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from salesops.errors import Refusal


class RequestNotFound(Refusal):
    """No such request at this client."""


class StaleDecision(Refusal):
    """Something material changed since the person saw the request."""

    def __init__(self, changes: Sequence[str]) -> None:
        self.changes = list(changes)
        super().__init__(f"This changed since you opened it: {'; '.join(self.changes)}. Look again, then decide.")


class AlreadyDecided(Refusal):
    """Somebody decided first."""

    def __init__(self, *, by: str, at: datetime | None, kind: str) -> None:
        self.by, self.at, self.kind = by, at, kind
        super().__init__(f"{kind} already by {by}." if by else f"This request is closed: {kind.lower()}.")


class RequestExpired(Refusal):
    """Nobody decided in time."""


class MakerCannotApprove(Refusal):
    """Who made the request does not approve it."""


class SecondApproverNeeded(Refusal):
    """The same person cannot be both of the two approvers."""


class ContentRefused(Refusal):
    """These words may not go out."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = list(reasons)
        super().__init__(f"These words cannot go out: {'; '.join(self.reasons)}.")


class AlreadyGoingOut(Refusal):
    """Too late to undo."""


class NotBulkApprovable(Refusal):
    """This request must be looked at by itself."""


class TaskClosed(Refusal):
    """The task is done already."""


class CannotSend(Refusal):
    """There is nowhere to hand the message to."""
