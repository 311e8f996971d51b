"""The emergency brake: what is stopped, stop something, lift a stop."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from approvals.models import ApprovalRequest
from playbooks.models import Playbook, Role, Stop
from playbooks.services import stops
from prospects.models import Prospect
from salesops.access import ClientRequest, holds_any, require_role
from salesops.all_agents import agent_names
from salesops.errors import Refusal
from salesops.ids import id_in
from salesops.paging import keyset_page
from salesops.partials import render_page
from salesops.reading.stop_rows import NOW, OVER, STATES, stop_rows
from salesops.way_back import if_ours

HOURS = (("", "Until somebody lifts it"), ("1", "For an hour"), ("24", "For a day"), ("168", "For a week"))


class StopForm(forms.Form):
    """What to stop, why, and for how long. Scopes are this client's own."""

    scope = forms.ChoiceField(
        label="What to stop",
        help_text="It holds at once: no agent runs there, and nothing of it is sent.",
        error_messages={"required": "Choose what to stop.", "invalid_choice": "Choose one of what is listed to stop."},
    )
    kind = forms.ChoiceField(
        label="How",
        choices=[
            (Stop.Kind.PAUSE, "Pause: waiting work stays and goes on later"),
            (Stop.Kind.CANCEL, "Cancel: waiting requests, approved messages and runs are called off for good"),
        ],
        initial=Stop.Kind.PAUSE,
        widget=forms.RadioSelect(attrs={"class": "choices"}),
        error_messages={"required": "Choose whether to pause it or to cancel it."},
    )
    reason = forms.CharField(
        label="Why",
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Say why: whoever finds this stopped has to understand it."},
    )
    hours = forms.ChoiceField(label="How long", choices=HOURS, required=False)

    def __init__(self, *args: Any, scopes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["scope"].choices = scopes  # type: ignore[attr-defined]


def _scopes(asked: ClientRequest, prospect: str, request: str) -> list[tuple[str, str]]:
    """All that this person can stop, as ``level:target``; the prospect or request that they came from first."""
    client, found = asked.client, []
    one, who = id_in(request), id_in(prospect)
    if one is not None and ApprovalRequest.objects.for_client(client).filter(pk=one).exists():
        found.append((f"request:{one}", f"Only request #{one}"))
    if who is not None:
        row = Prospect.objects.for_client(client).select_related("company", "contact").filter(pk=who).first()
        found += [(f"prospect:{who}", f"Only {row}")] if row else []
    found.append(("client:", f"All of {client.name}"))
    found += [(f"playbook:{row.pk}", f"Playbook {row.name}") for row in Playbook.objects.for_client(client)]
    found += [(f"agent:{name}", f"Agent {name.replace('_', ' ')}") for name in agent_names()]
    return [*found, ("everything:", "Everything, for every client")] if _may_stop_all(asked) else found


def _may_stop_all(request: ClientRequest) -> bool:
    """Whether this person stops every client at once, and lifts such a stop."""
    return holds_any(request, (Role.ADMIN,))


@require_http_methods(["GET", "POST"])
@require_role()
def stops_page(request: ClientRequest) -> HttpResponse:
    """What is stopped, now or in the past; the form to stop more. The form also opens as a dialog from any page."""
    here = {"prospect": request.GET.get("prospect", ""), "request": request.GET.get("request", "")}
    form = StopForm(request.POST or None, initial=_aimed(request), scopes=_scopes(request, **here))
    if request.method == "POST" and form.is_valid():
        try:
            stop = _stop(request, form.cleaned_data)
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            (row,) = stop_rows([stop], request.client)
            ended = f" Called off: {row.called_off}." if row.called_off else ""
            messages.success(request, f"Stopped.{ended} The reason stands here until it is lifted.")
            return _back(request, request.GET.get("next", ""))
    status = 422 if form.is_bound else 200
    context: dict[str, Any] = {"form": form, "here": here}
    if request.headers.get("HX-Target") == "dialog":
        form.fields["reason"].widget.attrs["autofocus"] = True  # what to stop stands there already
    else:
        context |= _listed(request)
    return render_page(request, "stops.html", context, partial="dialog", status=status)


def _aimed(request: ClientRequest) -> dict[str, str] | None:
    """What the person came to stop, chosen in the form. A prospect or request stands first there anyway."""
    if request.GET.get("agent") in agent_names():
        return {"scope": f"agent:{request.GET['agent']}"}
    playbook = request.GET.get("playbook", "")
    return {"scope": f"playbook:{playbook}"} if id_in(playbook) is not None else None


def _listed(request: ClientRequest) -> dict[str, Any]:
    """The stops that the filters ask for, those in force unless they ask for others."""
    state = request.GET.get("state", NOW)
    level = request.GET.get("level", "")
    rows = Stop.objects.for_client(request.client).select_related("created_by", "lifted_by")
    if state == NOW:
        rows = rows.in_force()
    elif state == OVER:
        rows = rows.over()
    if level in Stop.Level.values:
        rows = rows.filter(level=level)
    page = keyset_page(rows, keys=("-id",), request=request, size=30)
    return {
        "page": page,
        "rows": stop_rows(page.items, request.client),
        "states": STATES,
        "levels": Stop.Level.choices,
        "state": state if state in dict(STATES) else NOW,
        "level": level,
        "may_lift_all": _may_stop_all(request),
    }


@require_POST
@require_role()
def lift_stop(request: ClientRequest, pk: int) -> HttpResponse:
    """End one stop, with a reason."""
    try:
        stops.lift(pk, client=request.client, actor=request.user, reason=request.POST.get("reason", ""))
    except Stop.DoesNotExist as missing:
        raise Http404 from missing
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, "Lifted. Work goes on with the next sweep.")
    return _back(request, request.POST.get("next", ""))


def _back(request: ClientRequest, target: str) -> HttpResponse:
    """To the page of ours that the person came from, else to the list of stops."""
    return HttpResponseRedirect(if_ours(request, target, otherwise=reverse("stops")))


def _stop(request: ClientRequest, chosen: dict[str, Any]) -> Stop:
    level, _, target = chosen["scope"].partition(":")
    hours = int(chosen["hours"] or 0)
    return stops.stop(
        client=request.client,
        actor=request.user,
        level=level,
        kind=chosen["kind"],
        reason=chosen["reason"],
        target_id=id_in(target),
        agent=target if level == Stop.Level.AGENT else "",
        until=timezone.now() + timedelta(hours=hours) if hours else None,
    )
