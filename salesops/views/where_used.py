"""What was done under one version of a playbook."""

from __future__ import annotations

from django.http import HttpResponse
from django.views.decorators.http import require_GET

from playbooks.views import version_of
from salesops.access import ClientRequest, require_role
from salesops.partials import render_page
from salesops.reading.where_used import uses_of


@require_GET
@require_role()
def where_used(request: ClientRequest, version_id: int) -> HttpResponse:
    """Everything that stands on this version, each newest first with its link."""
    version = version_of(request, version_id)
    return render_page(request, "playbooks/where_used.html", {"version": version, "used": uses_of(version)})
