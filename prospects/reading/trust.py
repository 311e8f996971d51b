"""Whether a composite is still provisional: too few people have decided yet to tell whether it predicts anything.

A score row says how it was when it was computed. What is shown goes by today's decisions: the fiftieth takes the mark
off everywhere at once, without a single row being written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from playbooks.events import AuditEvent
from prospects.models import Prospect
from salesops.sql import fetch

#: Below this many recorded decisions a composite is marked provisional.
DECISIONS_TO_TRUST = 50
#: What people say of a request that says whether the prospect was rightly qualified.
_QUALIFIES = ("approve", "approve_edits", "reject")
#: The annotation by which rows carry the answer: it costs their query one look into an index, and no query more.
TRUSTED = "trusted_today"


#: SQL for the fiftieth decision, if there is one: they are counted no further than it matters. Plain, since every page
#: of prospects asks it within its own question. Its parameters are :func:`enough_for`.
ENOUGH = """SELECT FROM playbooks_auditentry WHERE client_id = %s AND event = %s AND detail->>'kind' = ANY(%s)
    OFFSET %s LIMIT 1"""


def enough_for(client_id: int) -> list[Any]:
    """The parameters of ``ENOUGH``."""
    return [client_id, AuditEvent.DECISION_MADE.value, list(_QUALIFIES), DECISIONS_TO_TRUST - 1]


def is_provisional(client_id: int) -> bool:
    """Whether people have decided too rarely for this client."""
    ((is_enough,),) = fetch(f"SELECT EXISTS ({ENOUGH})", enough_for(client_id))
    return not is_enough


def trusted(client_id: int) -> dict[str, RawSQL]:
    """Annotates rows that will be shown with whether people have decided often enough."""
    return {TRUSTED: RawSQL(f"EXISTS ({ENOUGH})", enough_for(client_id), BooleanField())}  # noqa: S611 — ours


def marked_today(prospects: Iterable[Prospect], row: Any = None) -> None:
    """Take the mark off rows about to be shown where it has gone since they were scored.

    Each prospect, or ``row`` for all of them, was annotated by :func:`trusted`.
    """
    for prospect in prospects:
        prospect.provisional = prospect.provisional and not getattr(row or prospect, TRUSTED)
