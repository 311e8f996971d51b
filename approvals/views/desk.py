"""The approval desk: the queue, one dossier beside it, and the quiet check whether anything moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from approvals.models import ApprovalRequest
from approvals.reading import dossiers
from approvals.reading.pace import left_for
from approvals.reading.queue import count_waiting, count_wordless, queue_page, undoable
from approvals.reading.shown_dossier import show
from approvals.services import request as request_services
from approvals.services.authority import DECIDERS
from approvals.services.seen import Rules, rules_now
from approvals.views.forms import DeferForm, EditForm, HandBackForm, RejectForm, blank_fields
from playbooks.models import Channel
from prospects.models import SavedFilter
from prospects.reading.list_beside import kept_filters
from salesops.access import ClientRequest, holds_any, require_role
from salesops.ids import id_in
from salesops.partials import render_page, wanted_partial
from salesops.reading.counts import CAP, counts_of

TEMPLATE = "approvals/desk.html"
GRADES = ("A", "B+", "B")
PANELS = ("edit", "reject", "defer", "redraft")
BLANKS = {"reject": RejectForm, "defer": DeferForm, "redraft": HandBackForm}


@dataclass(frozen=True)
class Filters:
    """What the queue is narrowed to, as it stands in the URL."""

    channel: str = ""
    grade: str = ""
    after: str = ""

    @cached_property
    def query(self) -> str:
        """The filters as a query string with its question mark, or empty."""
        return _query(channel=self.channel, grade=self.grade, after=self.after)

    @property
    def chosen(self) -> dict[str, str]:
        """What narrows the queue, without the place in it: what somebody may keep."""
        return {name: value for name, value in (("channel", self.channel), ("grade", self.grade)) if value}

    @property
    def first_page(self) -> str:
        """The same filters from the top."""
        return _query(channel=self.channel, grade=self.grade)


def _query(**chosen: str) -> str:
    found = {key: value for key, value in chosen.items() if value}
    return f"?{urlencode(found)}" if found else ""


def filters_of(request: ClientRequest) -> Filters:
    """The filters of the URL; unknown values narrow nothing."""
    return read_filters(request.GET)


def read_filters(given: Mapping[str, str]) -> Filters:
    """Filters from parameters of an address, whoever wrote them."""
    channel, grade = given.get("channel", ""), given.get("grade", "")
    return Filters(
        channel if channel in Channel.values else "", grade if grade in GRADES else "", given.get("after", "")
    )


@require_GET
@require_role()
def queue(request: ClientRequest) -> HttpResponse:
    """The queue with its first dossier beside it (on a narrow screen: the list alone)."""
    return render_desk(request, None)


@require_GET
@require_role()
def detail(request: ClientRequest, pk: int) -> HttpResponse:
    """One dossier; on a wide screen the queue stands beside it."""
    return render_desk(request, pk)


@require_POST
@require_role()
def opened(request: ClientRequest, pk: int) -> HttpResponse:
    """Note that this person has had the dossier before them, which approving many at once rests on."""
    get_object_or_404(ApprovalRequest.objects.for_client(request.client).only("pk"), pk=pk)
    request_services.mark_opened(pk, actor=request.user, client=request.client)
    return HttpResponse(status=204)


@require_GET
@require_role()
def changes(request: ClientRequest) -> HttpResponse:
    """204 while nothing moved; else the new queue and, if somebody else decided the open request, who and what."""
    if request.GET.get("v") == counts_of(request).queue_version:
        return HttpResponse(status=204)
    selected = id_in(request.GET.get("at"))
    context = {**queue_context(request, selected, rules_now(request.client)), **common_context(request)}
    if selected is not None:
        context["moved"] = dossiers.moved_on(request.client, selected)
    return render_page(request, f"{TEMPLATE}#changes", context)


def render_desk(
    request: ClientRequest, pk: int | None, *, status: int = 200, part: str | None = None, **extra: Any
) -> HttpResponse:
    """The desk with request ``pk`` open, or only the part of it that htmx asks for (or ``part``)."""
    wanted = part or wanted_partial(request, ("dossier", "queue"))
    context: dict[str, Any] = {**common_context(request), "reading": pk is not None, "is_partial": wanted is not None}
    rules = rules_now(request.client)
    selected = pk
    if wanted != "dossier":
        context |= queue_context(request, pk, rules)
        selected = pk or context["selected"]
    if wanted != "queue":
        context |= dossier_context(request, selected, rules, **extra)
    if part:
        return render_page(request, f"{TEMPLATE}#{part}", context, status=status, toasts=True)
    return render_page(request, TEMPLATE, context, partial=("dossier", "queue"), status=status)


def may_decide(request: ClientRequest) -> bool:
    """Whether this person's roles let them decide at this client, and take decisions back."""
    return holds_any(request, DECIDERS)


def common_context(request: ClientRequest) -> dict[str, Any]:
    """What every part of the desk needs."""
    return {
        "filters": filters_of(request),
        "may_decide": may_decide(request),
        # Called by the templates that draw it: moving through the queue asks for dossiers alone.
        "undoable": lambda: undoable(request.client, request.user, timezone.now()),
    }


def queue_context(request: ClientRequest, selected: int | None, rules: Rules) -> dict[str, Any]:
    """One page of the queue."""
    version = counts_of(request).queue_version  # before the rows: what happens in between shows at the next look
    filters = filters_of(request)
    page = queue_page(
        request.client, rules=rules, user=request.user,
        channel=filters.channel, grade=filters.grade, after=filters.after,
    )  # fmt: skip
    waiting = counts_of(request).waiting
    if filters.chosen:
        waiting = count_waiting(request.client, channel=filters.channel, grade=filters.grade, at_most=CAP + 1)
    kept = kept_filters(request.client, request.user, SavedFilter.Page.APPROVALS)
    before, after = reverse("approvals:detail", args=[0]).rsplit("0", 1)  # once a page, not once a row
    return {
        "page": page,
        "rows": [(row, f"{before}{row.pk}{after}{filters.query}") for row in page.rows],
        "selected": selected or (page.rows[0].pk if page.rows else None),
        "version": version,
        # Called by the template where nothing waits.
        "wordless": lambda: count_wordless(request.client, at_most=CAP),
        "left": left_for(request.client, request.user, waiting),
        "kept_mine": any(row.owner_id == request.user.pk for row in kept),
        "kept": [(row, urlencode(row.query), row.query == filters.chosen) for row in kept],
        "channels": Channel.choices,
        "grades": GRADES,
    }


def dossier_context(request: ClientRequest, pk: int | None, rules: Rules, **extra: Any) -> dict[str, Any]:
    """One dossier with the forms to decide it. ``extra`` carries a refusal or forms that came back with errors."""
    if pk is None:
        return {"dossier": None}
    dossier = dossiers.dossier(request.client, pk, rules=rules)
    panel = request.GET.get("act", "")
    return {
        "dossier": dossier,
        "frozen": dossier.request.dossier,
        "shown": show(dossier.request.dossier, subject=dossier.message.subject, words=dossier.words),
        "open_for_decision": dossier.request.status == ApprovalRequest.Status.WAITING,
        "panel": panel if panel in PANELS else "",
        "decide_url": reverse("approvals:decide", args=[pk]) + filters_of(request).query,
        "detail_url": reverse("approvals:detail", args=[pk]) + filters_of(request).query,
        "edit_form": EditForm(
            initial={"subject": dossier.message.subject, "body": dossier.words},
            channel=dossier.request.channel,
            auto_id="edit_%s",
        ),
        "blank": {name: blank_fields(form, name) for name, form in BLANKS.items()},
        **extra,
    }
