"""The admin's page of a playbook version as a browser without scripts sees it."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client as Browser
from django.urls import reverse

from playbooks.models import PlaybookVersion, User
from playbooks.rules import params


def signed_in(user: User) -> Browser:
    browser = Browser()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def change_url(version: PlaybookVersion) -> str:
    return reverse("admin:playbooks_playbookversion_change", args=[version.pk])


def posted(browser: Browser, url: str) -> dict[str, Any]:
    """What a browser would post back if the person changed nothing."""
    return fields_of(browser.get(url).context)


def fields_of(context: Any) -> dict[str, Any]:
    inlines = context["inline_admin_formsets"]
    forms = [context["adminform"].form, *(form for inline in inlines for form in inline.formset.forms)]
    data: dict[str, Any] = {}
    for form in forms:
        for bound in form:
            data.update(_sent(bound))
    for inline in inlines:
        for bound in inline.formset.management_form:
            data[bound.html_name] = bound.value()
    return data


def _sent(bound: Any) -> dict[str, Any]:
    value = bound.value()
    if isinstance(value, dict):
        return params_sent(bound.field.section, bound.html_name, value)
    if value is None or value is False:
        return {}
    if value is True:
        return {bound.html_name: "on"}
    prepared = bound.field.prepare_value(value) if hasattr(bound.field, "prepare_value") else value
    sent = prepared if isinstance(prepared, (list, str)) else str(prepared)
    return {bound.html_name: sent.replace("\n", "\r\n") if isinstance(sent, str) else sent}


def params_sent(section: str, name: str, shown: dict[str, Any]) -> dict[str, Any]:
    """The fields of a kind's parameters."""
    data: dict[str, Any] = {}
    for param in params.params_of(section, shown.get("", "")):
        value = shown.get(param.name)
        if param.shape in params.ROW_SHAPES:
            for index, pair in enumerate([*(value or ()), ("", "")]):
                data |= {f"{name}-{param.name}-{index}-{side}": text for side, text in enumerate(pair)}
        else:
            data[f"{name}-{param.name}"] = str(value or "").replace("\n", "\r\n")
    return data


def problems(page: Any) -> str:
    """Everything the page says is wrong."""
    html = page.content.decode()
    found = re.findall(r'<ul class="errorlist.*?</ul>|<p class="param-error.*?</p>', html, re.DOTALL)
    return re.sub(r"\s+", " ", " ".join(found))
