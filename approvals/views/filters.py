"""Filters of the queue that people keep under a name, as they keep those of the list of prospects."""

from __future__ import annotations

from urllib.parse import parse_qsl

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from approvals.views.desk import Filters, read_filters
from prospects.models import SavedFilter
from prospects.services import list_filters
from salesops.access import ClientRequest, require_role
from salesops.errors import Refusal


def _shown(request: ClientRequest) -> Filters:
    """What the person was looking at, as the form carries it."""
    return read_filters(dict(parse_qsl(request.POST.get("query", "")[:2000])))


def _back(filters: Filters) -> HttpResponse:
    return redirect(f"{reverse('approvals:queue')}{filters.first_page}")


@require_POST
@require_role()
def save_filter(request: ClientRequest) -> HttpResponse:
    """Keep what the queue is narrowed to now under a name."""
    filters = _shown(request)
    if not filters.chosen:
        messages.error(request, "Choose a channel or a grade first: there is nothing to keep.")
        return _back(filters)
    try:
        row = list_filters.keep(
            request.POST.get("name", ""), filters.chosen, page=SavedFilter.Page.APPROVALS, client=request.client,
            actor=request.user, shared=request.POST.get("shared") == "1",
        )  # fmt: skip
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"Kept as “{row}”.")
    return _back(filters)


@require_POST
@require_role()
def remove_filter(request: ClientRequest, pk: int) -> HttpResponse:
    """Forget one of one's own filters."""
    mine = SavedFilter.objects.for_client(request.client).filter(owner=request.user, page=SavedFilter.Page.APPROVALS)
    row = get_object_or_404(mine, pk=pk)
    list_filters.remove_filter(row.pk, client=request.client, actor=request.user)
    messages.success(request, f"“{row}” is gone.")
    return _back(_shown(request))
