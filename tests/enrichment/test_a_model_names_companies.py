"""A language model as a source of candidates: asked per seed, kept like any answer, believed little, never for free."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import LazySettings

from playbooks.models import BudgetPeriod, PlaybookVersion
from prospects.models import MarketScan, ModelAnswer, Prospect, Signal, SourceAnswer
from prospects.services import market_scan
from salesops.bench.standin import Asked, Say, StandIn, fenced
from tests.enrichment import world
from tests.llm.test_model_agents import provider
from tests.runtime import scene

__all__ = ["provider"]
pytestmark = pytest.mark.django_db
SOURCE = {"key": "memory", "kind": "model", "params": {"ask": "Makers of {industry} in {country}", "max_items": 5},
          "confidence": 0.4, "weight": 0.3}  # fmt: skip
ACME = {"name": "Acme Robotics", "website": "https://www.acme-robotics.example/en", "country": "US", "industry": "B2B",
        "why": "It makes arms."}  # fmt: skip


def under(*, tokens: int = 5_000_000) -> PlaybookVersion:
    return world.playbook(SOURCE, edit={"tokens_per_day: 0": f"tokens_per_day: {tokens}"})


def scan(version: PlaybookVersion) -> MarketScan:
    return market_scan.scan(version, actor=None, now=scene.CLOCK)


def names(*companies: dict[str, Any]) -> Callable[[Asked], Say]:
    return lambda asked: Say(answer={"companies": list(companies)})


def test_what_it_names_becomes_a_candidate_with_its_reason_and_little_belief(provider: Callable[..., StandIn]) -> None:
    version = under()
    server = provider(names(ACME))
    done = scan(version)
    assert (done.status, done.problems) == ("done", [])
    made = Prospect.objects.get(company__domain="acme-robotics.example")
    said = Signal.objects.get(prospect=made)
    assert (said.source, said.data["confidence"], said.data["why_named"]) == ("memory", 0.4, "It makes arms.")
    wanted = {piece.text for asked in server.asked for piece in fenced(asked.question) if piece.name == "wanted"}
    assert any(text.startswith("Makers of ") and "{" not in text for text in wanted)
    kept = SourceAnswer.objects.filter(source="memory", status="ok")
    assert kept.count() == len(server.asked)
    assert done.cost == sum(row.cost for row in kept) > 0
    assert BudgetPeriod.objects.get(bucket="tokens").used == 520 * len(server.asked)
    assert not ModelAnswer.objects.exists()


def test_the_same_question_is_not_paid_twice(provider: Callable[..., StandIn]) -> None:
    version = under()
    server = provider(names(ACME))
    scan(version)
    before = len(server.asked)
    done = scan(version)
    assert (len(server.asked), done.cost, done.created) == (before, done.cost, 0)


def test_what_is_no_company_with_a_site_of_its_own_is_skipped_and_counted(provider: Callable[..., StandIn]) -> None:
    version = under()
    nobody = {**ACME, "name": " ", "website": "https://nobody.example"}
    provider(names(ACME, nobody, {**ACME, "name": "Ghost", "website": "ask them"}))
    done = scan(version)
    assert set(Prospect.objects.values_list("company__domain", flat=True)) == {"acme-robotics.example"}
    assert any("2 of 3 records name no company" in words for words in done.problems)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (Say(refusal="No."), "The model refused to answer."),
        (Say(answer={"companies": [], "permissions": "write"}), "does not have the form asked for"),
        (Say(status=500), "The model's service is failing."),
    ],
)
def test_a_model_that_gives_no_answer_ends_its_source_and_says_so(
    said: Say, words: str, provider: Callable[..., StandIn]
) -> None:
    version = under()
    provider(lambda asked: said)
    done = scan(version)
    assert (done.status, done.found) == ("done", 0)
    assert any(words in problem for problem in done.problems)


def test_without_a_key_or_tokens_nothing_is_asked(provider: Callable[..., StandIn], settings: LazySettings) -> None:
    server = provider(names(ACME))
    assert any("budget" in words for words in scan(under(tokens=100)).problems)
    settings.LLM = {**settings.LLM, "KEYS": {}, "BASE_URLS": {}}
    assert any("no key is set" in words for words in scan(under()).problems)
    assert server.asked == []
