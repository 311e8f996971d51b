"""Forms for playbook drafts: every value in a field of its own, with what is wrong beside it.

Which fields a row has follows ``playbooks.document``: a slot that is added there has its field, its choices and its
words here at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.db import models

from playbooks import known_agents, params
from playbooks.admin.fields import ChoiceListField, ParamsField, WordsField, say_what_is_expected
from playbooks.criteria import CATEGORIES, LAYERS, ParamsError, parse_params
from playbooks.describe import describe
from playbooks.document import ROWS, Slot, head_slots
from playbooks.models import AgentAssignment, Criterion, MessageTemplate, SequenceStep, Source, StageRule, Trigger
from playbooks.services import drafts
from playbooks.sources import DELIVERS, PLACEHOLDERS, read_source
from playbooks.stages import MOVES
from playbooks.templating import NAMES
from playbooks.triggers import METRICS, explain
from playbooks.validation import Seen, repeated
from salesops.generics import AnyInlineFormSet, AnyModelForm

_ROW_OF = re.compile(r"(criteria|sources)-(\d+)-key")
_WHOLE_PLAYBOOK = "criteria-TOTAL_FORMS"


def posted_rows(form: forms.BaseForm) -> Seen | None:
    """What rows may refer to as it will be once this page is saved; None when the page does not carry it."""
    data = form.data
    if _WHOLE_PLAYBOOK not in data:
        return None
    keys: dict[str, set[str]] = {"criteria": set(), "sources": set()}
    others: dict[str, set[str]] = {"layer": set(), "scorecard": set()}
    for name in data:
        match = _ROW_OF.fullmatch(name)
        if match and not data.get(f"{match[1]}-{match[2]}-DELETE"):
            keys[match[1]].add(str(data.get(name, "")).strip())
            if match[1] == "criteria":
                for column, found in others.items():
                    found.add(str(data.get(f"criteria-{match[2]}-{column}", "")))
    known = {"criterion_keys": keys["criteria"], "layers": others["layer"], "scorecards": others["scorecard"],
             "source_keys": keys["sources"]}  # fmt: skip
    return Seen(**{name: frozenset(found) for name, found in known.items() if name in Seen.__dataclass_fields__})


class SlotForm(AnyModelForm):
    """Fields that follow the document's slots. What a field refuses by itself is said once, not again by the rules."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for slot in self.slots():
            if slot.at in self.fields:
                self._follow(slot)

    def slots(self) -> list[Slot]:
        return [slot for _, slot in head_slots().values()]

    def _follow(self, slot: Slot) -> None:
        field = self.fields[slot.at]
        if slot.kind == "words" and not isinstance(field, (WordsField, ChoiceListField)):
            field = WordsField(required=False, label=field.label, help_text=field.help_text)
        elif slot.choices and not hasattr(field, "choices"):
            words = [(choice, choice.replace("_", " ").capitalize()) for choice in slot.choices]
            field = forms.ChoiceField(choices=words, label=field.label, help_text=field.help_text)
        self.fields[slot.at] = field
        say_what_is_expected(field, slot)

    def _post_clean(self) -> None:
        refused = {name: list(found.as_data()) for name, found in self.errors.items()}
        super()._post_clean()  # type: ignore[misc]
        for name, found in refused.items():
            self.errors[name].data[:] = found


class VersionForm(SlotForm):
    """The version's own row. The page says which edit of the draft it showed; see ``clean``."""

    @property
    def seen_edit(self) -> int | None:
        """The number of edits of the draft when its page was opened; None where the page did not say."""
        given = str(self.data.get("seen_edit", ""))
        return int(given) if given.isdecimal() and len(given) < 10 else None

    def clean(self) -> dict[str, Any] | None:
        """Whoever saves second is told what the first one changed, keeps what they typed, and may then save again."""
        cleaned = super().clean()
        seen = self.seen_edit
        if self.instance.pk and seen is not None and seen != self.instance.edit_no:
            told = drafts.edits_since(self.instance, seen)
            self.add_error(None, [*told, "Nothing of yours is lost: it stands below. Save again to put it in place."])
        return cleaned

    def _post_clean(self) -> None:
        seen = posted_rows(self)
        if seen is not None:
            self.instance.criterion_layers = seen.layers
        super()._post_clean()


class RowForm(SlotForm):
    """A child row, judged together with the rows on the same page. A new row without a place goes to the end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "position" in self.fields:
            self.fields["position"].required = False
            self.fields["position"].label = "Place"
            if self.instance.pk is None:
                self.initial["position"] = None
        for name in self.fields:
            self._name(name)

    def _name(self, name: str) -> None:
        """Rows that stand one a line have their names above the column only; a reader of screens needs them here."""
        field = self.fields[name]
        if not isinstance(field, (ParamsField, ChoiceListField)):
            field.widget.attrs.setdefault("aria-label", str(field.label or name.replace("_", " ").capitalize()))

    def slots(self) -> list[Slot]:
        return list(ROWS[self._meta.model.section].slots)

    @property
    def summary(self) -> str:
        """What the row says besides its name; nothing of a new one, nor while something is wrong with it."""
        return "" if self.instance.pk is None or self.errors else self.said()

    def said(self) -> str:
        """The row in a few words."""
        return ""

    def clean_position(self) -> int:
        given = self.cleaned_data.get("position")
        if given is not None:
            return int(given)
        group = (self.prefix or "").rpartition("-")[0]
        places = [str(v) for k, v in self.data.items() if re.fullmatch(rf"{re.escape(group)}-\d+-position", k)]
        return max((int(place) + 1 for place in places if place.isdecimal() and len(place) < 5), default=0)

    def validate_unique(self) -> None:
        """All rows of the version are on the page: the form set compares them without asking the database."""

    def _post_clean(self) -> None:
        self.instance.seen = posted_rows(self)
        super()._post_clean()


class RowFormSet(AnyInlineFormSet):
    """The rows of one kind. A row that says what another one says already is refused at its field."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        if "DELETE" in form.fields:
            form.fields["DELETE"].widget.attrs["aria-label"] = "Delete"

    @property
    def section(self) -> str:
        """The list of the document that these rows are."""
        model: Any = self.model
        return str(model.section)

    def validate_unique(self) -> None:
        shape = ROWS[self.section]
        kept = [form for form in self.forms if self._counts(form)]
        rows = [{column: form.cleaned_data.get(column) for column in shape.identity} for form in kept]
        for problem in repeated(self.section, rows):
            self._refuse(kept[problem.index or 0], problem.field, problem.words)
        before = {self._stored(form): form for form in self.initial_forms}
        for form, row in zip(kept, rows, strict=True):
            identity = tuple(row.values())
            owner = before.get(identity)
            if owner is not None and owner is not form and form.instance.pk and not form.errors:
                words = "another row was called so until now; save that change first"
                self._refuse(form, shape.identity[-1], words)

    def _counts(self, form: Any) -> bool:
        is_blank = form.empty_permitted and not form.has_changed()
        return bool(form.is_valid() and not is_blank and form not in self.deleted_forms)

    def _stored(self, form: Any) -> tuple[Any, ...]:
        return tuple(form.initial.get(column) for column in ROWS[self.section].identity)

    def _refuse(self, form: Any, column: str, words: str) -> None:
        at = column if column in form.fields else None
        form.add_error(at, f"{words[:1].upper()}{words[1:]}.")


class ParamsForm(RowForm):
    """A row whose parameters depend on its kind. What is wrong with one stands beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "params" in self.fields:
            self.initial["params"] = self.params_field.show(self.instance.kind, self.instance.params or {})
            self.params_field.widget.kind = self.instance.kind

    @property
    def params_field(self) -> ParamsField:
        field = self.fields["params"]
        assert isinstance(field, ParamsField)  # noqa: S101 — declared below
        return field

    def clean_params(self) -> dict[str, Any]:
        """What asks the same stays written as it was."""
        given: dict[str, Any] = self.cleaned_data["params"]
        stored, kind = self.instance.params or {}, self.data.get(self.add_prefix("kind"), "")
        unchanged = self.instance.pk and kind == self.initial.get("kind")
        return stored if unchanged and params.same_params(self._meta.model.section, kind, stored, given) else given

    def _post_clean(self) -> None:
        super()._post_clean()
        if "params" in self.fields:
            found: dict[str, list[str]] = {}
            for name, words in self._param_problems():
                found.setdefault(re.split(r"[.\[]", name, maxsplit=1)[0], []).append(f"{words[:1].upper()}{words[1:]}.")
            self.params_field.widget.problems = found

    def _param_problems(self) -> list[tuple[str, str]]:
        """(parameter, what was expected there)."""
        raise NotImplementedError


class CriterionForm(ParamsForm):
    params = ParamsField(params.CRITERIA, label="What it asks")

    class Meta:
        model = Criterion
        exclude = ("version",)
        help_texts = {
            "key": "Its short name, for templates and files.",
            "weight": "0 for a flag, which only rules out.",
        }
        labels = {"half_life_days": "Half-life in days", "missing": "When nothing is known", "key": "Key"}

    def said(self) -> str:
        row = self.instance
        return f"{describe(row.kind, row.params)} Weight {row.weight:g}."

    def _param_problems(self) -> list[tuple[str, str]]:
        try:
            parse_params(self.instance.kind, self.instance.params or {})
        except ParamsError as refused:
            return refused.problems
        return []


class StageRuleForm(RowForm):
    required_categories = ChoiceListField(CATEGORIES)
    required_layers = ChoiceListField(LAYERS)

    class Meta:
        model = StageRule
        exclude = ("version",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stages = [("", "---------"), *((pipeline.capitalize(), _stages(pipeline)) for pipeline in MOVES)]
        for name in ("from_stage", "to_stage"):
            # Read-only pages show the value without its field.
            if name in self.fields:
                field = forms.ChoiceField(choices=stages, label=self.fields[name].label)
                field.error_messages["required"] = "This is missing; expected a stage of the pipeline."
                field.error_messages["invalid_choice"] = "Expected a stage of the pipeline, got %(value)s."
                self.fields[name] = field

    def said(self) -> str:
        row = self.instance
        asked = [f"{row.min_categories} categories" if row.min_categories else "", *row.required_categories]
        asked += [f"score {row.min_score:g}" if row.min_score is not None else ""]
        asked += ["a person confirms" if row.needs_person else ""]
        said = ", ".join(filter(None, asked))
        return f"{row.get_pipeline_display()}: {said or 'nothing more is asked'}"


def _stages(pipeline: str) -> list[tuple[str, str]]:
    found = dict.fromkeys(stage for move in MOVES[pipeline] for stage in move)
    return [(stage, stage.replace("_", " ").capitalize()) for stage in found]


class AgentForm(RowForm):
    """Which agents there are, and by whom each one's work can be done."""

    class Meta:
        model = AgentAssignment
        exclude = ("version",)
        help_texts = {"model": "Of a language model: its name. Empty: the installation's own."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ways = known_agents.ways()
        if ways and "agent" in self.fields:
            named = [(name, _agent_words(name, ways)) for name in sorted(ways)]
            field = forms.ChoiceField(choices=[("", "---------"), *named])
            field.error_messages["invalid_choice"] = "There is no agent %(value)s; expected one of those listed."
            self.fields["agent"] = field
            self._name("agent")


def _agent_words(name: str, ways: known_agents.Ways) -> str:
    possible = [way for way in known_agents.WAYS if way in ways[name] or way == known_agents.OFF]
    return f"{name.replace('_', ' ').capitalize()} ({', '.join(possible)})"


class StepForm(RowForm):
    class Meta:
        model = SequenceStep
        exclude = ("version",)
        help_texts = {"purpose": "The angle of the templates to draw on, such as value-add."}
        widgets = {"purpose": forms.TextInput(attrs={"list": "template-angles", "autocomplete": "off"})}


class TriggerForm(RowForm):
    class Meta:
        model = Trigger
        exclude = ("version",)
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

    def said(self) -> str:
        row = self.instance
        return explain({slot.at: getattr(row, slot.at) for slot in self.slots()}).capitalize()


class SourceForm(ParamsForm):
    params = ParamsField(params.SOURCES, label="How it answers")

    class Meta:
        model = Source
        exclude = ("version",)
        labels = {"enabled": "On", "auth_env": "Key's variable", "auth_header": "Key's header"}
        help_texts = {
            "url": "Filled in per company: "
            + ", ".join(f"{{{word}}}" for word in sorted(PLACEHOLDERS))
            + ". Of a file: its name in the folder of sources.",
            "delivers": "Kinds of document; candidate makes it part of market scans. "
            + " · ".join(f"{kind}: {', '.join(given)}" for kind, given in DELIVERS.items())
            + " when empty.",
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

    def said(self) -> str:
        return f"{self.instance.get_kind_display()} {self.instance.url}".strip()

    def _param_problems(self) -> list[tuple[str, str]]:
        row: Mapping[str, Any] = {slot.at: getattr(self.instance, slot.at) for slot in self.slots()}
        try:
            read_source(row)
        except ParamsError as refused:
            return [(at.partition(".")[2], words) for at, words in refused.problems if at.startswith("params")]
        return []


class TemplateForm(RowForm):
    class Meta:
        model = MessageTemplate
        exclude = ("version",)
        help_texts = {
            "requires": "Keys of the criteria whose evidence it speaks of.",
            "body": "Placeholders: " + ", ".join(f"{{{{ {name} }}}}" for name in NAMES)
            + ", {{ fact.KEY }} and {{ month.KEY }} of a criterion. {{ name | words }} falls back on the words.",
        }  # fmt: skip

    def said(self) -> str:
        return f"{self.instance.angle}: {self.instance.subject}"


def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """The columns of a kind of row that a person fills in."""
    shape = ROWS[model.section]  # type: ignore[attr-defined]
    return (*(slot.at for slot in shape.slots), *(("position",) if shape.ranked else ()))
