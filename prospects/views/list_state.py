"""What stands beside the rows of the list: overrides, owners, pauses; kept filters, columns, work on many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from playbooks.models import Client, Route, User
from prospects.models import BulkAction, ListPreference, SavedFilter
from prospects.reading.list_columns import COLUMNS, Column, columns_named
from prospects.reading.prospect_list import ProspectFilters
from prospects.services.bulk import MAY
from salesops.access import ClientRequest

REMEMBERED = timedelta(minutes=30)
# Plain SQL: every page of the list asks these, and composing the queries would cost more than answering them.
_PEOPLE = """
SELECT id, name, email FROM playbooks_user
 WHERE is_active AND id IN (SELECT user_id FROM playbooks_membership WHERE client_id = %s) ORDER BY name, id
"""
_LATEST_BULK = "SELECT * FROM prospects_bulkaction WHERE client_id = %s AND created_by_id = %s ORDER BY id DESC LIMIT 1"


def preference_of(request: ClientRequest) -> ListPreference:
    """What this person has chosen here; one query."""
    mine = ListPreference.objects.for_client(request.client).filter(user=request.user)
    return mine.select_related("default_filter").first() or ListPreference(client=request.client, user=request.user)


def default_query(preference: ListPreference, user: User) -> str:
    """The address's query that the list begins with; "" for everybody. A filter no longer shared has no say."""
    chosen = preference.default_filter
    if chosen is None or not (chosen.shared or chosen.owner_id == user.pk):
        return ""
    return urlencode(chosen.query)


def beside(
    request: ClientRequest, preference: ListPreference, filters: ProspectFilters, columns: Sequence[Column]
) -> dict[str, Any]:
    """The forms around the list, for the whole page only."""
    kept = SavedFilter.objects.for_client(request.client).seen_by(request.user).select_related("owner")
    now = filters.as_query()
    chosen = [column.key for column in columns]
    return {
        "kept": [(row, urlencode(row.query), _same(row, now)) for row in kept],
        "default_filter": preference.default_filter_id,
        "columns_now": columns,
        "columns_left": [column for key, column in COLUMNS.items() if key not in chosen],
        "people": people_of(request.client),
        "routes": Route.choices,
        "actions": [(k, BulkAction.Kind(k).label) for k, who in MAY.items() if request.roles & {r.value for r in who}],
        "bulk": latest_bulk(request),
    }


def _same(row: SavedFilter, now: dict[str, str]) -> bool:
    return {name: value for name, value in row.query.items() if name != "playbook"} == now


def people_of(client: Client) -> list[User]:
    """Who works for this client, by name; one query."""
    return list(User.objects.raw(_PEOPLE, [client.pk]))


def latest_bulk(request: ClientRequest) -> BulkAction | None:
    """What this person did to many last, while it is at work or may still be regretted."""
    row = next(iter(BulkAction.objects.raw(_LATEST_BULK, [request.client.pk, request.user.pk])), None)
    if row is None or not (row.is_open or timezone.now() - row.heartbeat_at < REMEMBERED):
        return None
    return row


def named_columns(preference: ListPreference) -> list[Column]:
    """The columns this person sees."""
    return columns_named(preference.columns)
