"""A file of companies comes in through the browser, and every page on the way is readable by everybody."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import transaction
from django.urls import reverse
from playwright.sync_api import Browser, expect

from prospects.models import Company, ImportBatch
from prospects.services.importing import uploads
from tests.browser.conftest import PHONE, WIDE
from tests.browser.desk import Desk
from tests.browser.test_every_page import serious

pytestmark = pytest.mark.django_db(transaction=True)
DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_file_is_uploaded_checked_imported_and_reported(
    chromium: Browser, desk: Desk, size: dict[str, int], monkeypatch, settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    started: list[int] = []
    monkeypatch.setattr(uploads, "nudge", lambda pk: transaction.on_commit(lambda: started.append(pk)))
    with chromium.new_context(viewport=size, base_url=desk.url) as window:
        page = window.new_page()
        page.set_default_timeout(15_000)
        faults: dict[str, list[str]] = {}

        def check(what: str) -> None:
            width = page.evaluate("document.documentElement.scrollWidth")
            faults[what] = serious(page) + ([f"{width} px wide"] if width > size["width"] else [])

        desk.sign_in(page)
        page.goto(reverse("prospects:imports"))
        page.get_by_label("File").set_input_files(DATA / "companies.csv")
        page.get_by_role("button", name="Upload and check").click()
        expect(page.get_by_role("heading", name="What importing would do")).to_be_visible()
        check("mapping")
        page.get_by_label("Meaning of the column batch").select_option("ignore")
        page.get_by_role("button", name="Update the preview").click()
        expect(page.get_by_label("Meaning of the column batch")).to_have_value("ignore")
        page.get_by_role("button", name=re.compile("Import 40 rows")).click()
        expect(page.get_by_text("Waiting for a worker")).to_be_visible()
        check("waiting")

        uploads.run_stored(started[0])
        expect(page.get_by_role("heading", name="Result")).to_be_visible()  # by itself: the page asks every second
        expect(page.get_by_text("the same domain trycardinal.ai")).to_be_visible()
        check("report")
    batch = ImportBatch.objects.get()
    assert (batch.status, batch.created, batch.merged) == ("done", 39, 1)
    assert "batch" not in Company.objects.get(domain="producthunt.com").attributes
    assert {what: found for what, found in faults.items() if found} == {}
