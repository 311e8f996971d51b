"""What people do with the list of prospects: keep filters, choose columns, work on many at once."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from playbooks.models import Playbook, User
from prospects.models import BulkAction, SavedFilter
from prospects.reading.list_beside import people_of
from prospects.reading.list_columns import COLUMNS
from prospects.reading.prospect_list import ProspectFilters, ranked_prospects, read_prospect_filters
from prospects.services import bulk, list_filters
from salesops.access import ClientRequest, require_role
from salesops.errors import Refusal
from salesops.ids import id_in
from salesops.partials import render_page

MOST_PICKED = 500


def _query(request: ClientRequest) -> dict[str, str]:
    """The filters that the person was looking at, as the form carries them."""
    return dict(parse_qsl(request.POST.get("query", "")[:2000]))


def _back(request: ClientRequest) -> HttpResponse:
    query = request.POST.get("query", "")[:2000]
    return redirect(f"{reverse('prospects:list')}?{query or 'all=1'}")


@require_POST
@require_role()
def save_filter(request: ClientRequest) -> HttpResponse:
    """Keep what is filtered now under a name."""
    try:
        row = list_filters.save_filter(
            request.POST.get("name", ""), _query(request), client=request.client, actor=request.user,
            shared=request.POST.get("shared") == "1", opens=request.POST.get("opens") == "1",
        )  # fmt: skip
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"Kept as “{row}”.")
    return _back(request)


@require_POST
@require_role()
def remove_filter(request: ClientRequest, pk: int) -> HttpResponse:
    """Forget one of one's own filters."""
    mine = SavedFilter.objects.for_client(request.client).filter(owner=request.user)
    row = get_object_or_404(mine, pk=pk)
    list_filters.remove_filter(row.pk, client=request.client, actor=request.user)
    messages.success(request, f"“{row}” is gone.")
    return _back(request)


@require_POST
@require_role()
def open_with(request: ClientRequest, pk: int) -> HttpResponse:
    """Begin the list with this filter from now on; again, with everybody."""
    seen = SavedFilter.objects.for_client(request.client).seen_by(request.user)
    row = get_object_or_404(seen, pk=pk, page=SavedFilter.Page.PROSPECTS)
    opens = request.POST.get("opens") == "1"
    list_filters.open_with(row if opens else None, client=request.client, actor=request.user)
    messages.success(request, f"The list opens with {f'“{row}”' if opens else 'everybody'}.")
    return _back(request)


@require_POST
@require_role()
def choose_columns(request: ClientRequest) -> HttpResponse:
    """Remember which columns this person wants, in which order."""
    wanted = [key for key in request.POST.getlist("column") if key in COLUMNS]
    places = {key: id_in(request.POST.get(f"place-{key}")) for key in wanted}
    ordered = sorted(places, key=lambda key: len(COLUMNS) if (place := places[key]) is None else place)
    usual = request.POST.get("usual") == "1"
    list_filters.choose_columns([] if usual else ordered, client=request.client, actor=request.user)
    messages.success(request, "Your columns are remembered.")
    return _back(request)


@require_POST
@require_role()
def start_bulk(request: ClientRequest) -> HttpResponse:
    """Do one thing to the chosen prospects. “All that match” is asked once more, with how many that is."""
    playbook = get_object_or_404(Playbook.objects.for_client(request.client), pk=id_in(request.POST.get("playbook")))
    everybody = request.POST.get("scope") == "all"
    filters = read_prospect_filters(_query(request)) if everybody else None
    if filters is not None and request.POST.get("confirmed") != "1":
        return _confirm(request, playbook, filters)
    picked = [id_in(text) or 0 for text in request.POST.getlist("prospect")[: MOST_PICKED + 1]]
    try:
        wish = bulk.Wish(
            request.POST.get("kind", ""), _owner(request), request.POST.get("route", ""), request.POST.get("reason", "")
        )
        if len(picked) > MOST_PICKED:
            raise bulk.TooMany(f"Choose at most {MOST_PICKED} by hand, or all that match.")
        bulk.begin(
            wish, client=request.client, playbook=playbook, actor=request.user, prospects=picked, filters=filters
        )
    except Refusal as refusal:
        messages.error(request, refusal.message)
    return _back(request)


def _confirm(request: ClientRequest, playbook: Playbook, filters: ProspectFilters) -> HttpResponse:
    count = ranked_prospects(request.client, playbook, filters).count()
    kind = request.POST.get("kind", "")
    label = dict(BulkAction.Kind.choices).get(kind, "Do this")
    given = {name: request.POST.get(name, "") for name in ("kind", "owner", "route", "reason", "query", "playbook")}
    return render_page(request, "prospects/bulk_confirm.html", {"count": count, "label": label, "given": given})


def _owner(request: ClientRequest) -> User | None:
    number = id_in(request.POST.get("owner"))
    return next((user for user in people_of(request.client) if user.pk == number), None) if number else None


@require_GET
@require_role()
def bulk_page(request: ClientRequest, pk: int) -> HttpResponse:
    """How far work on many prospects is; asked again and again while it is at work."""
    rows = BulkAction.objects.for_client(request.client).select_related("owner", "created_by", "undone_by")
    context: dict[str, Any] = {"bulk": get_object_or_404(rows, pk=pk)}
    return render_page(request, "prospects/bulk.html", context, partial="bulk")


@require_POST
@require_role()
def undo_bulk(request: ClientRequest, pk: int) -> HttpResponse:
    """Take back what was done to many."""
    get_object_or_404(BulkAction.objects.for_client(request.client).only("pk"), pk=pk)
    try:
        bulk.undo(pk, client=request.client, actor=request.user)
    except Refusal as refusal:
        messages.error(request, refusal.message)
    return _back(request)
