"""The admin in a real browser: readable, nothing the content policy blocks, a draft edited the way a person does it."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.urls import reverse
from playwright.sync_api import Page, expect

from playbooks.models import AuditEntry, PlaybookVersion
from playbooks.rules.yaml_io import parse
from playbooks.services import drafts
from playbooks.shipped import contacts
from tests import factories
from tests.browser.desk import PASSWORD, Desk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def draft(desk: Desk) -> PlaybookVersion:
    document = parse((contacts.HERE / "demo.yaml").read_text())
    document.rows |= {"criteria": document.rows["criteria"][:9], "templates": document.rows["templates"][:1]}
    return drafts.load_document(document, client=desk.client, actor=None)[0]


@pytest.fixture
def boss(page: Page, desk: Desk) -> Page:
    person = factories.user(desk.client, "admin", name="Uma Selwyn", password=PASSWORD, is_staff=True)
    desk.sign_in(page, person.email)
    page.set_default_timeout(30_000)  # the admin's page of a whole playbook is long
    return page


def serious(page: Page) -> list[str]:
    """What axe finds, without its look into style sheets: that would insert styles, which the policy rightly blocks."""
    found = Axe().run(page, options={"preload": False}).response["violations"]
    return [f"{v['id']}: {v['nodes'][0]['html'][:120]}" for v in found if v["impact"] in ("serious", "critical")]


def test_a_draft_is_corrected_submitted_and_approved(boss: Page, draft: PlaybookVersion) -> None:
    boss.goto(reverse("admin:playbooks_playbookversion_change", args=[draft.pk]))
    boss.get_by_label("Firmographic weight").fill("30")
    boss.get_by_role("button", name="Save", exact=True).click()
    expect(boss.locator(".errorlist").first).to_be_visible()
    expect(boss.get_by_text("they sum to 95").first).to_be_visible()
    boss.get_by_label("Firmographic weight").fill("40")
    boss.get_by_label("Behavioral weight").fill("30")
    boss.get_by_role("button", name="Save", exact=True).click()
    expect(boss.locator(".messagelist .success")).to_be_visible()
    assert PlaybookVersion.objects.get(pk=draft.pk).weight_firmographic == 40
    for step in ("Submit for review", "Approve"):
        boss.goto(reverse("admin:playbooks_playbookversion_change", args=[draft.pk]))
        boss.get_by_role("link", name=step).click()
        boss.get_by_role("button", name=step).click()
        expect(boss.locator(".messagelist .success")).to_be_visible()
    assert PlaybookVersion.objects.get(pk=draft.pk).status == "approved"
    entries = AuditEntry.objects.filter(subject_type="playbooks.playbookversion", subject_id=draft.pk)
    events = list(entries.order_by("seq").values_list("event", flat=True))
    assert events == ["playbook.drafted", "playbook.edited", "playbook.submitted", "playbook.approved"]


def test_a_row_follows_what_is_typed_before_anything_is_saved(boss: Page, draft: PlaybookVersion, desk: Desk) -> None:
    factories.signal(desk.requests[0].prospect, data={"employees_min": 12, "employees_max": 12})
    boss.goto(reverse("admin:playbooks_playbookversion_change", args=[draft.pk]))
    total = boss.locator("[data-weights-total]")
    expect(total).to_have_text("They sum to 100.")
    boss.get_by_label("Firmographic weight").fill("30")
    expect(total).to_have_text("They sum to 95 and need 100.")
    boss.get_by_label("Firmographic weight").fill("35")
    first = boss.locator("#criteria-0")
    first.locator("summary").click()
    first.get_by_label("Weight", exact=False).first.fill("21")
    expect(boss.locator("[data-criteria-totals] tbody tr td").first).to_have_text("81")
    first.get_by_label("Kind", exact=True).select_option("measure")
    expect(first.get_by_label("Fact")).to_have_value("industry")  # what both kinds ask is kept
    first.get_by_label("Fact").fill("employees")
    for row, (number, points) in enumerate((("3", "100"), ("40", "20"), ("90", "0")), 1):
        first.get_by_label(f"Number, row {row}").fill(number)  # the next row comes by itself
        first.get_by_label(f"Points, 0–100, row {row}").fill(points)
    boss.get_by_label("Try criteria and templates on").fill(str(desk.requests[0].prospect_id))
    first.get_by_role("button", name="What would it say?").click()
    expect(first.locator(".tried")).to_contain_text("of 100")
    down = first.get_by_role("button", name="Move down")
    down.focus()
    down.press("Enter")
    boss.get_by_role("button", name="Save", exact=True).click()
    expect(boss.locator(".messagelist .success")).to_be_visible()
    saved = draft.criteria.get(key="industry")
    assert saved.params == {"attribute": "employees", "breakpoints": [[3, 100], [40, 20], [90, 0]]}
    assert (saved.weight, list(draft.criteria.order_by("position").values_list("key", flat=True))[:2]) == (
        21, ["size", "industry"],
    )  # fmt: skip


def test_pages_of_playbooks_and_the_admin_have_no_serious_fault(boss: Page, draft: PlaybookVersion, desk: Desk) -> None:
    second = drafts.new_version(draft.playbook, actor=None)
    second.criteria.filter(key="size").update(weight=25)
    addresses = [
        reverse("playbooks:version", args=[draft.pk]),
        reverse("playbooks:diff", args=[second.pk]),
        reverse("admin:index"),
        reverse("admin:playbooks_playbookversion_changelist"),
        reverse("admin:playbooks_playbookversion_import"),
        reverse("admin:playbooks_playbookversion_change", args=[draft.pk]),
        reverse("admin:playbooks_playbookversion_change", args=[desk.version.pk]),
        reverse("admin:playbooks_playbookversion_step", args=[draft.pk, "submit"]),
        reverse("admin:playbooks_agentpermission_changelist"),
        reverse("admin:playbooks_user_add"),
        reverse("admin:playbooks_stop_add"),
    ]
    faults: dict[str, list[str]] = {}
    for address in addresses:
        boss.goto(address)
        faults[address] = serious(boss)
    assert {address: found for address, found in faults.items() if found} == {}
