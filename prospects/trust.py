"""Whether a composite is still provisional: too few people have decided yet to tell whether it predicts anything.

A score row says how it was when it was computed. What is shown goes by today's decisions: the fiftieth takes the mark
off everywhere at once, without a single row being written.
"""

from __future__ import annotations

from collections.abc import Iterable

from playbooks.events import AuditEvent
from playbooks.models import AuditEntry
from prospects.models import Prospect

#: Below this many recorded decisions a composite is marked provisional.
DECISIONS_TO_TRUST = 50
#: What people say of a request that says whether the prospect was rightly qualified.
_QUALIFIES = ("approve", "approve_edits", "reject")


def is_provisional(client_id: int) -> bool:
    """Whether people have decided too rarely for this client; decisions are counted no further than it matters."""
    made = AuditEntry.objects.filter(client=client_id, event=AuditEvent.DECISION_MADE, detail__kind__in=_QUALIFIES)
    return len(made.values_list("pk", flat=True)[:DECISIONS_TO_TRUST]) < DECISIONS_TO_TRUST


def marked_today(client_id: int, prospects: Iterable[Prospect]) -> None:
    """Take the mark off rows about to be shown where it has gone since they were scored. One query at most."""
    marked = [prospect for prospect in prospects if prospect.provisional]
    if marked and not is_provisional(client_id):
        for prospect in marked:
            prospect.provisional = False
