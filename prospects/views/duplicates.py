"""Who is who: pairs that may be one company or person, what was decided about them, and taking it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from prospects.duplicates import pages
from prospects.models import Duplicate, Merge
from prospects.services.merging import merges
from salesops.access import ClientRequest, require_role
from salesops.errors import Refusal
from salesops.ids import id_in
from salesops.paging import keyset_page
from salesops.partials import render_page

PAGE_SIZE = 10
HISTORY_SIZE = 30
TEMPLATE = "prospects/duplicates.html"


@require_GET
@require_role(*merges.MERGERS)
def duplicate_list(request: ClientRequest) -> HttpResponse:
    """Pairs that wait for a person, the likeliest first."""
    page = keyset_page(pages.open_pairs(request.client), keys=("-score", "-id"), request=request, size=PAGE_SIZE)
    context = {"page": page, "pairs": pages.shown_pairs(page.items), "tab": "open", **_count(request)}
    return render_page(request, TEMPLATE, context, partial="rows")


@require_GET
@require_role(*merges.MERGERS)
def merge_list(request: ClientRequest) -> HttpResponse:
    """What was made one, by whom and why, the newest first."""
    page = keyset_page(pages.merges_of(request.client), keys=("-id",), request=request, size=HISTORY_SIZE)
    return render_page(request, TEMPLATE, {"page": page, "tab": "merged", **_count(request)}, partial="rows")


@require_GET
@require_role(*merges.MERGERS)
def apart_list(request: ClientRequest) -> HttpResponse:
    """What people said is two, the newest first."""
    found = pages.apart_pairs(request.client)
    page = keyset_page(found, keys=("-decided_at", "-id"), request=request, size=HISTORY_SIZE)
    return render_page(request, TEMPLATE, {"page": page, "tab": "apart", **_count(request)}, partial="rows")


def _count(request: ClientRequest) -> dict[str, Any]:
    count = pages.count_open(request.client)
    return {"count": f"{pages.COUNTED}+" if count > pages.COUNTED else str(count), "is_any": count > 0}


@require_POST
@require_role(*merges.MERGERS)
def merge_pair(request: ClientRequest, pk: int) -> HttpResponse:
    """Make the two one. ``keep`` in the form names the record that stays."""
    keep = id_in(request.POST.get("keep"))

    def act() -> str:
        row = merges.merge(pk, actor=request.user, client=request.client, keep=keep)
        return f"{row.merged} is now read as {row.kept}."

    return _decided(request, pk, act)


@require_POST
@require_role(*merges.MERGERS)
def keep_pair_apart(request: ClientRequest, pk: int) -> HttpResponse:
    """Say that the two are two."""

    def act() -> str:
        merges.keep_apart(pk, actor=request.user, client=request.client)
        return "Kept apart: nobody will ask about these two again."

    return _decided(request, pk, act)


@require_POST
@require_role(*merges.MERGERS)
def ask_pair_again(request: ClientRequest, pk: int) -> HttpResponse:
    """Take back that the two are two."""

    def act() -> str:
        merges.ask_again(pk, actor=request.user, client=request.client)
        return "It is a question again."

    return _decided(request, pk, act)


@require_POST
@require_role(*merges.MERGERS)
def undo_merge(request: ClientRequest, pk: int) -> HttpResponse:
    """Take a merge back."""
    row = get_object_or_404(Merge.objects.for_client(request.client), pk=pk)

    def act() -> str:
        merges.undo(pk, actor=request.user, client=request.client)
        return f"{row.merged} and {row.kept} are two again, and both will be worked afresh."

    if row.duplicate_id is not None and request.headers.get("HX-Target") == f"pair-{row.duplicate_id}":
        return _decided(request, row.duplicate_id, act)
    _try(request, act)
    return redirect(_back(request, "prospects:merges"))


def _try(request: ClientRequest, act: Callable[[], str]) -> bool:
    """Do it, and say so unless the pair itself will, in its place."""
    try:
        words = act()
    except merges.NoSuchPair as missing:
        raise Http404 from missing
    except Refusal as refusal:
        messages.error(request, refusal.message)
        return False
    if not _in_place(request):
        messages.success(request, words)
    return True


def _in_place(request: ClientRequest) -> bool:
    return request.headers.get("HX-Request") == "true" and request.headers.get("HX-Target", "").startswith("pair-")


def _decided(request: ClientRequest, pk: int, act: Callable[[], str]) -> HttpResponse:
    """The pair as it stands now, in its place; without htmx back to where the person was."""
    done = _try(request, act)
    if not _in_place(request):
        return redirect(_back(request, "prospects:duplicates"))
    related = ("one_company", "other_company", "one_contact__company", "other_contact__company", "decided_by")
    pair = get_object_or_404(Duplicate.objects.for_client(request.client).select_related(*related), pk=pk)
    (shown,) = pages.shown_pairs([pair])
    context = {"shown": shown, "is_fresh": True, **_count(request)}
    status = 200 if done else 409
    return render_page(request, f"{TEMPLATE}#pair", context, toasts=not done, status=status)


def _back(request: ClientRequest, fallback: str) -> str:
    """The tab the form was on: one of ours, never an address from outside."""
    tabs = {"open": "prospects:duplicates", "merged": "prospects:merges", "apart": "prospects:apart"}
    return reverse(tabs.get(request.POST.get("tab", ""), fallback))
