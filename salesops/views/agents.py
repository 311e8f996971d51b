"""The Agents page: who works for this client, how the last run went, and how to set them to work or stop one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_POST

from playbooks.models import Playbook, Role
from prospects.models import Convergence
from prospects.services import converge
from salesops.access import ClientRequest, require_role
from salesops.agent_numbers import SAMPLE, agent_rows, convergences, due_work
from salesops.partials import render_page

STARTERS = (Role.OPERATOR, Role.LEADER, Role.ADMIN)
OPEN = (Convergence.Status.QUEUED, Convergence.Status.RUNNING)


@require_GET
@require_role()
def agents(request: ClientRequest) -> HttpResponse:
    """One row per agent over the chosen convergence (``?run=``), the newest by default."""
    runs = convergences(request.client)
    wanted = request.GET.get("run", "")
    chosen = next((row for row in runs if str(row.pk) == wanted), runs[0] if runs else None)
    context = {
        "runs": runs,
        "chosen": chosen,
        "rows": agent_rows(request.client, chosen),
        "sample": SAMPLE,
        "working": [(run, converge.progress(run)) for run in runs if run.status in OPEN],
        "due": due_work(request.client),
        "may_start": bool({role.value for role in STARTERS} & request.roles),
    }
    return render_page(request, "agents.html", context, partial="work")


@require_POST
@require_role(*STARTERS)
def run_agents(request: ClientRequest) -> HttpResponse:
    """Set the agents to work on everything that is due under one playbook."""
    number = request.POST.get("playbook", "")
    playbooks = Playbook.objects.for_client(request.client)
    playbook = get_object_or_404(playbooks, pk=int(number) if number.isdecimal() else 0)
    converge.start(client=request.client, playbook=playbook, actor=request.user)
    messages.success(request, f"The agents are at work for {playbook}.")
    return redirect("agents")


@require_POST
@require_role(*STARTERS)
def cancel_run(request: ClientRequest, pk: int) -> HttpResponse:
    """Stop a convergence after the batch at hand; what it has found so far stays."""
    get_object_or_404(Convergence.objects.for_client(request.client).only("pk"), pk=pk)
    converge.cancel(pk, client=request.client, actor=request.user)
    messages.success(request, "The agents stop after the prospects at hand. What they found stays.")
    return redirect("agents")
