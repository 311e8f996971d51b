"""The Agents page: who works for this client, how the last run went, and the way to stop one."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from salesops.access import ClientRequest, require_role
from salesops.agent_numbers import SAMPLE, agent_rows, convergences
from salesops.partials import render_page


@require_GET
@require_role()
def agents(request: ClientRequest) -> HttpResponse:
    """One row per agent over the chosen convergence (``?run=``), the newest by default."""
    runs = convergences(request.client)
    wanted = request.GET.get("run", "")
    chosen = next((row for row in runs if str(row.pk) == wanted), runs[0] if runs else None)
    context = {"runs": runs, "chosen": chosen, "rows": agent_rows(request.client, chosen), "sample": SAMPLE}
    return render_page(request, "agents.html", context)
