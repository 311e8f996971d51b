"""What is allowed: the agent permission matrix, the brakes, budgets and the audit log."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils import timezone

from playbooks.models import AgentPermission, AuditEntry, BudgetPeriod, Client, Playbook, Stop, Team
from playbooks.services import permissions, stops
from salesops.admin_site import FactAdmin, TenantAdmin, admin_client_ids, admin_clients, admin_user
from salesops.errors import Refusal
from salesops.generics import AnyModelForm

EVERY_CLIENT = "all"


@admin.register(AgentPermission)
class AgentPermissionAdmin(TenantAdmin):
    """The matrix on one page: resources down, teams across, for one client over the default for all."""

    def get_queryset(self, request: HttpRequest) -> Any:
        return AgentPermission.objects.filter(client__in=admin_clients(request))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        choices = list(admin_clients(request))
        chosen = self._chosen(request, choices)
        if request.method == "POST":
            return self._save(request, chosen)
        context = {
            **self.admin_site.each_context(request),
            "title": "Agent permissions",
            "opts": self.opts,
            "clients": choices,
            "chosen": chosen,
            "every_client": EVERY_CLIENT if request.user.is_superuser else "",
            "teams": Team.choices,
            "accesses": AgentPermission.Access.choices,
            "rows": self._rows(chosen),
        }
        return TemplateResponse(request, "admin/playbooks/permission_matrix.html", context)

    def _chosen(self, request: HttpRequest, choices: list[Client]) -> Client | None:
        """The client whose matrix is shown; None is the default for all, which only superusers see."""
        wanted = request.GET.get("client", "")
        if wanted == EVERY_CLIENT and request.user.is_superuser:
            return None
        return next((client for client in choices if str(client.pk) == wanted), choices[0] if choices else None)

    def _rows(self, client: Client | None) -> list[dict[str, Any]]:
        cells = permissions.matrix(client)
        rows = []
        for resource, label in AgentPermission.Resource.choices:
            row: list[dict[str, Any]] = []
            for team, _ in Team.choices:
                access, own = cells[team, resource]
                row.append({"name": f"{team}:{resource}", "access": access, "own": own, "team": Team(team).label})
            rows.append({"label": label, "cells": row})
        return rows

    def _save(self, request: HttpRequest, client: Client | None) -> HttpResponse:
        wanted: dict[permissions.Cell, str | None] = {}
        for team, _ in Team.choices:
            for resource, _label in AgentPermission.Resource.choices:
                given = request.POST.get(f"{team}:{resource}", "")
                wanted[team, resource] = given if given in AgentPermission.Access.values else None
        try:
            count = permissions.set_matrix(wanted, client=client, actor=admin_user(request))
        except Refusal as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, f"{count} permissions changed." if count else "Nothing changed.")
        return HttpResponseRedirect(request.get_full_path())


class StopForm(AnyModelForm):
    """A brake over everything, a client, a playbook or an agent; single prospects are stopped on their page."""

    playbook = forms.ModelChoiceField(Playbook.objects.none(), required=False, help_text="When a playbook is stopped.")

    until = forms.DateTimeField(
        required=False,
        help_text="Empty: until somebody lifts it.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    class Meta:
        model = Stop
        fields = ("client", "level", "playbook", "agent", "kind", "reason", "until")
        widgets = {
            "level": forms.Select(
                choices=[
                    (level.value, level.label)
                    for level in (Stop.Level.CLIENT, Stop.Level.PLAYBOOK, Stop.Level.AGENT, Stop.Level.EVERYTHING)
                ]
            )
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].label = f"Until ({timezone.get_current_timezone_name()})"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        playbook, client = cleaned.get("playbook"), cleaned.get("client")
        if client is None:
            self.add_error("client", "Choose the client for whom you act.")
        elif cleaned.get("level") == Stop.Level.PLAYBOOK and (playbook is None or playbook.client_id != client.pk):
            self.add_error("playbook", f"Choose one of the playbooks of {client}.")
        elif cleaned.get("level") == Stop.Level.AGENT and not cleaned.get("agent"):
            self.add_error("agent", "Name the agent.")
        return cleaned

    def _post_clean(self) -> None:
        """The service checks the rest; the row it makes is not the one this form would."""


@admin.register(Stop)
class StopAdmin(TenantAdmin):
    list_display = ("level", "client", "kind", "agent", "reason", "created_by", "created_at", "until", "lifted_at")
    list_filter = ("level", "kind", ("lifted_at", admin.EmptyFieldListFilter))
    list_select_related = ("client", "created_by")
    change_form_template = "admin/playbooks/stop_form.html"

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = Stop.objects.select_related("client", "created_by")
        if request.user.is_superuser:
            return rows
        return rows.filter(client__in=admin_client_ids(request)) | rows.filter(level=Stop.Level.EVERYTHING)

    def get_list_filter(self, request: HttpRequest) -> Any:
        return self.list_filter

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None:
            return super().get_form(request, obj, change=change, **kwargs)
        form = super().get_form(request, obj, change=change, form=StopForm, **kwargs)
        playbooks: Any = form.base_fields["playbook"]
        playbooks.queryset = Playbook.objects.filter(client__in=admin_clients(request))
        return form

    def save_model(self, request: HttpRequest, obj: Stop, form: Any, change: bool) -> None:
        given = form.cleaned_data
        made = stops.stop(
            client=given["client"], actor=admin_user(request), level=given["level"], reason=given["reason"],
            kind=given["kind"], target_id=given["playbook"].pk if given["playbook"] else None, agent=given["agent"],
            until=given["until"],
        )  # fmt: skip
        obj.pk = made.pk

    def get_urls(self) -> list[URLPattern]:
        lift = path("<int:stop_id>/lift/", self.admin_site.admin_view(self.lift_view), name="playbooks_stop_lift")
        return [lift, *super().get_urls()]

    def lift_view(self, request: HttpRequest, stop_id: int) -> HttpResponse:
        """Ask why it may go on, then lift it."""
        stop = get_object_or_404(self.get_queryset(request), pk=stop_id)
        here = reverse("admin:playbooks_stop_change", args=[stop.pk])
        if request.method == "POST":
            client = stop.client or admin_clients(request).first()
            try:
                assert client is not None  # noqa: S101 — nobody gets here without a client
                stops.lift(stop.pk, client=client, actor=admin_user(request), reason=request.POST.get("reason", ""))
                messages.success(request, "The stop is lifted.")
            except Refusal as refusal:
                messages.error(request, refusal.message)
            return HttpResponseRedirect(here)
        context = {**self.admin_site.each_context(request), "stop": stop, "title": f"Lift: {stop}", "opts": self.opts,
                   "back": here}  # fmt: skip
        return TemplateResponse(request, "admin/playbooks/stop_lift.html", context)


@admin.register(BudgetPeriod)
class BudgetPeriodAdmin(FactAdmin):
    client_path = "playbook__client"
    list_display = ("playbook", "bucket", "period_start", "used", "limit")
    list_filter = ("bucket",)
    list_select_related = ("playbook",)


@admin.register(AuditEntry)
class AuditEntryAdmin(FactAdmin):
    list_display = ("seq", "client", "at", "event", "actor", "subject_type", "subject_id")
    list_filter = ("event",)
    list_select_related = ("client", "actor")
