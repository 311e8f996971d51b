"""What only a person can do: say whether an unknown message went out, make a call, send an invitation."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from approvals.models import Task
from approvals.reading.tasks import agent_tasks, latest_signals, tasks_of
from approvals.services import answer as answers
from approvals.services import task as services
from approvals.services.authority import DECIDERS
from approvals.views.answer_forms import form_for
from approvals.views.desk import may_decide
from approvals.views.forms import ResolveForm
from approvals.views.judging import rows_of
from salesops.access import ClientRequest, require_role
from salesops.errors import Refusal
from salesops.paging import keyset_page
from salesops.partials import render_page


@require_GET
@require_role()
def tasks(request: ClientRequest) -> HttpResponse:
    """Tasks, open ones first asked for, narrowed by kind."""
    status = request.GET.get("status", Task.Status.OPEN)
    status = status if status in Task.Status.values else str(Task.Status.OPEN)
    kind = request.GET.get("kind", "")
    kind = kind if kind in Task.Kind.values else ""
    page = keyset_page(tasks_of(request.client, status, kind), keys=("-id",), request=request)
    context = {
        "page": page,
        "status": status,
        "kind": kind,
        "kinds": Task.Kind.choices,
        "may_decide": may_decide(request),
    }
    return render_page(request, "approvals/tasks.html", context, partial="rows")


@require_POST
@require_role(*DECIDERS)
def resolve(request: ClientRequest, pk: int) -> HttpResponse:
    """End a task: an unknown dispatch went out or did not; anything else is done, or stays unanswered, with a note."""
    task = get_object_or_404(Task.objects.for_client(request.client), pk=pk)
    form = ResolveForm(request.POST)
    outcome = request.POST.get("outcome", "")
    if not form.is_valid() or outcome not in ("went_out", "did_not", "done", "no_answer"):
        return HttpResponseBadRequest("Say how the task ended.")
    words = form.cleaned_data["words"]
    try:
        if task.kind == Task.Kind.UNKNOWN_DISPATCH:
            services.resolve_unknown(
                pk, actor=request.user, client=request.client, went_out=outcome == "went_out", words=words
            )
        else:
            ended = outcome.replace("_", " ")
            services.close(pk, actor=request.user, client=request.client, resolution=ended, words=words)
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Noted, and written to the audit log.")
    return redirect("approvals:tasks")


@require_http_methods(["GET", "POST"])
@require_role(*DECIDERS)
def answer(request: ClientRequest, pk: int) -> HttpResponse:
    """Do an agent's work for one prospect: the facts so far beside the form it asks with."""
    task = get_object_or_404(agent_tasks(request.client), pk=pk)
    form = form_for(task, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            answers.answer(pk, actor=request.user, client=request.client, filled_in=form.filled_in(timezone.now()))
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, "Noted. The agents take it from here.")
            return redirect("approvals:tasks")
    context = {"task": task, "form": form, "rows": rows_of(task, form), "signals": latest_signals(task)}
    return render_page(request, "approvals/answer.html", context, partial="work", status=422 if form.errors else 200)
