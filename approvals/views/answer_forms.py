"""What a person fills in when they do an agent's work: one form per kind of work, made from what the task asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone

from approvals.models import Task

_CONFIDENCE = (("0.9", "Certain"), ("0.75", "Likely"), ("0.6", "A hunch"))


@dataclass(frozen=True)
class EvidenceRow:
    """The fields of one criterion."""

    key: str
    label: str
    value: forms.BoundField
    confidence: forms.BoundField
    words: forms.BoundField

    @property
    def fields(self) -> tuple[forms.BoundField, ...]:
        return self.value, self.confidence, self.words


class EvidenceForm(forms.Form):
    """One row per criterion: points, how sure, and why. A row without points is *unknown* and says nothing."""

    def __init__(self, *args: Any, asks: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asks = asks
        for number in range(len(asks)):
            self.fields[f"value_{number}"] = forms.FloatField(
                label="Points", required=False, min_value=0, max_value=100,
                widget=forms.NumberInput(attrs={"placeholder": "0–100"}),
            )  # fmt: skip
            self.fields[f"confidence_{number}"] = forms.ChoiceField(
                label="How sure", choices=_CONFIDENCE, required=False
            )
            self.fields[f"words_{number}"] = forms.CharField(label="What you saw", required=False, max_length=500)

    def rows(self) -> Iterator[EvidenceRow]:
        """The fields, criterion by criterion."""
        for number, ask in enumerate(self.asks):
            own = [self[f"{name}_{number}"] for name in ("value", "confidence", "words")]
            yield EvidenceRow(ask["key"], ask["label"], *own)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        judged = [n for n in range(len(self.asks)) if cleaned.get(f"value_{n}") is not None]
        for number in judged:
            if not cleaned.get(f"words_{number}"):
                self.add_error(f"words_{number}", "Say what you saw: the judgement rests on it.")
        if not judged and not self.errors:
            raise forms.ValidationError("Judge at least one of them, or close the task without an answer.")
        return cleaned

    def filled_in(self, at: datetime) -> Mapping[str, Any]:
        given = self.cleaned_data
        judged = [(n, ask) for n, ask in enumerate(self.asks) if given.get(f"value_{n}") is not None]
        return {
            "observations": [
                {"key": ask["key"], "kind": "judgement", "observed_at": at, "text": given[f"words_{n}"],
                 "data": {"criterion": ask["key"], "points": given[f"value_{n}"]}}
                for n, ask in judged
            ],
            "judgements": [
                {"key": ask["key"], "value": given[f"value_{n}"],
                 "confidence": float(given.get(f"confidence_{n}") or _CONFIDENCE[0][0])}
                for n, ask in judged
            ],
        }  # fmt: skip


class SignalForm(forms.Form):
    """Something seen about the prospect, with its day and where it stands."""

    kind = forms.SlugField(
        label="What kind", max_length=60, initial="news",
        help_text="One word: news, hiring, funding, expansion, new_product, technology …",
        error_messages={"required": "Say in one word what kind of news it is."},
    )  # fmt: skip
    observed_on = forms.DateField(
        label="Day", widget=forms.DateInput(attrs={"type": "date"}),
        error_messages={"required": "Choose the day on which it was seen."},
    )  # fmt: skip
    text = forms.CharField(
        label="What you saw, word for word", max_length=2000, widget=forms.Textarea(attrs={"rows": 4}),
        error_messages={"required": "Write down what you saw, word for word."},
    )  # fmt: skip
    ref = forms.URLField(label="Where it stands (address)", required=False, max_length=300, assume_scheme="https")

    def __init__(self, *args: Any, asks: list[dict[str, Any]], **kwargs: Any) -> None:
        del asks
        super().__init__(*args, **kwargs)

    def clean_observed_on(self) -> Any:
        day = self.cleaned_data["observed_on"]
        if day > timezone.localdate():
            raise forms.ValidationError("That day has not come yet.")
        return day

    def filled_in(self, at: datetime) -> Mapping[str, Any]:
        given = self.cleaned_data
        seen = min(at, datetime.combine(given["observed_on"], timezone.localtime(at).timetz()))
        return {
            "observations": [
                {"key": "seen", "kind": given["kind"], "observed_at": seen, "text": given["text"], "ref": given["ref"]}
            ]
        }


class MessageForm(forms.Form):
    """The words; recipient, sender and footer are put by the app."""

    channel = forms.ChoiceField(label="Channel", error_messages={"required": "Choose how to reach them."})
    subject = forms.CharField(max_length=300, required=False)
    body = forms.CharField(
        label="Words", strip=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 10}),
        error_messages={"required": "Write what should be said."},
    )  # fmt: skip

    def __init__(self, *args: Any, asks: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        channels = asks[0]["channels"] if asks else []
        self.fields["channel"].choices = [(c, c.capitalize()) for c in channels]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("channel") == "email" and not cleaned.get("subject"):
            self.add_error("subject", "An e-mail needs a subject.")
        return cleaned

    def filled_in(self, at: datetime) -> Mapping[str, Any]:
        del at
        return dict(self.cleaned_data)


class ChannelForm(forms.Form):
    """Which channel, among those our numbers allow."""

    channel = forms.ChoiceField(
        label="Channel", widget=forms.RadioSelect(attrs={"class": "choices"}),
        error_messages={"required": "Choose a channel, or to do nothing."},
    )  # fmt: skip

    def __init__(self, *args: Any, asks: list[dict[str, Any]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(ask["channel"], f"{_name(ask['channel'])}: {ask['rationale']}") for ask in asks]
        self.fields["channel"].choices = choices  # type: ignore[attr-defined]

    def filled_in(self, at: datetime) -> Mapping[str, Any]:
        del at
        return dict(self.cleaned_data)


def _name(channel: str) -> str:
    return "Do nothing" if channel == "none" else channel.capitalize()


AnswerForm = EvidenceForm | SignalForm | MessageForm | ChannelForm
_FORMS: dict[str, type[AnswerForm]] = {
    "evidence": EvidenceForm,
    "signal": SignalForm,
    "message": MessageForm,
    "channel": ChannelForm,
}


def form_for(task: Task, data: Any = None) -> AnswerForm:
    """The blank or filled-in form of an agent's task."""
    return _FORMS[task.form](data, asks=task.asks)
