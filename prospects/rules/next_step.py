"""What should happen next with somebody, in a few words."""

from __future__ import annotations

from collections.abc import Sequence


def next_step(asked: Sequence[str], *, has_person: bool) -> str:
    """Of a qualified prospect, by what became of the requests to write to them, the latest last."""
    if "waiting" in asked:
        return "Decide the waiting request."
    if "deferred" in asked:
        return "Wait until the deferred request comes back."
    if asked and asked[-1] == "approved":
        return "Wait for an answer."
    return "Draft a message." if has_person else "Find a person to write to."
