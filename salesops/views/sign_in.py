"""Signing in by e-mail address, with a page for those who tried too often."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse

from salesops.partials import render_page


class EmailSignInForm(AuthenticationForm):
    """Django's form with the address lower-cased: spelling it another way buys no further attempts."""

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


def address_behind_proxy(request: HttpRequest) -> str:
    """Where our own proxy saw the request come from: the last address in the list. Those before it are hearsay."""
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", ""))
    return forwarded.rpartition(",")[2].strip() or str(request.META.get("REMOTE_ADDR", ""))


def locked_out(request: HttpRequest, *_: Any) -> HttpResponse:
    """The answer to too many wrong passwords: how long to wait, and the way to a new one."""
    minutes = round(settings.AXES_COOLOFF_TIME.total_seconds() / 60)
    return render_page(request, "registration/locked_out.html", {"minutes": minutes}, status=429)
