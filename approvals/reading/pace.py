"""What of the queue is left, and how long that takes the person who looks at it."""

from __future__ import annotations

from dataclasses import dataclass

from approvals.rules.pace import seconds_each, time_left
from playbooks.models import Client, User
from salesops.reading.counts import CAP
from salesops.sql import fetch

# From when a request was opened, or the one before it was decided, to its decision. The inner limit bounds the work:
# somebody who decides now and then is looked for among the client's last decisions, not among all that were ever made.
_TOOK = """
WITH recent AS (
    SELECT id, request_id, request_version, user_id, at FROM approvals_decision
     WHERE client_id = %(client)s ORDER BY at DESC LIMIT 500
), mine AS (
    SELECT d.at, greatest(v.at, lag(d.at) OVER (ORDER BY d.at, d.id)) AS began
      FROM recent d LEFT JOIN approvals_requestview v
        ON v.request_id = d.request_id AND v.user_id = d.user_id AND v.version = d.request_version
     WHERE d.user_id = %(user)s
)
SELECT extract(epoch FROM at - began)::float8 FROM mine WHERE began IS NOT NULL ORDER BY at DESC LIMIT 50
"""


@dataclass(frozen=True, slots=True)
class Left:
    """How many wait, "999+" beyond the cap, and how long they take; ``time`` is "" where nobody knows."""

    many: int
    time: str

    @property
    def shown(self) -> str:
        return f"{CAP}+" if self.many > CAP else str(self.many)


def left_for(client: Client, person: User, waiting: int) -> Left:
    """What that many waiting requests (``CAP`` + 1 for more) mean to this person; one query."""
    took = [seconds for (seconds,) in fetch(_TOOK, {"client": client.pk, "user": person.pk})] if waiting else []
    known = time_left(min(waiting, CAP), seconds_each(took))
    return Left(waiting, f"{known}+" if known and waiting > CAP else known)
