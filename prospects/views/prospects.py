"""The ranked list of prospects, its CSV, and the page of one prospect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from django.db.models import Exists, OuterRef, Prefetch
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET

from playbooks.models import Client, Membership, Playbook, Role, Route, Tier
from prospects.duplicates.pages import count_open
from prospects.models import BulkAction, Prospect, RouteOverride, Stage
from prospects.reading.list_beside import Preference, kept_filters, latest_bulk, people_of, preference_of
from prospects.reading.list_columns import COLUMNS, Column, columns_named, csv_header, csv_row, drawn
from prospects.reading.list_page import ids_of_page
from prospects.reading.list_rows import rows_of
from prospects.reading.list_search import Found
from prospects.reading.next_evidence import next_evidence_of
from prospects.reading.prospect_list import (
    RANKING,
    ProspectFilters,
    ranked_prospects,
    read_prospect_filters,
)
from prospects.reading.runs import handoffs_of, spent_on
from prospects.reading.timeline import timeline_of
from prospects.reading.trust import marked_today, trusted
from prospects.reading.why import why_of
from prospects.services.bulk import MAY
from prospects.services.merging.merges import MERGERS
from prospects.views.choosing import Chosen, chosen_playbook
from salesops.access import ClientRequest, holds_any, require_role
from salesops.paging import Place, page_from, place_of, rows_beyond
from salesops.partials import render_page
from salesops.spreadsheets import csv_response

PAGE_SIZE = 50
TIMELINE_LENGTH = 60
CSV_PART = 2000
SEARCHED = 150
"""A search looks at so many names of each kind, and at as many of the best; who types one letter will type another."""


@require_GET
@require_role()
def prospect_list(request: ClientRequest) -> HttpResponse:
    """Everyone worked under one playbook, best first."""
    preference = preference_of(request.client, request.user)
    if preference.begins and not request.GET:
        return redirect(f"{request.path}?{preference.begins}")
    chosen = chosen_playbook(request)
    filters = read_prospect_filters(request.GET)
    context: dict[str, Any] = {"chosen": chosen, "filters": filters, "duplicates": _duplicates(request)}
    if chosen.playbook is not None:
        columns = columns_named(preference.columns)
        place = place_of(Prospect, RANKING, request)
        found = _found(request.client, chosen.playbook, filters, place)
        rows = rows_of(found.ids, request.client, [column.key for column in columns])
        page = page_from(rows, keys=RANKING, place=place, size=PAGE_SIZE)
        if request.headers.get("HX-Target") != "rows":
            context |= _beside(request, preference, filters, columns)
        context |= {
            "is_cut": found.is_cut,
            "page": page,
            "columns": columns,
            "body": drawn(page.items, columns),
            "count": _count(request.client, chosen.playbook, filters),
            **_choices(filters, chosen),
        }
    return render_page(request, "prospects/list.html", context, partial="rows")


def _beside(
    request: ClientRequest, preference: Preference, filters: ProspectFilters, columns: Sequence[Column]
) -> dict[str, Any]:
    """The forms around the list, for the whole page only."""
    now = filters.as_query()
    chosen = [column.key for column in columns]
    kept = kept_filters(request.client, request.user)
    return {
        "kept": [(row, urlencode(row.query), row.narrows_to(now)) for row in kept],
        "default_filter": preference.default_filter,
        "columns_now": columns,
        "columns_left": [column for key, column in COLUMNS.items() if key not in chosen],
        "people": people_of(request.client),
        "routes": Route.choices,
        "actions": [(k, BulkAction.Kind(k).label) for k, who in MAY.items() if holds_any(request, who)],
        "bulk": latest_bulk(request.client, request.user),
    }


def _found(client: Client, playbook: Playbook, filters: ProspectFilters, place: Place) -> Found:
    """The ids of a page and one more, and whether a search has not looked at all it could find."""
    if not filters.piece:
        return ids_of_page(client, playbook, filters, place, size=PAGE_SIZE + 1, at_most=SEARCHED)
    everybody = rows_beyond(ranked_prospects(client, playbook, filters), RANKING, place)
    return Found(list(everybody.values_list("pk", flat=True)[: PAGE_SIZE + 1]))


def _count(client: Client, playbook: Playbook, filters: ProspectFilters) -> int | None:
    """How many stand behind a number of the funnel; None for any other list."""
    return ranked_prospects(client, playbook, filters).count() if filters.piece else None


def _duplicates(request: ClientRequest) -> int | None:
    """How many pairs wait for somebody who may say who is who; None for everybody else, and for a fragment."""
    whole = request.headers.get("HX-Target") != "rows"
    return count_open(request.client) if whole and holds_any(request, MERGERS) else None


def _choices(filters: ProspectFilters, chosen: Chosen) -> dict[str, Any]:
    kept = {**chosen.as_query, **filters.as_query()}
    without_piece = {**kept}
    for name in filters.piece.as_query() if filters.piece else {}:
        without_piece.pop(name, None)
    return {
        "selects": [
            {"name": "stage", "label": "Stage", "any": "Any stage", "value": filters.stage, "choices": Stage.choices},
            {"name": "route", "label": "Route", "any": "Any route", "value": filters.route, "choices": Route.choices},
            {"name": "tier", "label": "Tier", "any": "Any tier", "value": filters.tier, "choices": Tier.choices},
        ],
        "narrowed": [
            (label, value, urlencode({k: v for k, v in kept.items() if k != name}))
            for name, label, value in (
                ("segment", "Segment", filters.segment),
                ("source", "Source", filters.source),
                ("owner", "Owner", _owner(filters, chosen)),
                ("by_hand", "Route", filters.by_hand and "set by hand"),
            )
            if value
        ],
        "hidden": {name: value for name, value in kept.items() if name not in ("stage", "route", "tier", "q")},
        "query": urlencode(kept),
        "without_piece": urlencode(without_piece),
    }


def _owner(filters: ProspectFilters, chosen: Chosen) -> str:
    """Who works here goes by name; anybody else is nobody."""
    if not filters.owner or chosen.playbook is None:
        return ""
    here = Membership.objects.filter(client=chosen.playbook.client_id, user=int(filters.owner))
    found = here.select_related("user").first()
    return str(found.user) if found else "nobody here"


@require_GET
@require_role()
def prospect_csv(request: ClientRequest) -> StreamingHttpResponse:
    """The list as CSV, streamed: all pages of it, in the same order, through the same filters, in one's own columns."""
    chosen = chosen_playbook(request)
    columns = columns_named(preference_of(request.client, request.user).columns)
    filters = read_prospect_filters(request.GET)
    lines = _lines(request, chosen, filters, columns) if chosen.playbook else iter(())
    return csv_response("prospects", csv_header(columns), lines)


def _lines(
    request: ClientRequest, chosen: Chosen, filters: ProspectFilters, columns: Sequence[Column]
) -> Iterator[tuple[Any, ...]]:
    assert chosen.playbook is not None  # noqa: S101 — the caller has checked; this is for the type checker
    prospects = ranked_prospects(request.client, chosen.playbook, filters).order_by(*RANKING)
    everybody = prospects.values_list("pk", flat=True).iterator(chunk_size=CSV_PART)
    keys = [column.key for column in columns]
    while part := list(islice(everybody, CSV_PART)):
        for row in rows_of(part, request.client, keys):
            yield csv_row(row, columns)


@require_GET
@require_role()
def prospect_page(request: ClientRequest, pk: int) -> HttpResponse:
    """One prospect: where it stands, why, and everything that happened."""
    merged = Prospect.objects.select_related("company", "contact").order_by("pk")
    prospect = get_object_or_404(
        Prospect.objects.for_client(request.client)
        .annotate(has_route_by_hand=Exists(RouteOverride.objects.filter(prospect=OuterRef("pk"))))
        .annotate(**trusted(request.client.pk))
        .select_related("company", "contact", "playbook", "owner")
        .prefetch_related(Prefetch("merged", merged)),
        pk=pk,
    )
    marked_today([prospect])
    shown = request.GET.get("show", "")
    timeline = timeline_of(prospect, limit=TIMELINE_LENGTH, kind=shown)
    context: dict[str, Any] = {"prospect": prospect, "timeline": timeline, "shown": shown}
    if request.headers.get("HX-Target") != "timeline":
        why = why_of(prospect)
        context |= {
            "why": why,
            "next_evidence": next_evidence_of(prospect, why),
            "handoffs": handoffs_of(prospect),
            "spent": spent_on(prospect),
            "by_hand": _by_hand(prospect) if prospect.has_route_by_hand else [],  # type: ignore[attr-defined]  # annotated
            "merged": prospect.merged.all(),
            "may_erase": Role.ADMIN in request.roles,
        }
    return render_page(request, "prospects/detail.html", context, partial="timeline")


def _by_hand(prospect: Prospect) -> list[RouteOverride]:
    """The latest routes that people set, with who."""
    return list(prospect.route_overrides.select_related("created_by", "lifted_by").order_by("-pk")[:5])
