"""What should happen next with somebody, in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

#: What the list keeps of it.
LONGEST = 200
SENT: Final = "accepted"
NOT_SENT: Final = "not sent"
LEFT_ALONE: Final = "left alone"
NO_TEMPLATE: Final = "no template"
NO_GOOD_DRAFT: Final = "no good draft"
DRAFT: Final = "Draft a message."
#: By what became of the newest request, where none is open: approved ones by what became of their sending.
_AFTER = {
    "approved": "Wait until the message leaves.",
    "unknown": "Find out whether the message went out.",
}
_ANSWER = "Wait for an answer."
_LEFT_ALONE = "They want to be left alone: find somebody else to write to, or end it."
#: By why nothing could be drafted.
WORDLESS = {
    NO_TEMPLATE: "No template can be filled: add one to the playbook, or give drafting to a person there.",
    NO_GOOD_DRAFT: "No draft is good enough: change the playbook's templates, or give drafting to a person there.",
}
#: By how the newest request ended that nobody answered, or whose message never left.
_LAPSED = {
    "expired": "Nobody decided in time: agents ask again once something new is known.",
    "cancelled": "The request was called off: agents ask again once something new is known.",
    NOT_SENT: "What was approved did not leave: the outbox says why.",
}


def next_action(verdict: str, missing: Sequence[str], asked: Sequence[str], *, has_person: bool) -> str:
    """By the verdict, what is missing for a better one, and what became of the requests (see ``next_step``)."""
    if verdict == "qualified":
        return next_step(asked, has_person=has_person)
    if verdict == "rejected":
        return ""
    return missing[0][:LONGEST] if missing else "Look for more evidence."


def is_settled(asked: Sequence[str]) -> bool:
    """Whether what became of the requests says it all, whatever else is known of the person and of drafts."""
    return "waiting" in asked or "deferred" in asked or bool(asked and asked[-1] in _AFTER)


def next_step(asked: Sequence[str], *, has_person: bool) -> str:
    """Of a qualified prospect, by what became of the requests to write to them, the latest last.

    An approved one is "approved" until its message has left, then "accepted", "not sent" or "unknown". The last of
    all may be why no agent will write: "left alone", "no template" or "no good draft".
    """
    if "waiting" in asked:
        return "Decide the waiting request."
    if "deferred" in asked:
        return "Wait until the deferred request comes back."
    if asked and asked[-1] in _AFTER:
        return _AFTER[asked[-1]]
    if LEFT_ALONE in asked and has_person:
        return _LEFT_ALONE
    if asked and asked[-1] == SENT:
        return _ANSWER
    if not has_person:
        return "Find a person to write to."
    if "rejected" in asked:  # agents draft no more for whom a person has said no
        return "A person rejected the message: set it aside or end it."
    if asked and asked[-1] in WORDLESS:
        return WORDLESS[asked[-1]]
    return _LAPSED.get(asked[-1], DRAFT) if asked else DRAFT
