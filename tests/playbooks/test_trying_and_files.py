"""A draft in the admin: a row tried on somebody before it is saved, playbooks brought in and taken out as files."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playbooks.models import AuditEntry, PlaybookVersion, Role
from playbooks.rules.yaml_io import dump, parse
from playbooks.services import drafts
from tests import factories
from tests.playbooks.admin_page import change_url, params_sent, posted, signed_in
from tests.playbooks.test_broken_playbooks import RIGHT

pytestmark = pytest.mark.django_db


@pytest.fixture
def draft() -> PlaybookVersion:
    client = factories.client(slug="demo")
    return drafts.load_document(RIGHT, client=client, actor=None)[0]


@pytest.fixture
def browser(draft: PlaybookVersion) -> Browser:
    return signed_in(factories.user(draft.playbook.client, Role.ADMIN, is_staff=True))


@pytest.fixture
def somebody(draft: PlaybookVersion) -> Any:
    client = draft.playbook.client
    who = factories.prospect(draft, company=factories.company(client, name="Birch", domain="birch.example"))
    factories.signal(who, data={"industry": "Healthcare", "employees_min": 20, "employees_max": 20, "status": "Active"})
    return who


def tried(browser: Browser, draft: PlaybookVersion, row: str, who: str = "", **typed: str) -> str:
    data = posted(browser, change_url(draft)) | typed | {f"try:{row}": "1", "try_on": who}
    url = reverse("admin:playbooks_playbookversion_try", args=[draft.pk])
    answer = browser.post(url, data, headers={"X-Part": "try"})
    assert answer.status_code == 200
    html = answer.content.decode()
    assert "<html" not in html
    return " ".join(html.split())


def test_a_criterion_says_what_it_would_make_of_a_prospect(
    browser: Browser, draft: PlaybookVersion, somebody: Any
) -> None:
    html = tried(browser, draft, "criteria-0", "birch.example")
    assert "<strong>60</strong> of 100" in html
    assert "Industry is Healthcare, close to what is wanted." in html
    # (20 · 60 + 20 · 100) / (20 + 20 + 30): no hiring counts as zero, no replies leave the sum
    assert "17.1 of 45.7 points of icp" in html
    assert "profile, 4 May 2026, companies.csv" in html


def test_it_is_tried_as_it_stands_on_the_page_and_nothing_is_saved(
    browser: Browser, draft: PlaybookVersion, somebody: Any
) -> None:
    typed = {"criteria-0-params-values": "Healthcare", "criteria-1-weight": "0"}
    html = tried(browser, draft, "criteria-0", str(somebody.pk), **typed)
    assert "<strong>100</strong> of 100" in html
    assert "40.0 of 40.0 points of icp" in html  # 20 · 100 / (20 + 30)
    assert not AuditEntry.objects.filter(event="playbook.edited").exists()
    assert draft.criteria.get(key="size").weight == 20


def test_what_cannot_be_tried_says_why(browser: Browser, draft: PlaybookVersion, somebody: Any) -> None:
    assert "Name a prospect" in tried(browser, draft, "criteria-0")
    assert "There is no prospect" in tried(browser, draft, "criteria-0", "nobody.example")
    assert "nothing is known" in tried(browser, draft, "criteria-4", "birch.example")
    words = {"criteria-0-weight": "heavy"}
    assert "Expected a number" in tried(browser, draft, "criteria-0", "birch.example", **words)
    theirs = factories.version(factories.client(), active=False)
    stranger = factories.prospect(theirs, company=factories.company(theirs.playbook.client, domain="far.example"))
    assert "There is no prospect" in tried(browser, draft, "criteria-0", "far.example")
    assert "There is no prospect" in tried(browser, draft, "criteria-0", str(stranger.pk))


def test_a_template_is_shown_filled_with_its_grade(browser: Browser, draft: PlaybookVersion, somebody: Any) -> None:
    body = "Hi {{ first_name | there }},\n\nWith a team of {{ fact.size }}, who finds your next customers?"
    html = tried(browser, draft, "templates-0", "birch.example", **{"templates-0-body": body})
    assert '<span class="piece-filled" title="first_name">Dana</span>' in html
    assert '<span class="piece-filled" title="fact.size">20</span>' in html
    assert "grade <strong>" in html
    assert "How the grade comes about" in html


def test_a_gap_in_a_template_is_marked(browser: Browser, draft: PlaybookVersion, somebody: Any) -> None:
    words = {"templates-0-body": "Since {{ month.hiring_started }} you hire.", "templates-0-requires": "hiring_started"}
    html = tried(browser, draft, "templates-0", "birch.example", **words)
    assert "no evidence of 50 points or more for hiring_started" in html
    assert '<span class="piece-missing" title="month.hiring_started">month.hiring_started</span>' in html
    assert "grade <strong>" not in html


def test_without_a_prospect_a_template_is_read_with_made_up_values(browser: Browser, draft: PlaybookVersion) -> None:
    html = tried(browser, draft, "templates-0", **{"templates-0-body": "{{ company }}: {{ fact.size }}, {{ proof }}"})
    assert "With made-up values" in html
    assert ">Acme</span>" in html
    assert "‹Team of 3 to 40 people›" in html


def test_trying_works_without_scripts_on_a_page_of_its_own(
    browser: Browser, draft: PlaybookVersion, somebody: Any
) -> None:
    data = posted(browser, change_url(draft)) | {"try:criteria-0": "1", "try_on": "birch.example"}
    url = reverse("admin:playbooks_playbookversion_try", args=[draft.pk])
    page = browser.post(url, data).content.decode()
    assert "<html" in page
    assert "Industry is Healthcare" in page
    assert browser.get(url).status_code == 302
    assert 'value="birch.example"' in browser.get(change_url(draft)).content.decode()


def test_trying_asks_the_same_number_of_questions_for_any_number_of_criteria(
    browser: Browser, draft: PlaybookVersion, somebody: Any
) -> None:
    url = reverse("admin:playbooks_playbookversion_try", args=[draft.pk])
    data = posted(browser, change_url(draft)) | {"try:criteria-0": "1", "try_on": "birch.example"}
    browser.post(url, data)
    with CaptureQueriesContext(connection) as few:
        browser.post(url, data)
    more = {"criteria-TOTAL_FORMS": "8"}
    for number in range(5, 8):
        more |= {name.replace("criteria-1-", f"criteria-{number}-"): value for name, value in data.items()
                 if name.startswith("criteria-1-")}  # fmt: skip
        more |= {f"criteria-{number}-key": f"size_{number}", f"criteria-{number}-id": ""}
    with CaptureQueriesContext(connection) as many:
        assert "points of icp" in browser.post(url, data | more).content.decode()
    assert len(many) == len(few)


def test_another_clients_draft_cannot_be_tried_or_downloaded(browser: Browser) -> None:
    other = factories.version(factories.client(), active=False)
    for name in ("try", "download"):
        assert browser.post(reverse(f"admin:playbooks_playbookversion_{name}", args=[other.pk])).status_code == 404


def test_a_new_row_takes_the_fields_of_its_kind_and_the_last_place(browser: Browser, draft: PlaybookVersion) -> None:
    data = posted(browser, change_url(draft))
    row = {"label": "Wrote to us", "key": "wrote", "scorecard": "icp", "layer": "behavioral", "category": "need",
           "kind": "signal", "weight": "5", "missing": "unknown"}  # fmt: skip
    data |= {f"criteria-5-{name}": value for name, value in row.items()} | {"criteria-TOTAL_FORMS": "6"}
    page = browser.post(change_url(draft), data)
    assert page.status_code == 200
    html = page.content.decode()
    assert 'name="criteria-5-params-kinds-0-0"' in html
    assert "Kinds: expected a mapping of name to a number between 0 and 1, or a list of names." in html
    kinds = {"": "signal", "kinds": [("reply", ""), ("call_accepted", "0.5")], "within_days": "90"}
    data |= params_sent("criteria", "criteria-5-params", kinds)
    assert browser.post(change_url(draft), data).status_code == 302
    made = draft.criteria.get(key="wrote")
    assert made.params == {"kinds": {"reply": 1, "call_accepted": 0.5}, "within_days": 90}
    assert made.position == max(draft.criteria.exclude(pk=made.pk).values_list("position", flat=True)) + 1


def test_places_are_stored(browser: Browser, draft: PlaybookVersion) -> None:
    data = posted(browser, change_url(draft)) | {"criteria-0-position": "1", "criteria-1-position": "0"}
    assert browser.post(change_url(draft), data).status_code == 302
    assert list(draft.criteria.order_by("position").values_list("key", flat=True))[:2] == ["size", "industry"]


def test_names_that_two_rows_exchange_are_refused_and_not_a_crash(browser: Browser, draft: PlaybookVersion) -> None:
    data = posted(browser, change_url(draft)) | {"criteria-0-key": "size", "criteria-1-key": "industry"}
    page = browser.post(change_url(draft), data)
    assert page.status_code == 200
    assert "Another row was called so until now" in page.content.decode()


def test_a_row_can_be_added_without_scripts(browser: Browser, draft: PlaybookVersion) -> None:
    page = browser.get(change_url(draft) + "?add=brand_rules")
    inlines = {i.formset.prefix: i.formset for i in page.context["inline_admin_formsets"]}
    assert (inlines["brand_rules"].total_form_count(), inlines["criteria"].total_form_count()) == (2, 5)


def test_totals_are_on_the_page_before_any_script_runs(browser: Browser, draft: PlaybookVersion) -> None:
    html = " ".join(browser.get(change_url(draft)).content.decode().split())
    assert '<th scope="row">icp</th><td>40</td><td>35</td><td>0</td><td>0</td><td>75</td>' in html


def test_a_playbook_is_brought_in_as_text_or_file_and_taken_out_again(browser: Browser, draft: PlaybookVersion) -> None:
    url = reverse("admin:playbooks_playbookversion_import")
    assert url in browser.get(reverse("admin:playbooks_playbookversion_changelist")).content.decode()
    again = browser.post(url, {"text": dump(RIGHT)}, follow=True)
    assert "says the same already" in again.content.decode()
    assert PlaybookVersion.objects.count() == 1
    changed = parse(dump(RIGHT).replace("hot: 70", "hot: 71"))
    file = SimpleUploadedFile("founders.yaml", ("\ufeff" + dump(changed)).encode())
    answer = browser.post(url, {"file": file})
    made = PlaybookVersion.objects.latest("pk")
    assert answer["Location"] == change_url(made)
    assert (made.number, made.status, made.hot_threshold) == (2, "draft", 71)
    taken = browser.get(reverse("admin:playbooks_playbookversion_download", args=[made.pk]))
    assert taken.content.decode() == dump(changed)
    assert taken["Content-Disposition"] == 'attachment; filename="founders-v2.yaml"'


def test_what_is_wrong_with_a_file_is_listed_by_line(browser: Browser, draft: PlaybookVersion) -> None:
    url = reverse("admin:playbooks_playbookversion_import")
    text = dump(RIGHT).replace("hot: 70", "hott: 70").replace("kind: in_range", "kind: in_rage")
    page = browser.post(url, {"text": text}).content.decode()
    line = next(n for n, words in enumerate(text.splitlines(), 1) if "hott" in words)
    assert f'<span class="fault-line">Line {line}</span> <code>thresholds.hott</code>' in page
    assert "did you mean in_range?" in page
    assert "hott: 70" in page  # what was pasted is still there
    checked = browser.post(url, {"text": dump(RIGHT), "check": "1"}).content.decode()
    assert "nothing is wrong with it" in checked
    for wrong, words in (({}, "Choose a file"), ({"text": text.replace("hott", "hot").replace("in_rage", "in_range")
                         .replace("client: demo", "client: elsewhere")}, "You look after no client")):  # fmt: skip
        assert words in browser.post(url, wrong).content.decode()
    assert PlaybookVersion.objects.count() == 1


def test_nobody_brings_a_playbook_to_a_client_they_do_not_look_after(browser: Browser, draft: PlaybookVersion) -> None:
    other = factories.client(slug="theirs")
    url = reverse("admin:playbooks_playbookversion_import")
    text = dump(RIGHT).replace("client: demo", "client: theirs")
    assert "You look after no client" in browser.post(url, {"text": text}).content.decode()
    answer = browser.post(url, {"text": text, "client": other.pk})
    assert "Select a valid choice" in answer.content.decode()
    assert not other.playbooks.exists()
