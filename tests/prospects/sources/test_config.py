"""What a playbook may say about a source, and what the environment alone may."""

import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from playbooks.rules.param_reader import ParamsError
from playbooks.rules.sources import DELIVERS, KINDS, PARAMS, read_source
from prospects.sources.config import Credential, Reach, SourceConfig, credential_of
from prospects.sources.records import fill_url, safe_value

API = {"key": "api", "kind": "json", "url": "https://api.example/{domain}", "params": {"fields": {"name": "n"}}}


def test_every_kind_reads_with_as_little_as_it_needs() -> None:
    least = {"file": {"url": "list.csv"}, "json": API, "jobs": {"url": "https://b.example/{label}"},
             "feed": {"url": "https://f.example/rss"}, "website": {},
             "model": {"params": {"ask": "Makers of solar roofs"}, "confidence": 0.4}}  # fmt: skip
    assert set(least) == set(KINDS) == set(PARAMS) == set(DELIVERS)
    for kind, raw in least.items():
        made = read_source({**raw, "key": "x", "kind": kind})
        assert isinstance(made, SourceConfig)
        assert made.delivers == DELIVERS[kind]
        assert (made.cost, made.enabled, made.params.cache_days) == (Decimal(0), True, 30)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "https://api.example"}, "no address and no key"),
        ({"auth_env": "SOURCE_KEY"}, "no address and no key"),
        ({"delivers": ["candidate", "profile"]}, "delivers candidate and nothing else"),
        ({"cost": "0.1"}, "counted by its tokens"),
        ({"confidence": 0.51}, "a hint"),
        ({"params": {"ask": "Makers of {domain}"}}, "can fill only"),
        ({"params": {}}, "required"),
    ],
)
def test_a_language_model_is_asked_for_companies_only_and_believed_little(
    change: dict[str, object], words: str
) -> None:
    row = {"key": "m", "kind": "model", "params": {"ask": "Makers of {industry}"}, "confidence": 0.4}
    with pytest.raises(ParamsError, match=words):
        read_source({**row, **change})


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "telnet"}, "kind"),
        ({"key": "Has Spaces"}, "key"),
        ({"url": "ftp://api.example"}, ""),
        ({"url": "https://api.example/{password}"}, "url"),
        ({"url": "https://api.example/{domain"}, "url"),
        ({"url": "https://api.example/{domain.__class__}"}, "url"),
        ({"auth_env": "SECRET_KEY"}, "auth_env"),
        ({"auth_env": "DATABASE_URL"}, "auth_env"),
        ({"auth_env": "SOURCE_X_HOST"}, "auth_env"),
        ({"auth_header": "Host"}, "auth_header"),
        ({"auth_header": "X: y\r\nZ"}, "auth_header"),
        ({"cost": "-1"}, "cost"),
        ({"weight": 1.5}, "weight"),
        ({"confidence": "nan"}, "confidence"),
        ({"rate_per_minute": 0}, "rate_per_minute"),
        ({"delivers": ["Web Page"]}, "delivers"),
        ({"fallback": "api"}, ""),
        ({"unheard": 1}, "unheard"),
        ({"params": {}}, "params.fields"),
        ({"params": {"fields": {"Bad Name": "x"}}}, "params.fields"),
        ({"params": {"fields": {"name": "n"}, "cache_days": 31}}, "params.cache_days"),
        ({"params": {"fields": {"name": "n"}, "match": "domain"}}, "params"),
        ({"params": {"fields": {"name": "n"}, "paging": {"style": "page"}}}, "params.paging"),
        ({"params": {"fields": {"name": "n"}, "method": "POST", "body": {"q": ["{secret}"]}}}, ""),
        ({"delivers": ["candidate"]}, ""),
    ],
)
def test_a_wrong_row_says_which_field_is_wrong(change: dict[str, object], field: str) -> None:
    with pytest.raises(ParamsError) as wrong:
        read_source({**API, **change})
    assert field in [name for name, _ in wrong.value.problems]
    assert all(words for _, words in wrong.value.problems)


@pytest.mark.parametrize(
    "url", ["/etc/passwd", "../list.csv", "a/../../b.csv", "c:\\x.csv", "", "https://x.example/l.csv"]
)
def test_a_file_lies_in_the_folder_of_sources(url: str) -> None:
    with pytest.raises(ParamsError):
        read_source({"key": "x", "kind": "file", "url": url})


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ParamsError) as wrong:
        read_source({**API, "weight": 2, "cost": -1, "params": {"fields": {}, "odd": 1}})
    assert {"weight", "cost", "params.fields", "params.odd"} <= {name for name, _ in wrong.value.problems}


def test_a_key_is_bound_to_its_host_by_the_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    config = read_source({**API, "auth_env": "SOURCE_API", "auth_header": "X-Api-Key"})
    monkeypatch.delenv("SOURCE_API", raising=False)
    assert credential_of(config) == "SOURCE_API is not set"
    monkeypatch.setenv("SOURCE_API", "secret")
    assert "SOURCE_API_HOST is not set" in str(credential_of(config))
    monkeypatch.setenv("SOURCE_API_HOST", "API.example")
    assert credential_of(config) == Credential("X-Api-Key", "secret", "api.example")
    assert "secret" not in repr(credential_of(config))
    monkeypatch.setenv("SOURCE_API", "se\r\ncret")
    assert "no header can carry" in str(credential_of(config))
    assert credential_of(read_source(API)) is None


def test_settings_bound_the_reach() -> None:
    reach = Reach.of_settings()
    assert reach.allow_hosts == frozenset()
    assert reach.user_agent.startswith("SalesOps")
    assert 0 < reach.batch_seconds < 480, "a task is ended after 540 s"


def test_whatever_fills_an_address_stays_one_part_of_it() -> None:
    filled = {"name": "A/B?c=d&e#f {domain}", "domain": "acme.example"}
    url = fill_url("https://x.example/{domain}?q={name}", filled)
    assert url == "https://x.example/acme.example?q=A%2FB%3Fc%3Dd%26e%23f%20%7Bdomain%7D"


def test_values_are_bounded_before_they_are_stored() -> None:
    deep: object = "x"
    for _ in range(50):
        deep = {"a": [deep]}
    assert len(str(safe_value(deep))) < 100_000
    assert safe_value([1e400, float("nan"), 10**30, "a\x00b", True, None]) == [
        None,
        None,
        str(10**30),
        "ab",
        True,
        None,
    ]


def test_the_documented_example_is_sound() -> None:
    text = Path(settings.BASE_DIR, "docs/sources.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (row,) = yaml.safe_load(example)["sources"]
    assert read_source(row).params.model_dump()["paging"]["last"] == 5
