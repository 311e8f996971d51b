"""The forms of each kind of row in a playbook: its own fields, help and words, on top of what every row has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms

from playbooks.admin.fields import ChoiceListField, ParamsField
from playbooks.admin.forms import RowForm
from playbooks.models import (
    AgentAssignment,
    Criterion,
    MessageTemplate,
    SequenceStep,
    Source,
    StageRule,
    Trigger,
    ValueProposition,
)
from playbooks.rules import known_agents, params
from playbooks.rules.criteria import CATEGORIES, LAYERS, parse_params
from playbooks.rules.describe import describe
from playbooks.rules.param_reader import ParamsError
from playbooks.rules.sources import DELIVERS, PLACEHOLDERS, read_source
from playbooks.rules.spelling import sentence
from playbooks.rules.stages import MOVES
from playbooks.rules.templating import NAMES
from playbooks.rules.triggers import METRICS, explain


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
                found.setdefault(re.split(r"[.\[]", name, maxsplit=1)[0], []).append(sentence(words))
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
        labels = {"half_life_days": "Half-life in days", "missing": "When nothing is known", "key": "Key",
                  "missing_value": "Points meanwhile"}  # fmt: skip

    def said(self) -> str:
        row = self.instance
        return f"{describe(row.kind, row.params)} Weight {row.weight:g}."

    def _param_problems(self) -> list[tuple[str, str]]:
        try:
            parse_params(self.instance.kind, self.instance.params or {})
        except ParamsError as refused:
            return refused.problems
        return []


class PropositionForm(RowForm):
    class Meta:
        model = ValueProposition
        exclude = ("version",)
        help_texts = {"segment": "For whom: the words of a template's segment. Empty: for everybody."}
        widgets = {name: forms.TextInput(attrs={"class": "sentence-input"}) for name in ("pain", "promise", "proof")}

    def said(self) -> str:
        return f"{self.instance.segment or 'Everybody'}: {self.instance.pain}"


class StageRuleForm(RowForm):
    required_categories = ChoiceListField(CATEGORIES)
    required_layers = ChoiceListField(LAYERS)

    class Meta:
        model = StageRule
        exclude = ("version",)
        labels = {"route": "For whom", "needs_person": "A person confirms", "confirm_from_value": "A person from value"}
        help_texts = {
            "min_categories": "Independent ones with evidence.",
            "min_score": "0 to 100. Empty: none is asked.",
            "min_coverage": "0 to 1. Empty: none is asked.",
        }

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
        count, named = row.min_categories, ", ".join([*row.required_categories, *row.required_layers])
        asked = [f"{count} categor{'y' if count == 1 else 'ies'}" if count else ""]
        asked += [f"among them {named}" if named and count else named]
        asked += [f"score {row.min_score:g}" if row.min_score is not None else ""]
        asked += [f"coverage {row.min_coverage:g}" if row.min_coverage is not None else ""]
        asked += [f"{row.get_route_display().lower()} only" if row.route != StageRule.OnlyFor.ANY else ""]
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
        help_texts = {
            "implementation": "Who does the work. An agent without a row here works by its rules.",
            "model": "Of a language model: its name. Empty: the installation's own.",
        }

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
            "angle": "What it leads with; the purpose of a sequence step names one.",
            "segment": "Empty: for everybody.",
            "body": "Placeholders: " + ", ".join(f"{{{{ {name} }}}}" for name in NAMES)
            + ", {{ fact.KEY }} and {{ month.KEY }} of a criterion. {{ name | words }} falls back on the words.",
        }  # fmt: skip
        widgets = {"subject": forms.TextInput(attrs={"class": "sentence-input"})}

    def said(self) -> str:
        return f"{self.instance.angle}: {self.instance.subject}"
