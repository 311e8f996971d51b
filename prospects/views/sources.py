"""The Sources page: how each outside source is doing, and the way to let a halted one be asked again."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from prospects.models import SourceState
from prospects.reading import source_numbers
from prospects.services import market_scan, source_states
from salesops.access import ClientRequest, holds_any, require_role
from salesops.errors import Refusal
from salesops.partials import render_page


@require_GET
@require_role()
def sources_page(request: ClientRequest) -> HttpResponse:
    """Every source the client's playbooks name, the ones in trouble first, and the last market scans."""
    context = {
        "rows": source_numbers.rows(request.client),
        "scans": market_scan.latest(request.client.pk),
        "may_resume": holds_any(request, source_states.RESUMERS),
    }
    return render_page(request, "prospects/sources.html", context)


@require_POST
@require_role(*source_states.RESUMERS)
def resume_source(request: ClientRequest, pk: int) -> HttpResponse:
    """Let one source be asked again."""
    try:
        state = source_states.resume(pk, client=request.client, actor=request.user)
    except SourceState.DoesNotExist as missing:
        raise Http404 from missing
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"{state.source} is asked again from now on.")
    return redirect("prospects:sources")
