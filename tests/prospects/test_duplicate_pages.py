"""The pages of duplicates: questions side by side, decisions in place or by plain forms, and taking them back."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from playbooks.models import PlaybookVersion, Role
from prospects.models import Duplicate, Merge
from prospects.services.merging import merges
from tests import factories as make
from tests.prospects.pairs import pair, twins

pytestmark = pytest.mark.django_db


@pytest.fixture
def under() -> PlaybookVersion:
    return make.version()


def signed_in(under: PlaybookVersion, *roles: Role) -> Browser:
    browser = Browser()
    person = make.user(under.playbook.client, *(roles or (Role.OPERATOR,)))
    browser.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def question(under: PlaybookVersion) -> Duplicate:
    one, other = twins(under)
    return pair(one.company, other.company)


def text(response: object) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


def test_a_question_shows_both_records_what_differs_and_why(under: PlaybookVersion) -> None:
    found = question(under)
    type(found.other).objects.filter(pk=found.other.pk).update(city="Boston")
    page = text(signed_in(under).get(reverse("prospects:duplicates")))
    for words in ("Globex Industries", "Austin", "Boston", "likely one", "+9.0", "Keep apart", "1 fact differs"):
        assert words in page
    assert page.count("≠") == 1


def test_merging_by_a_plain_form_keeps_the_one_that_was_chosen(under: PlaybookVersion) -> None:
    found = question(under)
    browser = signed_in(under)
    answer = browser.post(reverse("prospects:merge_pair", args=[found.pk]), {"keep": found.other.pk}, follow=True)
    assert Merge.objects.get().kept == found.other
    assert answer.redirect_chain == [(reverse("prospects:duplicates"), 302)]
    assert "is now read as" in text(answer)
    assert "Nothing to decide" in text(answer)


def test_deciding_in_place_leaves_a_line_that_can_be_taken_back(under: PlaybookVersion) -> None:
    found = question(under)
    browser = signed_in(under)
    headers = {"HX-Request": "true", "HX-Target": f"pair-{found.pk}"}
    merged = text(browser.post(reverse("prospects:merge_pair", args=[found.pk]), headers=headers))
    assert "<html" not in merged
    undo = reverse("prospects:undo_merge", args=[Merge.objects.get().pk])
    assert undo in merged
    apart = text(browser.post(undo, headers=headers))
    again = reverse("prospects:ask_again", args=[found.pk])
    assert again in apart
    assert "Keep this" in text(browser.post(again, headers=headers))
    late = browser.post(reverse("prospects:undo_merge", args=[Merge.objects.get().pk]), headers=headers)
    assert late.status_code == 409
    assert "undone already" in text(late)


def test_what_was_merged_and_kept_apart_is_listed_with_a_way_back(under: PlaybookVersion) -> None:
    first, second = question(under), pair(*(make.company(under.playbook.client) for _ in range(2)))
    browser, actor = signed_in(under), make.user(under.playbook.client, Role.ADMIN)
    merges.merge(first.pk, actor=actor, client=first.client)
    merges.keep_apart(second.pk, actor=actor, client=first.client)
    row = Merge.objects.get()
    assert str(actor) in text(browser.get(reverse("prospects:merges")))
    page = browser.post(reverse("prospects:undo_merge", args=[row.pk]), {"tab": "merged"}, follow=True)
    assert "undone by" in text(page)
    assert str(second.one) in text(browser.get(reverse("prospects:apart")))
    browser.post(reverse("prospects:ask_again", args=[second.pk]), {"tab": "apart"})
    assert Duplicate.objects.get(pk=second.pk).status == "open"


@pytest.mark.parametrize("name", ["duplicates", "merges", "apart"])
def test_empty_pages_say_what_would_fill_them(under: PlaybookVersion, name: str) -> None:
    assert 'class="empty"' in text(signed_in(under).get(reverse(f"prospects:{name}")))


@pytest.mark.parametrize("role", [Role.REVIEWER])
def test_who_may_not_import_may_not_decide(under: PlaybookVersion, role: Role) -> None:
    found = question(under)
    browser = signed_in(under, role)
    assert browser.get(reverse("prospects:duplicates")).status_code == 403
    assert browser.post(reverse("prospects:merge_pair", args=[found.pk])).status_code == 403
    assert "Duplicates" not in text(browser.get(reverse("prospects:list")))
    assert not Merge.objects.exists()


def test_another_clients_pairs_do_not_exist(under: PlaybookVersion) -> None:
    theirs = question(make.version())
    row = merges.merge(theirs.pk, actor=make.user(theirs.client, Role.ADMIN), client=theirs.client)
    browser = signed_in(under)
    for name, pk in (
        ("merge_pair", theirs.pk),
        ("keep_apart", theirs.pk),
        ("ask_again", theirs.pk),
        ("undo_merge", row.pk),
    ):
        assert browser.post(reverse(f"prospects:{name}", args=[pk])).status_code == 404
        assert browser.get(reverse(f"prospects:{name}", args=[pk])).status_code == 405
    assert "Globex" not in text(browser.get(reverse("prospects:merges")))


def test_a_merged_prospect_leaves_the_list_and_says_where_it_went(under: PlaybookVersion) -> None:
    one, other = twins(under)
    other.company.name = "Globex Old Name"
    other.company.save()
    found = pair(one.company, other.company)
    browser = signed_in(under)
    assert "waiting for somebody to decide" in text(browser.get(reverse("prospects:list")))
    merges.merge(found.pk, actor=make.user(one.client, Role.ADMIN), client=one.client)
    listed = text(browser.get(reverse("prospects:list")))
    assert one.get_absolute_url() in listed
    assert other.get_absolute_url() not in listed
    assert one.get_absolute_url() in text(browser.get(reverse("prospects:list"), {"q": "globex old"}))
    gone = text(browser.get(other.get_absolute_url()))
    assert "Merged into" in gone
    assert one.get_absolute_url() in gone
    assert other.get_absolute_url() in text(browser.get(one.get_absolute_url()))


def test_the_page_asks_as_many_queries_for_ten_questions_as_for_one(under: PlaybookVersion) -> None:
    browser = signed_in(under)
    counts = set()
    for number in range(2):
        for place in range(1 if number == 0 else 8):
            one, other = twins(under, domains=(f"a{number}{place}.example", ""))
            pair(one.company, other.company)
        browser.get(reverse("prospects:duplicates"))
        with CaptureQueriesContext(connection) as queries:
            browser.get(reverse("prospects:duplicates"))
        counts.add(len(queries))
    assert len(counts) == 1
