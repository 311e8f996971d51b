"""An admin who has never seen the code changes a playbook: copy, edit, what-if, publish, new routes, roll back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from playbooks.models import PlaybookVersion
from playbooks.rules.yaml_io import parse
from playbooks.services import drafts, lifecycle
from playbooks.shipped import contacts
from prospects.models import Convergence, Prospect, WhatIf
from prospects.services import what_if
from prospects.services.converging import converge
from tests import factories
from tests.browser.desk import PASSWORD, Desk
from tests.runtime import scene

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def prospect(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Prospect:
    """Somebody the playbook in force calls hot."""
    document = parse((contacts.HERE / "demo.yaml").read_text())
    document.slug, document.name = "founders", "Founders"
    document.rows |= {"criteria": document.rows["criteria"][:9], "templates": document.rows["templates"][:1]}
    version, _ = drafts.load_document(document, client=desk.client, actor=None)
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        version = step(version, actor=None)
    monkeypatch.setattr(scene, "IMPORTED", timezone.now() - timedelta(days=9))
    monkeypatch.setattr(scene, "CHANGED", timezone.now() - timedelta(days=5))
    made = scene.company(version, {**scene.GOOD, "country": "GB"})  # good, and not perfect
    agents_work(version)
    made.refresh_from_db()
    assert made.route == "hot"
    return made


def agents_work(version: PlaybookVersion) -> None:
    """What the workers do, here and now."""
    converge.converge(client=version.playbook.client, playbook=version.playbook, actor=None)


def open_version(page: Page, number: int) -> None:
    page.goto("/playbooks/")
    page.get_by_role("region", name="Versions of Founders").get_by_role("link", name=f"Version {number}").first.click()


def test_an_admin_copies_changes_looks_ahead_publishes_and_rolls_back(
    page: Page, desk: Desk, prospect: Prospect
) -> None:
    person = factories.user(desk.client, "admin", name="Uma Selwyn", password=PASSWORD, is_staff=True)
    desk.sign_in(page, person.email)
    page.set_default_timeout(30_000)  # the admin's page of a whole playbook is long

    open_version(page, 1)
    page.get_by_role("button", name="New version").click()
    weights = PlaybookVersion.objects.get(playbook=prospect.playbook, number=1).layer_weights
    more, less = weights["firmographic"] + 10, weights["behavioral"] - 10
    page.get_by_label("Firmographic weight").fill(str(more))
    page.get_by_label("Behavioral weight").fill(str(less))
    page.get_by_label("Hot threshold").fill("99")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_be_visible(timeout=30_000)

    open_version(page, 2)
    page.get_by_role("link", name="What if").click()
    page.get_by_role("button", name="Look at everybody").click()
    expect(page.get_by_role("heading", name="Looking at everybody")).to_be_visible()
    what_if.work(WhatIf.objects.get().pk)
    expect(page.get_by_role("heading", name="1 of 1 would change")).to_be_visible()
    row = page.get_by_role("region", name="Who would change").get_by_role("row", name=str(prospect))
    expect(row).to_contain_text("Hot begins at 99 instead of 70.")

    page.get_by_role("link", name="Publish").click()
    expect(page.get_by_text("Hot from 70 → 99")).to_be_visible()
    expect(page.get_by_text(f"Firmographic layer: weight {more - 10} → {more}")).to_be_visible()
    page.get_by_label("What changes, and why?").fill("Only the very best are hot.")
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_role("heading", name="How far it is")).to_be_visible()
    second = PlaybookVersion.objects.get(playbook=prospect.playbook, number=2)
    agents_work(second)
    expect(page.get_by_text("1 of 1 prospects in")).to_be_visible()
    assert Convergence.objects.filter(version=second, status="done").count() == 1
    page.goto(f"/prospects/{prospect.pk}/")
    expect(page.locator(".pd-head")).to_contain_text("Warm")

    open_version(page, 1)
    page.get_by_role("link", name="Roll back").click()
    page.get_by_label("Why go back?").fill("Too few were left.")
    page.get_by_role("button", name="Roll back", exact=True).click()
    expect(page.get_by_role("heading", name="How far it is")).to_be_visible()
    agents_work(PlaybookVersion.objects.get(playbook=prospect.playbook, number=1))
    page.goto(f"/prospects/{prospect.pk}/")
    expect(page.locator(".pd-head")).to_contain_text("Hot")
    open_version(page, 1)
    expect(page.get_by_text("Too few were left.")).to_be_visible()
