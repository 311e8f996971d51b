"""What a person fills in to decide. Each form says beside its field what is missing."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from django import forms
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString

from approvals.services.decide import REJECT_REASONS

MORNING = time(9, 0)


class EditForm(forms.Form):
    """The words before they go out, changed by the person who answers for them."""

    subject = forms.CharField(
        max_length=300,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "An e-mail needs a subject."},
    )
    body = forms.CharField(
        label="Words",
        strip=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"class": "words", "rows": 10}),
        error_messages={"required": "Write what should be said, or reject the request."},
    )

    def __init__(self, *args: object, channel: str = "email", **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        # Only e-mail has a subject; a call script or a note goes without.
        self.fields["subject"].required = channel == "email"


class RejectForm(forms.Form):
    """Why not: one reason of the list, and words if they help the next draft."""

    reason_code = forms.ChoiceField(
        label="Why not?",
        choices=REJECT_REASONS,
        widget=forms.RadioSelect(attrs={"class": "choices"}),
        error_messages={"required": "Choose the reason that fits best."},
    )
    words = forms.CharField(
        label="In your words", required=False, max_length=2000, widget=forms.Textarea(attrs={"rows": 2})
    )


class DeferForm(forms.Form):
    """Until when it should wait: days are those of ``zone``, where the client is."""

    WHEN = (
        ("tomorrow", "Tomorrow morning"),
        ("three_days", "In three days"),
        ("monday", "Next Monday"),
        ("two_weeks", "In two weeks"),
        ("at", "On the day below"),
    )

    when = forms.ChoiceField(
        label="Ask again",
        choices=WHEN,
        initial="tomorrow",
        widget=forms.RadioSelect(attrs={"class": "choices"}),
        error_messages={"required": "Choose when to ask again."},
    )
    day = forms.DateField(label="Day", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    words = forms.CharField(label="Why", required=False, max_length=2000)

    def __init__(self, *args: object, zone: ZoneInfo | None = None, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.zone = zone or ZoneInfo("UTC")

    def clean(self) -> dict[str, object]:
        cleaned = super().clean() or {}
        if cleaned.get("when") == "at":
            day = cleaned.get("day")
            if not day:
                self.add_error("day", "Choose the day.")
            elif day <= self._today():
                self.add_error("day", "Choose a day after today.")
        return cleaned

    def _today(self) -> date:
        return timezone.now().astimezone(self.zone).date()

    def until(self) -> datetime:
        """The chosen moment: nine in the morning of that day."""
        today = self._today()
        days = {
            "tomorrow": timedelta(days=1),
            "three_days": timedelta(days=3),
            "monday": timedelta(days=7 - today.weekday()),
            "two_weeks": timedelta(days=14),
        }
        choice = self.cleaned_data["when"]
        day = self.cleaned_data["day"] if choice == "at" else today + days[choice]
        return datetime.combine(day, MORNING, self.zone)


class HandBackForm(forms.Form):
    """What the next draft should do differently."""

    words = forms.CharField(
        label="What should change?",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": "Say what the next draft should do differently."},
    )


class ResolveForm(forms.Form):
    """How a task ended."""

    words = forms.CharField(label="Note", required=False, max_length=2000)


@cache
def blank_fields(form: type[forms.Form], name: str) -> SafeString:
    """The fields of a form that nobody has filled in, drawn once: they are the same for everybody."""
    return render_to_string("partials/form_fields.html", {"form": form(auto_id=f"{name}_%s")})
