"""Forms for playbook drafts: every value as words, lists and numbers, with what is wrong beside its field."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import yaml
from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget, AdminTextInputWidget
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models

from playbooks.criteria import CATEGORIES, LAYERS
from playbooks.describe import PARAMS, SOURCE_PARAMS, in_order
from playbooks.document import ROWS
from playbooks.models import Criterion, MessageTemplate, Source, StageRule, Trigger
from playbooks.sources import DELIVERS, PLACEHOLDERS
from playbooks.stages import MOVES
from playbooks.templating import NAMES
from playbooks.triggers import METRICS
from playbooks.validation import Seen
from salesops.generics import AnyModelForm

_KEY_OF = re.compile(r"(criteria|sources)-(\d+)-key")


class _ParamsDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


class ParamsField(forms.CharField):
    """Parameters as lines of ``name: value``."""

    widget = forms.Textarea(attrs={"rows": 4, "cols": 60, "class": "vLargeTextField params", "spellcheck": "false"})

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        text = yaml.dump(
            value, Dumper=_ParamsDumper, sort_keys=False, allow_unicode=True, default_flow_style=None, width=100
        )
        return "" if not value else text.strip()

    def to_python(self, value: Any) -> dict[str, Any]:  # type: ignore[override]
        try:
            data = yaml.safe_load(value or "{}")
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" in line {mark.line + 1}" if mark is not None else ""
            raise ValidationError(f"These are not lines of name: value{line}.") from error
        if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
            raise ValidationError("Write one parameter a line as name: value, such as attribute: industry.")
        return data

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or {}))
        except ValidationError:
            return True


class LinesField(forms.CharField):
    """Text of several lines, kept as written: browsers send CR LF, playbooks hold LF."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "strip": False})

    def to_python(self, value: Any) -> str | None:
        text = super().to_python(value)
        return text.replace("\r\n", "\n").replace("\r", "\n") if text else text


class WordsField(forms.CharField):
    """A list as words with commas between them."""

    def __init__(self, *, base_field: Any = None, **kwargs: Any) -> None:
        del base_field  # of array columns, whose items are words
        super().__init__(**kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, (list, tuple)) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        if isinstance(value, (list, tuple)):
            return list(value)
        return [word.strip() for word in (value or "").split(",") if word.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(data) != list(initial or [])

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise ValidationError(self.error_messages["required"])

    def run_validators(self, value: Any) -> None:
        """The model's validators judge the list; those of text do not apply."""


#: For ``formfield_overrides``: how the admin shows columns of long text and of words.
#: (A column's callable default would make Django compare with a hidden copy instead of the stored value.)
PLAIN_FIELDS: dict[Any, Any] = {
    models.TextField: {"form_class": LinesField, "widget": AdminTextareaWidget},
    ArrayField: {"form_class": WordsField, "widget": AdminTextInputWidget, "max_length": None,
                 "show_hidden_initial": False},
}  # fmt: skip


class ChoiceListField(forms.MultipleChoiceField):
    """Several of a few words, as check boxes; kept as a list."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, words: Iterable[str], **kwargs: Any) -> None:
        super().__init__(choices=[(word, word.capitalize()) for word in words], required=False, **kwargs)


def posted_criteria(form: forms.BaseForm) -> Seen | None:
    """What rows may refer to as it will be once this page is saved; None when the page does not carry it."""
    data = form.data
    if "criteria-TOTAL_FORMS" not in data:
        return None
    keys: dict[str, set[str]] = {"criteria": set(), "sources": set()}
    layers = set()
    for name in data:
        match = _KEY_OF.fullmatch(name)
        if match and not data.get(f"{match[1]}-{match[2]}-DELETE"):
            keys[match[1]].add(str(data.get(name, "")).strip())
            if match[1] == "criteria":
                layers.add(str(data.get(f"criteria-{match[2]}-layer", "")))
    return Seen(frozenset(keys["criteria"]), frozenset(layers), frozenset(keys["sources"]))


class VersionForm(AnyModelForm):
    """The version's own row."""

    def _post_clean(self) -> None:
        seen = posted_criteria(self)
        if seen is not None:
            self.instance.criterion_layers = seen.layers
        super()._post_clean()  # type: ignore[misc]


class RowForm(AnyModelForm):
    """A child row, judged together with the criteria on the same page."""

    def _post_clean(self) -> None:
        self.instance.seen = posted_criteria(self)
        super()._post_clean()  # type: ignore[misc]


class CriterionForm(RowForm):
    params = ParamsField(required=False, label="Parameters")

    class Meta:
        model = Criterion
        fields: Sequence[str] = (*(slot.at for slot in ROWS["criteria"].slots), "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "params" in self.fields:
            kind = self.instance.kind
            explained = PARAMS[kind] if kind in PARAMS else " · ".join(f"{k}: {v}" for k, v in PARAMS.items())
            self.fields["params"].help_text = f"One a line, name: value, lists in [brackets]. {explained}."
            self.initial["params"] = in_order(kind, self.instance.params or {})


class StageRuleForm(RowForm):
    required_categories = ChoiceListField(CATEGORIES)
    required_layers = ChoiceListField(LAYERS)

    class Meta:
        model = StageRule
        fields: Sequence[str] = (*(slot.at for slot in ROWS["stage_rules"].slots), "position")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stages = list(dict.fromkeys(stage for moves in MOVES.values() for move in moves for stage in move))
        for name in ("from_stage", "to_stage"):
            # Read-only pages show the value without its field.
            if name in self.fields:
                words = [(stage, stage.replace("_", " ").capitalize()) for stage in stages]
                self.fields[name] = forms.ChoiceField(choices=words, label=self.fields[name].label)


class TriggerForm(RowForm):
    class Meta:
        model = Trigger
        fields: Sequence[str] = (*(slot.at for slot in ROWS["triggers"].slots), "position")
        labels = {"signal_kind": "Signal", "cron": "Time", "enabled": "On"}
        help_texts = {
            "signal_kind": "Of a signal: its kind, such as change, funding or reply.",
            "cron": "Of a time, by the client's clocks: minute, hour, day, month, weekday.",
            "metric": "Of a number: what to count, and where it must cross.",
            "depth": "Early: free rules only. Extended: looks everything up again.",
        }
        widgets = {
            "cron": forms.TextInput(attrs={"size": 20, "spellcheck": "false", "placeholder": "0 2 * * *"}),
            "metric": forms.Select(choices=[("", "---------"), *METRICS.items()]),
            "value": forms.NumberInput(attrs={"step": "any"}),
        }


class SourceForm(RowForm):
    params = ParamsField(required=False, label="How it answers")
    delivers = WordsField(
        required=False,
        help_text="Kinds of document, with commas; candidate makes it part of market scans. "
        + " · ".join(f"{kind}: {', '.join(given)}" for kind, given in DELIVERS.items())
        + " when empty.",
    )

    class Meta:
        model = Source
        fields: Sequence[str] = (*(slot.at for slot in ROWS["sources"].slots), "position")
        labels = {"enabled": "On", "auth_env": "Key's variable", "auth_header": "Key's header"}
        help_texts = {
            "url": "Filled in per company: "
            + ", ".join(f"{{{word}}}" for word in sorted(PLACEHOLDERS))
            + ". Of a file: its name in the folder of sources.",
            "cost": "Money per answered request, in the playbook's currency.",
            "weight": "0 to 1: how much a company found here counts in a market scan.",
            "confidence": "0 to 1: how far a fact from here is believed.",
            "rate_per_minute": "The limit the source states; we keep to 80 % of it.",
            "auth_env": "Environment variable with the key, such as SOURCE_NEWS_KEY. Keys never stand in a playbook.",
            "fallback": "The source asked instead once this one is gone.",
        }
        widgets = {
            "url": forms.TextInput(attrs={"size": 100, "spellcheck": "false"}),
            "auth_env": forms.TextInput(attrs={"size": 30, "spellcheck": "false"}),
            "weight": forms.NumberInput(attrs={"step": "any", "min": 0, "max": 1}),
            "confidence": forms.NumberInput(attrs={"step": "any", "min": 0, "max": 1}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "params" in self.fields:
            kind = self.instance.kind
            explained = SOURCE_PARAMS.get(kind) or " · ".join(f"{k}: {v}" for k, v in SOURCE_PARAMS.items())
            self.fields["params"].help_text = f"One a line, name: value, lists in [brackets]. {explained}."


class TemplateForm(RowForm):
    requires = WordsField(required=False, help_text="Keys of the criteria whose evidence it speaks of, with commas.")

    class Meta:
        model = MessageTemplate
        fields: Sequence[str] = (*(slot.at for slot in ROWS["templates"].slots), "position")
        help_texts = {
            "body": "Placeholders: " + ", ".join(f"{{{{ {name} }}}}" for name in NAMES)
            + ", {{ fact.KEY }} and {{ month.KEY }} of a criterion. {{ name | words }} falls back on the words.",
        }  # fmt: skip
