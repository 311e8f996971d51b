"""Convergences as jobs: queued, running, done, failed, cancelled; how far, how often taken up, what came of them."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from prospects.models import Convergence, MarketScan
from prospects.reading.progress import progress
from salesops.access import ClientRequest, require_role
from salesops.paging import keyset_page
from salesops.partials import render_page
from salesops.reading.agent_numbers import listed_convergences
from salesops.views.agents import OPEN, may_start


@require_GET
@require_role()
def jobs(request: ClientRequest) -> HttpResponse:
    """All of the client's convergences, the newest first."""
    rows = listed_convergences(request.client)
    status = request.GET.get("status", "")
    if status in Convergence.Status.values:
        rows = rows.filter(status=status)
    context = {
        "page": keyset_page(rows, keys=("-id",), request=request, size=40),
        "statuses": Convergence.Status.choices,
        "status": status,
    }
    return render_page(request, "agents/jobs.html", context, partial="rows")


@require_GET
@require_role()
def job(request: ClientRequest, pk: int) -> HttpResponse:
    """One convergence; while it runs the page follows it."""
    rows = listed_convergences(request.client)
    row = get_object_or_404(rows, pk=pk)
    context = {
        "job": row,
        "progress": progress(row),
        "is_open": row.status in OPEN,
        "may_start": may_start(request),
        "scan": MarketScan.objects.filter(convergence=row).first(),
    }
    return render_page(request, "agents/job.html", context, partial="live")
