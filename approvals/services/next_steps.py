"""A request moved: what should happen next with its prospect is another thing now.

PostgreSQL notes who is concerned, with the move itself (``NextStepChange``); here the list follows. A verb asks for
that once it has committed; what a crash kept it from asking is found by the sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from approvals.models import NextStepChange
from prospects.services import next_steps

AT_ONCE = 500


def tell(prospects: Iterable[int]) -> None:
    """Once this transaction has committed: whoever decides holds no prospect, and waits for none."""
    moved = sorted(set(prospects))

    def send() -> None:  # a function with a name: Django's log of a robust hook asks for one
        _follow(moved)

    if moved:
        transaction.on_commit(send, robust=True)


def note(prospects: Iterable[int]) -> None:
    """Something but a request changed what should happen next with these; inside the transaction that changed it."""
    concerned = sorted(set(prospects))
    NextStepChange.objects.bulk_create([NextStepChange(prospect_id=pk) for pk in concerned])
    tell(concerned)


def sweep() -> int:
    """Let the next actions follow whatever was noted and not followed yet; of how many prospects."""
    total = 0
    while found := _follow(None):
        total += found
    return total


@transaction.atomic
def _follow(prospects: Sequence[int] | None) -> int:
    """Those noted among these, or the longest noted of all. Their notes go with what they asked for.

    A note that commits later stays, and is followed in its turn: what is said here is read after these notes.
    """
    noted = NextStepChange.objects.order_by("pk")
    noted = noted if prospects is None else noted.filter(prospect__in=prospects)
    found = dict(noted.values_list("pk", "prospect_id")[:AT_ONCE])
    next_steps.say(set(found.values()))
    NextStepChange.objects.filter(pk__in=list(found)).delete()
    return len(set(found.values()))
