"""What a person does with a request: every verb is a plain form first, and htmx only saves the reload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.formats import date_format
from django.views.decorators.http import require_POST

from approvals.models import ApprovalRequest, Decision
from approvals.reading.queue import QueueRow
from approvals.rules import content, diff
from approvals.services import bulk as bulk_services
from approvals.services import decide as services
from approvals.services import undo as undo_services
from approvals.services.authority import DECIDERS
from approvals.services.seen import rules_now
from approvals.views.desk import (
    TEMPLATE,
    common_context,
    dossier_context,
    filters_of,
    queue_context,
    render_desk,
)
from approvals.views.forms import DeferForm, EditForm, HandBackForm, RejectForm
from playbooks.services import budgets
from salesops.access import ClientRequest, require_role
from salesops.errors import Refusal
from salesops.ids import id_in
from salesops.partials import render_page

SAID = {
    Decision.Kind.REJECT: "rejected",
    Decision.Kind.DEFER: "deferred until {until}",
    Decision.Kind.REDRAFT: "handed back for another draft",
    Decision.Kind.FIRST_APPROVE: "your approval is kept; a second person has to approve too",
}


class _Invalid(Exception):  # noqa: N818 — control flow inside this module: the form goes back to the person
    def __init__(self, name: str, form: forms.Form) -> None:
        super().__init__(name)
        self.name, self.form = name, form


@require_POST
@require_role(*DECIDERS)
def decide(request: ClientRequest, pk: int) -> HttpResponse:
    """Carry out one decision and go on to the next request; a refusal shows what changed and keeps what was typed."""
    row = get_object_or_404(_named(request), pk=pk)
    verb = VERBS.get(request.POST.get("action", ""))
    if verb is None:
        return HttpResponseBadRequest("No such decision.")
    try:
        decided = verb(request, row, services.Seen.parse(request.POST.get("seen", "")))
    except _Invalid as invalid:
        return _again(request, pk, 422, **{f"{invalid.name}_form": invalid.form, "panel": invalid.name})
    except Refusal as refusal:
        return _again(request, pk, refusal.status, refusal=refusal, **_typed(request, row))
    kind, until = decided.decision.kind, decided.decision.until
    if kind in SAID:
        day = date_format(until.astimezone(budgets.zone_of(request.client)), "l j F") if until else ""
        messages.success(request, f"{row.prospect}: {SAID[Decision.Kind(kind)].format(until=day)}.")
    return _move_on(request, after=row)


def _named(request: ClientRequest) -> QuerySet[ApprovalRequest]:
    """The client's requests, each able to say whom it is about."""
    return ApprovalRequest.objects.for_client(request.client).select_related("prospect__company", "prospect__contact")


def _approve(request: ClientRequest, row: ApprovalRequest, seen: services.Seen) -> services.Decided:
    return services.approve(row.pk, seen=seen, actor=request.user, client=request.client)


def _edit(request: ClientRequest, row: ApprovalRequest, seen: services.Seen) -> services.Decided:
    form = EditForm(request.POST, channel=row.channel, auto_id="edit_%s")
    cleaned = _cleaned("edit", form)
    return services.approve_with_edits(
        row.pk,
        seen=seen,
        actor=request.user,
        client=request.client,
        subject=cleaned["subject"],
        body=cleaned["body"],
    )


def _reject(request: ClientRequest, row: ApprovalRequest, seen: services.Seen) -> services.Decided:
    cleaned = _cleaned("reject", RejectForm(request.POST, auto_id="reject_%s"))
    return services.reject(row.pk, seen=seen, actor=request.user, client=request.client, **cleaned)


def _defer(request: ClientRequest, row: ApprovalRequest, seen: services.Seen) -> services.Decided:
    form = DeferForm(request.POST, auto_id="defer_%s", zone=budgets.zone_of(request.client))
    words = _cleaned("defer", form)["words"]
    until = form.until()
    return services.defer(row.pk, seen=seen, actor=request.user, client=request.client, until=until, words=words)


def _hand_back(request: ClientRequest, row: ApprovalRequest, seen: services.Seen) -> services.Decided:
    cleaned = _cleaned("redraft", HandBackForm(request.POST, auto_id="redraft_%s"))
    return services.hand_back(row.pk, seen=seen, actor=request.user, client=request.client, **cleaned)


Verb = Callable[[ClientRequest, ApprovalRequest, services.Seen], services.Decided]
VERBS: dict[str, Verb] = {
    "approve": _approve,
    "edit": _edit,
    "reject": _reject,
    "defer": _defer,
    "redraft": _hand_back,
}


def _cleaned(name: str, form: forms.Form) -> dict[str, Any]:
    if not form.is_valid():
        raise _Invalid(name, form)
    return form.cleaned_data


def _typed(request: ClientRequest, row: ApprovalRequest) -> dict[str, Any]:
    """The words a person had typed when the decision was refused: never lost, offered again."""
    if request.POST.get("action") != "edit":
        return {}
    return {"edit_form": EditForm(request.POST, channel=row.channel, auto_id="edit_%s"), "panel": "edit"}


def _again(request: ClientRequest, pk: int, status: int, **extra: Any) -> HttpResponse:
    """The same dossier as it stands now, with what went wrong."""
    part = "dossier" if request.headers.get("HX-Request") == "true" else None
    return render_desk(request, pk, status=status, part=part, **extra)


def _move_on(request: ClientRequest, *, after: ApprovalRequest | None = None, to: int | None = None) -> HttpResponse:
    """To request ``to``, or the one that follows ``after`` under the same filters.

    A redirect for a plain form, else the dossier with the queue and the undo offer beside it.
    """
    query = filters_of(request).query
    rules = rules_now(request.client)
    queue = queue_context(request, to, rules)
    following = to or _following(queue["page"].rows, after)
    url = (reverse("approvals:detail", args=[following]) if following else reverse("approvals:queue")) + query
    if request.headers.get("HX-Request") != "true":
        return redirect(url)
    context = {
        **common_context(request),
        **queue,
        "selected": following,
        **dossier_context(request, following, rules),
        "reading": following is not None,
        "is_partial": True,
    }
    response = render_page(request, f"{TEMPLATE}#decided", context, toasts=True)
    response.headers["HX-Replace-Url"] = url
    return response


def _following(rows: Sequence[QueueRow], after: ApprovalRequest | None) -> int | None:
    """The row of the queue that comes after the decided one; its first when that was the last."""
    place = (-after.priority, -after.pk) if after is not None else None
    later = (row.pk for row in rows if place is not None and (-row.priority, -row.pk) > place)
    return next(later, rows[0].pk if rows else None)


@require_POST
@require_role(*DECIDERS)
def undo(request: ClientRequest, decision_id: int) -> HttpResponse:
    """Take an approval back while nothing has left; afterwards the request is open again."""
    get_object_or_404(Decision.objects.for_client(request.client), pk=decision_id)
    try:
        row = undo_services.undo(decision_id, actor=request.user, client=request.client)
    except Refusal as refusal:
        messages.error(request, refusal.message)
        return _move_on(request)
    messages.success(request, "Undone: nothing was sent, and the request waits again.")
    return _move_on(request, to=row.pk)


@require_POST
@require_role(*DECIDERS)
def bulk(request: ClientRequest) -> HttpResponse:
    """Approve the selected requests together, each exactly as it stood when this page was drawn."""
    items = []
    for pick in request.POST.getlist("pick")[: bulk_services.MOST + 1]:
        number, _, seen = pick.partition(":")
        pk = id_in(number)
        if pk is not None:
            items.append((pk, services.Seen.parse(seen)))
    if not items:
        messages.error(request, "Nothing was selected.")
        return redirect(reverse("approvals:queue") + filters_of(request).query)
    result = bulk_services.approve_many(items, actor=request.user, client=request.client)
    if result.approved:
        messages.success(request, f"Approved {len(result.approved)}. Each can be undone until its window ends.")
    told = dict(result.refused[:5])
    for row in _named(request).filter(pk__in=told):
        messages.error(request, f"{row.prospect} was not approved: {told[row.pk]}")
    if len(result.refused) > len(told):
        messages.error(request, f"{len(result.refused) - len(told)} more were not approved: open them one by one.")
    return redirect(reverse("approvals:queue") + filters_of(request).query)


@require_POST
@require_role(*DECIDERS)
def show_diff(request: ClientRequest, pk: int) -> HttpResponse:
    """What the person has changed so far, word by word. Writes nothing; a POST because the words are long."""
    row = get_object_or_404(ApprovalRequest.objects.for_client(request.client).select_related("message"), pk=pk)
    words, _ = content.split_footer(row.message.body)
    subject, body = request.POST.get("subject", "")[:300], request.POST.get("body", "")[:20_000]
    context = {
        "subject": _changed(row.message.subject, subject),
        "body": _changed(content.tidy_words(words), content.tidy_words(body)),
    }
    return render_page(request, "approvals/parts/diff.html", context)


def _changed(before: str, after: str) -> tuple[diff.Piece, ...]:
    return () if before == after else diff.words(before, after)
