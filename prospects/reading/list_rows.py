"""What the list shows of prospects whose ids are known: one question for all of it, however many they are.

Plain SQL into plain rows: a page draws fifty, and composing the query and three models for each cost more than to ask.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone

from playbooks.models import Client
from prospects.reading.trust import ENOUGH, enough_for
from salesops.sql import fetch


class Row(NamedTuple):
    """One prospect as the list shows it, with what other tables say about it. Words are "" where there are none."""

    id: int
    company: str
    domain: str
    industry: str
    city: str
    country: str
    person: str
    title: str
    stage: str
    stage_since: datetime
    composite: float | None
    coverage: float
    provisional: bool
    route: str
    by_hand: list[str] | None
    """The route that a person set, and why."""
    tier: str
    priority: float
    segment: str
    source: str
    next_action: str
    verdict: str
    verdict_reason: str
    created_at: datetime
    owner: str
    is_paused: bool

    def __str__(self) -> str:
        return self.company or self.person


#: A prospect says itself whether its route was set by hand: few are, and nobody else's overrides are looked for.
_ROWS = f"""
    SELECT p.id, coalesce(c.name, ''), coalesce(c.domain, ''), coalesce(c.industry, ''), coalesce(c.city, ''),
        coalesce(nullif(c.country, ''), k.country, ''), coalesce(k.name, ''), coalesce(k.title, ''),
        p.stage, p.stage_since, p.composite, p.coverage, p.provisional AND NOT EXISTS ({ENOUGH}), p.route,
        CASE WHEN p.routed_by_hand THEN (SELECT ARRAY[o.route, o.reason] FROM prospects_routeoverride o
            WHERE o.prospect_id = p.id AND o.lifted_at IS NULL) END,
        p.tier, p.priority, p.segment, p.source, p.next_action, p.verdict, p.verdict_reason, p.created_at,
        {{owner}}, p.id = ANY (ARRAY(SELECT target_id FROM playbooks_stop
            WHERE client_id = %s AND level = 'prospect' AND target_id = ANY(%s) AND lifted_at IS NULL
            AND (until IS NULL OR until > %s)))
    FROM unnest(%s::bigint[]) WITH ORDINALITY AS page (id, place)
    JOIN prospects_prospect p ON p.id = page.id AND p.client_id = %s
    LEFT JOIN prospects_company c ON c.id = p.company_id LEFT JOIN prospects_contact k ON k.id = p.contact_id
    ORDER BY page.place"""  # noqa: S608 — the statement is ours
_OWNER = "coalesce((SELECT coalesce(nullif(u.name, ''), u.email) FROM playbooks_user u WHERE u.id = p.owner_id), '')"


def rows_of(ids: Sequence[int], client: Client, columns: Collection[str]) -> list[Row]:
    """The client's prospects with these ids, in this order. Who works on them is asked where a column shows it."""
    given = list(ids)
    params = [*enough_for(client.pk), client.pk, given, timezone.now(), given, client.pk]
    statement = _ROWS.format(owner=_OWNER if "owner" in columns else "''")
    return [Row(*values) for values in fetch(statement, params)]
