"""A deal of somebody who was merged moves on what is known of the one they are read as; PostgreSQL holds the same."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from playbooks.models import PlaybookVersion
from prospects.models import Customer, Deal, Handoff, Prospect, StageTransition
from prospects.reading.pipelines import cards_of
from prospects.services.merging import merges
from prospects.services.moving import deals
from tests import factories
from tests.prospects.pairs import pair
from tests.prospects.test_deals import converted, playbook, scored, word
from tests.refusals import refuses

pytestmark = pytest.mark.django_db

RULES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("deal", "discovery", "proposal", {"scorecard": "bant", "min_score": 70, "team": "qualification"}),
    ("deal", "proposal", "negotiation", {"team": "conversion"}),
    ("deal", "negotiation", "won", {"needs_person": True, "team": "lifecycle"}),
    ("customer", "onboarding", "healthy", {"team": "lifecycle"}),
)


def merged(version: PlaybookVersion) -> tuple[Prospect, Prospect, Deal]:
    """Who is kept, who is read as them, and the deal that the latter had by then."""
    other = converted(version)
    kept = factories.prospect(version, company=factories.company(other.client))
    actor = factories.user(other.client, "admin")
    merges.merge(pair(other.company, kept.company).pk, actor=actor, client=other.client, keep=kept.company_id)
    return Prospect.objects.get(pk=kept.pk), Prospect.objects.get(pk=other.pk), Deal.objects.get(prospect=other)


def test_a_deal_moves_on_the_score_of_the_one_its_prospect_is_read_as_just_as_its_page_says(client: Browser) -> None:
    version = playbook(*RULES)
    kept, other, deal = merged(version)
    assert other.merged_into == kept
    scored(other, version, "bant", 90)
    person = factories.user(deal.client, "reviewer")
    with pytest.raises(deals.RuleNotMet):
        deals.move_deal(deal.pk, "proposal", client=deal.client, word=word(person))
    score = scored(kept, version, "bant", 75)
    (card,) = [card for card in cards_of(kept) if card.pipeline == "deal"]
    assert [option.missing for option in card.onwards] == [[]]
    client.force_login(person)
    answer = client.post(reverse("prospects:move_deal", args=[deal.pk]), {"to": "proposal"})
    assert answer.headers["Location"] == reverse("prospects:pipelines", args=[kept.pk])
    log = StageTransition.objects.get(deal=deal)
    assert (log.prospect, log.to_stage, log.score) == (other, "proposal", score)


def test_its_handoff_and_its_customer_are_those_of_the_one_they_are_read_as() -> None:
    version = playbook(*RULES)
    kept, other, deal = merged(version)
    scored(kept, version, "bant", 75)
    person = factories.user(deal.client)
    for stage in ("proposal", "negotiation", "won"):
        deals.move_deal(deal.pk, stage, client=deal.client, word=word(person))
    assert set(Handoff.objects.filter(transition__deal=deal).values_list("prospect", flat=True)) == {kept.pk}
    assert Customer.objects.get().prospect == other
    again = Deal.objects.get(pk=deal.pk)
    assert again.stage == "won"


def inserted(who: Prospect, version: PlaybookVersion, **columns: Any) -> str:
    """SQL that writes a log row of ``who`` with these columns, behind the services' back."""
    row = {"client_id": who.client_id, "prospect_id": who.pk, "playbook_version_id": version.pk, "at": "now()",
           "seconds": 0, "agent": "''", "reason": "''", "evidence_ids": "'{}'", "skipped": "'{}'",
           "transaction": 0, "trace_id": "'x'", **columns}  # fmt: skip
    values = ", ".join(map(str, row.values()))
    return f"INSERT INTO prospects_stagetransition ({', '.join(row)}) VALUES ({values})"


def test_no_deal_moves_on_a_strangers_score_or_on_its_own_prospects_from_before() -> None:
    version = playbook(*RULES)
    _, other, deal = merged(version)
    stranger = converted(version)
    for whose in (stranger, other):
        score = scored(whose, version, "bant", 99)
        sql = inserted(other, version, deal_id=deal.pk, pipeline="'deal'", seq=1, from_stage="'discovery'",
                       to_stage="'proposal'", score_id=score.pk)  # fmt: skip
        refuses(sql, because="lacks the score")


def test_a_merged_prospect_itself_moves_on_nobody_elses_evidence() -> None:
    version = playbook(*RULES)
    kept, other = (factories.prospect(version) for _ in range(2))
    actor = factories.user(kept.client, "admin")
    merges.merge(pair(other.company, kept.company).pk, actor=actor, client=kept.client, keep=kept.company_id)
    borrowed = factories.evidence(kept, version)
    sql = inserted(other, version, pipeline="'prospect'", seq=1, from_stage="'sourced'",
                   to_stage="'closed'", evidence_ids=f"'{{{borrowed.pk}}}'", reason="'Gone.'")  # fmt: skip
    refuses(sql, because="cites evidence that is not its prospect")


def test_a_handoff_of_their_deal_is_no_strangers() -> None:
    version = playbook(("deal", "discovery", "proposal", {"team": "conversion"}))
    _, _, deal = merged(version)
    deals.move_deal(deal.pk, "proposal", client=deal.client, word=word(factories.user(deal.client)))
    stranger = converted(version)
    log = StageTransition.objects.get(deal=deal)
    refuses(
        "INSERT INTO prospects_handoff (client_id, prospect_id, transition_id, from_team, to_team, stage, summary,"
        f" evidence_ids, at, trace_id) VALUES ({log.client_id}, {stranger.pk}, {log.pk}, 'conversion', 'lifecycle',"
        f" '{log.to_stage}', '{{}}', '{{}}', now(), 'x')",
        because="belongs to a move of its prospect",
    )
