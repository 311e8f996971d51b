"""What is known of a prospect's buying, and the forms in which a person says more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from prospects.models import Prospect
from prospects.reading.buying import Row, buying_of
from prospects.rules.frameworks import LETTERS
from prospects.rules.psychologic import FORCES, HYPOTHESES
from prospects.services import buying as service
from salesops.access import ClientRequest, holds_any, require_role
from salesops.errors import NotAllowed, Refusal
from salesops.ids import id_in
from salesops.partials import render_page

_ANSWERS = ((service.SAID, "They say so"), (service.DENIED, "They deny it"), (service.NOT_KNOWN, "Not known any more"))


class Said(forms.Form):
    """Words, who said them and when: what every answer needs."""

    quote = forms.CharField(max_length=2000, required=False)
    speaker = forms.CharField(max_length=120, required=False)
    said_on = forms.DateField(error_messages={"required": "Choose the day on which they said it."})


class LetterForm(Said):
    """What is known of one letter; its elements are named ``e-…``."""

    letter = forms.ChoiceField(
        choices=[(name, name) for name in LETTERS], error_messages={"required": "Choose what it is about."}
    )
    answer = forms.ChoiceField(choices=_ANSWERS, error_messages={"required": "Choose whether they say so or deny it."})


class ForceForm(Said):
    """How strongly one force moves or holds them."""

    force = forms.ChoiceField(
        choices=[(name, name) for name in FORCES], error_messages={"required": "Choose what moves or holds them."}
    )
    strength = forms.IntegerField(
        min_value=0, max_value=3, error_messages={"required": "Choose how strong it is, from 0 to 3."}
    )


class MotiveForm(Said):
    """What they say they want, and our guess behind it."""

    hypothesis = forms.ChoiceField(choices=[("", ""), *HYPOTHESES.items()], required=False)
    why = forms.CharField(max_length=2000, required=False)
    disconfirmer = forms.CharField(max_length=2000, required=False)
    supports = forms.TypedMultipleChoiceField(coerce=int, required=False)

    def __init__(self, data: Any) -> None:
        super().__init__(data)
        given = [value for value in data.getlist("supports") if id_in(value) is not None]
        self.fields["supports"].choices = [(value, value) for value in given]  # type: ignore[attr-defined]


_FORMS: dict[str, type[Said]] = {"letter": LetterForm, "force": ForceForm, "motive": MotiveForm}


@require_http_methods(["GET", "POST"])
@require_role()
def buying(request: ClientRequest, pk: int) -> HttpResponse:
    """Letters, forces and motives of one prospect; a person says more by the forms beside them."""
    rows = Prospect.objects.for_client(request.client).select_related("company", "contact", "playbook")
    prospect = get_object_or_404(rows, pk=pk)
    may_tell = holds_any(request, service.TELLERS)
    refused = ""
    if request.method == "POST":
        if not may_tell:
            raise NotAllowed("Reviewers, leaders and admins say what is known.")
        refused = _told(request, prospect)
        if not refused:
            messages.success(request, "Noted. The next look of the agents counts it in.")
            return redirect(f"{reverse('prospects:buying', args=[pk])}#{_place(request.POST)}")
    found = buying_of(prospect)
    context = {
        "prospect": prospect, "buying": found, "may_tell": may_tell, "answers": _ANSWERS, "hypotheses": HYPOTHESES,
        "today": timezone.localdate(), "strengths": range(4), "refused": refused, **_typed(request, found.rows),
    }  # fmt: skip
    status = 422 if refused else 200
    return render_page(request, "prospects/buying.html", context, partial="buying", status=status)


def _place(given: Any) -> str:
    """Where on the page stands what was said."""
    letter = f"letter-{given.get('letter', '')}"
    return {"force": "bu-forces", "motive": "bu-motive"}.get(given.get("what", ""), letter)


def _typed(request: ClientRequest, rows: list[Row]) -> dict[str, Any]:
    """Each letter's row, the forces and the motive, with what was typed beside them and refused."""
    typed: dict[str, Any] = request.POST.dict()
    place = _place(typed) if typed else ""
    elements = {name.removeprefix("e-"): value for name, value in typed.items() if name.startswith("e-")}
    shown = [
        (replace(row, values={**row.values, **elements}), typed) if place == f"letter-{row.letter.name}" else (row, {})
        for row in rows
    ]
    return {
        "rows": shown,
        "force_typed": typed if place == "bu-forces" else {},
        "motive_typed": typed if place == "bu-motive" else {},
        "supports": [id_in(value) for value in request.POST.getlist("supports")],
    }


def _told(request: ClientRequest, prospect: Prospect) -> str:
    """Keep what was said; or why it cannot be kept."""
    kind = _FORMS.get(request.POST.get("what", ""))
    form = kind(request.POST) if kind is not None else None
    if form is None or not form.is_valid():
        field, errors = next(iter(form.errors.items())) if form is not None else ("what", ["choose what to say"])
        return f"{field.replace('_', ' ').capitalize()}: {errors[0]}"
    try:
        _keep(request, prospect, form, form.cleaned_data)
    except Refusal as refusal:
        return refusal.message
    return ""


def _keep(request: ClientRequest, prospect: Prospect, form: forms.Form, given: dict[str, Any]) -> None:
    who: dict[str, Any] = {"client": request.client, "actor": request.user, "at": timezone.now()}
    quote = service.Quote(given["said_on"], given["quote"], given["speaker"])
    if isinstance(form, LetterForm):
        asked = LETTERS[given["letter"]].elements
        elements = {name: request.POST.get(f"e-{name}", "")[:500] for name in asked}
        answer = service.LetterAnswer(given["letter"], given["answer"], quote, elements)
        service.answer_letter(prospect.pk, answer, **who)
    elif isinstance(form, ForceForm):
        service.tell_force(prospect.pk, given["force"], given["strength"], quote=quote, **who)
    else:
        guess = service.MotiveGuess(given["hypothesis"], given["why"], given["disconfirmer"], given["supports"])
        service.tell_motive(prospect.pk, stated=quote, guess=guess if guess.hypothesis else None, **who)
