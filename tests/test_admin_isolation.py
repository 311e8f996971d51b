"""Every model in the admin, with another client's rows in it: a client's admin sees none of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.sites import all_sites
from django.db import models
from django.test import Client as Browser
from django.urls import reverse

from playbooks.models import Role, User
from playbooks.services import permissions, stops
from prospects.host.loading import permissions as permissions_of
from salesops.admin_site import SalesOpsAdminSite, TenantAdmin
from tests import factories

pytestmark = pytest.mark.django_db


def another_clients_life() -> None:
    """Rows of every common kind at a client of its own."""
    theirs = factories.request()
    boss = factories.user(theirs.client, Role.ADMIN, Role.REVIEWER)
    factories.dispatch(factories.decision(theirs, boss))
    factories.customer()
    permissions.set_matrix({("lead_gen", "contact"): "none"}, client=theirs.client, actor=boss)
    stops.stop(client=theirs.client, actor=boss, level="client", reason="Checking words")


def signed_in(user: User) -> Browser:
    browser = Browser()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def url_of(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_a_clients_admin_sees_no_row_of_another_client_in_any_model() -> None:
    another_clients_life()
    home = factories.client()
    mine = factories.user(home, Role.ADMIN, is_staff=True)
    browser = signed_in(mine)
    seen, looked_at = [], 0
    for model, model_admin in admin.site._registry.items():
        assert isinstance(model_admin, TenantAdmin), f"{model} would show every client's rows"
        for row in model._default_manager.all()[:5]:
            if row not in (mine, home):
                looked_at += 1
                if browser.get(url_of(model, "change", row.pk)).status_code == 200:
                    seen.append((model.__name__, row.pk))
    assert seen == []
    assert looked_at > 15


def test_everything_registered_is_looked_at_through_our_own_site() -> None:
    assert all(isinstance(site, SalesOpsAdminSite) for site in all_sites)


def test_the_matrix_shown_is_the_matrix_that_agents_run_under() -> None:
    owner = factories.client()
    own = {("lead_gen", "activity"): "read", ("conversion", "contact"): "none", ("lifecycle", "deal_value"): "write"}
    permissions.set_matrix(own, client=owner, actor=None)
    writable, hidden = permissions_of(owner)
    shown = {cell: access for cell, (access, _) in permissions.matrix(owner).items()}
    assert {cell for cell, access in shown.items() if access == "write"} == writable
    assert {cell for cell, access in shown.items() if access == "none"} == hidden == {("conversion", "contact")}
