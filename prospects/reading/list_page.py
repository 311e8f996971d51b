"""Which prospects stand on one page of the list. What they show is asked by their ids then.

The page is read from an index in the order of the ranking, whatever is filtered. Stage, route and tier share one: each
has few values, so a page is the best of the best of every combination that passes, and two that hardly ever meet cost
no more than two that often do.
"""

from __future__ import annotations

from collections.abc import Mapping

from playbooks.models import Client, Playbook, Route, Tier
from prospects.models import Stage
from prospects.reading.list_search import Found, Sql, page_found
from prospects.reading.prospect_list import ProspectFilters, narrowed
from salesops.paging import Place
from salesops.sql import fetch

_STATES = {"stage": Stage.values, "route": ["", *Route.values], "tier": ["", *Tier.values]}
_BY_STATE = """
    SELECT best.id, best.priority
    FROM unnest(%s::text[]) AS a (stage), unnest(%s::text[]) AS b (route), unnest(%s::text[]) AS c (tier)
    CROSS JOIN LATERAL (
        SELECT p.id, p.priority FROM prospects_prospect p
        WHERE p.stage = a.stage AND p.route = b.route AND p.tier = c.tier AND {where} ORDER BY {order} LIMIT %s
    ) AS best ORDER BY {outer} LIMIT %s"""
_DOWN, _UP = "{0}.priority DESC, {0}.id DESC", "{0}.priority, {0}.id"
_TOP = Place()


def ids_of_page(
    client: Client, playbook: Playbook, filters: ProspectFilters, place: Place, *, size: int, at_most: int
) -> Found:
    """The first ``size`` that pass the filters beyond the place; ``filters.piece`` is not asked.

    A search reads ``at_most`` names of each kind. When there are more, it looks among as many of the best prospects,
    too: those who matter most are found by few letters.
    """
    columns = narrowed(filters)
    if not filters.q:
        return Found([row[0] for row in fetch(*_best(playbook.pk, columns, place, size))])
    return page_found(
        filters.q, client_id=client.pk, playbook_id=playbook.pk, own=_own(playbook.pk, columns),
        best=_best(playbook.pk, columns, _TOP, at_most + 1), beyond=_beyond(place), order=_order(place).format("p"),
        size=size, at_most=at_most,
    )  # fmt: skip


def _best(playbook_id: int, columns: Mapping[str, str | bool], place: Place, size: int) -> Sql:
    """SQL for id and priority of the first beyond the place."""
    by_state = bool(columns) and columns.keys() <= _STATES.keys()
    own, beyond, order = _own(playbook_id, {} if by_state else columns), _beyond(place), _order(place)
    where, params = f"{own[0]} AND {beyond[0]}", [*own[1], *beyond[1], size]
    if not by_state:
        rows = f"SELECT p.id, p.priority FROM prospects_prospect p WHERE {where}"  # noqa: S608 — names are ours
        return f"{rows} ORDER BY {order.format('p')} LIMIT %s", params
    statement = _BY_STATE.format(where=where, order=order.format("p"), outer=order.format("best"))
    combined = ([columns[name]] if name in columns else values for name, values in _STATES.items())
    return statement, [*combined, *params, size]


def _own(playbook_id: int, columns: Mapping[str, str | bool]) -> Sql:
    """What a prospect has to be itself."""
    where = ["p.playbook_id = %s", "p.merged_into_id IS NULL", *(f"p.{name} = %s" for name in columns)]
    return " AND ".join(where), [playbook_id, *columns.values()]


def _beyond(place: Place) -> Sql:
    """Where the page begins."""
    if not place.values:
        return "true", []
    return f"(p.priority, p.id) {'>' if place.backwards else '<'} (%s, %s)", [*place.values]


def _order(place: Place) -> str:
    return _UP if place.backwards else _DOWN
