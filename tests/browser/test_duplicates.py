"""Saying who is who by keyboard: merge, keep apart, choose the other, take back; readable by everybody."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from prospects.models import Duplicate, Merge
from tests.browser.conftest import PHONE, WIDE, Held
from tests.browser.desk import furnish
from tests.browser.test_every_page import serious
from tests.prospects.pairs import pair, twins

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_questions_are_decided_by_keys_and_taken_back(chromium: Browser, live_server) -> None:
    desk = furnish(live_server.url)
    pairs = []
    for domain, score in (("a.example", 0.9), ("b.example", 0.8)):
        one, other = twins(desk.version, domains=(domain, ""))
        pairs.append(pair(one.company, other.company, score=score))
    for size, scheme in ((WIDE, "dark"), (PHONE, "light")):
        context = chromium.new_context(viewport=size, color_scheme=scheme)
        page = context.new_page()
        desk.sign_in(page)
        page.goto(f"{desk.url}/prospects/duplicates/")
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        if size is WIDE:
            _decide(page, pairs)
        context.close()


def _decide(page: Page, pairs: list[Duplicate]) -> None:
    assert page.evaluate("htmx.config.defaultSettleDelay") == 0  # a key counts from the answer on
    page.keyboard.press("j")
    page.keyboard.press("s")
    page.keyboard.press("m")
    page.get_by_text("is now read as").wait_for()
    assert Merge.objects.get().kept == pairs[0].other
    held = Held(page, "**/apart/")
    for key in "amu":  # the answer to the first is on its way: no merge meanwhile, and nothing else is taken back
        page.keyboard.press(key)
    expect(page.locator("[data-pair] .htmx-request")).to_have_count(1)
    held.let_go()
    page.locator(".du-settled").nth(1).wait_for()
    assert len(held.routes) <= 1
    assert Duplicate.objects.get(pk=pairs[1].pk).status == "apart"
    page.keyboard.press("u")
    page.locator('[data-key="m"]').wait_for()
    assert Duplicate.objects.get(pk=pairs[1].pk).status == "open"
    assert Merge.objects.filter(undone_at=None).count() == 1
