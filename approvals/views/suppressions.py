"""The suppression list: whom this client leaves alone, whether somebody is among them, and adding more."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from approvals.models import Suppression
from approvals.reading.suppressions import look_up, suppressions_of
from approvals.rules.leave_alone import BadLineError, Keys, keys_in, keys_of
from approvals.services import suppress
from salesops.access import ClientRequest, require_role
from salesops.paging import keyset_page
from salesops.partials import render_page
from salesops.templatetags.figures import num

PAGE_SIZE = 50
MOST_BYTES = 1_000_000


def _reason() -> forms.CharField:
    return forms.CharField(
        label="Why",
        max_length=200,
        help_text="Stays for good, so name nobody. For instance: asked on the phone on 3 May.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Say why: the list keeps it for good."},
    )


class WhomForm(forms.Form):
    """Somebody by address, number or profile, or everybody at a domain."""

    whom = forms.CharField(
        label="Whom",
        max_length=300,
        help_text="An e-mail address, a domain, a number that begins with +, or a LinkedIn address.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Write an e-mail address, a domain, a number or a LinkedIn address."},
    )

    def clean_whom(self) -> Keys:
        """As the list compares it."""
        try:
            return keys_of(self.cleaned_data["whom"])
        except BadLineError as refused:
            raise forms.ValidationError(str(refused)[:1].upper() + str(refused)[1:]) from refused


class LeaveAloneForm(WhomForm):
    """The same, and why."""

    whom = forms.CharField(widget=forms.HiddenInput, max_length=300, error_messages={"required": "Say whom."})
    reason = _reason()


class ListForm(forms.Form):
    """A list of people who refused before, and where it comes from."""

    file = forms.FileField(
        label="File",
        help_text="Addresses, domains, numbers or LinkedIn addresses, one a line; at most 1\u202fMB.",
        error_messages={"required": "Choose the file.", "empty": "This file is empty. Choose one with lines in it."},
    )
    reason = _reason()

    def clean_file(self) -> Keys:
        """The file as the list compares it."""
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if (file.size or 0) > MOST_BYTES:
            raise forms.ValidationError("This file is larger than 1 MB. Part it, or let an operator bring it in.")
        try:
            return list(keys_in(file.read().decode("utf-8-sig").splitlines()))
        except UnicodeDecodeError as refused:
            raise forms.ValidationError("This file is no plain text in UTF-8. Save it as such.") from refused
        except BadLineError as refused:
            raise forms.ValidationError(f"{refused} Nothing was taken in.") from refused


@require_http_methods(["GET", "POST"])
@require_role()
def suppressions(request: ClientRequest) -> HttpResponse:
    """The list, newest first; and by POST, which writes nothing, whether somebody is on it.

    Addresses of pages end up in logs and histories: whom somebody asks about does not belong there.
    """
    form = WhomForm(request.POST) if request.method == "POST" else WhomForm()
    asked = form.is_bound and form.is_valid()
    named = LeaveAloneForm(initial={"whom": request.POST["whom"]}) if asked else None
    return _page(request, form, named, status=200 if asked or not form.is_bound else 422)


@require_POST
@require_role()
def leave_alone(request: ClientRequest) -> HttpResponse:
    """Put somebody on the list, for good."""
    form = LeaveAloneForm(request.POST)
    if not form.is_valid():
        whom = WhomForm(request.POST)
        return _page(request, whom, form if whom.is_valid() else None, status=422)
    given = form.cleaned_data
    written = suppress.leave_alone(
        given["whom"], client=request.client, actor=request.user, reason=given["reason"], source="by hand"
    )
    _told(request, len(written))
    return redirect("approvals:suppressions")


@require_POST
@require_role()
def leave_alone_list(request: ClientRequest) -> HttpResponse:
    """Put everybody of a file on the list."""
    form = ListForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, WhomForm(), None, file=form, status=422)
    given = form.cleaned_data
    written = suppress.add(
        given["file"], client=request.client, actor=request.user, reason=given["reason"], source="list"
    )
    _told(request, len(written))
    return redirect("approvals:suppressions")


def _told(request: ClientRequest, written: int) -> None:
    if written:
        lines = "line" if written == 1 else "lines"
        messages.success(request, f"{num(written)} {lines} more on the list. It holds at once, on every channel.")
    else:
        messages.info(request, "All of it was on the list already.")


def _page(
    request: ClientRequest, form: WhomForm, named: LeaveAloneForm | None, *, file: ListForm | None = None, status: int
) -> HttpResponse:
    page = keyset_page(suppressions_of(request.client), keys=("-id",), request=request, size=PAGE_SIZE)
    context: dict[str, Any] = {"page": page, "form": form, "named": named, "file_form": file or ListForm()}
    if named is not None:
        keys = form.cleaned_data["whom"]
        context |= {"answer": look_up(request.client, keys), "whom": request.POST["whom"].strip()}
        context["is_domain"] = not any(scope == Suppression.Scope.PERSON for scope, _ in keys)
    return render_page(request, "approvals/suppressions.html", context, partial="rows", status=status)
