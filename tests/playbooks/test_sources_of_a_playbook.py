"""Sources as rows of a playbook: written, checked, copied, compared and shown."""

from decimal import Decimal
from typing import Any

import pytest
import yaml
from django.db import IntegrityError, transaction
from django.test import Client as Browser
from django.urls import reverse

from playbooks.models import PlaybookVersion, Role, Source
from playbooks.queries import document_of
from playbooks.rules import compare
from playbooks.rules.yaml_io import PlaybookFileError, dump, parse
from playbooks.services import drafts
from playbooks.shipped import contacts
from prospects.host.loading import configs_of, delivered
from tests import factories
from tests.playbooks.admin_page import change_url, posted, problems, signed_in

TEXT = (contacts.HERE / "demo.yaml").read_text()
NEWS = {"key": "news", "kind": "feed", "url": "https://news.example/rss", "cost": 0.0025, "fallback": "site"}
SITE = {"key": "site", "kind": "website", "enabled": False}
API = {
    "key": "api", "kind": "json", "url": "https://api.example/{domain}", "auth_env": "SOURCE_API_KEY",
    "delivers": ["technographics"], "params": {"items": "data", "fields": {"technologies": "stack"}},
    "rate_per_minute": 30, "confidence": 0.6,
}  # fmt: skip


def playbook(*sources: dict[str, Any]) -> str:
    data = yaml.safe_load(TEXT)
    data["sources"] = list(sources)
    for name in ("templates", "sequences", "triggers"):
        data[name] = data[name][:1]
    return yaml.safe_dump(data, sort_keys=False)


def test_sources_round_trip_exactly() -> None:
    document = parse(playbook(NEWS, SITE, API))
    assert parse(dump(document)) == document
    assert document.rows["sources"][0]["cost"] == Decimal("0.0025")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**NEWS, "url": "ftp://x"}, "sources[0].url: an address that starts with https://"),
        ({**NEWS, "key": "Bad key"}, "sources[0].key:"),
        ({**NEWS, "fallback": "nobody"}, "sources[0].fallback: this playbook has no source 'nobody'"),
        ({**NEWS, "cost": 0.00001}, "sources[0].cost: expected an amount with at most four decimals"),
        ({**NEWS, "cost": -1}, "sources[0].cost:"),
        ({**NEWS, "confidence": 2}, "sources[0].confidence: expected a number of at most 1, got 2"),
        ({**API, "params": {}}, "sources[0].params.fields:"),
        (
            {**API, "params": {"fields": {"a": "b"}, "cache_days": 99}},
            "params.cache_days: expected a number of at most 30, got 99",
        ),
        (
            {**API, "params": {"fields": {"a": "b"}, "max_item": 3}},
            "params.max_item: unknown here; expected one of body",
        ),
        ({**API, "params": {"fields": {"a": "b"}, "max_item": 3}}, "did you mean max_items?"),
        ({**API, "auth_env": "PATH"}, "sources[0].auth_env:"),
        ({**API, "auth_header": "Host"}, "sources[0].auth_header:"),
        ({**API, "url": "https://api.example/{secret}"}, "sources[0].url: nothing fills {secret}"),
        ({**API, "url": "https://api.example/{email}"}, "sources[0].url: {email} is filled for a source that delivers"),
        ({**API, "delivers": ["email_check"]}, "sources[0].url: {email} is filled for a source that delivers"),
        ({**API, "kind": "guess"}, "sources[0].kind: expected one of file"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(row: dict[str, Any], said: str) -> None:
    with pytest.raises(PlaybookFileError) as refused:
        parse(playbook(row, SITE))
    assert any(said in line for line in refused.value.problems), refused.value.problems


def test_one_key_names_one_source() -> None:
    with pytest.raises(PlaybookFileError, match="site is already said in row 1"):
        parse(playbook(SITE, {**SITE}))


@pytest.fixture
def draft(db: None) -> PlaybookVersion:
    document = parse(playbook(NEWS, SITE, API))
    return drafts.load_document(document, client=factories.client(slug="demo"), actor=None)[0]


def test_only_sources_that_are_on_are_asked(draft: PlaybookVersion) -> None:
    assert [config.key for config in configs_of(draft)] == ["news", "api"]
    assert delivered(draft) == {"news", "technographics"}


def test_sources_are_copied_compared_and_frozen_with_their_version(draft: PlaybookVersion) -> None:
    factories.activate(draft)
    second = drafts.new_version(draft.playbook, actor=None)
    assert document_of(second).rows["sources"] == document_of(draft).rows["sources"]
    Source.objects.filter(version=second, key="api").update(cost=1)
    (change,) = compare.changes(document_of(draft), document_of(second))
    assert (change.section, change.label, [field.name for field in change.fields]) == ("sources", "api", ["cost"])
    with pytest.raises(IntegrityError), transaction.atomic():
        Source.objects.filter(version=draft).update(cost=2)


def test_sources_are_edited_in_the_admin_without_writing_json(draft: PlaybookVersion) -> None:
    browser = signed_in(factories.user(draft.playbook.client, Role.ADMIN, is_staff=True))
    url = change_url(draft)
    given = posted(browser, url)
    assert browser.post(url, given).status_code == 302
    assert document_of(PlaybookVersion.objects.get(pk=draft.pk)).rows["sources"] == document_of(draft).rows["sources"]
    edited = given | {
        "sources-2-params-items": "rows",
        "sources-2-params-fields-0-1": "tools",
        "sources-2-params-fields-1-0": "ref",
        "sources-2-params-fields-1-1": "link",
        "sources-2-delivers": "technographics, funding",
    }
    answer = browser.post(url, edited)
    assert answer.status_code == 302, problems(answer)
    saved = Source.objects.get(version=draft, key="api")
    assert saved.params == {"items": "rows", "fields": {"technologies": "tools", "ref": "link"}}
    assert saved.delivers == ["technographics", "funding"]


WRONG = (
    ({"sources-0-fallback": "gone"}, "This playbook has no source"),
    ({"sources-1-DELETE": "on"}, "This playbook has no source"),
    ({"sources-0-url": "news.example"}, "An address that starts with https://"),
    ({"sources-2-params-fields-0-0": "", "sources-2-params-fields-0-1": ""}, "Fields: is missing; it is required"),
    ({"sources-2-params-paging": "style: page"}, "paging by page needs the name of its parameter"),
    ({"sources-2-params-max_items": "many"}, "max_items: expected a whole number"),
)


def test_the_admin_says_beside_the_field_what_is_wrong(draft: PlaybookVersion) -> None:
    browser = signed_in(factories.user(draft.playbook.client, Role.ADMIN, is_staff=True))
    url = change_url(draft)
    given = posted(browser, url)
    for edit, said in WRONG:
        answer = browser.post(url, given | edit)
        assert answer.status_code == 200, edit
        assert said.casefold() in problems(answer).casefold(), edit


def test_the_playbook_page_lists_them(draft: PlaybookVersion) -> None:
    browser = Browser()
    browser.force_login(
        factories.user(draft.playbook.client, Role.LEADER), backend="django.contrib.auth.backends.ModelBackend"
    )
    page = browser.get(reverse("playbooks:version", args=[draft.pk])).content.decode()
    assert "https://api.example/{domain}" in page
    assert "technographics" in page
    assert "SOURCE_API_KEY" not in page
