"""What should happen next, said anew when a person has decided: agents say it only when they work on somebody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction

from prospects.models import Prospect, Verdict
from prospects.rules.next_step import next_step


@transaction.atomic
def tell(asked: Mapping[int, Sequence[str]]) -> None:
    """``asked``: prospect id → what became of the requests about it, the latest last. Only qualified ones are told."""
    rows = Prospect.objects.filter(pk__in=list(asked), verdict=Verdict.QUALIFIED).order_by("pk")
    changed = []
    for row in rows.select_for_update(of=("self",), no_key=True).only("next_action", "contact_id"):
        words = next_step(asked[row.pk], has_person=row.contact_id is not None)
        if row.next_action != words:
            row.next_action = words
            changed.append(row)
    Prospect.objects.bulk_update(changed, ["next_action"])
