from __future__ import annotations

import re
from html import unescape

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playbooks.models import (
    Activation,
    AgentPermission,
    AuditEntry,
    Client,
    Membership,
    Playbook,
    PlaybookVersion,
    Role,
    Stop,
    User,
)
from playbooks.queries import document_of
from playbooks.rules.yaml_io import parse
from playbooks.services import drafts, lifecycle
from playbooks.services.budgets import zone_named
from playbooks.shipped import contacts
from salesops.admin_site import FactAdmin
from tests import factories
from tests.playbooks.admin_page import change_url, posted, problems, signed_in

pytestmark = pytest.mark.django_db
DEMO = parse((contacts.HERE / "demo.yaml").read_text())
# Enough of it to be a playbook; the admin's page grows with every row.
DEMO.rows |= {"criteria": DEMO.rows["criteria"][:9], "templates": DEMO.rows["templates"][:1], "sequences": []}
DEMO.rows["stage_rules"] = [row for row in DEMO.rows["stage_rules"] if row["pipeline"] == "prospect"][:3]


@pytest.fixture
def draft() -> PlaybookVersion:
    return drafts.load_document(DEMO, client=factories.client(slug="demo"), actor=None)[0]


@pytest.fixture
def boss(draft: PlaybookVersion) -> User:
    return factories.user(draft.playbook.client, Role.ADMIN, is_staff=True)


@pytest.fixture
def browser(boss: User) -> Browser:
    return signed_in(boss)


def test_saving_a_draft_unchanged_changes_nothing(browser: Browser, draft: PlaybookVersion) -> None:
    answer = browser.post(change_url(draft), posted(browser, change_url(draft)))
    assert answer.status_code == 302, problems(answer)
    assert document_of(PlaybookVersion.objects.get(pk=draft.pk)) == DEMO
    assert not AuditEntry.objects.filter(event="playbook.edited").exists()


def test_a_draft_is_edited_with_its_rows_and_the_edit_is_in_the_audit_log(
    browser: Browser, draft: PlaybookVersion, boss: User
) -> None:
    data = posted(browser, change_url(draft)) | {
        "hot_threshold": "72",
        "icp_industries": "B2B, Education",
        "criteria-1-params-minimum": "5",
        "criteria-1-params-maximum": "50",
        "criteria-1-params-soft": "",
        "criteria-1-params-soft_credit": "0.4",
    }
    assert browser.post(change_url(draft), data).status_code == 302
    saved = PlaybookVersion.objects.get(pk=draft.pk)
    assert (saved.hot_threshold, saved.icp_industries) == (72.0, ["B2B", "Education"])
    assert saved.criteria.get(key="size").params == {
        "attribute": "employees", "minimum": 5, "maximum": 50, "soft_credit": 0.4,
    }  # fmt: skip
    entry = AuditEntry.objects.get(event="playbook.edited")
    assert (entry.actor, entry.detail["rows"]) == (boss, {"criteria": 1})
    assert entry.detail["fields"] == ["hot_threshold", "icp_industries"]


def test_a_trigger_is_written_in_its_own_fields(browser: Browser, draft: PlaybookVersion) -> None:
    page = browser.get(change_url(draft)).content.decode()
    assert "requests waiting for a decision" in page  # a metric is chosen by what it means
    data = posted(browser, change_url(draft)) | {"triggers-2-cron": "0 6 * * MON-FRI", "triggers-2-label": "Mornings"}
    assert browser.post(change_url(draft), data).status_code == 302
    saved = draft.triggers.get(key="nightly")
    assert (saved.cron, saved.label, saved.enabled) == ("0 6 * * MON-FRI", "Mornings", True)
    assert AuditEntry.objects.get(event="playbook.edited").detail["rows"] == {"triggers": 1}


# Each line is what was typed and what is said about it. All of one round is wrong at once: the page is slow to draw.
WRONG = (
    (
        ({"weight_firmographic": "34"}, "they sum to 99"),
        ({"hot_threshold": "10"}, "hot above warm"),
        ({"merge_threshold": "0.95"}, "always left to a person"),
        ({"icp_industries": "", "icp_employees_min": "", "icp_employees_max": ""}, "an empty customer profile"),
        ({"emails_per_day": "0"}, "a daily limit above 0"),
        ({"countries": "America"}, "two-letter country codes"),
        ({"criteria-1-kind": "measure"}, "expected at least two [number, points] pairs"),
        ({"stage_rules-0-to_stage": "converted"}, "no prospect can move from sourced to converted"),
        ({"templates-0-body": "Hi {{ firstname }}"}, "{{ firstname }} is no placeholder"),
        ({"criteria-7-key": "hiring_now_2"}, "this playbook has no criterion"),
        ({"triggers-2-cron": "0 25 * * *"}, "is no time that ever comes"),
        ({"triggers-0-signal_kind": ""}, "name the kind of signal to wait for"),
        ({"triggers-3-value": ""}, "expected a number of at least 0"),
    ),
    (
        ({"merge_threshold": "1.01"}, "always left to a person"),
        ({"criteria-1-params-minimum": "many"}, "expected a number, got 'many'"),
        ({"templates-0-requires": "nothing"}, "this playbook has no criterion"),
        ({"triggers-2-metric": "due_prospects"}, "only a trigger of kind threshold has this"),
    ),
    (
        ({"twin_threshold": "0.3"}, "as likely one as two"),
        ({"criteria-1-params-attribute": ""}, "a word is needed here"),
        ({"criteria-7-DELETE": "on"}, "this playbook has no criterion"),
        ({"triggers-1-key": "nightly"}, "nightly is already said in row 2"),
    ),
    (
        ({"merge_threshold": "0.97", "twin_threshold": "0.98"}, "from where on records are merged"),
        ({"criteria-1-key": "industry"}, "icp → industry is already said in row 1"),
    ),
)


def test_what_is_wrong_is_said_beside_the_field(browser: Browser, draft: PlaybookVersion) -> None:
    data = posted(browser, change_url(draft))
    for lines in WRONG:
        answer = browser.post(
            change_url(draft), data | {key: typed for change, _ in lines for key, typed in change.items()}
        )
        assert answer.status_code == 200
        said = unescape(problems(answer)).lower()
        for change, words in lines:
            assert words in said, (change, said)
    assert not AuditEntry.objects.filter(event="playbook.edited").exists()


def test_a_frozen_version_is_read_only(browser: Browser, draft: PlaybookVersion) -> None:
    data = posted(browser, change_url(draft))
    lifecycle.submit(draft, actor=None)
    page = browser.get(change_url(draft)).content.decode()
    assert 'name="hot_threshold"' not in page
    assert 'name="_save"' not in page
    assert browser.post(change_url(draft), data | {"hot_threshold": "90"}).status_code == 403
    assert PlaybookVersion.objects.get(pk=draft.pk).hot_threshold == 70


def test_every_step_asks_first_and_then_goes_through_its_service(
    browser: Browser, draft: PlaybookVersion, boss: User
) -> None:
    for name, status in (("submit", "in_review"), ("approve", "approved"), ("activate", "active")):
        url = reverse("admin:playbooks_playbookversion_step", args=[draft.pk, name])
        assert url in browser.get(change_url(draft)).content.decode()
        assert b"<form" in browser.get(url).content
        assert PlaybookVersion.objects.get(pk=draft.pk).status != status
        assert browser.post(url, {"note": "Tried on ten."}).status_code == 302
        assert PlaybookVersion.objects.get(pk=draft.pk).status == status
    assert Activation.objects.get().note == "Tried on ten."
    browser.post(reverse("admin:playbooks_playbookversion_step", args=[draft.pk, "new-version"]))
    assert draft.playbook.versions.count() == 2
    assert set(AuditEntry.objects.exclude(event="playbook.drafted").values_list("actor", flat=True)) == {boss.pk}


def test_no_version_begins_to_rule_without_a_note(browser: Browser, draft: PlaybookVersion) -> None:
    for step in (lifecycle.submit, lifecycle.approve):
        step(draft, actor=None)
    url = reverse("admin:playbooks_playbookversion_step", args=[draft.pk, "activate"])
    assert "Say in a sentence what changes" in browser.post(url, follow=True).content.decode()
    assert PlaybookVersion.objects.get(pk=draft.pk).status == "approved"


def test_whoever_saves_second_is_told_who_changed_what_and_loses_nothing(
    browser: Browser, draft: PlaybookVersion, boss: User
) -> None:
    mine = posted(browser, change_url(draft)) | {"seen_edit": "0"}
    theirs = Browser()
    other = factories.user(draft.playbook.client, "admin", name="Ola Brandt", is_staff=True)
    theirs.force_login(other, backend="django.contrib.auth.backends.ModelBackend")
    first = posted(theirs, change_url(draft)) | {"hot_threshold": "75"}
    assert theirs.post(change_url(draft), first).status_code == 302
    answer = browser.post(change_url(draft), mine | {"warm_threshold": "33"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Ola Brandt changed hot threshold" in page
    assert 'value="33"' in page
    saved = PlaybookVersion.objects.get(pk=draft.pk)
    assert (saved.hot_threshold, saved.warm_threshold, saved.edit_no) == (75, 40, 1)
    again = mine | {"warm_threshold": "33", "hot_threshold": "75", "seen_edit": "1"}
    assert browser.post(change_url(draft), again).status_code == 302
    saved = PlaybookVersion.objects.get(pk=draft.pk)
    assert (saved.hot_threshold, saved.warm_threshold, saved.edit_no) == (75, 33, 2)


def test_a_refused_step_says_why(browser: Browser, draft: PlaybookVersion) -> None:
    url = reverse("admin:playbooks_playbookversion_step", args=[draft.pk, "activate"])
    page = browser.post(url, follow=True)
    assert "cannot be told to activate" in page.content.decode()


def test_another_clients_rows_do_not_exist_here(browser: Browser, draft: PlaybookVersion) -> None:
    other = factories.version(factories.client(name="Somebody Else"))
    stranger = factories.user(other.playbook.client)
    for url in (
        change_url(other),
        reverse("admin:playbooks_playbook_change", args=[other.playbook_id]),
        reverse("admin:playbooks_client_change", args=[other.playbook.client_id]),
        reverse("admin:playbooks_user_change", args=[stranger.pk]),
    ):
        answer = browser.get(url)
        assert answer.status_code == 302, url  # Django's admin: not found, back to the index
        assert answer["Location"] == reverse("admin:index")
    step = reverse("admin:playbooks_playbookversion_step", args=[other.pk, "retire"])
    assert browser.post(step).status_code == 404
    for model in ("playbookversion", "playbook", "client", "user", "auditentry", "agentpermission"):
        page = browser.get(reverse(f"admin:playbooks_{model}_changelist")).content.decode()
        assert "Somebody Else" not in page


@pytest.mark.parametrize("staff", [True, False])
def test_only_staff_with_the_admin_role_get_in(draft: PlaybookVersion, staff: bool) -> None:
    roles = (Role.REVIEWER, Role.LEADER, Role.OPERATOR) if staff else (Role.ADMIN,)
    person = factories.user(draft.playbook.client, *roles, is_staff=staff)
    answer = signed_in(person).get(reverse("admin:index"), follow=True)
    assert answer.status_code == 403


def test_a_visitor_is_sent_to_our_own_sign_in() -> None:
    answer = Browser().get(reverse("admin:index"), follow=True)
    assert answer.request["PATH_INFO"] == reverse("login")


def test_facts_are_never_editable_by_anybody(draft: PlaybookVersion) -> None:
    root = User.objects.create_superuser("root@team.example", "a long password")
    browser = signed_in(root)
    for model, model_admin in admin.site._registry.items():
        if isinstance(model_admin, FactAdmin):
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            assert browser.get(reverse(f"{name}_changelist")).status_code == 200, model
            assert browser.get(reverse(f"{name}_add")).status_code == 403, model
            assert browser.post(reverse(f"{name}_changelist"), {"action": "delete_selected"}).status_code in (
                200,
                302,
                403,
            )
    entry = AuditEntry.objects.first()
    assert entry is not None
    page = browser.get(reverse("admin:playbooks_auditentry_change", args=[entry.pk]))
    assert b'name="_save"' not in page.content
    assert (
        browser.post(reverse("admin:playbooks_auditentry_change", args=[entry.pk]), {"event": "x"}).status_code == 403
    )
    assert browser.post(reverse("admin:playbooks_auditentry_delete", args=[entry.pk])).status_code == 403


def test_admin_pages_carry_no_inline_script_or_style(browser: Browser, draft: PlaybookVersion) -> None:
    urls = [reverse("admin:index"), change_url(draft), reverse("admin:playbooks_agentpermission_changelist")]
    urls += [reverse("admin:playbooks_user_add"), reverse("admin:playbooks_stop_add")]
    for url in urls:
        page = browser.get(url)
        html = page.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")[^>]*>", html), url
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=", html), url
        assert "script-src 'self'" in page["Content-Security-Policy"]


def test_opening_a_version_costs_the_same_for_any_number_of_rows(browser: Browser, draft: PlaybookVersion) -> None:
    with CaptureQueriesContext(connection) as few:
        browser.get(change_url(draft))
    draft.brand_rules.bulk_create(draft.brand_rules.model(version=draft, phrase=f"phrase {n}") for n in range(30))
    with CaptureQueriesContext(connection) as many:
        browser.get(change_url(draft))
    assert len(many) == len(few)


def test_the_permission_matrix_changes_cells_over_the_default(browser: Browser, draft: PlaybookVersion) -> None:
    url = reverse("admin:playbooks_agentpermission_changelist")
    assert "Inherited (write)" in browser.get(url).content.decode()
    browser.post(url, {"lead_gen:contact": "none", "conversion:deal_value": ""})
    cell = AgentPermission.objects.get()
    assert (cell.client, cell.team, cell.resource, cell.access) == (
        draft.playbook.client, "lead_gen", "contact", "none",
    )  # fmt: skip
    assert AuditEntry.objects.filter(event="permission.changed").count() == 1
    browser.post(url, {"lead_gen:contact": "none"})
    assert AuditEntry.objects.filter(event="permission.changed").count() == 1
    browser.post(url, {})
    assert not AgentPermission.objects.exists()


def test_a_client_admin_cannot_change_the_default_for_all(browser: Browser, draft: PlaybookVersion) -> None:
    browser.post(reverse("admin:playbooks_agentpermission_changelist") + "?client=all", {"lead_gen:contact": "none"})
    assert not AgentPermission.objects.filter(client__isnull=True).exists()


def test_people_are_added_with_roles_at_the_admins_own_clients(
    browser: Browser, draft: PlaybookVersion, boss: User
) -> None:
    client = draft.playbook.client
    data = {"email": "new@team.example", "name": "New", "is_active": "on", "new_password": "a-long-first-word"}
    refused = browser.post(reverse("admin:playbooks_user_add"), data)
    assert "at least one role" in refused.content.decode()
    roles = {f"roles_{client.pk}": ["reviewer", "leader"]}
    assert browser.post(reverse("admin:playbooks_user_add"), data | roles).status_code == 302
    person = User.objects.get(email="new@team.example")
    assert person.check_password("a-long-first-word")
    assert set(person.memberships.values_list("role", flat=True)) == {"reviewer", "leader"}
    url = reverse("admin:playbooks_user_change", args=[person.pk])
    browser.post(url, data | {"new_password": "", f"roles_{client.pk}": ["operator"]})
    assert list(person.memberships.values_list("role", flat=True)) == ["operator"]
    person.refresh_from_db()
    assert person.check_password("a-long-first-word")
    assert AuditEntry.objects.filter(event="role.changed", actor=boss).count() == 2


def test_a_person_who_works_elsewhere_too_is_not_this_admins_to_change(
    browser: Browser, draft: PlaybookVersion
) -> None:
    shared = factories.user(draft.playbook.client, Role.REVIEWER)
    Membership.objects.create(user=shared, client=factories.client(), role=Role.ADMIN)
    url = reverse("admin:playbooks_user_change", args=[shared.pk])
    assert b"new_password" not in browser.get(url).content
    assert browser.post(url, {"email": shared.email, "new_password": "another-long-word"}).status_code == 403


def test_the_last_admin_stays(browser: Browser, draft: PlaybookVersion, boss: User) -> None:
    url = reverse("admin:playbooks_user_change", args=[boss.pk])
    data = {"email": boss.email, "name": boss.name, "is_active": "on", "is_staff": "on"}
    answer = browser.post(url, data | {f"roles_{draft.playbook.client_id}": ["reviewer"]})
    assert answer.status_code == 409
    assert boss.memberships.get().role == Role.ADMIN


def test_a_stop_is_set_and_lifted_through_its_service(browser: Browser, draft: PlaybookVersion) -> None:
    client = draft.playbook.client
    Client.objects.filter(pk=client.pk).update(time_zone="Asia/Kathmandu")
    data = {"client": client.pk, "level": "playbook", "playbook": draft.playbook_id, "kind": "pause", "agent": "",
            "reason": "Wrong words went out", "until": "2999-12-31T09:30"}  # fmt: skip
    assert b"Until (Asia/Kathmandu)" in browser.get(reverse("admin:playbooks_stop_add")).content
    answer = browser.post(reverse("admin:playbooks_stop_add"), data)
    assert answer.status_code == 302, problems(answer)
    stop = Stop.objects.get()
    assert (stop.target_id, stop.client) == (draft.playbook_id, client)
    assert f"{stop.until:%Y-%m-%d %H:%M}" == "2999-12-31 03:45"
    browser.post(reverse("admin:playbooks_stop_lift", args=[stop.pk]), {"reason": "Words are right now"})
    stop.refresh_from_db()
    assert stop.lift_reason == "Words are right now"
    assert AuditEntry.objects.filter(event__startswith="stop.").count() == 2


def test_a_new_playbook_starts_with_a_draft_that_has_its_stage_rules(browser: Browser, draft: PlaybookVersion) -> None:
    data = {"client": draft.playbook.client_id, "name": "Second", "slug": "second", "kind": "b2b"}
    answer = browser.post(reverse("admin:playbooks_playbook_add"), data)
    version = PlaybookVersion.objects.get(playbook__slug="second")
    assert answer["Location"] == change_url(version)
    assert version.stage_rules.count() == 9 + 3 + 4
    with pytest.raises(lifecycle.NotReady):
        lifecycle.submit(version, actor=None)


def test_a_time_zone_that_does_not_exist_is_refused_beside_its_field(browser: Browser, draft: PlaybookVersion) -> None:
    client = draft.playbook.client
    data = {"name": client.name, "sender_name": "", "sender_email": "", "postal_address": "", "privacy_url": ""}
    for name in ("Auckland", "America", "../../etc/passwd"):
        page = browser.post(reverse("admin:playbooks_client_change", args=[client.pk]), {**data, "time_zone": name})
        assert "expected a name such as Pacific/Auckland" in page.content.decode()
        assert zone_named(name).key == "UTC"


def test_sender_details_change_with_an_entry_and_the_sandbox_does_not(browser: Browser, draft: PlaybookVersion) -> None:
    client = draft.playbook.client
    data = {"name": client.name, "sender_name": "New Name", "sender_email": client.sender_email, "sandbox": "",
            "postal_address": client.postal_address, "privacy_url": "", "time_zone": "UTC"}  # fmt: skip
    browser.post(reverse("admin:playbooks_client_change", args=[client.pk]), data)
    saved = Client.objects.get(pk=client.pk)
    assert (saved.sender_name, saved.sandbox) == ("New Name", True)
    assert AuditEntry.objects.get(event="client.changed").detail == {"fields": ["sender_name"]}
    assert Playbook.objects.filter(client=client).exists()
