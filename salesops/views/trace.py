"""One trace id: everything that came of one import, click or run."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from prospects.models import Prospect
from salesops.access import ClientRequest, require_role
from salesops.ids import id_in
from salesops.partials import render_page
from salesops.reading.trace import neighbours, trace_of


@require_GET
@require_role()
def trace_page(request: ClientRequest, trace_id: str) -> HttpResponse:
    """What this client has under one trace id; ``?prospect=`` narrows it to one prospect."""
    prospect = None
    if number := request.GET.get("prospect"):
        rows = Prospect.objects.for_client(request.client).select_related("company", "contact")
        prospect = get_object_or_404(rows, pk=id_in(number))
    trace = trace_of(request.client, trace_id, prospect)
    if not trace:
        raise Http404("Nothing of this client carries that trace id.")
    return render_page(request, "trace.html", {"trace": trace, "neighbours": neighbours(request.client, trace)})
