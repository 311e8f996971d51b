"""The page on which a draft is edited: nothing hidden, what is refused is led to, nobody undoes another by accident."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client as Browser
from django.urls import reverse

from playbooks.admin import forms, rows
from playbooks.models import PlaybookVersion, Role, SequenceStep, StageRule
from playbooks.services import drafts, lifecycle
from tests import factories
from tests.playbooks.admin_page import change_url, posted, signed_in
from tests.playbooks.test_broken_playbooks import RIGHT

BOXES = [inline for inline in rows.INLINES if issubclass(inline, rows.RowsInBoxes)]


@pytest.fixture
def draft() -> PlaybookVersion:
    return drafts.load_document(RIGHT, client=factories.client(slug="demo"), actor=None)[0]


@pytest.fixture
def browser(draft: PlaybookVersion) -> Browser:
    return signed_in(factories.user(draft.playbook.client, Role.ADMIN, name="Uma Selwyn", is_staff=True))


def words(answer: object) -> str:
    return " ".join(unescape(answer.content.decode()).split())  # type: ignore[attr-defined]


@pytest.mark.parametrize("inline", BOXES, ids=lambda inline: inline.model.section)
def test_every_field_of_a_row_has_its_line_and_only_the_place_stands_on_the_one_that_buttons_put_away(
    inline: type[rows.RowsInBoxes],
) -> None:
    lines = [(given,) if isinstance(given, str) else given for _, options in inline.fieldsets
             for given in options["fields"]]  # fmt: skip
    assert sorted(name for line in lines for name in line) == sorted(forms.columns_of(inline.model))
    assert [line for line in lines if "position" in line] in ([("position",)], [])


def test_rows_are_called_what_people_call_them() -> None:
    assert str(SequenceStep(tier="TIER_1", day=3)) == "Tier 1, day 3"
    assert str(StageRule(from_stage="at_risk", to_stage="healthy")) == "At risk → healthy"


@pytest.mark.django_db
def test_what_is_refused_is_listed_at_the_top_with_a_link_to_where_it_stands(
    browser: Browser, draft: PlaybookVersion
) -> None:
    data = posted(browser, change_url(draft))
    assert data["hot_threshold"] == "70"
    page = words(browser.post(change_url(draft), data | {"hot_threshold": "20", "criteria-1-params-attribute": ""}))
    assert "Nothing was saved yet. 2 things to mend" in page
    assert '<a href="#id_hot_threshold">Hot threshold</a> Expected hot above warm' in page
    assert f'<a href="#criteria-1">Criterion “{draft.criteria.all()[1]}”: What it asks</a>' in page
    assert 'value="20"' in page


@pytest.mark.django_db
def test_saving_stays_on_the_draft_and_says_what_comes_next(browser: Browser, draft: PlaybookVersion) -> None:
    answer = browser.post(change_url(draft), posted(browser, change_url(draft)) | {"hot_threshold": "65"}, follow=True)
    page = words(answer)
    assert answer.redirect_chain == [(change_url(draft), 302)]
    assert f'Saved. Now see <a href="{reverse("prospects:what_if", args=[draft.pk])}">who would change</a>' in page
    assert page.index('name="_save"') < page.index('name="try:criteria-0"')  # what the enter key presses


@pytest.mark.django_db
def test_whoever_adds_a_playbook_is_told_what_is_missing_and_that_a_name_is_taken(
    browser: Browser, draft: PlaybookVersion
) -> None:
    url = reverse("admin:playbooks_playbook_add")
    assert "Give it a short name, such as founders." in words(browser.post(url, {"kind": "b2b"}))
    taken = {"client": draft.playbook.client_id, "name": "Again", "slug": draft.playbook.slug, "kind": "b2b"}
    assert "That client has a playbook of this short name already." in words(browser.post(url, taken))


@pytest.mark.django_db
def test_the_page_of_a_draft_leads_to_the_stock_scorecards(browser: Browser, draft: PlaybookVersion) -> None:
    cards = reverse("admin:playbooks_playbookversion_scorecards", args=[draft.pk])
    assert cards in words(browser.get(change_url(draft)))
    assert change_url(draft) in words(browser.get(cards))


@pytest.mark.django_db
def test_fields_are_called_the_same_where_they_are_only_read(browser: Browser, draft: PlaybookVersion) -> None:
    writing = words(browser.get(change_url(draft)))
    lifecycle.submit(draft, actor=None)
    reading = words(browser.get(change_url(draft)))
    for label in ("Firmographic weight", "Related industries", "E-mails per day", "CRM threshold"):
        assert f"{label}:</label>" in writing
        assert f"{label}:</label>" in reading
    assert "Icp" not in reading


@pytest.mark.django_db
def test_what_is_refused_is_listed_from_top_to_bottom_in_words_of_ours(
    browser: Browser, draft: PlaybookVersion
) -> None:
    typed = {"hot_threshold": "20", "weight_firmographic": "9999", "icp_industries": "x" * 300}
    page = words(browser.post(change_url(draft), posted(browser, change_url(draft)) | typed))
    listed = page[page.index("to mend;") : page.index("</div>", page.index("to mend;"))]
    assert "Expected at most 120 characters each; “xxxxxxxxxxxxxxxxxxxx…” has 300." in listed
    assert listed.index("Industries") < listed.index("Firmographic weight") < listed.index("Hot threshold")


@pytest.mark.django_db
def test_a_name_taken_twice_says_so_even_while_the_other_row_has_a_fault_of_its_own(
    browser: Browser, draft: PlaybookVersion
) -> None:
    data = posted(browser, change_url(draft))
    twice = {"criteria-1-key": data["criteria-0-key"], "criteria-0-params-attribute": ""}
    page = words(browser.post(change_url(draft), data | twice))
    assert f"Icp → {data['criteria-0-key']} is already said in row 1." in page


@pytest.mark.django_db
def test_whoever_saves_second_sees_what_saving_again_would_undo(browser: Browser, draft: PlaybookVersion) -> None:
    mine = posted(browser, change_url(draft)) | {"seen_edit": "0", "warm_threshold": "33"}
    theirs = posted(browser, change_url(draft)) | {"hot_threshold": "75", "criteria-0-weight": "21"}
    assert browser.post(change_url(draft), theirs).status_code == 302
    page = words(browser.post(change_url(draft), mine))
    assert "Saving this page again puts these in place of what is stored" in page
    assert '<a href="#id_hot_threshold">Hot threshold</a> (stored: 75)' in page
    assert '<a href="#id_warm_threshold">Warm threshold</a> (stored: 40)' in page
    assert f'<a href="#criteria-0">Criterion “{mine["criteria-0-label"]}”: Weight</a>' in page
    assert '<a href="#criteria-1">' not in page
