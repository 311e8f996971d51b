"""What was said to prospects lately, for a team that takes them over."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from salesops.sql import fetch

NEWEST = 3
_LAST = """
SELECT p.id, t.claimed_at, t.channel, t.subject, t.outcome FROM unnest(%s::bigint[]) AS p (id), LATERAL (
  SELECT d.id, d.claimed_at, d.channel, m.subject, coalesce(
         (SELECT v.kind FROM approvals_deliveryevent v WHERE v.dispatch_id = d.id ORDER BY v.id DESC LIMIT 1), d.status)
         AS outcome
    FROM approvals_dispatch d JOIN approvals_message m ON m.id = d.message_id
   WHERE d.prospect_id = p.id AND d.status IN ('accepted', 'unknown') AND d.claimed_at IS NOT NULL
   ORDER BY d.claimed_at DESC LIMIT %s) AS t
 ORDER BY p.id, t.claimed_at DESC
"""


def last_touches(prospects: Collection[int]) -> Mapping[int, Sequence[Mapping[str, Any]]]:
    """The newest few touches by prospect, newest first; one query."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for prospect, at, channel, subject, outcome in fetch(_LAST, [list(prospects), NEWEST]):
        found.setdefault(prospect, []).append(
            {"at": at.isoformat(), "channel": channel, "subject": subject, "outcome": outcome}
        )
    return found
