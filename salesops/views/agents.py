"""The Agents page: who works for this client, how they do, what failed; and how to set them to work or stop one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from playbooks.models import AgentAssignment, Playbook, Stop
from prospects.agents.market_scan import AGENT as scanner  # noqa: N811
from prospects.models import AgentRun, Convergence, Prospect
from prospects.reading.progress import progress
from prospects.reading.runs import RunFilter, dossier_of, failures_of, open_failures, runs_of
from prospects.services import market_scan
from prospects.services.converging import convergences
from prospects.services.converging.retries import try_again
from salesops.access import ClientRequest, holds_any, require_role
from salesops.all_agents import agent_names
from salesops.ids import id_in
from salesops.paging import keyset_page
from salesops.partials import render_page
from salesops.reading.agent_health import health_of
from salesops.reading.agent_numbers import DAYS, agent_rows, due_work, newest_convergences
from salesops.reading.counts import counts_of
from salesops.templatetags.brakes import stops_in_force

OPEN = (Convergence.Status.QUEUED, Convergence.Status.RUNNING)
RUNS_A_PAGE = 40


@require_GET
@require_role()
def agents(request: ClientRequest) -> HttpResponse:
    """One row per agent over the last days, what is being worked, and what failed."""
    jobs = newest_convergences(request.client)
    context: dict[str, Any] = _at_work(request, jobs)
    if request.headers.get("HX-Target") != "work":
        rows = agent_rows(request.client, stopped_agents(request), held=counts_of(request).all_is_held)
        health = health_of(request.client, rows)
        failures = failures_of(request.client)
        context |= {
            "rows": [(row, health[row.agent.name]) for row in rows],
            "days": DAYS,
            "stop_url": f"{reverse('stops')}?{urlencode({'next': request.get_full_path(), 'agent': ''})}",
            "failures": failures,
            "open_failures": open_failures(failures),
        }
    return render_page(request, "agents.html", context, partial="work")


def _at_work(request: ClientRequest, jobs: list[Convergence]) -> dict[str, Any]:
    return {
        "jobs": jobs,
        "working": [(job, progress(job)) for job in jobs if job.status in OPEN],
        "due": due_work(request.client),
        "may_start": may_start(request),
        "all_is_held": counts_of(request).all_is_held,
    }


def may_start(request: ClientRequest) -> bool:
    """Whether this person may set agents to work, and stop a run."""
    return holds_any(request, convergences.STARTERS)


def stopped_agents(request: ClientRequest) -> set[str]:
    """Agents under a stop of their own."""
    return {stop.agent for stop in stops_in_force(request, Stop.Level.AGENT)}


@require_GET
@require_role()
def agent_page(request: ClientRequest, name: str) -> HttpResponse:
    """One agent: its checks, its days, its runs; of the market scan, which has no prospect to run on, its scans."""
    if name not in agent_names():
        raise Http404
    (row,) = agent_rows(request.client, stopped_agents(request), name, held=counts_of(request).all_is_held)
    wanted = RunFilter.read(request.GET)
    context: dict[str, Any] = {
        "row": row,
        "health": health_of(request.client, [row])[name],
        "days": list(reversed(row.days)),
        "scans": None,
    }
    if name == scanner.name:
        rows = market_scan.scans_of(request.client.pk)
        context["scans"] = keyset_page(rows, keys=("-id",), request=request, size=RUNS_A_PAGE)
    else:
        context |= _listed(request, wanted, agent=name)
    return render_page(request, "agents/agent.html", context, partial="runs")


@require_GET
@require_role()
def prospect_runs(request: ClientRequest, pk: int) -> HttpResponse:
    """Every run on one prospect."""
    prospects = Prospect.objects.for_client(request.client).select_related("company", "contact")
    prospect = get_object_or_404(prospects, pk=pk)
    context = {"prospect": prospect, **_listed(request, RunFilter.read(request.GET), prospect=prospect)}
    return render_page(request, "agents/prospect_runs.html", context, partial="runs")


def _listed(request: ClientRequest, wanted: RunFilter, **of: Any) -> dict[str, Any]:
    rows = runs_of(request.client, wanted, **of)
    return {
        "wanted": wanted,
        "page": keyset_page(rows, keys=("-id",), request=request, size=RUNS_A_PAGE),
        "statuses": AgentRun.Status.choices,
        "implementations": [one for one in AgentAssignment.Implementation.choices if one[0] != "off"],
    }


@require_GET
@require_role()
def run_page(request: ClientRequest, pk: int) -> HttpResponse:
    """One run: what it read, what it proposed, what was kept and refused and why, what it cost."""
    rows = AgentRun.objects.for_client(request.client).select_related(
        "prospect__company", "prospect__contact", "convergence", "playbook_version__playbook"
    )
    dossier = dossier_of(get_object_or_404(rows, pk=pk))
    return render_page(request, "agents/run.html", {"dossier": dossier, "run": dossier.run})


@require_POST
@require_role(*convergences.STARTERS)
def run_agents(request: ClientRequest) -> HttpResponse:
    """Set the agents to work on everything that is due under one playbook."""
    playbook = get_object_or_404(Playbook.objects.for_client(request.client), pk=id_in(request.POST.get("playbook")))
    convergences.start(client=request.client, playbook=playbook, actor=request.user)
    messages.success(request, f"The agents are at work for {playbook}.")
    return redirect("agents")


@require_POST
@require_role(*convergences.STARTERS)
def retry(request: ClientRequest) -> HttpResponse:
    """Try again on prospects where something failed."""
    chosen = [pk for text in request.POST.getlist("prospect")[:100] if (pk := id_in(text)) is not None]
    count = try_again(chosen, client=request.client, actor=request.user)
    messages.success(request, f"Trying again on {count} prospect{'' if count == 1 else 's'}.")
    return redirect("agents")


@require_POST
@require_role(*convergences.STARTERS)
def cancel_run(request: ClientRequest, pk: int) -> HttpResponse:
    """Stop a convergence after the batch at hand; what it has found so far stays."""
    get_object_or_404(Convergence.objects.for_client(request.client).only("pk"), pk=pk)
    convergences.cancel(pk, client=request.client, actor=request.user)
    messages.success(request, "The agents stop after the prospects at hand. What they found stays.")
    return redirect("agents")
