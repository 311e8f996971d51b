"""The ranked list of prospects, its CSV, and the page of one prospect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from playbooks.models import Route, Tier
from prospects.duplicate_pages import count_open
from prospects.models import Prospect, Stage
from prospects.queries import RANKING, ProspectFilters, find_prospects, ranked_prospects, read_prospect_filters
from prospects.run_queries import handoffs_of, spent_on
from prospects.services.merges import DECIDERS
from prospects.timeline import timeline_of
from prospects.views.choosing import Chosen, chosen_playbook
from prospects.why import why_of
from salesops.access import ClientRequest, require_role
from salesops.paging import keyset_page
from salesops.partials import render_page
from salesops.spreadsheets import csv_response

PAGE_SIZE = 50
TIMELINE_LENGTH = 60
SEARCHED = 500
"""A page ranks so many of the names that begin with a text; who types one letter will type another."""


@require_GET
@require_role()
def prospect_list(request: ClientRequest) -> HttpResponse:
    """Everyone worked under one playbook, best first."""
    chosen = chosen_playbook(request)
    filters = read_prospect_filters(request.GET)
    context: dict[str, Any] = {"chosen": chosen, "filters": filters, "duplicates": _duplicates(request)}
    if chosen.playbook is not None:
        found = None
        if filters.q and not filters.piece:
            found = find_prospects(request.client, chosen.playbook, filters, at_most=SEARCHED)
        prospects = ranked_prospects(request.client, chosen.playbook, filters, found=found)
        context |= {
            "found": found,
            "searched": SEARCHED,
            "page": keyset_page(prospects, keys=RANKING, request=request, size=PAGE_SIZE),
            "count": prospects.count() if filters.piece else None,
            **_choices(filters, chosen),
        }
    return render_page(request, "prospects/list.html", context, partial="rows")


def _duplicates(request: ClientRequest) -> int | None:
    """How many pairs wait for somebody who may say who is who; None for everybody else, and for a fragment."""
    whole = request.headers.get("HX-Target") != "rows"
    return count_open(request.client) if whole and {role.value for role in DECIDERS} & request.roles else None


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
            )
            if value
        ],
        "hidden": {name: value for name, value in kept.items() if name not in ("stage", "route", "tier", "q")},
        "query": urlencode(kept),
        "without_piece": urlencode(without_piece),
    }


@require_GET
@require_role()
def prospect_csv(request: ClientRequest) -> StreamingHttpResponse:
    """The list as CSV, streamed: all pages of it, in the same order, through the same filters."""
    chosen = chosen_playbook(request)
    header = (
        "id", "company", "domain", "person", "title", "stage", "stage_since", "route", "tier", "composite", "coverage",
        "provisional", "priority", "verdict", "reason", "segment", "source", "came_in",
    )  # fmt: skip
    filters = read_prospect_filters(request.GET)
    lines = _lines(request, chosen, filters) if chosen.playbook else iter(())
    return csv_response("prospects", header, lines)


def _lines(request: ClientRequest, chosen: Chosen, filters: ProspectFilters) -> Iterator[tuple[Any, ...]]:
    assert chosen.playbook is not None  # noqa: S101 — the caller has checked; this is for the type checker
    prospects = ranked_prospects(request.client, chosen.playbook, filters).order_by(*RANKING)
    for p in prospects.iterator(chunk_size=2000):
        company, contact = p.company, p.contact
        yield (
            p.pk, company.name if company else "", company.domain if company else "", contact.name if contact else "",
            contact.title if contact else "", p.get_stage_display(), p.stage_since.isoformat(), p.route, p.tier,
            p.composite, p.coverage, p.provisional, p.priority, p.verdict, p.verdict_reason, p.segment, p.source,
            p.created_at.isoformat(),
        )  # fmt: skip


@require_GET
@require_role()
def prospect_page(request: ClientRequest, pk: int) -> HttpResponse:
    """One prospect: where it stands, why, and everything that happened."""
    prospect = get_object_or_404(
        Prospect.objects.for_client(request.client).select_related(
            "company",
            "contact",
            "playbook",
            "converged_version",
            "owner",
            "merged_into__company",
            "merged_into__contact",
        ),
        pk=pk,
    )
    shown = request.GET.get("show", "")
    timeline = timeline_of(prospect, limit=TIMELINE_LENGTH, kind=shown)
    context: dict[str, Any] = {"prospect": prospect, "timeline": timeline, "shown": shown}
    if request.headers.get("HX-Target") != "timeline":
        context |= {
            "why": why_of(prospect),
            "handoffs": handoffs_of(prospect),
            "spent": spent_on(prospect),
            "merged": prospect.merged.select_related("company", "contact").order_by("pk"),
        }
    return render_page(request, "prospects/detail.html", context, partial="timeline")
