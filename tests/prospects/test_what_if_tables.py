"""A what-if as its page shows it: how many there are today and then, and the largest moves first."""

from __future__ import annotations

import pytest
from django.test import Client as Browser
from django.urls import reverse

from playbooks.models import PlaybookVersion, Role
from playbooks.services import drafts, lifecycle
from prospects.models import WhatIf
from prospects.reading.what_if import counted, moved
from prospects.services import what_if
from tests import factories
from tests.runtime import scene

COUNTS = {"route": {"hot>hot": 77, "warm>hot": 13, "warm>warm": 1847, "warm>cold": 733, "cold>cold": 3279}}


def test_a_table_says_how_many_there_are_today_and_then() -> None:
    (table,) = counted(COUNTS)
    assert [(label, today) for label, _, today in table.rows] == [("Hot", 77), ("Warm", 2593), ("Cold", 3279)]
    assert table.then == (90, 1847, 4012)


def test_the_largest_moves_come_first_and_lead_to_who_makes_them() -> None:
    assert [(move.count, move.label, move.query) for move in moved(COUNTS, "route")] == [
        (733, "Warm to Cold", "kind=route&from=warm&to=cold"),
        (13, "Warm to Hot", "kind=route&from=warm&to=hot"),
    ]
    assert moved({}, "route") == []


@pytest.mark.django_db
def test_what_if_of_the_version_that_rules_offers_nothing_and_of_one_overtaken_says_so() -> None:
    ruling = scene.demo()
    draft = drafts.new_version(ruling.playbook, actor=None)
    boss, browser = factories.user(ruling.playbook.client, Role.ADMIN), Browser()
    browser.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    what_if.work(what_if.start(draft, client=ruling.playbook.client, actor=boss).pk)
    publish = reverse("prospects:publish", args=[draft.pk])
    of_draft, of_ruling = (reverse("prospects:what_if", args=[version.pk]) for version in (draft, ruling))
    assert publish in browser.get(of_draft).content.decode()
    assert "This version rules" in browser.get(of_ruling).content.decode()
    publish_version(drafts.new_version(ruling.playbook, actor=None))
    for page in (of_draft, publish):
        assert "Another version rules by now" in browser.get(page).content.decode()
    publish_version(draft)
    page = browser.get(of_draft).content.decode()
    assert "It rules since" in page
    assert "Look again" not in page
    assert publish not in page


def publish_version(version: PlaybookVersion) -> None:
    for step in (lifecycle.submit, lifecycle.approve, lifecycle.activate):
        version = step(version, actor=None)


@pytest.mark.django_db
def test_a_look_that_was_stopped_or_had_nobody_to_look_at_says_so_here_and_before_publishing() -> None:
    version = drafts.new_version(scene.demo().playbook, actor=None)
    boss = factories.user(version.playbook.client, Role.ADMIN)
    browser = Browser()
    browser.force_login(boss, backend="django.contrib.auth.backends.ModelBackend")
    look, publish = (reverse(f"prospects:{name}", args=[version.pk]) for name in ("what_if", "publish"))
    found = what_if.start(version, client=version.playbook.client, actor=boss)
    what_if.cancel(found, actor=boss)
    assert "Stopping after those in hand" in browser.get(look).content.decode()
    what_if.work(found.pk)
    assert "no open prospects yet" in browser.get(look).content.decode()
    WhatIf.objects.filter(pk=found.pk).update(done=1000, total=5949)
    for page in (look, publish):
        assert "Only 1,000 of 5,949 prospects were looked at" in browser.get(page).content.decode()
