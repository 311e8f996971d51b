"""The main job: a founder changes a word, approves, and exactly that goes out."""

from __future__ import annotations

import re
from email import message_from_bytes, policy

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Locator, Page, expect

from approvals.models import ApprovalRequest, CapturedMail, Decision
from approvals.services import dispatch as sending
from playbooks import audit
from prospects.services.funnel_cells import sweep_funnel
from tests import factories
from tests.browser.conftest import PHONE, WIDE, Held
from tests.browser.desk import Desk, furnish

pytestmark = pytest.mark.django_db(transaction=True)


def page_rows(page: Page) -> Locator:
    return page.locator("#queue .queue-rows a")


def let_the_window_end() -> None:
    """Move the undo window into the past, as waiting for a minute would, and let the worker sweep once."""
    factories.end_undo_windows()
    sending.sweep(at=timezone.now())
    sweep_funnel()


def test_an_edited_word_goes_out_exactly_as_approved_and_every_page_shows_it(
    founder: Page, desk: Desk, post_office: None
) -> None:
    page = founder
    expect(page.get_by_role("heading", name="Birch Robotics")).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    words = page.get_by_label("Words", exact=True)
    words.fill(words.input_value().replace("one-page example", "two-page example"))
    expect(page.locator("#diff ins")).to_have_text(re.compile("two-page"))
    page.get_by_role("button", name="Approve these words").click()

    expect(page.get_by_role("heading", name="Cobalt Data")).to_be_visible()
    expect(page.locator("#undo")).to_contain_text("Birch Robotics")
    expect(page.locator(f"#row-{desk.requests[0].pk}")).to_have_count(0)
    assert not CapturedMail.objects.exists()

    let_the_window_end()
    caught = CapturedMail.objects.get()
    sent = message_from_bytes(bytes(caught.raw), policy=policy.default)
    decision = Decision.objects.get()
    assert decision.kind == Decision.Kind.APPROVE_EDITS
    assert sent.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip() == decision.message.body.rstrip()
    assert "two-page example" in decision.message.body
    assert sent["Subject"] == "Hiring at Birch Robotics"
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    page.goto("/outbox/")
    page.get_by_role("link", name="Birch Robotics", exact=True).click()
    expect(page.get_by_label("Text", exact=True)).to_contain_text("two-page example")
    expect(page.get_by_text("Approved with edits by Mira Moss")).to_be_visible()

    page.goto(decision.request.prospect.get_absolute_url())
    expect(page.locator("main")).to_contain_text("Hiring at Birch Robotics")
    page.goto("/audit/")
    expect(page.locator("table")).to_contain_text("A person decided a request")
    expect(page.locator("table")).to_contain_text("The channel took a message over")
    page.goto("/funnel/")
    expect(page.locator("main")).to_contain_text("Contacted")
    assert audit.verify(desk.client) is None


def test_undo_takes_an_approval_back_before_anything_leaves(founder: Page, desk: Desk, post_office: None) -> None:
    page = founder
    waiting = page.locator("#count-waiting")
    expect(waiting).to_contain_text("4")
    page.keyboard.press("a")
    expect(page.locator("#undo")).to_contain_text("Birch Robotics")
    page.keyboard.press("a")
    expect(page.locator("#undo")).to_contain_text("Cobalt Data")
    expect(waiting).to_contain_text("2")
    page.keyboard.press("u")  # the last one first
    expect(page.get_by_role("heading", name="Cobalt Data")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="Birch Robotics")).to_be_visible()
    expect(page.locator("#undo form")).to_have_count(0)
    expect(waiting).to_contain_text("4")
    let_the_window_end()
    assert not CapturedMail.objects.exists()
    assert ApprovalRequest.objects.get(pk=desk.requests[0].pk).status == "waiting"


def test_a_whole_morning_by_keyboard_alone(founder: Page, desk: Desk) -> None:
    page = founder
    page.keyboard.press("j")
    expect(page.get_by_role("heading", name="Cobalt Data")).to_be_visible()
    expect(page).to_have_title(re.compile("^Cobalt Data · Approvals"))
    page.keyboard.press("k")
    expect(page.get_by_role("heading", name="Birch Robotics")).to_be_visible()
    page.keyboard.press("e")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Edit")).to_be_focused()
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="Cobalt Data")).to_be_visible()
    expect(page.locator("#said")).to_have_text("Approved Birch Robotics. U takes it back.")
    expect(page.get_by_role("region", name="Dossier: Cobalt Data")).to_be_focused()

    page.keyboard.press("r")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Dune Health")).to_be_visible()

    page.keyboard.press("d")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Elm Logistics")).to_be_visible()

    page.keyboard.press("b")
    page.keyboard.type("Shorter, please.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The queue is clear")).to_be_visible()

    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    single = page.get_by_label("Single keys work on this device")
    single.uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(single).to_be_hidden()
    page.get_by_role("button", name="Keys").click()
    single.check()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Search prospects")).to_be_focused()

    kinds = list(Decision.objects.order_by("id").values_list("kind", flat=True))
    assert kinds == ["approve", "reject", "defer", "redraft"]


def test_a_key_means_the_dossier_that_is_shown_and_never_one_that_is_on_its_way(founder: Page, desk: Desk) -> None:
    page, rows = founder, page_rows(founder)
    expect(page.get_by_role("heading", name="Birch Robotics")).to_be_visible()
    deciding = Held(page, "**/decide/")
    for key in "aajruea":  # all but the first one come too early
        page.keyboard.press(key)
    expect(page.locator("[data-decide].htmx-request")).to_have_count(1)
    expect(page.locator(".panel-form:visible, #queue a.htmx-request")).to_have_count(0)
    coming = Held(page, re.compile(r"/approvals/\d+/$"))
    deciding.let_go()
    expect(page.get_by_role("heading", name="Cobalt Data")).to_be_visible()
    expect(page.locator("#dossier")).to_be_focused()
    assert len(deciding.routes) <= 1

    for key in "jja":  # two on, past the next one; nothing is decided about what nobody has seen
        page.keyboard.press(key)
    expect(rows.nth(2)).to_have_class(re.compile("htmx-request"))
    coming.let_go()
    expect(page.get_by_role("heading", name="Elm Logistics")).to_be_visible()
    assert page.url.endswith(f"/approvals/{desk.requests[3].pk}/")
    assert Decision.objects.get().request == desk.requests[0]


def test_words_somebody_changed_are_neither_sent_in_their_old_form_nor_lost_unasked(founder: Page, desk: Desk) -> None:
    page, rows, asked = founder, page_rows(founder), list[str]()
    page.get_by_role("link", name="Edit").click()
    words = page.get_by_label("Words", exact=True)
    words.fill("Hi Dana, what I really mean.")
    expect(page.get_by_role("button", name="Approve", exact=True)).to_be_disabled()

    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    rows.nth(2).click()
    expect(words).to_have_value("Hi Dana, what I really mean.")
    expect(page.get_by_role("heading", name="Birch Robotics")).to_be_visible()
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    words.press("Escape")
    expect(words).to_be_visible()
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.accept()))
    words.press("Escape")
    expect(words).to_be_hidden()
    assert asked == ["Drop what you changed in these words?"] * 3

    page.keyboard.press("e")
    expect(words).to_have_value(re.compile("^Hi Dana,\\n\\nBirch Robotics has been hiring"))
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="Cobalt Data")).to_be_visible()
    assert Decision.objects.get().kind == Decision.Kind.APPROVE


def test_a_lost_connection_is_said_once_and_taken_back_when_it_returns(founder: Page, desk: Desk) -> None:
    page = founder
    page.clock.install()
    page.reload()
    page.context.set_offline(True)
    lost = page.locator(".toast", has_text="This page catches up by itself")
    for _ in range(3):
        page.clock.run_for(10_000)
        expect(lost).to_have_count(1)
    page.keyboard.press("a")
    expect(page.locator(".toast", has_text="may not have been saved")).to_have_count(1)
    expect(page.get_by_role("heading", name="Birch Robotics")).to_be_visible()
    page.context.set_offline(False)
    page.clock.run_for(10_000)
    expect(lost).to_have_count(0)


def test_rejecting_without_a_reason_is_refused_beside_the_field(founder: Page, desk: Desk) -> None:
    page = founder
    page.get_by_role("link", name="Reject").click()
    page.locator("#panel-reject").evaluate("form => form.noValidate = true")
    page.get_by_role("button", name="Reject this message").click()
    expect(page.get_by_text("Choose the reason that fits best.")).to_be_visible()
    assert not Decision.objects.exists()


def test_somebody_elses_decision_appears_without_a_reload(founder: Page, desk: Desk, chromium: Browser) -> None:
    page = founder
    page.clock.install()
    page.reload()
    ticked = page.locator(f"#row-{desk.requests[2].pk} [data-pick]")
    ticked.check()
    with chromium.new_context(viewport=WIDE, base_url=desk.url) as window:
        other = window.new_page()
        desk.sign_in(other)
        other.keyboard.press("a")
        expect(other.locator("#undo")).to_contain_text("Birch Robotics")
    page.clock.fast_forward(10_000)  # the desk looks every ten seconds
    expect(page.locator(f"#row-{desk.requests[0].pk}")).to_have_count(0)
    expect(page.locator("#moved")).to_contain_text("has decided this one")
    expect(ticked).to_be_checked()

    page.locator("#decide [data-key=a]").click()
    expect(page.locator("#refusal").get_by_role("link", name="Take the next one")).to_be_visible()
    assert Decision.objects.count() == 1


def test_the_whole_desk_works_without_scripts(chromium: Browser, desk: Desk, post_office: None) -> None:
    with chromium.new_context(viewport=WIDE, base_url=desk.url, java_script_enabled=False) as window:
        page = window.new_page()
        page.goto("/sign-in/")
        page.get_by_label("E-mail address").fill(desk.founder.email)
        page.get_by_label("Password").fill("quiet-harbour-19")
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("link", name="Edit").click()
        page.get_by_label("Subject").fill("Selling at Birch Robotics")
        page.get_by_role("button", name="Approve these words").click()
        expect(page.get_by_role("heading", name="Cobalt Data")).to_be_visible()
        page.get_by_role("link", name="Reject").click()
        page.locator("#panel-reject input[type=radio]").first.check()
        page.get_by_role("button", name="Reject this message").click()
        expect(page.get_by_role("heading", name="Dune Health")).to_be_visible()
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_role("heading", name="Birch Robotics")).to_be_visible()
        page.locator("#decide [data-key=a]").click()
        let_the_window_end()
        page.goto("/outbox/")
        expect(page.get_by_role("link", name="Birch Robotics", exact=True)).to_have_count(2)
        page.get_by_label("Me:").click()
        page.get_by_role("button", name="Dark").click()
        assert page.locator("html").get_attribute("data-theme") == "dark"
    assert CapturedMail.objects.count() == 1


def test_on_a_phone_the_list_leads_to_the_dossier_and_back(chromium: Browser, desk: Desk) -> None:
    with chromium.new_context(viewport=PHONE, base_url=desk.url, has_touch=True) as window:
        page = window.new_page()
        desk.sign_in(page)
        expect(page.locator("#dossier")).to_be_hidden()
        page.get_by_role("link", name="Cobalt Data").click()
        expect(page.get_by_role("heading", name="Cobalt Data")).to_be_visible()
        expect(page.locator("#queue")).to_be_hidden()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.get_by_role("link", name="Queue", exact=True).click()
        expect(page.locator("#queue")).to_be_visible()


def test_a_sentence_and_its_evidence_light_each_other(founder: Page) -> None:
    page = founder
    claim = page.locator(".words .claim").first
    claim.hover()
    expect(page.locator(".evidence:not(.full) .lit")).to_have_count(2)
    page.locator(".evidence > li").first.hover()
    expect(claim).to_have_class(re.compile("lit"))


def test_two_people_two_clients_never_see_each_other(chromium: Browser, desk: Desk) -> None:
    other = furnish(desk.url)
    with chromium.new_context(viewport=WIDE, base_url=desk.url) as window:
        page = window.new_page()
        other.sign_in(page)
        assert page.goto(f"/approvals/{desk.requests[0].pk}/").status == 404
