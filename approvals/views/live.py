"""The switch between the sandbox and real people, with the checklist before it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from approvals.models import Dispatch
from approvals.reading.checklist import NO_LIST, checklist
from approvals.services import going_live
from approvals.services.call_off import HELD
from playbooks.models import Client, ModeSwitch, Role
from salesops.access import ClientRequest, holds_any, require_role
from salesops.errors import NotAllowed, Refusal
from salesops.partials import render_page

SHOWN = 10


class GoLiveForm(forms.Form):
    """Why, the client's name typed, and where there is no suppression list, that there is nobody to leave alone."""

    reason = forms.CharField(
        label="Why now",
        help_text="The audit log keeps it for good: name no prospect.",
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Say why: the audit log keeps it."},
    )
    name = forms.CharField(
        label="The client's name, typed to confirm",
        max_length=200,
        error_messages={"required": "Type the client's name."},
    )
    nobody = forms.BooleanField(label="Nobody has asked this client to be left alone", required=False)

    def __init__(self, *args: Any, client: Client, without_list: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs = {"autocomplete": "off", "placeholder": client.name}
        if not without_list:
            del self.fields["nobody"]


@require_http_methods(["GET", "POST"])
@require_role()
def live(request: ClientRequest) -> HttpResponse:
    """Where messages go, what is missing before they may reach people, who switched when; the form for admins."""
    client = request.client
    found = checklist(client)
    form = GoLiveForm(request.POST or None, client=client, without_list=found.without_list)
    if request.method == "POST" and form.is_valid():
        try:
            switch = going_live.go_live(
                client, actor=request.user, reason=form.cleaned_data["reason"], typed_name=form.cleaned_data["name"],
                acknowledged=[NO_LIST] if form.cleaned_data.get("nobody") else [],
            )  # fmt: skip
        except NotAllowed:
            raise
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, f"Live: what is approved from now on goes to real people.{_asked_again(switch)}")
            return redirect("approvals:live")
    switches = list(ModeSwitch.objects.for_client(client).select_related("by")[:SHOWN])
    acknowledged = [] if client.sandbox or not switches else switches[0].checked.get("acknowledged", [])
    context = {
        "found": found,
        "acknowledged": acknowledged,
        "missing": found.missing(acknowledged),
        "blocked": found.missing([NO_LIST]),
        "form": form,
        "held": Dispatch.objects.for_client(client).filter(status__in=HELD).count(),
        "switches": switches,
        "may_go_live": Role.ADMIN in request.roles or request.user.is_superuser,
        "may_go_back": holds_any(request, (Role.ADMIN, Role.OPERATOR)) or request.user.is_superuser,
    }
    return render_page(request, "approvals/live.html", context, status=422 if form.errors else 200)


@require_POST
@require_role()
def sandbox(request: ClientRequest) -> HttpResponse:
    """Back into the sandbox, with one click."""
    try:
        switch = going_live.back_to_sandbox(request.client, actor=request.user, reason=request.POST.get("reason", ""))
    except going_live.AlreadyThere as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"Back in the sandbox: nothing more reaches anybody.{_asked_again(switch)}")
    return redirect("approvals:live")


def _asked_again(switch: ModeSwitch) -> str:
    """What became of what was approved and had not left."""
    if not switch.asked_again:
        return ""
    many = switch.asked_again != 1
    return f" {switch.asked_again} approved message{'s' if many else ''} wait{'' if many else 's'} in the queue again."
