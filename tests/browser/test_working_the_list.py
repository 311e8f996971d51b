"""The list of prospects by keyboard: tick, set a route by hand, take it back; a kept filter; on a phone too."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from prospects.models import BulkAction, Prospect, RouteOverride
from tests import factories
from tests.browser.conftest import PHONE, WIDE
from tests.browser.desk import furnish
from tests.browser.test_every_page import serious

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_are_ticked_by_keys_routed_by_hand_and_taken_back(chromium: Browser, live_server) -> None:
    desk = furnish(live_server.url)
    for _ in range(3):
        factories.qualified(desk.version)
    for size, scheme in ((WIDE, "light"), (PHONE, "dark")):
        context = chromium.new_context(viewport=size, color_scheme=scheme)
        page = context.new_page()
        desk.sign_in(page)
        page.goto(f"{desk.url}/prospects/")
        page.locator("[data-bulk] > summary").click()
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        if size is WIDE:
            _route_and_regret(page)
            _keep(page)
        context.close()


def _route_and_regret(page: Page) -> None:
    page.locator("#rows [data-pick]").first.focus()
    for key in ("x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator("[data-picked]")).to_have_text("2 ticked")
    page.locator("#rows [data-pick]").nth(2).click(modifiers=["Shift"])
    expect(page.locator("[data-picked]")).to_have_text("3 ticked")
    page.locator("#rows [data-pick]").nth(2).click()
    page.select_option("#pb-kind", "route")
    expect(page.locator("#pb-owner")).to_be_hidden()
    page.select_option("#pb-route", "cold")
    page.fill("#pb-reason", "Left the market")
    page.get_by_role("button", name="Go").dblclick()
    expect(page.locator("#rows").get_by_text("by hand; the score says")).to_have_count(2)
    assert RouteOverride.objects.in_force().count() == 2
    assert BulkAction.objects.count() == 1  # the second click fell into the first one's answer
    assert not Prospect.objects.filter(route="cold").exists()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#bulk")).to_contain_text("taken back")
    assert not RouteOverride.objects.in_force().exists()


def _keep(page: Page) -> None:
    rows, stage = page.locator("#rows"), page.locator("#pl-stage")
    stage.select_option("qualified")
    expect(rows).to_have_attribute("data-now", re.compile("stage=qualified"))
    page.go_back()
    expect(stage).to_have_value("")
    expect(rows).not_to_have_attribute("data-now", re.compile("stage=qualified"))
    page.go_forward()
    expect(rows).to_have_attribute("data-now", re.compile("stage=qualified"))
    expect(stage).to_have_value("qualified")
    page.get_by_text("Keep this filter").click()
    page.fill("#pf-name", "Ready to write to")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.get_by_role("link", name="Ready to write to")).to_have_attribute("aria-current", "true")
    assert "stage=qualified" in page.url
