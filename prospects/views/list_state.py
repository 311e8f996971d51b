"""What stands beside the rows of the list: overrides, owners, pauses; kept filters, columns, work on many."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.utils import timezone

from playbooks.models import Client, Membership, Route, Stop, User
from prospects.models import BulkAction, ListPreference, Prospect, RouteOverride, SavedFilter
from prospects.reading.list_columns import COLUMNS, Column, Row, columns_named
from prospects.reading.prospect_list import ProspectFilters
from prospects.reading.trust import marked_today
from prospects.services.bulk import MAY
from salesops.access import ClientRequest

REMEMBERED = timedelta(minutes=30)


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


def rows_of(prospects: Sequence[Prospect], client: Client, columns: Sequence[Column]) -> list[Row]:
    """The prospects (annotated by ``trusted``) with what other tables say; at most three queries however many."""
    marked_today(prospects)
    ids = [prospect.pk for prospect in prospects]
    by_hand = {o.prospect_id: o for o in RouteOverride.objects.for_client(client).in_force().filter(prospect__in=ids)}
    wanted = {column.key for column in columns}
    owners = {p.owner_id for p in prospects if p.owner_id is not None} if "owner" in wanted else set()
    names = {user.pk: str(user) for user in User.objects.filter(pk__in=owners)} if owners else {}
    held = Stop.objects.in_force().filter(client=client, level=Stop.Level.PROSPECT, target_id__in=ids)
    paused = set(held.values_list("target_id", flat=True))
    return [Row(p, by_hand.get(p.pk), names.get(p.owner_id or 0, ""), p.pk in paused) for p in prospects]


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
    members = Membership.objects.filter(client=client)
    return list(User.objects.filter(pk__in=members.values("user"), is_active=True).order_by("name", "pk"))


def latest_bulk(request: ClientRequest) -> BulkAction | None:
    """What this person did to many last, while it is at work or may still be regretted."""
    mine = BulkAction.objects.for_client(request.client).filter(created_by=request.user)
    row = mine.select_related("owner").order_by("-pk").first()
    if row is None or not (row.is_open or timezone.now() - row.heartbeat_at < REMEMBERED):
        return None
    return row


def named_columns(preference: ListPreference) -> list[Column]:
    """The columns this person sees."""
    return columns_named(preference.columns)
