"""Whether a composite is still provisional: too few people have decided yet to tell whether it predicts anything.

A score row says how it was when it was computed. What is shown goes by today's decisions: the fiftieth takes the mark
off everywhere at once, without a single row being written.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, QuerySet

from playbooks.events import AuditEvent
from playbooks.models import AuditEntry
from prospects.models import Prospect

#: Below this many recorded decisions a composite is marked provisional.
DECISIONS_TO_TRUST = 50
#: What people say of a request that says whether the prospect was rightly qualified.
_QUALIFIES = ("approve", "approve_edits", "reject")
#: The annotation by which rows carry the answer: it costs their query one look into an index, and no query more.
TRUSTED = "trusted_today"


def _enough(client_id: int) -> QuerySet[AuditEntry]:
    """The fiftieth decision, if there is one: they are counted no further than it matters."""
    made = AuditEntry.objects.filter(client=client_id, event=AuditEvent.DECISION_MADE, detail__kind__in=_QUALIFIES)
    return made[DECISIONS_TO_TRUST - 1 : DECISIONS_TO_TRUST]


def is_provisional(client_id: int) -> bool:
    """Whether people have decided too rarely for this client."""
    return not _enough(client_id).exists()


def trusted(client_id: int) -> dict[str, Exists]:
    """Annotates rows that will be shown with whether people have decided often enough."""
    return {TRUSTED: Exists(_enough(client_id))}


def marked_today(prospects: Iterable[Prospect], row: Any = None) -> None:
    """Take the mark off rows about to be shown where it has gone since they were scored.

    Each prospect, or ``row`` for all of them, was annotated by :func:`trusted`.
    """
    for prospect in prospects:
        prospect.provisional = prospect.provisional and not getattr(row or prospect, TRUSTED)
