"""What stands beside the rows of the list: filters and columns that people keep, who works here, work on many."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from django.utils import timezone

from playbooks.models import Client, User
from prospects.models import BulkAction, SavedFilter
from salesops.sql import fetch

REMEMBERED = timedelta(minutes=30)
# Plain SQL: every page of the list asks these, and composing the queries would cost more than answering them.
_PREFERENCE = """
SELECT mine.columns, mine.default_filter_id, kept.query
  FROM prospects_listpreference mine LEFT JOIN prospects_savedfilter kept
    ON kept.id = mine.default_filter_id AND (kept.shared OR kept.owner_id = mine.user_id)
 WHERE mine.client_id = %s AND mine.user_id = %s
"""
_KEPT = """
SELECT kept.id, kept.name, kept.query, kept.shared, kept.owner_id, coalesce(nullif(owner.name, ''), owner.email)
  FROM prospects_savedfilter kept JOIN playbooks_user owner ON owner.id = kept.owner_id
 WHERE kept.client_id = %s AND kept.page = %s AND (kept.owner_id = %s OR kept.shared) ORDER BY kept.name, kept.id
"""
_PEOPLE = """
SELECT id, name, email FROM playbooks_user
 WHERE is_active AND id IN (SELECT user_id FROM playbooks_membership WHERE client_id = %s) ORDER BY name, id
"""
_LATEST_BULK = "SELECT * FROM prospects_bulkaction WHERE client_id = %s AND created_by_id = %s ORDER BY id DESC LIMIT 1"


class Preference(NamedTuple):
    """What one person has chosen here: columns, and the filter that the list begins with, while they may see it."""

    columns: list[str]
    default_filter: int | None
    begins: str
    """The address's query of that filter; "" for everybody."""


class Kept(NamedTuple):
    """A filter that somebody kept, and who."""

    pk: int
    name: str
    query: dict[str, str]
    shared: bool
    owner_id: int
    owner: str

    def __str__(self) -> str:
        return self.name

    def narrows_to(self, query: dict[str, str]) -> bool:
        """Whether it filters as this query does, under whichever playbook."""
        return {name: value for name, value in self.query.items() if name != "playbook"} == query


def preference_of(client: Client, person: User) -> Preference:
    """What this person has chosen here; one query. A filter no longer shared has no say."""
    for columns, chosen, query in fetch(_PREFERENCE, [client.pk, person.pk]):
        return Preference(columns, chosen, urlencode(json.loads(query or "{}")))
    return Preference([], None, "")


def kept_filters(client: Client, person: User, page: SavedFilter.Page = SavedFilter.Page.PROSPECTS) -> list[Kept]:
    """One's own filters of a page and those that others share, by name; one query."""
    rows = fetch(_KEPT, [client.pk, page, person.pk])
    return [Kept(pk, name, json.loads(query), *rest) for pk, name, query, *rest in rows]


def people_of(client: Client) -> list[User]:
    """Who works for this client, by name; one query."""
    return list(User.objects.raw(_PEOPLE, [client.pk]))


def latest_bulk(client: Client, person: User) -> BulkAction | None:
    """What this person did to many last, while it is at work or may still be regretted."""
    row = next(iter(BulkAction.objects.raw(_LATEST_BULK, [client.pk, person.pk])), None)
    if row is None or not (row.is_open or timezone.now() - row.heartbeat_at < REMEMBERED):
        return None
    return row
