"""Signing in by e-mail address, and ways to another password, with pages for those who tried too often."""

from __future__ import annotations

from typing import Any, ClassVar

import structlog
from axes.helpers import get_client_ip_address
from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, PasswordResetForm
from django.contrib.auth.views import PasswordResetView
from django.http import HttpRequest, HttpResponse

from salesops.generics import AnySetPasswordForm
from salesops.partials import render_page
from salesops.throttle import asked_too_often

log = structlog.get_logger(__name__)


class SaysWhatIsMissing(forms.Form):
    """A form of Django's whose empty fields say what to write there."""

    missing: ClassVar[dict[str, str]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, words in self.missing.items():
            self.fields[name].error_messages["required"] = words


class EmailSignInForm(SaysWhatIsMissing, AuthenticationForm):
    """Django's form with the address lower-cased: spelling it another way buys no further attempts."""

    missing = {"username": "Write your e-mail address.", "password": "Write your password."}
    error_messages = {
        "invalid_login": (
            "That e-mail address and password do not fit together. Check both; the password is case-sensitive."
        ),
        "inactive": "This account has been switched off. Ask an admin to switch it on again.",
    }

    username = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(attrs={"autofocus": True, "autocomplete": "username"}),
        error_messages={"invalid": "Write the whole address, such as dana@example.com."},
    )

    def clean_username(self) -> str:
        """The address as it is stored and throttled."""
        return str(self.cleaned_data["username"]).strip().lower()


class NewLinkForm(SaysWhatIsMissing, PasswordResetForm):
    """Where to send the link to a new password."""

    missing = {"email": "Write the e-mail address you sign in with."}


class NewLinkView(PasswordResetView):
    """Sends a link to a new password, so often and no more: nobody's mailbox is flooded with them.

    Known addresses and others are counted alike, so that the answer tells nobody who has an account.
    """

    form_class = NewLinkForm

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        source, address = str(get_client_ip_address(self.request)), form.cleaned_data["email"].strip().casefold()
        within = settings.AXES_COOLOFF_TIME
        # The source first: whom it asks for once it may not is not made to wait for it.
        if asked_too_often("links.source", source, most=settings.LINKS_A_SOURCE, within=within) or asked_too_often(
            "links.address", address, most=settings.LINKS_AN_ADDRESS, within=within
        ):
            log.warning("too_many_links_asked_for")
            return too_often(self.request, "registration/too_many_links.html")
        return super().form_valid(form)


_TWICE = {"new_password1": "Write the new password.", "new_password2": "Write the new password once more."}


class NewPasswordForm(SaysWhatIsMissing, AnySetPasswordForm):
    """Another password, for whoever came by the link."""

    missing = _TWICE


class OtherPasswordForm(SaysWhatIsMissing, PasswordChangeForm):
    """Another password, for whoever knows the one that holds."""

    missing = {"old_password": "Write the password you have now.", **_TWICE}


def address_behind_proxy(request: HttpRequest) -> str:
    """Where our own proxy saw the request come from: the last address in the list. Those before it are hearsay."""
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    return forwarded.rpartition(",")[2].strip() or str(request.META.get("REMOTE_ADDR", ""))


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """The answer to too many wrong passwords: how long to wait, and the way to a new one."""
    return too_often(request, "registration/locked_out.html")


def too_often(request: HttpRequest, template: str) -> HttpResponse:
    """A page that says how many minutes to wait."""
    minutes = round(settings.AXES_COOLOFF_TIME.total_seconds() / 60)
    return render_page(request, template, {"minutes": minutes}, status=429)
