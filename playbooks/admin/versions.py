"""Playbooks and their versions: drafts are edited here, every change of status goes through its service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.html import format_html

from playbooks.admin import forms
from playbooks.document import SECTIONS
from playbooks.models import (
    Activation,
    AgentAssignment,
    BrandRule,
    ChannelPolicy,
    Criterion,
    MessageTemplate,
    Playbook,
    PlaybookVersion,
    SequenceStep,
    Source,
    StageRule,
    Trigger,
    User,
    ValueProposition,
)
from playbooks.services import drafts, lifecycle
from salesops.admin_site import FactAdmin, TenantAdmin, admin_user
from salesops.errors import Refusal
from salesops.generics import AnyStackedInline, AnyTabularInline

Status = PlaybookVersion.Status


@dataclass(frozen=True)
class Step:
    """One way in which a version's status changes: the button, what it does in words, and the service."""

    name: str
    label: str
    words: str
    run: Callable[..., PlaybookVersion]
    statuses: frozenset[str]


def _new_version(version: PlaybookVersion, *, actor: User | None) -> PlaybookVersion:
    return drafts.new_version(version.playbook, actor=actor)


STEPS = {
    step.name: step
    for step in (
        Step(
            "submit", "Submit for review", "The draft freezes until it is approved or sent back.", lifecycle.submit,
            frozenset({Status.DRAFT}),
        ),
        Step(
            "send-back", "Send back", "The version becomes a draft again and can be edited.", lifecycle.send_back,
            frozenset({Status.IN_REVIEW}),
        ),
        Step(
            "approve", "Approve", "The version can never be edited again. It does not rule yet.", lifecycle.approve,
            frozenset({Status.IN_REVIEW}),
        ),
        Step(
            "activate", "Activate", "The version rules from now on; the one that rules today retires. "
            "Past scores and decisions stay bound to the version they were made under.", lifecycle.activate,
            frozenset({Status.APPROVED}),
        ),
        Step(
            "roll-back", "Roll back to this version", "This older version rules again from now on; the one that rules "
            "today retires.", lifecycle.activate, frozenset({Status.RETIRED}),
        ),
        Step(
            "retire", "Retire", "The version stops ruling. With no active version, no agent runs for this playbook.",
            lifecycle.retire, frozenset({Status.ACTIVE, Status.APPROVED}),
        ),
        Step(
            "new-version", "New version", "A draft is made as a copy of the version that rules today.", _new_version,
            frozenset({Status.ACTIVE, Status.RETIRED, Status.APPROVED}),
        ),
    )
}  # fmt: skip


class DraftRows:
    """Mixin for inlines: rows can be changed while their version is a draft."""

    extra = 0
    formfield_overrides: ClassVar[Any] = forms.PLAIN_FIELDS

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.editable

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.editable

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.editable


class CriterionInline(DraftRows, AnyStackedInline):
    model = Criterion
    form = forms.CriterionForm
    fieldsets = (
        (None, {"fields": (("label", "key", "scorecard"), ("layer", "category", "kind"), "params")}),
        (None, {"fields": (("weight", "half_life_days", "missing", "missing_value", "position"),)}),
    )


class ValuePropositionInline(DraftRows, AnyTabularInline):
    classes = ("collapse",)
    model = ValueProposition
    form = forms.RowForm


class StageRuleInline(DraftRows, AnyStackedInline):
    classes = ("collapse",)
    model = StageRule
    form = forms.StageRuleForm
    fieldsets = (
        (None, {"fields": (("pipeline", "from_stage", "to_stage", "team", "position"),)}),
        (None, {"fields": (("min_categories", "min_score", "min_coverage", "needs_person"),)}),
        (None, {"fields": (("required_categories", "required_layers"),)}),
    )


class ChannelPolicyInline(DraftRows, AnyTabularInline):
    classes = ("collapse",)
    model = ChannelPolicy
    form = forms.RowForm


class MessageTemplateInline(DraftRows, AnyStackedInline):
    classes = ("collapse",)
    model = MessageTemplate
    form = forms.TemplateForm
    fieldsets = (
        (None, {"fields": (("key", "angle", "channel", "segment", "position"), "requires", "subject", "body")}),
    )


class SequenceStepInline(DraftRows, AnyTabularInline):
    classes = ("collapse",)
    model = SequenceStep
    form = forms.RowForm


class AgentAssignmentInline(DraftRows, AnyTabularInline):
    classes = ("collapse",)
    model = AgentAssignment
    form = forms.RowForm


class TriggerInline(DraftRows, AnyStackedInline):
    classes = ("collapse",)
    model = Trigger
    form = forms.TriggerForm
    fieldsets = (
        (None, {"fields": (("label", "key", "kind"), ("depth", "enabled", "position"))}),
        (None, {"fields": (("signal_kind", "cron"), ("metric", "comparison", "value"))}),
    )


class SourceInline(DraftRows, AnyStackedInline):
    classes = ("collapse",)
    model = Source
    form = forms.SourceForm
    fieldsets = (
        (None, {"fields": (("key", "kind", "enabled", "position"), "url", ("delivers", "fallback"), "params")}),
        (None, {"fields": (("rate_per_minute", "cost"), ("confidence", "weight"), ("auth_env", "auth_header"))}),
    )


class BrandRuleInline(DraftRows, AnyTabularInline):
    classes = ("collapse",)
    model = BrandRule
    form = forms.RowForm


def _section_title(section: str) -> str:
    return section.replace("_", " ").capitalize() or "Purpose"


def _section_columns(section: str) -> tuple[str, ...]:
    return tuple(slot.at for slot in SECTIONS[section] if slot.name != "change_note")


_FIELDSETS: Any = (
    ("Version", {"fields": (("playbook", "number", "status"), ("created_by", "activated_at"), "change_note")}),
    *((_section_title(name), {"fields": _section_columns(name)}) for name in SECTIONS),
)


@admin.register(PlaybookVersion)
class PlaybookVersionAdmin(TenantAdmin):
    client_path = "playbook__client"
    form = forms.VersionForm
    formfield_overrides = forms.PLAIN_FIELDS
    list_display = ("playbook", "client", "number", "status", "activated_at", "change_note")
    list_display_links = ("playbook", "number")
    list_filter = ("status",)
    list_select_related = ("playbook__client",)
    ordering = ("playbook", "-number")  # type: ignore[assignment]
    readonly_fields = ("playbook", "number", "status", "created_by", "created_at", "activated_at", "activated_by")
    change_form_template = "admin/playbooks/version_form.html"
    inlines = (
        CriterionInline,
        StageRuleInline,
        ValuePropositionInline,
        MessageTemplateInline,
        ChannelPolicyInline,
        SequenceStepInline,
        AgentAssignmentInline,
        TriggerInline,
        SourceInline,
        BrandRuleInline,
    )
    fieldsets = _FIELDSETS

    @admin.display(ordering="playbook__client__name")
    def client(self, version: PlaybookVersion) -> str:
        return str(version.playbook.client)

    def has_change_permission(self, request: HttpRequest, obj: PlaybookVersion | None = None) -> bool:
        return obj is None or obj.editable

    def save_model(self, request: HttpRequest, obj: PlaybookVersion, form: Any, change: bool) -> None:
        drafts.require_editable(obj, actor=admin_user(request))
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        rows = {f.prefix: n for f in formsets if (n := sum(r.has_changed() for r in f.forms))}
        drafts.record_edit(form.instance, actor=admin_user(request), fields=form.changed_data, rows=rows)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        version = self.get_object(request, object_id)
        steps = [step for step in STEPS.values() if version is not None and version.status in step.statuses]
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "steps": steps})

    def get_urls(self) -> list[URLPattern]:
        step = path(
            "<int:version_id>/step/<slug:name>/",
            self.admin_site.admin_view(self.step_view),
            name="playbooks_playbookversion_step",
        )
        return [step, *super().get_urls()]

    def step_view(self, request: HttpRequest, version_id: int, name: str) -> HttpResponse:
        """Ask first, then do it; a refusal comes back to the version with its reason."""
        rows = self.get_queryset(request).select_related("playbook__client")
        version, step = get_object_or_404(rows, pk=version_id), STEPS.get(name)
        if step is None:
            raise PermissionDenied
        here = reverse("admin:playbooks_playbookversion_change", args=[version.pk])
        if request.method != "POST":
            context = {**self.admin_site.each_context(request), "version": version, "step": step, "opts": self.opts,
                       "title": f"{step.label}: {version}", "back": here}  # fmt: skip
            return TemplateResponse(request, "admin/playbooks/version_step.html", context)
        try:
            moved = step.run(version, actor=admin_user(request))
        except Refusal as refusal:
            messages.error(request, refusal.message)
            return HttpResponseRedirect(here)
        messages.success(request, f"{moved} is now {moved.get_status_display().lower()}.")
        return HttpResponseRedirect(reverse("admin:playbooks_playbookversion_change", args=[moved.pk]))


@admin.register(Playbook)
class PlaybookAdmin(TenantAdmin):
    list_display = ("name", "client", "kind", "slug", "ruling", "versions")
    list_select_related = ("client",)
    ordering = ("client", "name")  # type: ignore[assignment]
    fields = ("client", "name", "slug", "kind")
    search_fields = ("name", "slug")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        active = PlaybookVersion.objects.active().filter(playbook=OuterRef("pk"))
        number = Subquery(active.values("number")[:1])
        rows: QuerySet[Any] = super().get_queryset(request).annotate(ruling_number=number)
        return rows

    @admin.display(description="Rules today")
    def ruling(self, playbook: Any) -> str:
        return "none" if playbook.ruling_number is None else f"version {playbook.ruling_number}"

    @admin.display(description="Versions")
    def versions(self, playbook: Playbook) -> str:
        url = reverse("admin:playbooks_playbookversion_changelist")
        return format_html('<a href="{}?playbook__id__exact={}">Versions</a>', url, playbook.pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return True

    def save_model(self, request: HttpRequest, obj: Playbook, form: Any, change: bool) -> None:
        with transaction.atomic():
            draft = drafts.start_playbook(
                client=obj.client, slug=obj.slug, name=obj.name, kind=obj.kind, actor=admin_user(request)
            )
        obj.pk = draft.playbook_id

    def response_add(self, request: HttpRequest, obj: Playbook, post_url_continue: str | None = None) -> HttpResponse:
        draft = obj.versions.get()
        messages.success(request, f"{obj} has a first draft. Fill it in, then submit it for review.")
        return HttpResponseRedirect(reverse("admin:playbooks_playbookversion_change", args=[draft.pk]))


@admin.register(Activation)
class ActivationAdmin(FactAdmin):
    client_path = "version__playbook__client"
    list_display = ("version", "at", "by", "note")
    list_select_related = ("version__playbook", "by")
