"""Questions about prospects that pages ask. Every filter has an index that also gives the ranking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from playbooks.models import Client, Playbook, Route, Tier
from prospects.funnel.drilldown import FunnelSlice, in_slice, read_slice
from prospects.funnel.filters import NONE
from prospects.models import Prospect, Stage
from prospects.reading.list_search import everybody_found
from salesops.ids import id_in

RANKING = ("-priority", "-id")
_COLUMNS = ("stage", "route", "tier", "source", "segment")
_CHOICES = {"stage": Stage.values, "route": Route.values, "tier": Tier.values}


@dataclass(frozen=True, slots=True)
class ProspectFilters:
    """What the list is narrowed to; "" is any value, ``NONE`` those without one."""

    stage: str = ""
    route: str = ""
    tier: str = ""
    source: str = ""
    segment: str = ""
    owner: str = ""
    by_hand: str = ""
    q: str = ""
    piece: FunnelSlice | None = None

    def as_query(self) -> dict[str, str]:
        """The URL parameters that say the same."""
        given = {name: getattr(self, name) for name in (*_COLUMNS, "owner", "by_hand", "q")}
        named = {name: value for name, value in given.items() if value}
        return {**named, **(self.piece.as_query() if self.piece else {})}

    @property
    def is_narrowed(self) -> bool:
        """Whether anything is filtered at all."""
        return bool(self.as_query())


def read_prospect_filters(params: Mapping[str, str]) -> ProspectFilters:
    """Filters from URL parameters; a value nobody offers is no filter."""

    def chosen(name: str) -> str:
        value = params.get(name, "")[:120]
        return "" if name in _CHOICES and value not in (*_CHOICES[name], NONE) else value

    return ProspectFilters(
        **{name: chosen(name) for name in _COLUMNS},
        owner=params.get("owner", "") if id_in(params.get("owner")) is not None else "",
        by_hand="1" if params.get("by_hand") == "1" else "",
        q=" ".join(params.get("q", "").replace("\x00", "").split())[:120],
        piece=read_slice(params),
    )


def ranked_prospects(client: Client, playbook: Playbook, filters: ProspectFilters) -> QuerySet[Prospect]:
    """The playbook's prospects that pass the filters, all of them; order by ``RANKING``."""
    prospects: QuerySet[Prospect] = Prospect.objects.for_client(client).filter(playbook=playbook).going_on()
    prospects = prospects.filter(**narrowed(filters))
    if filters.q:
        found, params = everybody_found(filters.q, client_id=client.pk, playbook_id=playbook.pk)
        prospects = prospects.filter(pk__in=RawSQL(found, params))  # noqa: S611 — names are ours, values are parameters
    if filters.piece:
        prospects = in_slice(prospects, filters.piece, client=client)
    return prospects.select_related("company", "contact")


def narrowed(filters: ProspectFilters) -> dict[str, str | bool]:
    """Column of the prospect → the value it must have."""
    columns: dict[str, str | bool] = {}
    for name in _COLUMNS:
        if value := getattr(filters, name):
            columns[name] = "" if value == NONE else value
    if filters.owner:
        columns["owner_id"] = filters.owner
    if filters.by_hand:
        columns["routed_by_hand"] = True
    return columns
