"""The work chart: each sales job, and who does it for this client under one playbook."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from playbooks.models import PlaybookVersion
from playbooks.services import stops
from prospects.host.store import open_scope
from salesops.access import ClientRequest, require_role
from salesops.all_agents import registry
from salesops.partials import render_page
from salesops.reading.work_chart import chart
from salesops.runtime.eligibility import implementation_of


@require_GET
@require_role()
def work_chart(request: ClientRequest) -> HttpResponse:
    """Under the playbook that ``?playbook=`` names, the client's first by default."""
    rows = PlaybookVersion.objects.for_client(request.client).active().select_related("playbook__client")
    ruling = list(rows.order_by("playbook__name", "pk"))
    wanted = request.GET.get("playbook", "")
    chosen = next((row for row in ruling if str(row.playbook_id) == wanted), ruling[0] if ruling else None)
    lines = []
    if chosen is not None:
        scope = open_scope(request.client, chosen.playbook, now=timezone.now(), version=chosen)
        kinds = {agent.name: implementation_of(agent, scope) for agent in registry()}
        stopped = stops.in_force(request.client.pk, chosen.playbook_id)
        halted = kinds if stopped.everything is not None else stopped.agents
        lines = chart(registry(), kinds, halted)
    return render_page(request, "work.html", {"versions": ruling, "chosen": chosen, "lines": lines})
