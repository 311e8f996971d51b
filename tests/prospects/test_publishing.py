"""Publishing a version: by whom, with which words, for whom, and what follows for prospects."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from playbooks import ruling
from playbooks.models import Activation, AuditEntry, PlaybookVersion, Role, User
from playbooks.services import drafts, lifecycle
from prospects.models import Convergence, Prospect, Suggestion, WhatIf
from prospects.services import publishing, suggestions
from prospects.services.converging import converge
from prospects.services.moving import stages
from prospects.services.moving.ledger import Word
from salesops.errors import NotAllowed
from tests import factories
from tests.runtime import scene

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def under() -> PlaybookVersion:
    return scene.demo()


@pytest.fixture
def boss(under: PlaybookVersion) -> User:
    return factories.user(under.playbook.client, Role.ADMIN, name="Uma Selwyn")


@pytest.fixture
def browser(boss: User) -> Browser:
    made = Browser()
    made.force_login(boss, backend=BACKEND)
    return made


def stricter(under: PlaybookVersion, actor: User | None = None) -> PlaybookVersion:
    draft = drafts.new_version(under.playbook, actor=actor)
    draft.hot_threshold = 99
    draft.save(update_fields=["hot_threshold"])
    return draft


def publish(draft: PlaybookVersion, applies_to: str = "all", **given: Any) -> PlaybookVersion:
    return lifecycle.publish(draft, **{"actor": None, "note": "Fewer calls.", "applies_to": applies_to, **given})


def refused(sql: str, *parameters: object) -> None:
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, list(parameters))


def test_nothing_is_published_without_a_note(under: PlaybookVersion, boss: User) -> None:
    draft = stricter(under)
    with pytest.raises(lifecycle.NoNote):
        publish(draft, actor=boss, note="  ")
    assert PlaybookVersion.objects.get(pk=draft.pk).status == "draft"
    done = publish(draft, actor=boss)
    assert (done.status, done.change_note, done.submitted_by, done.approved_by) == (
        "active",
        "Fewer calls.",
        boss,
        boss,
    )
    assert Activation.objects.get(version=draft).note == "Fewer calls."


def test_where_two_people_publish_the_one_who_submitted_cannot(under: PlaybookVersion, boss: User) -> None:
    lifecycle.ask_for_two(under.playbook, wanted=True, actor=boss)
    second = factories.user(under.playbook.client, Role.ADMIN)
    draft = stricter(under)
    for who in (boss, None):
        with pytest.raises(lifecycle.SecondPersonNeeded):
            publish(draft, actor=who)
    lifecycle.submit(draft, actor=boss, note="Fewer calls.")
    for who in (boss, None):
        with pytest.raises(lifecycle.SecondPersonNeeded):
            publish(draft, actor=who)
    assert publish(draft, actor=second).approved_by == second
    assert AuditEntry.objects.filter(event="playbook.publishing", detail={"two_people": True}).count() == 1


def test_postgresql_keeps_the_second_person_whatever_the_services_do(under: PlaybookVersion, boss: User) -> None:
    lifecycle.ask_for_two(under.playbook, wanted=True, actor=boss)
    second = factories.user(under.playbook.client, Role.ADMIN)
    draft = stricter(under)
    lifecycle.submit(draft, actor=boss)
    table = "UPDATE playbooks_playbookversion SET"
    refused(f"{table} status = 'approved' WHERE id = %s", draft.pk)
    refused(f"{table} status = 'approved', approved_by_id = %s WHERE id = %s", boss.pk, draft.pk)
    refused(f"{table} submitted_by_id = %s WHERE id = %s", second.pk, draft.pk)
    lifecycle.approve(draft, actor=second)
    refused(f"{table} approved_by_id = %s WHERE id = %s", boss.pk, draft.pk)
    refused(f"{table} submitted_by_id = NULL WHERE id = %s", draft.pk)
    refused("UPDATE playbooks_activation SET note = 'x' WHERE version_id = %s", under.pk)


def test_a_version_approved_by_one_cannot_begin_to_rule_once_two_are_asked_for(
    under: PlaybookVersion, boss: User
) -> None:
    draft = stricter(under)
    lifecycle.submit(draft, actor=boss)
    lifecycle.approve(draft, actor=boss)
    lifecycle.ask_for_two(under.playbook, wanted=True, actor=boss)
    with pytest.raises(lifecycle.SecondPersonNeeded):
        lifecycle.activate(draft, actor=boss)
    refused("UPDATE playbooks_playbookversion SET status = 'active' WHERE id = %s", draft.pk)


def test_publishing_judges_everybody_again_and_their_routes_follow(under: PlaybookVersion, boss: User) -> None:
    who = scene.company(under, scene.GOOD)
    scene.run(under)
    who.refresh_from_db()
    assert who.route == "hot"
    older = Convergence.objects.create(
        client=who.client, playbook=under.playbook, version=under, clock=scene.CLOCK, limit=1
    )
    draft = stricter(under)
    done, job = publishing.publish(draft, client=who.client, actor=boss, note="Fewer calls.", applies_to="all")
    assert job is not None
    assert (job.version, job.total) == (done, 1)
    older.refresh_from_db()
    assert older.cancel_requested
    assert converge.work(older.pk, 0) is None
    older.refresh_from_db()
    assert (older.status, older.error) == ("cancelled", "A newer version rules: the agents began anew under it.")
    scene.run(done)
    who.refresh_from_db()
    assert (who.route, who.converged_version) == ("warm", done)
    publish(under, actor=boss, note="Too few calls.")
    scene.run(under)
    who.refresh_from_db()
    assert (who.route, who.converged_version) == ("hot", under)


def test_a_version_for_newcomers_leaves_those_in_work_under_the_one_before(under: PlaybookVersion) -> None:
    old, quiet = scene.company(under, scene.GOOD), scene.company(under, scene.GOOD)
    scene.run(under)
    draft = stricter(under)
    publish(draft, "new")
    new = scene.company(draft, scene.GOOD)
    factories.signal(old, kind="note", text="Called.", observed_at=scene.CHANGED)
    scene.seen(old)
    report = scene.run(draft)
    assert report.outcome.prospects == 2
    found = {p.pk: (p.converged_version_id, p.route) for p in Prospect.objects.filter(playbook=under.playbook)}
    assert found == {old.pk: (under.pk, "hot"), quiet.pk: (under.pk, "hot"), new.pk: (draft.pk, "warm")}
    assert scene.run(draft).outcome.prospects == 0
    (moved,) = stages.move(
        [old], "closed", client=old.client, word=Word(at=timezone.now(), actor=None, reason="Went away.")
    )
    assert moved.playbook_version_id == under.pk


def test_rulings_follow_each_other_by_arrival_and_a_rollback_for_all_ends_them(under: PlaybookVersion) -> None:
    second, third = stricter(under), stricter(under)
    publish(second, "new")
    publish(third, "new")
    times = {a.version_id: a.at for a in Activation.objects.all()}
    held = ruling.rulings(under.playbook_id, third.pk)
    assert [(r.version_id, r.since) for r in held] == [
        (under.pk, None), (second.pk, times[second.pk]), (third.pk, times[third.pk]),
    ]  # fmt: skip
    hair = timedelta(microseconds=1)
    for at, version in (
        (times[second.pk] - hair, under), (times[second.pk], second), (times[third.pk] - hair, second),
        (times[third.pk], third),
    ):  # fmt: skip
        assert ruling.version_for(held, at) == version.pk
    assert ruling.rulings_of([under.playbook_id]) == {under.playbook_id: held}
    publish(under, "all")
    assert [r.version_id for r in ruling.rulings(under.playbook_id, under.pk)] == [under.pk]


def test_two_who_want_to_change_a_playbook_meet_in_one_draft(
    browser: Browser, under: PlaybookVersion, boss: User
) -> None:
    other = factories.user(under.playbook.client, Role.ADMIN, name="Ola Brandt")
    draft, made = drafts.draft_to_edit(under.playbook, actor=other)
    assert made
    assert draft.based_on == under
    answer = browser.post(reverse("playbooks:new_version", args=[under.pk]), follow=True)
    assert "version 2, made by Ola Brandt" in answer.content.decode()
    assert under.playbook.versions.count() == 2
    assert "Ola Brandt" in browser.get(reverse("playbooks:list")).content.decode()


def test_the_page_publishes_and_leads_to_the_run(browser: Browser, under: PlaybookVersion) -> None:
    draft = stricter(under)
    url = reverse("prospects:publish", args=[draft.pk])
    page = browser.get(url).content.decode()
    assert "Hot from 70 → 99" in page
    assert browser.post(url, {"action": "publish", "note": ""}).status_code == 409
    answer = browser.post(url, {"action": "publish", "note": "Fewer calls.", "applies_to": "new"})
    job = Convergence.objects.get(version=draft)
    assert answer["Location"] == reverse("job", args=[job.pk])
    assert Activation.objects.get(version=draft).applies_to == "new"
    assert "Roll back to version 1" in browser.get(reverse("prospects:publish", args=[under.pk])).content.decode()


def test_a_note_that_says_nothing_is_refused_beside_its_field_and_the_choice_is_kept(
    browser: Browser, under: PlaybookVersion
) -> None:
    draft = stricter(under)
    answer = browser.post(
        reverse("prospects:publish", args=[draft.pk]), {"action": "publish", "note": "  ", "applies_to": "new"}
    )
    page = answer.content.decode()
    assert answer.status_code == 409
    assert 'id="note-error"' in page
    assert 'aria-invalid="true"' in page
    assert 'value="new" checked' in page
    assert PlaybookVersion.objects.get(pk=draft.pk).status == "draft"


def test_nobody_publishes_what_was_changed_since_they_read_it(
    browser: Browser, under: PlaybookVersion, boss: User
) -> None:
    draft = stricter(under)
    url = reverse("prospects:publish", args=[draft.pk])
    seen = browser.get(url).context["seen"]
    PlaybookVersion.objects.filter(pk=draft.pk).update(hot_threshold=98)
    drafts.record_edit(draft, actor=boss, fields=["hot_threshold"], rows={})
    answer = browser.post(url, {"action": "publish", "note": "Fewer calls.", "seen": seen})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "changed since you opened the page" in page
    assert "Hot from 70 → 98" in page
    assert "Fewer calls.</textarea>" in page
    assert PlaybookVersion.objects.get(pk=draft.pk).status == "draft"
    again = {"action": "publish", "note": "Fewer calls.", "seen": answer.context["seen"]}
    assert browser.post(url, again).status_code == 302


def test_a_publish_sent_twice_is_done_once(browser: Browser, under: PlaybookVersion) -> None:
    draft = stricter(under)
    url = reverse("prospects:publish", args=[draft.pk])
    for _ in range(2):
        answer = browser.post(url, {"action": "publish", "note": "Fewer calls.", "applies_to": "all"}, follow=True)
    assert "rules already; nothing was done twice" in answer.content.decode()
    assert (Activation.objects.filter(version=draft).count(), Convergence.objects.count()) == (1, 1)


def test_the_page_of_a_version_in_review_waits_for_somebody_else(
    browser: Browser, under: PlaybookVersion, boss: User
) -> None:
    draft = stricter(under)
    browser.post(reverse("playbooks:two_people", args=[under.playbook_id]), {"wanted": "yes"})
    url = reverse("prospects:publish", args=[draft.pk])
    assert "Ask for approval" in browser.get(url).content.decode()
    browser.post(url, {"action": "submit", "note": "Fewer calls."})
    assert "Waiting for a second person" in browser.get(url).content.decode()
    browser.post(url, {"action": "send_back"})
    assert PlaybookVersion.objects.get(pk=draft.pk).status == "draft"


def test_only_admins_publish_and_copy(under: PlaybookVersion) -> None:
    leader = Browser()
    leader.force_login(factories.user(under.playbook.client, Role.LEADER), backend=BACKEND)
    draft = stricter(under)
    url = reverse("prospects:publish", args=[draft.pk])
    assert "Only an admin" in leader.get(url).content.decode()
    assert leader.post(url, {"action": "publish", "note": "x"}).status_code == 403
    assert leader.post(reverse("playbooks:new_version", args=[under.pk])).status_code == 403
    assert leader.post(reverse("prospects:what_if", args=[draft.pk])).status_code == 302
    reviewer = Browser()
    reviewer.force_login(factories.user(under.playbook.client, Role.REVIEWER), backend=BACKEND)
    assert reviewer.post(reverse("prospects:what_if", args=[draft.pk])).status_code == 403


def test_the_what_if_page_says_when_the_draft_was_changed_since(
    browser: Browser, under: PlaybookVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()  # the page looks ahead from today: what is known is as old as it was when they were judged
    monkeypatch.setattr(scene, "IMPORTED", now - timedelta(days=55))
    monkeypatch.setattr(scene, "CHANGED", now - timedelta(days=12))
    who = scene.company(under, scene.GOOD)
    scene.run(under, clock=now)
    draft = stricter(under)
    url = reverse("prospects:what_if", args=[draft.pk])
    assert "Nobody has looked yet" in browser.get(url).content.decode()
    browser.post(url)
    assert 'hx-trigger="every 1s"' in browser.get(url).content.decode()
    from prospects.services import what_if

    what_if.work(WhatIf.objects.get().pk)
    page = browser.get(url, {"kind": "route", "from": "hot", "to": "warm"}).content.decode()
    assert "Hot begins at 99 instead of 70." in page
    assert str(who) in page
    assert "every 1s" not in page
    assert (
        "?kind=route&amp;from=hot&amp;to=warm"
        in browser.get(reverse("prospects:publish", args=[draft.pk])).content.decode()
    )
    lines = b"".join(browser.get(reverse("prospects:what_if_csv", args=[draft.pk]))).decode().splitlines()  # type: ignore[arg-type]
    assert lines[1].split(",")[2:4] == ["hot", "warm"]
    PlaybookVersion.objects.filter(pk=draft.pk).update(hot_threshold=98)
    assert "The version was changed since" in browser.get(url).content.decode()


def test_a_note_that_the_playbook_is_wrong_waits_on_it_and_is_answered_once(
    browser: Browser, under: PlaybookVersion, boss: User
) -> None:
    who = scene.company(under, scene.GOOD)
    scene.run(under)
    url = reverse("prospects:suggest", args=[who.pk])
    assert "Team of 3 to 40 people" in browser.get(url).content.decode()
    assert browser.post(url, {"rule": "Team of 3 to 40 people", "truth": " "}).status_code == 409
    browser.post(url, {"rule": "Team of 3 to 40 people", "truth": "Sixty buy as well."})
    note = Suggestion.objects.get()
    assert (note.by, note.version, note.state) == (boss, under, "open")
    notes = reverse("prospects:suggestions", args=[under.playbook_id])
    assert "Sixty buy as well." in browser.get(notes).content.decode()
    answer = reverse("prospects:answer_suggestion", args=[note.pk])
    assert browser.post(answer, {"state": "declined"}).status_code == 409
    assert browser.post(answer, {"state": "taken", "words": "In version 2."}).status_code == 302
    assert browser.post(answer, {"state": "declined", "words": "No."}).status_code == 409
    assert "Sixty" not in browser.get(notes).content.decode()
    assert "Sixty" in browser.get(notes, {"state": "taken"}).content.decode()
    for sql in ("state = 'open'", "truth = 'x'", "answer = 'y'"):
        refused(f"UPDATE prospects_suggestion SET {sql} WHERE id = %s", note.pk)
    refused("DELETE FROM prospects_suggestion WHERE id = %s", note.pk)
    reviewer = factories.user(under.playbook.client, Role.REVIEWER)
    other = suggestions.suggest(who, client=who.client, actor=reviewer, rule="Hot", truth="Too many.")
    with pytest.raises(NotAllowed):
        suggestions.answer(other.pk, client=who.client, actor=reviewer, state="taken")


def test_where_a_version_is_used_is_shown_with_links(browser: Browser, under: PlaybookVersion) -> None:
    who = scene.company(under, scene.GOOD)
    report = scene.run(under)
    page = browser.get(reverse("where_used", args=[under.pk])).content.decode()
    assert reverse("prospects:detail", args=[who.pk]) in page
    assert reverse("job", args=[report.convergence.pk]) in page
    assert "/approvals/" in page
