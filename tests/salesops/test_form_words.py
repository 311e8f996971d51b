"""What a form of ours says about a field that was left empty."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

import pytest
from django import forms
from django.test import Client as Browser
from django.urls import get_resolver, reverse

from salesops.views.sign_in import SaysWhatIsMissing
from tests import factories as make

DJANGOS = str(forms.Field.default_error_messages["required"])


def own_forms() -> list[type[forms.BaseForm]]:
    """The forms behind our pages; those of the admin say what their playbook expects."""
    import_module(get_resolver().urlconf_name)
    found = {form for form in below(forms.BaseForm) if ".views." in form.__module__}
    return sorted(found - {SaysWhatIsMissing}, key=lambda form: form.__qualname__)


def below(kind: type[forms.BaseForm]) -> Iterator[type[forms.BaseForm]]:
    for form in kind.__subclasses__():
        yield form
        yield from below(form)


def test_every_field_that_must_be_filled_in_says_what_to_write_there() -> None:
    bare = []
    for form in own_forms():
        told = getattr(form, "missing", {})
        for name, field in form.base_fields.items():  # type: ignore[attr-defined]
            words = told.get(name) or str(field.error_messages["required"])
            if field.required and words == DJANGOS:
                bare.append(f"{form.__qualname__}.{name}")
    assert len(own_forms()) > 15
    assert bare == []


@pytest.mark.django_db
def test_a_stop_that_says_nothing_is_told_what_to_choose_and_to_write(client: Browser) -> None:
    client.force_login(make.user(make.client()))
    page = client.post(reverse("stops"), {"reason": ""}).content.decode()
    assert "Choose what to stop." in page
    assert "Choose whether to pause it or to cancel it." in page
    assert "Say why" in page
    assert DJANGOS not in page


@pytest.mark.django_db
def test_an_empty_sign_in_and_an_empty_reset_say_what_to_write(client: Browser) -> None:
    assert "Write your password." in client.post(reverse("login"), {}).content.decode()
    assert "Write the e-mail address you sign in with." in client.post(reverse("password_reset"), {}).content.decode()
    client.force_login(make.user())
    assert "Write the password you have now." in client.post(reverse("password_change"), {}).content.decode()
