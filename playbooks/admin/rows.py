"""The child rows of a playbook version in the admin: their order on the page, and which kind of form each has."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest

from playbooks.admin import fields, forms, row_forms
from playbooks.models import (
    AgentAssignment,
    BrandRule,
    ChannelPolicy,
    Criterion,
    MessageTemplate,
    SequenceStep,
    Source,
    StageRule,
    Trigger,
    ValueProposition,
)
from salesops.generics import AnyStackedInline, AnyTabularInline


def laid_out(model: type[models.Model], *lines: tuple[str, ...]) -> Any:
    """Field sets of a kind of row, one a line; what no line names, such as a new slot, comes after them.

    The place comes last and stands alone: where buttons move rows, the page puts its line away.
    """
    named = {name for line in lines for name in line}
    rest = tuple(name for name in forms.columns_of(model) if name not in named and name != "position")
    place = tuple(name for name in forms.columns_of(model) if name == "position")
    return tuple((None, {"fields": (line if len(line) > 1 else line[0],)}) for line in (*lines, rest, place) if line)


class DraftRows:
    """Mixin for inlines: rows can be changed while their version is a draft."""

    extra = 0
    form: Any = forms.RowForm
    formset: Any = forms.RowFormSet
    formfield_overrides: ClassVar[Any] = fields.PLAIN_FIELDS

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.editable

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.editable

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is not None and obj.editable

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        """An empty row for whoever asks for one: browsers without scripts have no other way to add one."""
        model: Any = self.model  # type: ignore[attr-defined]
        return int(obj is not None and obj.editable and request.GET.get("add") == model.section)


class RowsInBoxes(DraftRows, AnyStackedInline):
    """Rows with many fields: each in a box that opens."""

    classes: Any = ("collapse",)
    template = "admin/playbooks/rows.html"
    #: Whether a row can be tried on a prospect before it is saved.
    tried = False


class RowsInLines(DraftRows, AnyTabularInline):
    """Rows with few fields: one a line."""

    classes = ("collapse",)


class CriterionInline(RowsInBoxes):
    classes = ()
    model = Criterion
    form = row_forms.CriterionForm
    fieldsets = laid_out(
        Criterion, ("label", "key", "scorecard"), ("layer", "category", "kind"), ("params",),
        ("weight", "half_life_days", "missing", "missing_value"),
    )  # fmt: skip
    tried = True


class ValuePropositionInline(RowsInBoxes):
    model = ValueProposition
    form = row_forms.PropositionForm
    fieldsets = laid_out(ValueProposition, ("pain",), ("promise",), ("proof",), ("segment",))


class StageRuleInline(RowsInBoxes):
    model = StageRule
    form = row_forms.StageRuleForm
    fieldsets = laid_out(
        StageRule, ("pipeline", "from_stage", "to_stage", "route"),
        ("min_categories", "min_score", "min_coverage", "scorecard"), ("required_categories", "required_layers"),
        ("team", "confirm_from_value", "needs_person"),
    )  # fmt: skip


class ChannelPolicyInline(RowsInLines):
    model = ChannelPolicy


class MessageTemplateInline(RowsInBoxes):
    model = MessageTemplate
    form = row_forms.TemplateForm
    fieldsets = laid_out(
        MessageTemplate, ("key", "channel", "angle", "segment"), ("requires",), ("subject",), ("body",), ("addresses",)
    )
    tried = True


class SequenceStepInline(RowsInLines):
    model = SequenceStep
    form = row_forms.StepForm


class AgentAssignmentInline(RowsInLines):
    model = AgentAssignment
    form = row_forms.AgentForm


class TriggerInline(RowsInBoxes):
    model = Trigger
    form = row_forms.TriggerForm
    fieldsets = laid_out(
        Trigger, ("label", "key", "kind"), ("signal_kind",), ("cron",), ("metric", "comparison", "value"),
        ("depth", "enabled"),
    )  # fmt: skip


class SourceInline(RowsInBoxes):
    model = Source
    form = row_forms.SourceForm
    fieldsets = laid_out(
        Source, ("key", "kind", "enabled"), ("url",), ("delivers", "fallback"), ("params",),
        ("rate_per_minute", "cost"), ("confidence", "weight"), ("auth_env", "auth_header"),
    )  # fmt: skip


class BrandRuleInline(RowsInLines):
    model = BrandRule


INLINES = (
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
