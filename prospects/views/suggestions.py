"""Where the playbook is wrong: the form beside a prospect, and the notes collected on the playbook."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from playbooks.models import Playbook, PlaybookVersion
from playbooks.services import drafts
from playbooks.views import may_publish
from prospects.models import Prospect, Suggestion
from prospects.services import suggestions
from salesops.access import ClientRequest, require_role
from salesops.paging import keyset_page
from salesops.partials import render_page

_OTHER_RULES = ("Ideal customer", "Layer weights", "Hot and warm", "Stage rules", "Templates", "Sequences", "Limits")


@require_http_methods(["GET", "POST"])
@require_role()
def suggest(request: ClientRequest, pk: int) -> HttpResponse:
    """Say which rule is wrong about this prospect, and what is true instead."""
    rows = Prospect.objects.for_client(request.client).select_related(
        "company", "contact", "playbook", "converged_version"
    )
    prospect = get_object_or_404(rows, pk=pk)
    if request.method == "POST":
        rule = request.POST.get("other_rule", "").strip() or request.POST.get("rule", "")
        suggestions.suggest(
            prospect, client=request.client, actor=request.user, rule=rule, truth=request.POST.get("truth", "")
        )
        messages.success(request, "Noted. It waits on the playbook for its next version.")
        return redirect("prospects:suggest", prospect.pk)
    context = {
        "prospect": prospect,
        "rules": _rules(prospect),
        "chosen": request.GET.get("rule", ""),
        "notes": Suggestion.objects.filter(prospect=prospect).select_related("by", "answered_by"),
    }
    return render_page(request, "playbooks/suggest.html", context)


def _rules(prospect: Prospect) -> list[str]:
    """What a note may speak of: the criteria of the version that judged, then the other parts of a playbook."""
    version = prospect.converged_version or prospect.playbook.active_version
    labels = version.criteria.values_list("label", flat=True) if version is not None else []
    return [*dict.fromkeys(labels), *_OTHER_RULES]


@require_GET
@require_role()
def suggestion_list(request: ClientRequest, playbook_id: int) -> HttpResponse:
    """All notes on a playbook, the open ones first to be chosen."""
    playbook = get_object_or_404(Playbook.objects.for_client(request.client), pk=playbook_id)
    state = request.GET.get("state", Suggestion.State.OPEN.value)
    rows = Suggestion.objects.filter(playbook=playbook).select_related(
        "by", "answered_by", "version", "prospect__company", "prospect__contact"
    )
    if state in Suggestion.State.values:
        rows = rows.filter(state=state)
    context: dict[str, Any] = {
        "playbook": playbook,
        "page": keyset_page(rows, keys=("-id",), request=request, size=40),
        "states": [*Suggestion.State.choices, ("all", "All")],
        "state": state,
        "may_answer": may_publish(request),
        "draft": drafts.open_draft(playbook),
        "ruling": PlaybookVersion.objects.filter(playbook=playbook).active().first(),
    }
    return render_page(request, "playbooks/suggestions.html", context, partial="rows")


@require_POST
@require_role()
def answer_suggestion(request: ClientRequest, pk: int) -> HttpResponse:
    """Take a note up, or decline it with a reason."""
    note = get_object_or_404(Suggestion.objects.for_client(request.client), pk=pk)
    suggestions.answer(
        note.pk, client=request.client, actor=request.user, state=request.POST.get("state", ""),
        words=request.POST.get("words", ""),
    )  # fmt: skip
    messages.success(request, "Answered.")
    return redirect("prospects:suggestions", note.playbook_id)
