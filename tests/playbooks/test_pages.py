from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playbooks.models import PlaybookVersion, Role
from playbooks.queries import document_of
from playbooks.rules.compare import changes
from playbooks.rules.yaml_io import parse
from playbooks.services import drafts, lifecycle
from playbooks.shipped import contacts
from tests import factories

pytestmark = pytest.mark.django_db
DEMO = parse((contacts.HERE / "demo.yaml").read_text())


@pytest.fixture
def active() -> PlaybookVersion:
    version, _ = drafts.load_document(DEMO, client=factories.client(slug="demo"), actor=None)
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        version = step(version, actor=None)
    return version


@pytest.fixture
def browser(active: PlaybookVersion) -> Browser:
    browser = Browser()
    browser.force_login(
        factories.user(active.playbook.client, Role.REVIEWER), backend="django.contrib.auth.backends.ModelBackend"
    )
    return browser


def changed_draft(active: PlaybookVersion) -> PlaybookVersion:
    draft = drafts.new_version(active.playbook, actor=None)
    draft.hot_threshold = 75
    draft.save(update_fields=["hot_threshold"])
    draft.criteria.filter(key="size").update(params={"attribute": "employees", "minimum": 5, "maximum": 40})
    draft.criteria.get(key="growth_stage").delete()
    draft.templates.filter(key="stage-direct").delete()
    draft.brand_rules.create(phrase="cheap", reason="We are not.")
    return draft


def test_changes_are_told_row_by_row_and_field_by_field(active: PlaybookVersion) -> None:
    found = changes(DEMO, document_of(changed_draft(active)))
    told = {(c.section, c.label): (c.kind, [(f.name, f.before, f.after) for f in c.fields]) for c in found}
    assert told["thresholds", "thresholds"] == ("changed", [("hot", 70.0, 75.0)])
    kind, fields = told["criteria", "Team of 3 to 40 people"]
    assert (kind, [name for name, _, _ in fields]) == ("changed", ["params"])
    assert told["criteria", "Moved to the growth stage"][0] == "removed"
    assert told["brand_rules", "cheap"][0] == "added"
    assert changes(DEMO, DEMO) == []


def test_a_new_order_is_a_change(active: PlaybookVersion) -> None:
    other = parse((contacts.HERE / "demo.yaml").read_text())
    other.rows["templates"].reverse()
    assert [(c.section, c.label) for c in changes(DEMO, other)] == [("templates", "order")]


def test_the_list_offers_an_admin_what_comes_next(active: PlaybookVersion) -> None:
    browser, admin = Browser(), factories.user(active.playbook.client, Role.ADMIN, is_staff=True)
    browser.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    copying = f'action="{reverse("playbooks:new_version", args=[active.pk])}"'
    assert copying in browser.get(reverse("playbooks:list")).content.decode()
    draft = changed_draft(active)
    page = browser.get(reverse("playbooks:list")).content.decode()
    assert reverse("admin:playbooks_playbookversion_change", args=[draft.pk]) in page
    assert copying not in page


def test_the_pages_show_the_list_a_version_and_its_differences(browser: Browser, active: PlaybookVersion) -> None:
    draft = changed_draft(active)
    page = browser.get(reverse("playbooks:list")).content.decode()
    assert "Founder-led technology companies" in page
    assert reverse("playbooks:version", args=[draft.pk]) in page
    assert reverse("admin:playbooks_playbook_changelist") not in page
    page = browser.get(reverse("playbooks:version", args=[active.pk])).content.decode()
    assert "Team of 3 to 40 people" in page
    assert "Two founders at Larkmoor Data" in page
    page = browser.get(reverse("playbooks:diff", args=[draft.pk])).content.decode()
    assert "Moved to the growth stage" in page
    assert "− criterion Moved to the growth stage" in page
    assert "Hot from 70 → 75" in page


def test_the_yaml_of_a_version_loads_again(browser: Browser, active: PlaybookVersion) -> None:
    answer = browser.get(reverse("playbooks:yaml", args=[active.pk]))
    assert parse(answer.content.decode()) == DEMO
    assert answer["Content-Disposition"] == 'attachment; filename="founders-v1.yaml"'


def test_another_clients_playbook_is_not_found(browser: Browser) -> None:
    other = factories.version(factories.client())
    for name in ("version", "diff", "yaml"):
        assert browser.get(reverse(f"playbooks:{name}", args=[other.pk])).status_code == 404
    assert other.playbook.name not in browser.get(reverse("playbooks:list")).content.decode()


def test_pages_only_read(browser: Browser, active: PlaybookVersion) -> None:
    for name in ("version", "diff", "yaml"):
        assert browser.post(reverse(f"playbooks:{name}", args=[active.pk])).status_code == 405


def test_the_list_costs_the_same_for_any_number_of_versions(browser: Browser, active: PlaybookVersion) -> None:
    with CaptureQueriesContext(connection) as few:
        browser.get(reverse("playbooks:list"))
    for _ in range(3):
        drafts.new_version(active.playbook, actor=None)
    with CaptureQueriesContext(connection) as many:
        browser.get(reverse("playbooks:list"))
    assert len(many) == len(few)


def test_words_in_a_playbook_cannot_become_markup(browser: Browser, active: PlaybookVersion) -> None:
    draft = drafts.new_version(active.playbook, actor=None)
    draft.procedure = draft.root_intent = "<script>alert(1)</script>"
    draft.save(update_fields=["procedure", "root_intent"])
    for name in ("version", "diff"):
        page = browser.get(reverse(f"playbooks:{name}", args=[draft.pk])).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
