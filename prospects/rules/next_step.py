"""What should happen next with somebody, in a few words."""

from __future__ import annotations

from collections.abc import Sequence

#: What the list keeps of it.
LONGEST = 200
#: By what became of the newest request, where none is open: approved ones by what became of their sending.
_AFTER = {
    "approved": "Wait until the message leaves.",
    "accepted": "Wait for an answer.",
    "unknown": "Find out whether the message went out.",
}


def next_action(verdict: str, missing: Sequence[str], asked: Sequence[str], *, has_person: bool) -> str:
    """By the verdict, what is missing for a better one, and what became of the requests (see ``next_step``)."""
    if verdict == "qualified":
        return next_step(asked, has_person=has_person)
    if verdict == "rejected":
        return ""
    return missing[0][:LONGEST] if missing else "Look for more evidence."


def next_step(asked: Sequence[str], *, has_person: bool) -> str:
    """Of a qualified prospect, by what became of the requests to write to them, the latest last.

    An approved one is "approved" until its message has left, then "accepted", "refused", "unknown" or "cancelled".
    """
    if "waiting" in asked:
        return "Decide the waiting request."
    if "deferred" in asked:
        return "Wait until the deferred request comes back."
    if asked and asked[-1] in _AFTER:
        return _AFTER[asked[-1]]
    if "rejected" in asked and has_person:  # agents draft no more for whom a person has said no
        return "A person rejected the message: set it aside or end it."
    return "Draft a message." if has_person else "Find a person to write to."
