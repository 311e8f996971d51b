"""Playbooks and their versions: drafts are edited here, every change of status goes through its service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.forms import Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.html import format_html

from playbooks import previews
from playbooks.admin import exchange, fields, forms, mending, rows, trying
from playbooks.admin.scorecards import StockScorecards
from playbooks.models import Activation, Playbook, PlaybookVersion, User
from playbooks.queries import document_of
from playbooks.rules import params
from playbooks.rules.criteria import LAYERS
from playbooks.rules.document import ROWS, SECTIONS
from playbooks.rules.validation import Problem, problems
from playbooks.services import drafts, lifecycle
from salesops.admin_site import FactAdmin, TenantAdmin, admin_user
from salesops.errors import Refusal
from salesops.generics import AnyModelForm

Status = PlaybookVersion.Status


@dataclass(frozen=True)
class Step:
    """One way in which a version's status changes: the button, what it does in words, and the service."""

    name: str
    label: str
    words: str
    run: Callable[..., PlaybookVersion]
    statuses: frozenset[str]
    note: str = ""  # what to ask of whoever does this; "" asks nothing


def _new_version(version: PlaybookVersion, *, actor: User | None) -> PlaybookVersion:
    return drafts.draft_to_edit(version.playbook, actor=actor, source=version)[0]


def _activate(version: PlaybookVersion, *, actor: User | None, note: str) -> PlaybookVersion:
    """With a note, and only from where a version can begin to rule; anywhere else the service says why not."""
    if version.status in (Status.APPROVED, Status.RETIRED):
        return lifecycle.publish(version, actor=actor, note=note)
    return lifecycle.activate(version, actor=actor)


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
            "Past scores and decisions stay bound to the version they were made under.", _activate,
            frozenset({Status.APPROVED}), "What changes, and why?",
        ),
        Step(
            "roll-back", "Roll back to this version", "This older version rules again from now on; the one that rules "
            "today retires.", _activate, frozenset({Status.RETIRED}), "Why go back?",
        ),
        Step(
            "retire", "Retire", "The version stops ruling. With no active version, no agent runs for this playbook.",
            lifecycle.retire, frozenset({Status.ACTIVE, Status.APPROVED}),
        ),
        Step(
            "new-version", "New version", "A draft is made as a copy of this version; a draft that is open already is "
            "opened instead, so that two people meet in one.", _new_version,
            frozenset({Status.ACTIVE, Status.RETIRED, Status.APPROVED}),
        ),
    )
}  # fmt: skip


def _section_title(section: str) -> str:
    return {"": "Purpose", "icp": "Ideal customer"}.get(section) or section.replace("_", " ").capitalize()


def _section_columns(section: str) -> tuple[str, ...]:
    return tuple(slot.at for slot in SECTIONS[section] if slot.name != "change_note")


_ABOUT: Mapping[str, dict[str, Any]] = {
    "layer_weights": {"description": "Four whole numbers that sum to 100. <output data-weights-total></output>"},
    "thresholds": {"description": "Composite and hot, warm from 0 to 100; tiers and confidence from 0 to 1."},
    "budgets": {"description": "The most that may be done; money in the playbook's currency."},
    "approval": {"description": "How long a person may think again, and how long an answer holds."},
}

#: Fields that are read together stand in one line; whatever no line names has one to itself.
_LINES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "icp": (("icp_employees_min", "icp_employees_max"),),
    "layer_weights": (tuple(f"weight_{layer}" for layer in LAYERS),),
    "thresholds": (
        ("hot_threshold", "warm_threshold"),
        ("tier_1_threshold", "tier_2_threshold", "tier_3_threshold"),
        ("min_categories", "min_confidence", "min_quality", "min_contact_confidence"),
        ("keep_threshold", "enrich_threshold", "crm_threshold"),
        ("merge_threshold", "twin_threshold"),
    ),
    "budgets": (
        ("calls_per_day", "emails_per_day", "linkedin_per_day", "sms_per_day"),
        ("money_per_month", "deal_value", "currency"),
        ("experiments_per_week", "tokens_per_day"),
    ),
    "approval": (("undo_seconds", "request_hours", "two_approvers"),),
}


def _fields_in_lines(section: str) -> tuple[Any, ...]:
    """The section's columns, those of one line together where the first of them stands."""
    lines = {name: line for line in _LINES.get(section, ()) for name in line}
    return tuple(dict.fromkeys(lines.get(column, column) for column in _section_columns(section)))


_FIELDSETS: Any = (
    ("Version", {"fields": (("number", "status", "created_by", "activated_at"), "change_note")}),
    *((_section_title(name), {"fields": _fields_in_lines(name), **_ABOUT.get(name, {})}) for name in SECTIONS),
)


def _open(problem: Problem) -> dict[str, str]:
    """A broken rule and where on the page it is mended."""
    if not problem.section:
        anchor = f"id_{problem.field}"
    else:
        group = ROWS[problem.section].related
        anchor = f"{group}-group" if problem.index is None else f"{group}-{problem.index}"
    return {"path": problem.path, "words": problem.words, "anchor": anchor}


def _card_totals(version: PlaybookVersion) -> list[tuple[str, list[float], float]]:
    """Scorecard → the criteria's weights by layer, and their sum."""
    sums: dict[str, dict[str, float]] = {}
    for card, layer, weight in version.criteria.values_list("scorecard", "layer", "weight"):
        layers = sums.setdefault(card, dict.fromkeys(LAYERS, 0.0))
        layers[layer] = layers.get(layer, 0.0) + weight
    return [(card, list(layers.values()), sum(layers.values())) for card, layers in sums.items()]


@admin.register(PlaybookVersion)
class PlaybookVersionAdmin(StockScorecards, TenantAdmin):
    client_path = "playbook__client"
    form = forms.VersionForm
    formfield_overrides = fields.PLAIN_FIELDS
    list_display = ("playbook", "client", "number", "status", "activated_at", "change_note")
    list_display_links = ("playbook", "number")
    list_filter = ("status",)
    list_select_related = ("playbook__client",)
    ordering = ("playbook", "-number")  # type: ignore[assignment]
    readonly_fields = ("playbook", "number", "status", "created_by", "created_at", "activated_at", "activated_by")
    change_form_template = "admin/playbooks/version_form.html"
    change_list_template = "admin/playbooks/version_list.html"
    inlines = rows.INLINES
    fieldsets = _FIELDSETS

    class Media:
        css: ClassVar[Any] = {"all": ["css/playbook-admin.css"]}
        js = (Script("js/playbook-admin.js", type="module"),)

    @admin.display(ordering="playbook__client__name")
    def client(self, version: PlaybookVersion) -> str:
        return str(version.playbook.client)

    def has_change_permission(self, request: HttpRequest, obj: PlaybookVersion | None = None) -> bool:
        return obj is None or obj.editable

    def save_model(self, request: HttpRequest, obj: PlaybookVersion, form: Any, change: bool) -> None:
        drafts.require_editable(obj, actor=admin_user(request), seen=form.seen_edit)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        changed = {f.prefix: n for f in formsets if (n := sum(r.has_changed() for r in f.forms))}
        drafts.record_edit(form.instance, actor=admin_user(request), fields=form.changed_data, rows=changed)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        version = self.get_object(request, object_id)
        shown: dict[str, Any] = {}
        if version is not None:
            shown["steps"] = [step for step in STEPS.values() if version.status in step.statuses]
            shown |= {"layers": LAYERS, "card_totals": _card_totals(version)}
            if version.editable:
                shown |= self._for_editing(request, version)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **shown})

    def _for_editing(self, request: HttpRequest, version: PlaybookVersion) -> dict[str, Any]:
        """What a draft's page offers besides its fields."""
        angles = version.templates.values_list("angle", flat=True).distinct()
        people = previews.people(version)
        return {
            "open_problems": [_open(found) for found in problems(document_of(version))]
            if request.method == "GET"
            else (),
            "try_on": request.session.get(trying.TRY_ON, people[0][0] if people else ""),
            "try_people": people,
            "attributes": params.ATTRIBUTES,
            "angles": sorted(angles),
            "patterns": [
                (section, kind, fields.ParamsInput(section).render("__name__", {"": kind}))
                for section, kinds in params.KINDS.items()
                for kind in kinds
            ],
        }

    def response_change(self, request: HttpRequest, obj: PlaybookVersion) -> HttpResponse:
        """Back to the draft, with what comes next one click away."""
        words = 'Saved. Now see <a href="{}">who would change</a>, or <a href="{}">publish</a>.'
        links = [reverse(name, args=[obj.pk]) for name in ("prospects:what_if", "prospects:publish")]
        messages.success(request, format_html(words, *links))
        return HttpResponseRedirect(reverse("admin:playbooks_playbookversion_change", args=[obj.pk]))

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        context["show_save_and_continue"] = False  # there is one way to save, and it stays on the page
        if context.get("errors"):
            context["refused"] = mending.refused(context)
            if context["adminform"].form.is_behind:
                context["differing"] = mending.differing(context)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        name = "playbooks_playbookversion"
        return [
            path("import/", guard(self.import_view), name=f"{name}_import"),
            path("<int:version_id>/step/<slug:name>/", guard(self.step_view), name=f"{name}_step"),
            path("<int:version_id>/try/", guard(self.try_view), name=f"{name}_try"),
            path("<int:version_id>/yaml/", guard(self.download_view), name=f"{name}_download"),
            *super().get_urls(),
        ]

    def _version(self, request: HttpRequest, version_id: int) -> PlaybookVersion:
        found: PlaybookVersion = get_object_or_404(
            self.get_queryset(request).select_related("playbook__client"), pk=version_id
        )
        return found

    def try_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        """What a criterion or template of the page, as it stands, would say of a prospect. Saves nothing."""
        version = self._version(request, version_id)
        if request.method != "POST":
            return HttpResponseRedirect(reverse("admin:playbooks_playbookversion_change", args=[version.pk]))
        context = trying.answer(request, version)
        if request.headers.get("X-Part") == "try":
            return TemplateResponse(request, "admin/playbooks/_try.html", context)
        title = f"{context.get('label', 'Try')}: {version}"
        page = {**self.admin_site.each_context(request), "title": title, "media": self.media, **context}
        return TemplateResponse(request, "admin/playbooks/try.html", page)

    def download_view(self, request: HttpRequest, version_id: int) -> HttpResponse:
        return exchange.download(self._version(request, version_id))

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Bring a playbook in from YAML, as a new draft; or only say what is wrong with it."""
        posted = request.method == "POST"
        form = exchange.ImportForm(*([request.POST, request.FILES] if posted else []), request=request)
        if posted and form.is_valid():
            if "check" in request.POST:
                messages.success(request, f"{form.cleaned_data['document'].name}: nothing is wrong with it.")
            else:
                version, made = form.load()
                if version is not None:
                    words = f"{version} is a new draft." if made else f"{version} says the same already."
                    messages.success(request, words)
                    return HttpResponseRedirect(reverse("admin:playbooks_playbookversion_change", args=[version.pk]))
        context = {**self.admin_site.each_context(request), "title": "Import YAML", "opts": self.opts, "form": form,
                   "media": self.media}  # fmt: skip
        return TemplateResponse(request, "admin/playbooks/import_yaml.html", context)

    def step_view(self, request: HttpRequest, version_id: int, name: str) -> HttpResponse:
        """Ask first, then do it; a refusal comes back to the version with its reason."""
        version, step = self._version(request, version_id), STEPS.get(name)
        if step is None:
            raise PermissionDenied
        here = reverse("admin:playbooks_playbookversion_change", args=[version.pk])
        if request.method != "POST":
            context = {**self.admin_site.each_context(request), "version": version, "step": step, "opts": self.opts,
                       "title": f"{step.label}: {version}", "back": here}  # fmt: skip
            return TemplateResponse(request, "admin/playbooks/version_step.html", context)
        try:
            words = {"note": request.POST.get("note", "")} if step.note else {}
            moved = step.run(version, actor=admin_user(request), **words)
        except Refusal as refusal:
            messages.error(request, refusal.message)
            return HttpResponseRedirect(here)
        messages.success(request, f"{moved} is now {moved.get_status_display().lower()}.")
        return HttpResponseRedirect(reverse("admin:playbooks_playbookversion_change", args=[moved.pk]))


class PlaybookForm(AnyModelForm):
    class Meta:
        model = Playbook
        fields = ("client", "name", "slug", "kind")
        labels = {"slug": "Short name"}
        help_texts = {
            "name": "What people call it.",
            "slug": "What files and addresses call it: letters, figures, - and _. It stays for good.",
            "kind": "Whether it looks for companies or for households. It stays for good.",
        }
        error_messages = {
            "client": {"required": "Choose the client it is for."},
            "name": {"required": "Give it a name."},
            "slug": {"required": "Give it a short name, such as founders."},
            NON_FIELD_ERRORS: {"unique_together": "That client has a playbook of this short name already."},
        }


@admin.register(Playbook)
class PlaybookAdmin(TenantAdmin):
    form = PlaybookForm
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
