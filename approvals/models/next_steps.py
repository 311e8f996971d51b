"""Which prospects' next action has not followed yet what became of the requests about them."""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from prospects.models import Prospect
from salesops.guards import Guard


class NextStepChange(models.Model):
    """Something became of a request, and what the list says should happen next has not followed.

    Written by triggers inside the transaction that made the change, so no verb forgets it and no crash loses it;
    deleted when the next action is said anew. Not a fact. The foreign key is not checked: the rows live for moments.
    """

    prospect = models.ForeignKey(Prospect, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False)
    noted_at = models.DateTimeField(default=timezone.now, db_default=Now())

    def __str__(self) -> str:
        return f"prospect {self.prospect_id}, since {self.noted_at:%Y-%m-%d %H:%M}"


def notes_next_step(*statuses: str) -> Guard:
    """Note whose row came to have another status (one of these, or any): one statement per statement.

    New rows are left out: they are made in the transaction that says the next action too, or beside a request's move.
    """
    wanted = f" AND n.status IN ({', '.join(map(repr, statuses))})" if statuses else ""
    return Guard(
        name="notes_next_step",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Update,
        referencing=pgtrigger.Referencing(old="old_rows", new="new_rows"),
        func=(
            "INSERT INTO approvals_nextstepchange (prospect_id, noted_at) SELECT DISTINCT n.prospect_id, now()"
            f" FROM new_rows n JOIN old_rows o ON o.id = n.id WHERE n.status <> o.status{wanted}; RETURN NULL;"
        ),
    )
