"""Filters that people keep, and what they choose to see of the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import IntegrityError, transaction

from playbooks.models import Client, Role, User
from playbooks.services.authority import require
from prospects.models import ListPreference, SavedFilter
from prospects.reading.prospect_list import read_prospect_filters
from salesops.errors import NotAllowed, Refusal
from salesops.ids import id_in

MOST = 50


class BadName(Refusal):
    """A filter that is kept needs a name of its own."""


class TooManyFilters(Refusal):
    """A list of names that nobody reads to its end helps nobody."""


def save_filter(
    name: str, query: dict[str, str], *, client: Client, actor: User, shared: bool, opens: bool
) -> SavedFilter:
    """Keep these filters of the list of prospects as ``keep`` does. ``opens``: the list begins with them.

    Raises what ``keep`` raises.
    """
    kept = read_prospect_filters(query).as_query()
    if id_in(query.get("playbook")) is not None:
        kept["playbook"] = query["playbook"]
    with transaction.atomic():
        row = keep(name, kept, page=SavedFilter.Page.PROSPECTS, client=client, actor=actor, shared=shared)
        if opens:
            open_with(row, client=client, actor=actor)
    return row


def keep(
    name: str, query: Mapping[str, str], *, page: SavedFilter.Page, client: Client, actor: User, shared: bool
) -> SavedFilter:
    """Keep filters that the page has read under a name; the same name again replaces what it held.

    Raises NotAllowed, BadName, TooManyFilters.
    """
    _require_member(client, actor)
    words = " ".join(name.split())[:60]
    if not words:
        raise BadName("Give the filter a name.")
    with transaction.atomic():
        mine = SavedFilter.objects.for_client(client).filter(owner=actor, page=page)
        row = mine.select_for_update().filter(name__iexact=words).first()
        if row is None:
            if mine.count() >= MOST:
                raise TooManyFilters(f"Keep at most {MOST} filters: remove one first.")
            row = SavedFilter(client=client, owner=actor, page=page)
        row.name, row.query, row.shared = words, dict(query), shared
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError as twice:
            raise BadName("You have a filter of this name already.") from twice
    return row


def remove_filter(pk: int, *, client: Client, actor: User) -> None:
    """Forget one of one's own. Raises NotAllowed, SavedFilter.DoesNotExist for anybody else's."""
    _require_member(client, actor)
    SavedFilter.objects.for_client(client).get(pk=pk, owner=actor).delete()


def open_with(row: SavedFilter | None, *, client: Client, actor: User) -> None:
    """Let this person's list of prospects begin with a filter they can see, or with everybody (None).

    Raises NotAllowed.
    """
    _require_member(client, actor)
    if row is not None and row.page != SavedFilter.Page.PROSPECTS:
        raise NotAllowed("This filter is not one of the list of prospects.")
    if row is not None and (row.client_id != client.pk or not (row.shared or row.owner_id == actor.pk)):
        raise NotAllowed("This filter is somebody else's.")
    ListPreference.objects.update_or_create(client=client, user=actor, defaults={"default_filter": row})


def choose_columns(columns: Sequence[str], *, client: Client, actor: User) -> None:
    """Remember these columns in this order; none is the usual ones. The caller has left out what is no column.

    Raises NotAllowed.
    """
    _require_member(client, actor)
    ListPreference.objects.update_or_create(client=client, user=actor, defaults={"columns": list(columns)})


def _require_member(client: Client, actor: User) -> None:
    require(client, actor, tuple(Role), to="keep filters and columns")
