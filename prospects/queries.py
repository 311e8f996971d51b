"""Questions about prospects that pages ask. Every filter has an index that also gives the ranking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from playbooks.models import Client, Playbook, Route, Tier
from prospects.drilldown import FunnelSlice, in_slice, read_slice
from prospects.funnel_filters import NONE
from prospects.models import Company, Contact, Prospect, Stage

RANKING = ("-priority", "-id")
_COLUMNS = ("stage", "route", "tier", "source", "segment")
_CHOICES = {"stage": Stage.values, "route": Route.values, "tier": Tier.values}
SHORTEST_SEARCH = 2


@dataclass(frozen=True, slots=True)
class ProspectFilters:
    """What the list is narrowed to; "" is any value, ``NONE`` those without one."""

    stage: str = ""
    route: str = ""
    tier: str = ""
    source: str = ""
    segment: str = ""
    q: str = ""
    piece: FunnelSlice | None = None

    def as_query(self) -> dict[str, str]:
        """The URL parameters that say the same."""
        given = {name: getattr(self, name) for name in (*_COLUMNS, "q")}
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
        q=" ".join(params.get("q", "").replace("\x00", "").split())[:120],
        piece=read_slice(params),
    )


def ranked_prospects(client: Client, playbook: Playbook, filters: ProspectFilters) -> QuerySet[Prospect]:
    """The playbook's prospects that pass the filters; order by ``RANKING``."""
    prospects: QuerySet[Prospect] = Prospect.objects.for_client(client).filter(playbook=playbook)
    for name in _COLUMNS:
        value = getattr(filters, name)
        if value:
            prospects = prospects.filter(**{name: "" if value == NONE else value})
    if filters.q:
        prospects = prospects.filter(pk__in=_found(client, playbook, filters.q))
    if filters.piece:
        prospects = in_slice(prospects, filters.piece, client=client)
    return prospects.select_related("company", "contact")


def _found(client: Client, playbook: Playbook, text: str) -> QuerySet[Prospect, int]:
    """Ids of prospects whose company, domain or person begins with the text.

    Two branches, each from a prefix index into a foreign key index; an OR over the joins would read every prospect.
    """
    term = text.lower()
    mine = Prospect.objects.for_client(client).filter(playbook=playbook).order_by()
    companies = Company.objects.for_client(client).alias(key=Lower("name"))
    contacts = Contact.objects.for_client(client).alias(key=Lower("name"))
    named = Q(key__startswith=term)
    by_company = mine.filter(company__in=companies.filter(named | Q(domain__startswith=_host(term))).values("pk"))
    by_person = mine.filter(contact__in=contacts.filter(named | Q(email_key__startswith=term)).values("pk"))
    return by_company.values_list("pk", flat=True).union(by_person.values_list("pk", flat=True))


def _host(term: str) -> str:
    """What a pasted address says about the domain."""
    for prefix in ("https://", "http://", "www."):
        term = term.removeprefix(prefix)
    return term.split("/", 1)[0]
