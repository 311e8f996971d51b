"""The Agents page in a browser: pause and resume an agent, and follow a number down to the proposal behind it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from playbooks.models import Stop
from prospects.models import Convergence, Prospect
from tests.browser.agents_at_work import leave_runs
from tests.browser.desk import Desk

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_agent_is_paused_with_a_reason_and_goes_on_with_another(founder: Page, desk: Desk) -> None:
    page = founder
    page.goto("/agents/")
    row = page.get_by_role("row", name="Fit evidence")
    row.get_by_role("link", name="Pause").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("What to stop")).to_have_value("agent:fit_evidence")
    dialog.get_by_role("button", name="Stop it").click()
    assert not Stop.objects.exists()  # a reason is asked for
    dialog.get_by_label("Why").fill("Checking its criteria")
    dialog.get_by_role("button", name="Stop it").click()
    expect(row.get_by_text("Paused")).to_be_visible()
    expect(page.get_by_text("Checking its criteria").first).to_be_visible()
    assert Stop.objects.get().agent == "fit_evidence"

    page.get_by_label("Why fit evidence may go on").fill("They are right")
    page.get_by_role("button", name="Resume").click()
    expect(row.get_by_role("link", name="Pause")).to_be_visible()
    assert Stop.objects.get().lift_reason == "They are right"


def test_a_number_leads_down_to_the_refused_proposal_and_on_to_its_trace(founder: Page, desk: Desk) -> None:
    run = leave_runs(desk)
    page = founder
    page.goto("/agents/")
    page.get_by_role("link", name="Fit evidence").first.click()
    page.get_by_label("Only with refused proposals").check()
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name=f"#{run.pk}").click()
    expect(page.get_by_text("The quote stands in none of its sources.")).to_be_visible()
    expect(page.get_by_text("1 kept, 1 refused")).to_be_visible()
    page.get_by_role("link", name=run.trace_id).click()
    expect(page.get_by_role("heading", name="Agents set to work")).to_be_visible()
    page.get_by_role("link", name="Fit evidence on Cobalt Data").first.click()
    page.get_by_role("link", name="Prospect", exact=True).click()
    expect(page.get_by_role("heading", name="Cobalt Data")).to_be_visible()
    page.get_by_role("link", name="Refusal").click()
    expect(page.locator("#timeline li").filter(has_text="Source does not hold")).to_have_count(1)
    expect(page.locator("#timeline .timeline > li")).to_have_count(1)


def test_what_failed_is_tried_again_at_a_click(founder: Page, desk: Desk) -> None:
    leave_runs(desk)
    page = founder
    page.goto("/agents/")
    failed = page.get_by_role("region", name="What failed").get_by_role("row", name="Dune Health")
    expect(failed).to_contain_text("network")
    failed.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Trying again on 1 prospect.")).to_be_visible()
    expect(page.get_by_role("heading", name="At work for")).to_be_visible()
    assert Prospect.objects.get(pk=desk.requests[2].prospect_id).failures == 0
    assert Convergence.objects.filter(status="queued").count() == 1
