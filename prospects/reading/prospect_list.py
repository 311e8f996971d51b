"""Questions about prospects that pages ask. Every filter has an index that also gives the ranking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from playbooks.models import Client, Playbook, Route, Tier
from prospects.funnel.drilldown import FunnelSlice, in_slice, read_slice
from prospects.funnel.filters import NONE
from prospects.models import Prospect, RouteOverride, Stage
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


@dataclass(frozen=True, slots=True)
class Found:
    """Ids of prospects that a search found; ``is_cut`` when there are more of them than were asked for."""

    ids: list[int]
    is_cut: bool


def ranked_prospects(
    client: Client, playbook: Playbook, filters: ProspectFilters, *, found: Found | None = None
) -> QuerySet[Prospect]:
    """The playbook's prospects that pass the filters; order by ``RANKING``. ``found`` answers the search already."""
    prospects: QuerySet[Prospect] = Prospect.objects.for_client(client).filter(playbook=playbook).going_on()
    for name, value in _narrowed(filters).items():
        prospects = prospects.filter(**{name: value})
    if filters.by_hand:
        by_hand = RouteOverride.objects.for_client(client).in_force()
        prospects = prospects.filter(pk__in=by_hand.values("prospect"))
    if found is not None:
        prospects = prospects.filter(pk__in=found.ids)
    elif filters.q:
        prospects = prospects.filter(pk__in=RawSQL(*_search("id", client, playbook, filters, at_most=None)))  # noqa: S611
    if filters.piece:
        prospects = in_slice(prospects, filters.piece, client=client)
    return prospects.select_related("company", "contact")


def _narrowed(filters: ProspectFilters) -> dict[str, str]:
    """Column of the prospect → the value it must have."""
    columns = {name: "" if value == NONE else value for name in _COLUMNS if (value := getattr(filters, name))}
    return {**columns, "owner_id": filters.owner} if filters.owner else columns


def find_prospects(client: Client, playbook: Playbook, filters: ProspectFilters, *, at_most: int) -> Found:
    """Search with a bound: however many names begin with the text, the first ``at_most`` are found."""
    with connection.cursor() as cursor:
        cursor.execute(*_search("branch, id", client, playbook, filters, at_most=at_most + 1))
        rows = cursor.fetchall()
    branches: dict[int, list[int]] = defaultdict(list)
    for branch, pk in rows:
        branches[branch].append(pk)
    ids = {pk for found in branches.values() for pk in found[:at_most]}
    return Found(list(ids), is_cut=any(len(found) > at_most for found in branches.values()))


#: Four branches, each from a prefix index into an index of prospects; an OR over joins would read every prospect.
_BRANCHES = (
    ("prospects_company", "company_id", "lower(who.name)", "name"),
    ("prospects_company", "company_id", "who.domain", "host"),
    ("prospects_contact", "contact_id", "lower(who.name)", "name"),
    ("prospects_contact", "contact_id", "who.email_key", "name"),
)


def _search(
    columns: str, client: Client, playbook: Playbook, filters: ProspectFilters, *, at_most: int | None
) -> tuple[str, list[str | int | None]]:
    """SQL for branch and id of prospects whose company, domain or person begins with the text; it may name one twice.

    Every branch answers ``at_most`` rows, first by name; None is all of them. Companies and people share their client
    with their prospects: asked twice, PostgreSQL takes it for chance, expects few rows, and reads the whole playbook.
    """
    narrowed = _narrowed(filters)
    own = "".join(f" AND p.{name} = %s" for name in narrowed)
    term = filters.q.lower()
    begins = {"name": term, "host": _host(term)}
    branches = []
    params: list[str | int | None] = []
    for branch, (table, key, column, what) in enumerate(_BRANCHES):
        branches.append(
            f"(SELECT {branch} AS branch, coalesce(p.merged_into_id, p.id) AS id"  # noqa: S608
            f" FROM {table} who JOIN prospects_prospect p ON p.{key} = who.id"
            f" WHERE who.client_id = %s AND {column} LIKE %s AND {column} <> ''"
            f" AND p.playbook_id = %s{own} ORDER BY {column} USING ~<~ LIMIT %s)"
        )
        pattern = connection.ops.prep_for_like_query(begins[what]) + "%"
        params += [client.pk, pattern, playbook.pk, *narrowed.values(), at_most]
    return f"SELECT {columns} FROM ({' UNION ALL '.join(branches)}) AS found", params  # noqa: S608 — names are ours


def _host(term: str) -> str:
    """What a pasted address says about the domain."""
    for prefix in ("https://", "http://", "www."):
        term = term.removeprefix(prefix)
    return term.split("/", 1)[0]
