"""Refusals: the named ways in which SalesOps says no to a person or a process."""


class Refusal(Exception):  # noqa: N818 — the domain's word: a refusal is an answer, not a fault
    """A rule said no. ``message`` is written for the person who asked: what happened and what to do next.

    ``status`` is the HTTP status of the answer, whole page and fragment alike.
    """

    status = 409

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotAllowed(Refusal):
    """The actor has no role that permits this."""

    status = 403
