"""Erasing a person: finding them, seeing what would go, saying so word for word, and what stays of it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from playbooks.models import Role
from prospects.erasure.keys import known_as
from prospects.models import Contact, Erasure
from prospects.services.erasing import erasure
from salesops.access import ClientRequest, require_role
from salesops.errors import Refusal
from salesops.paging import keyset_page
from salesops.partials import render_page

PAGE_SIZE = 30
MOST_FOUND = 20


class ErasureForm(forms.Form):
    """Why, and the person's name once more: what goes does not come back."""

    reason = forms.CharField(
        max_length=erasure.REASON_LENGTH, label="Why?",
        help_text="Stays for good, so do not name the person. For instance: asked by e-mail on 3 May.",
        error_messages={"required": "Say why, without naming the person."},
    )  # fmt: skip
    typed = forms.CharField(
        max_length=200, label="Type their name to confirm", widget=forms.TextInput({"autocomplete": "off"}),
        error_messages={"required": "Type their name as it stands above. Nothing was erased."},
    )  # fmt: skip

    def __init__(self, *args: Any, name: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._name = name

    def clean_typed(self) -> str:
        """The name as it stands on file, in any case."""
        typed: str = self.cleaned_data["typed"]
        if " ".join(typed.casefold().split()) != " ".join(self._name.casefold().split()):
            raise forms.ValidationError("That is not the name on file. Nothing was erased.")
        return typed


@require_http_methods(["GET", "POST"])
@require_role(Role.ADMIN)
def erasure_list(request: ClientRequest) -> HttpResponse:
    """Who was erased, as far as that can be told, and the way to somebody who asks to be.

    An address is looked for by POST, which writes nothing: addresses of pages end up in logs and histories.
    """
    email = request.POST.get("email", "").strip()
    page = keyset_page(
        Erasure.objects.for_client(request.client).select_related("by"), keys=("-id",), request=request, size=PAGE_SIZE
    )
    found = list(known_as(request.client, email)[:MOST_FOUND]) if email else []
    context = {"page": page, "email": email, "found": found}
    return render_page(request, "prospects/erasures.html", context, partial="rows")


@require_http_methods(["GET", "POST"])
@require_role(Role.ADMIN)
def erase_page(request: ClientRequest, pk: int) -> HttpResponse:
    """Who they are on file and what would go; and, once their name is typed, erasing them."""
    contact = get_object_or_404(Contact.objects.for_client(request.client).select_related("company", "client"), pk=pk)
    if contact.erased_at is not None:
        messages.info(request, "They are erased already.")
        return redirect("prospects:erasures")
    form = ErasureForm(request.POST or None, name=contact.name)
    if request.method == "POST" and form.is_valid():
        try:
            done = erasure.erase_person(contact, actor=request.user, reason=form.cleaned_data["reason"])
        except Refusal as refusal:
            form.add_error(None, refusal.message)
        else:
            messages.success(request, f"Erased: {sum(done.counts.values()):,} rows lost their words.")
            return redirect("prospects:erasures")
    context = {"contact": contact, "form": form, "counts": erasure.preview(contact)}
    return render_page(request, "prospects/erase.html", context, status=422 if form.errors else 200)
