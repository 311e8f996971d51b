"""Signing in by e-mail address, with a page for those who tried too often; and the forms for another password."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, PasswordResetForm
from django.http import HttpRequest, HttpResponse

from salesops.generics import AnySetPasswordForm
from salesops.partials import render_page


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
    minutes = round(settings.AXES_COOLOFF_TIME.total_seconds() / 60)
    return render_page(request, "registration/locked_out.html", {"minutes": minutes}, status=429)
