"""The funnel page and its two tables as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from playbooks.models import Route, Tier
from playbooks.rules.stages import MAIN_LINE
from prospects.funnel.filters import COHORT, NONE, PERIOD, PERIODS, FunnelFilters, read_filters
from prospects.funnel.reading import Funnel, read_funnel
from prospects.rules.statistics import WINDOWS, Proportion
from prospects.services.funnel_cells import ask_for_count
from prospects.views.choosing import Chosen, chosen_playbook
from prospects.views.funnel_rows import (
    SEGMENTS_SHOWN,
    main_line_labels,
    shown_segments,
    shown_stages,
    slice_of,
)
from salesops.access import ClientRequest, require_role
from salesops.partials import render_page
from salesops.spreadsheets import csv_response

__all__ = ["funnel_csv", "funnel_page", "segments_csv", "slice_of"]

_PERIOD_WORDS = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "1 year", "all": "All time"}


@dataclass(frozen=True, slots=True)
class Chip:
    """One choice of a filter: where it leads and whether it is the present one."""

    label: str
    query: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class ChipGroup:
    """The choices of one filter."""

    label: str
    chips: list[Chip]


@require_GET
@require_role()
def funnel_page(request: ClientRequest) -> HttpResponse:
    """Stage by stage: what became of those who came in, with filters in the address."""
    chosen = chosen_playbook(request)
    filters = read_filters(request.GET, client=request.client)
    context: dict[str, Any] = {"chosen": chosen, "filters": filters}
    if chosen.playbook is not None:
        funnel = read_funnel(chosen.playbook, filters)
        if funnel.is_behind:
            ask_for_count(chosen.playbook, filters.as_query())
        context |= _answer(funnel, filters, chosen)
    return render_page(request, "prospects/funnel.html", context, partial="funnel")


def _answer(funnel: Funnel, filters: FunnelFilters, chosen: Chosen) -> dict[str, Any]:
    rows = shown_stages(funnel, chosen.as_query)
    segments = shown_segments(funnel, chosen.as_query)
    asked = {**chosen.as_query, **filters.as_query()}
    return {
        "funnel": funnel,
        "is_cohort": filters.mode == COHORT,
        "main_line": [row for row in rows if not row.is_side],
        "side": [row for row in rows if row.is_side],
        "segments": segments[:SEGMENTS_SHOWN],
        "more_segments": segments[SEGMENTS_SHOWN:],
        "segment_labels": main_line_labels(funnel),
        "groups": _groups(filters, chosen),
        "selects": _selects(funnel, filters),
        "query": urlencode(asked),
        "here": f"?{urlencode(asked)}",
        "kept": {name: value for name, value in asked.items() if name not in ("segment", "source", "version")},
    }


def _groups(filters: FunnelFilters, chosen: Chosen) -> list[ChipGroup]:
    def chip(label: str, **change: Any) -> Chip:
        changed = replace(filters, **change)
        query = urlencode({**chosen.as_query, **changed.as_query()})
        return Chip(label, f"?{query}", all(getattr(filters, name) == value for name, value in change.items()))

    groups = [
        ChipGroup("Count", [chip("Cohort", mode=COHORT), chip("Period", mode=PERIOD, within=None)]),
        ChipGroup("Days", [chip(_PERIOD_WORDS[key], period=key) for key in (*map(str, PERIODS), "all")]),
    ]
    if filters.mode == COHORT:
        within = [chip("So far", within=None), *(chip(f"{days} d", within=days) for days in WINDOWS)]
        groups.append(ChipGroup("Within", within))
    routes = [chip("Any", route=""), *(chip(str(label), route=value) for value, label in Route.choices)]
    tiers = [chip("Any", tier=""), *(chip(str(label)[-1], tier=value) for value, label in Tier.choices)]
    return [*groups, ChipGroup("Route", routes), ChipGroup("Tier", tiers)]


def _selects(funnel: Funnel, filters: FunnelFilters) -> list[dict[str, Any]]:
    words = {"segment": "Segment", "source": "Source", "version": "Playbook version"}
    anything = {"segment": "All segments", "source": "All sources", "version": "All versions"}
    return [
        {
            "name": name,
            "label": label,
            "any": anything[name],
            "value": getattr(filters, name),
            "choices": [*funnel.choices.get(name, []), *([(NONE, "No segment")] if name == "segment" else [])],
        }
        for name, label in words.items()
    ]


@require_GET
@require_role()
def funnel_csv(request: ClientRequest) -> StreamingHttpResponse:
    """The stage table as CSV."""
    header = (
        "mode", "from", "to", "as_of", "stage", "entered", "moved_on", "set_aside", "lost", "still_there",
        "next_step", "next_step_low", "next_step_high", "reached", "reached_share", "reached_low", "reached_high",
        "median_seconds", "p90_seconds", "longest_watched_seconds",
    )  # fmt: skip
    return csv_response("funnel", header, _stage_lines(_read(request)))


def _stage_lines(funnel: Funnel | None) -> Iterator[tuple[Any, ...]]:
    if funnel is None or funnel.as_of is None:
        return
    filters = funnel.filters
    for row in funnel.rows:
        reached = row.reached.successes if row.reached else None
        yield (
            filters.mode, filters.first, filters.last, funnel.as_of.isoformat(), row.label, row.entered, row.on,
            row.aside, row.lost, row.open, *_bounds(row.next_step), reached, *_bounds(row.reached),
            row.median.seconds, row.p90.seconds, row.median.observed_seconds,
        )  # fmt: skip


def _bounds(proportion: Proportion | None) -> Iterable[float | None]:
    if proportion is None or proportion.interval is None or not proportion.is_large_enough:
        return (None, None, None)
    return (proportion.share, proportion.interval.low, proportion.interval.high)


@require_GET
@require_role()
def segments_csv(request: ClientRequest) -> StreamingHttpResponse:
    """The segments table as CSV, every main stage of it."""
    funnel = _read(request)
    header = ("segment", *MAIN_LINE, "qualified_share", "qualified_low", "qualified_high")
    lines = [
        (row.segment, *(row.counts[stage] for stage in MAIN_LINE), *_bounds(row.qualified))
        for row in (funnel.segments if funnel else [])
    ]
    return csv_response("funnel-segments", header, lines)


def _read(request: ClientRequest) -> Funnel | None:
    chosen = chosen_playbook(request)
    if chosen.playbook is None:
        return None
    return read_funnel(chosen.playbook, read_filters(request.GET, client=request.client), at_any_cost=True)
