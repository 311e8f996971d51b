"""Form fields for what playbooks hold, each saying what it expects in the words that YAML uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextareaWidget
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.template.loader import render_to_string

from playbooks.rules import params
from playbooks.rules.document import Slot
from playbooks.rules.shapes import expected
from playbooks.rules.wordlists import join_words, split_words

_SPARE_ROWS = 1
_MOST_ROWS = 200


def one_line_or_more(text: str) -> int:
    """How many lines a box needs to show its text."""
    return max(1, min(12, text.count("\n") + 1 + len(text) // 90))


class WordsInput(forms.Textarea):
    """A list of words: one line that grows with what is in it."""

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__({"class": "words-input", "spellcheck": "false", "cols": 60, **(attrs or {})})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, value, {"rows": one_line_or_more(str(value or "")), **(attrs or {})})


class LinesField(forms.CharField):
    """Text of several lines, kept as written: browsers send CR LF, playbooks hold LF."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "strip": False})

    def to_python(self, value: Any) -> str | None:
        text = super().to_python(value)
        return text.replace("\r\n", "\n").replace("\r", "\n") if text else text


class WordsField(forms.CharField):
    """A list as words with commas or lines between them."""

    widget = WordsInput

    def __init__(self, *, base_field: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.longest: int | None = getattr(base_field, "max_length", None)  # of array columns, whose items are words

    def prepare_value(self, value: Any) -> Any:
        return join_words(value) if isinstance(value, (list, tuple)) else value

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]
        return list(value) if isinstance(value, (list, tuple)) else split_words(value or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(data) != self.to_python(self.prepare_value(list(initial or [])))

    def validate(self, value: Any) -> None:
        if self.required and not value:
            raise forms.ValidationError(self.error_messages["required"])
        for word in value:
            if self.longest and len(word) > self.longest:
                found = f"“{word[:20]}…” has {len(word):,}. Put commas or lines between several."
                raise forms.ValidationError(f"Expected at most {self.longest} characters each; {found}")

    def run_validators(self, value: Any) -> None:
        """The playbook's rules judge the list; those of text do not apply."""


#: For ``formfield_overrides``: how the admin shows columns of long text and of words.
#: (A column's callable default would make Django compare with a hidden copy instead of the stored value.)
PLAIN_FIELDS: dict[Any, Any] = {
    models.TextField: {"form_class": LinesField, "widget": AdminTextareaWidget},
    ArrayField: {"form_class": WordsField, "widget": WordsInput, "max_length": None, "show_hidden_initial": False},
}


class ChoiceListField(forms.MultipleChoiceField):
    """Several of a few words, as check boxes; kept as a list."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, words: Iterable[str], **kwargs: Any) -> None:
        super().__init__(choices=[(word, word.capitalize()) for word in words], required=False, **kwargs)


class ParamsInput(forms.Widget):
    """The parameters of one kind, each in a field of its own; ``problems`` (parameter → words) stand beside theirs."""

    def __init__(self, section: str) -> None:
        super().__init__()
        self.section = section
        self.kind = ""
        self.problems: Mapping[str, list[str]] = {}

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, Any]:
        """What was filled in, by parameter, and under "" the kind it was filled in for."""
        kind = str(data.get(f"{name.removesuffix('params')}kind", ""))
        given: dict[str, Any] = {"": kind}
        for param in params.params_of(self.section, kind):
            at = f"{name}-{param.name}"
            given[param.name] = _posted_rows(data, at) if param.shape in params.ROW_SHAPES else data.get(at)
        return given

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return False

    def id_for_label(self, id_: str) -> str:
        return ""

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> Any:
        del attrs, renderer
        given = value if isinstance(value, dict) else {}
        kind = given.get("", self.kind)
        shown = [self._shown(name, param, given.get(param.name)) for param in params.params_of(self.section, kind)]
        context = {"section": self.section, "name": name, "kind": kind, "params": shown}
        return render_to_string("admin/playbooks/params.html", context)

    def _shown(self, name: str, param: params.Param, value: Any) -> dict[str, Any]:
        at = f"{name}-{param.name}"
        shown: dict[str, Any] = {"param": param, "at": at, "id": f"id_{at}", "value": value or "",
                                 "problems": self.problems.get(param.name, ())}  # fmt: skip
        if param.shape in params.ROW_SHAPES:
            spare = max(_SPARE_ROWS, 2 - len(value or ()) if param.shape == "breakpoints" else 0)
            shown["rows"] = [*(value or ()), *[("", "")] * spare]
        elif param.shape in ("words", "data"):
            shown["lines"] = one_line_or_more(str(value or ""))
        return shown


def _posted_rows(data: Any, at: str) -> list[tuple[str, str]]:
    rows = []
    for index in range(_MOST_ROWS):
        if f"{at}-{index}-0" not in data and f"{at}-{index}-1" not in data:
            break
        rows.append((str(data.get(f"{at}-{index}-0", "")), str(data.get(f"{at}-{index}-1", ""))))
    return rows


class ParamsField(forms.Field):
    """The parameters of a criterion or source, in the fields that its kind has."""

    widget: ParamsInput

    def __init__(self, section: str, **kwargs: Any) -> None:
        self.section = section
        super().__init__(**{"required": False, "widget": ParamsInput(section), **kwargs})

    def show(self, kind: str, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Stored parameters as the widget shows them."""
        found = {p.name: params.spread(p, stored.get(p.name)) for p in params.params_of(self.section, kind)}
        return {"": kind, **found}

    def to_python(self, value: Any) -> dict[str, Any]:
        given = value if isinstance(value, dict) else {}
        return params.gathered(self.section, given.get("", ""), given)

    def has_changed(self, initial: Any, data: Any) -> bool:
        before, now = initial or {}, data or {}
        if before.get("", "") != now.get("", ""):
            return True
        return not params.same_params(self.section, now.get("", ""), self.to_python(before), self.to_python(now))


def say_what_is_expected(field: forms.Field, slot: Slot) -> None:
    """Give a field the words of its slot for whatever it refuses by itself."""
    wanted = expected(slot)
    if isinstance(field, forms.MultipleChoiceField):
        wanted = f"one of {', '.join(str(value) for value, _ in list(field.choices))}"  # type: ignore[arg-type]
    is_name = isinstance(field, forms.SlugField)
    field.error_messages |= {
        "required": f"This is missing; expected {wanted}.",
        "invalid": "Expected letters, figures, - or _." if is_name else f"Expected {wanted}.",
        "invalid_choice": f"Expected {wanted}; got %(value)s.",
        "min_value": "Expected %(limit_value)s or more, got %(show_value)s.",
        "max_value": "Expected at most %(limit_value)s, got %(show_value)s.",
        "max_length": "Expected at most %(limit_value)d characters, got %(show_value)d.",
        "max_decimal_places": "Expected an amount with at most %(max)s decimals.",
        "max_digits": "Expected a smaller amount: at most %(max)s digits.",
        "max_whole_digits": "Expected a smaller amount: at most %(max)s digits before the point.",
    }
