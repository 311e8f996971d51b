"""Pairs that the agents found, until their cycle is written: one row per pair, however often it is found."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from django.db import connection

from prospects.duplicates.twins import SAID, WORKED
from salesops.runtime.context import Context
from salesops.runtime.ports import Run, Scope
from salesops.runtime.proposals import MergeProposal
from salesops.runtime.words import ImplementationKind

# A pair on record keeps what a person said about it; while nobody has, the newer comparison counts.
_WRITE = """
INSERT INTO prospects_duplicate AS d (client_id, kind, one_{0}_id, other_{0}_id, status, score, reasons, automatic,
    keep_other, run_id, found_at, trace_id)
SELECT %s, '{0}', n.one, n.other, 'open', n.score, n.reasons::jsonb, n.automatic, n.keep_other, n.run, %s, %s
FROM unnest(%s::bigint[], %s::bigint[], %s::float8[], %s::text[], %s::boolean[], %s::boolean[], %s::bigint[])
    AS n (one, other, score, reasons, automatic, keep_other, run) ORDER BY n.one, n.other
ON CONFLICT (one_{0}_id, other_{0}_id) WHERE kind = '{0}' DO UPDATE
SET score = excluded.score, reasons = excluded.reasons, automatic = excluded.automatic,
    keep_other = excluded.keep_other, run_id = excluded.run_id
WHERE d.status = 'open'
"""


class DuplicateRows:
    """Promoted merge proposals of one batch."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._rows: dict[tuple[str, int, int], tuple[int, tuple[Any, ...]]] = {}

    def add(self, context: Context, run: Run, proposal: MergeProposal) -> bool:
        """Hold the pair; False when it is on record with this very score, or a person has spoken."""
        one, other = sorted((proposal.kept, proposal.merged))
        # Only rules whose precision is measured may be sure; a model's word goes to a person.
        sure = proposal.score >= self._scope.playbook.merge_threshold and run.implementation == ImplementationKind.RULES
        if sure:
            context.gone = context.gone or self._is_itself(context, proposal)
        status, score = context.extras.get(SAID, {}).get((proposal.kind, one, other), ("", None))
        if status and (status != "open" or score == proposal.score):
            return False
        reasons = json.dumps([reason.model_dump() for reason in proposal.reasons])
        row = (one, other, proposal.score, reasons, sure, proposal.kept == other, run.id)
        self._rows[(proposal.kind, one, other)] = (context.id, row)
        return True

    def _is_itself(self, context: Context, proposal: MergeProposal) -> bool:
        """Whether this prospect is what will be merged, into one that is worked here too."""
        account = context.company if context.company is not None else context.contact
        kind = "company" if context.company is not None else "contact"
        worked = proposal.kept in context.extras.get(WORKED, {}).get(kind, ())
        return proposal.kind == kind and account is not None and account.id == proposal.merged and worked

    def write(self, prospects: Collection[int]) -> None:
        """Write the pairs found by these prospects and forget the rest. Inside the cycle's transaction."""
        for kind in ("company", "contact"):
            rows = sorted(row for (k, *_), (owner, row) in self._rows.items() if k == kind and owner in prospects)
            if not rows:
                continue
            columns = [list(column) for column in zip(*rows, strict=True)]
            with connection.cursor() as cursor:
                cursor.execute(
                    _WRITE.format(kind), [self._scope.client_id, self._scope.now, self._scope.trace_id, *columns]
                )
        self._rows.clear()
