"""The Sources page: how each outside source is doing, and the way to let a halted one be asked again."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from playbooks.models import Role
from prospects.models import SourceState
from prospects.services import source_states
from salesops.access import ClientRequest, require_role
from salesops.errors import Refusal
from salesops.partials import render_page

RESUMERS = (Role.OPERATOR, Role.LEADER, Role.ADMIN)


@require_GET
@require_role()
def sources_page(request: ClientRequest) -> HttpResponse:
    """One row per source that was ever asked for this client, the ones in trouble first."""
    rows = [(state, _standing(state)) for state in source_states.states(request.client)]
    order = {"halted": 0, "retired": 1, "resting": 2, "failing": 3, "working": 4}
    rows.sort(key=lambda row: (order[row[1]], row[0].source))
    context = {"rows": rows, "may_resume": bool({role.value for role in RESUMERS} & request.roles)}
    return render_page(request, "prospects/sources.html", context)


@require_POST
@require_role(*RESUMERS)
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


def _standing(state: SourceState) -> str:
    """One word for how it is doing."""
    if state.halted_at is not None:
        return "halted"
    if state.retired_at is not None:
        return "retired"
    if state.open_until is not None and state.open_until > timezone.now():
        return "resting"
    return "failing" if state.failures else "working"
