"""The forms of the import page."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django import forms
from django.conf import settings

from playbooks.models import Client, Playbook
from prospects.importing.columns import IGNORE, KEEP, LABELS, Choice
from prospects.models import ImportBatch

_MEGABYTE = 1_000_000


class UploadForm(forms.Form):
    """A file and what it is about."""

    file = forms.FileField(
        label="File",
        error_messages={
            "required": "Choose the file to import.",
            "empty": "This file is empty. Choose one with rows in it.",
        },
    )
    kind = forms.ChoiceField(
        label="What is in it",
        choices=ImportBatch.Kind.choices,
        error_messages={"required": "Choose what is in the file."},
    )
    playbook = forms.ModelChoiceField(
        label="Playbook",
        queryset=Playbook.objects.none(),
        empty_label=None,
        error_messages={"required": "Choose the playbook it is for."},
    )
    as_of = forms.DateField(
        label="True as of", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="For rows without a date of their own. Empty: today.",
    )  # fmt: skip
    source_name = forms.CharField(
        label="Source", required=False, max_length=120,
        help_text="Where the file comes from, your CRM for instance. Ids in it belong there. Empty: the file's name.",
    )  # fmt: skip

    def __init__(self, *args: Any, client: Client, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["playbook"].queryset = Playbook.objects.for_client(client)  # type: ignore[attr-defined]
        limit = settings.IMPORT_MAX_BYTES // _MEGABYTE
        self.fields[
            "file"
        ].help_text = f"CSV (any delimiter and encoding), JSON or JSON lines, also gzipped; at most {limit:,} MB."

    def clean_as_of(self) -> datetime | None:
        day = self.cleaned_data.get("as_of")
        return None if day is None else datetime.combine(day, time(), tzinfo=UTC)


class ColumnForm(forms.Form):
    """One select per column: what it means. Fields are named by position, because headers can be anything."""

    day_first = forms.ChoiceField(
        label="Dates such as 3/4/2026", required=False,
        choices=[("", "Look at the column"), ("yes", "3 April"), ("no", "March 4")],
    )  # fmt: skip

    def __init__(
        self, *args: Any, choices: list[Choice], current: dict[str, str], targets: tuple[str, ...],
        day_first: bool | None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(*args, **kwargs)
        self._columns = [choice.column for choice in choices]
        options = [(KEEP, LABELS[KEEP]), (IGNORE, LABELS[IGNORE]), *((name, LABELS[name]) for name in targets)]
        self.fields["day_first"].initial = {True: "yes", False: "no", None: ""}[day_first]
        for position, choice in enumerate(choices):
            self.fields[f"column_{position}"] = forms.ChoiceField(
                label=f"Meaning of the column {choice.column}", choices=options,
                initial=current.get(choice.column, choice.target),
            )  # fmt: skip
        self._choices = choices

    def rows(self) -> list[tuple[Choice, forms.BoundField]]:
        """Each column with its select, for the table."""
        return [(choice, self[f"column_{position}"]) for position, choice in enumerate(self._choices)]

    def columns(self) -> dict[str, str]:
        """Column → chosen meaning."""
        return {column: self.cleaned_data[f"column_{i}"] for i, column in enumerate(self._columns)}

    def chosen_day_first(self) -> bool | None:
        return {"yes": True, "no": False}.get(self.cleaned_data.get("day_first", ""))
