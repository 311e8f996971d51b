"""Forms for playbook drafts: every value in a field of its own, with what is wrong beside it.

Which fields a row has follows ``playbooks.rules.document``: a slot that is added there has its field, its choices and
its words here at once.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.db import models

from playbooks.admin.fields import ChoiceListField, ParamsField, WordsField, say_what_is_expected
from playbooks.rules.document import ROWS, Slot, head_slots
from playbooks.rules.row_checks import Seen
from playbooks.rules.spelling import sentence
from playbooks.rules.validation import repeated
from playbooks.services import drafts
from salesops.generics import AnyInlineFormSet, AnyModelForm

_ROW_OF = re.compile(r"(criteria|sources)-(\d+)-key")
_WHOLE_PLAYBOOK = "criteria-TOTAL_FORMS"
_ACRONYMS = {"emails": "E-mails", "crm": "CRM", "sms": "SMS", "linkedin": "LinkedIn", "url": "URL"}
_ACRONYM = re.compile(r"\b(" + "|".join(_ACRONYMS) + r")\b", re.IGNORECASE)


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


def _spelled(label: str) -> str:
    return _ACRONYM.sub(lambda found: _ACRONYMS[found[0].lower()], label)


def _head_label(slot: Slot) -> str:
    """What a field of the version is called, also where it is only read; under a heading, without its words."""
    return _spelled((slot.name if slot.at.startswith("icp_") else slot.at).replace("_", " ").capitalize())


def _plainly(value: Any) -> Any:
    """A number as a person writes it: 70 and 0.6, not 70.0."""
    return f"{value:.15g}" if isinstance(value, float) else value


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
        if isinstance(field, forms.FloatField):
            field.prepare_value = _plainly  # type: ignore[method-assign]
        if field.label:
            field.label = _spelled(str(field.label))
        self.fields[slot.at] = field
        say_what_is_expected(field, slot)

    def _post_clean(self) -> None:
        own = {name: list(found.as_data()) for name, found in self.errors.items()}
        refused = {name: found if name == NON_FIELD_ERRORS else found[:1] for name, found in own.items()}
        super()._post_clean()  # type: ignore[misc]
        for name, found in refused.items():
            self.errors[name].data[:] = found


class VersionForm(SlotForm):
    """The version's own row. The page says which edit of the draft it showed; see ``clean``."""

    class Meta:
        labels: ClassVar[dict[str, str]] = {
            slot.at: _head_label(slot)
            for _, slot in head_slots().values()
            if slot.at.startswith("icp_") or _ACRONYM.search(slot.at.replace("_", " "))
        }

    @property
    def seen_edit(self) -> int | None:
        """The number of edits of the draft when its page was opened; None where the page did not say."""
        given = str(self.data.get("seen_edit", ""))
        return int(given) if given.isdecimal() and len(given) < 10 else None

    @property
    def is_behind(self) -> bool:
        """Whether somebody else saved the draft since its page was opened."""
        seen = self.seen_edit
        return bool(self.instance.pk and seen is not None and seen != self.instance.edit_no)

    def clean(self) -> dict[str, Any] | None:
        """Whoever saves second is told what the first one changed, keeps what they typed, and may then save again."""
        cleaned = super().clean()
        if self.is_behind:
            told = drafts.edits_since(self.instance, self.seen_edit or 0)
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
                if identity == tuple(
                    owner[column].value() for column in row
                ):  # it is, and something else is wrong with it
                    words = f"{' → '.join(map(str, identity))} is already said in row {self.forms.index(owner) + 1}"
                self._refuse(form, shape.identity[-1], words)

    def _counts(self, form: Any) -> bool:
        is_blank = form.empty_permitted and not form.has_changed()
        return bool(form.is_valid() and not is_blank and form not in self.deleted_forms)

    def _stored(self, form: Any) -> tuple[Any, ...]:
        return tuple(form.initial.get(column) for column in ROWS[self.section].identity)

    def _refuse(self, form: Any, column: str, words: str) -> None:
        at = column if column in form.fields else None
        form.add_error(at, sentence(words))


def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """The columns of a kind of row that a person fills in."""
    shape = ROWS[model.section]  # type: ignore[attr-defined]
    return (*(slot.at for slot in shape.slots), *(("position",) if shape.ranked else ()))
