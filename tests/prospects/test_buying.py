"""A person says what is known of a prospect's buying: kept as signals, counted at once, ruled by the newest word."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client as Browser
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from playbooks.models import AuditEntry, Criterion, PlaybookVersion
from prospects.models import Evidence, Prospect, Score, Signal
from prospects.rules.psychologic import HYPOTHESES
from prospects.services import buying
from prospects.services.moving import deals
from tests import factories
from tests.prospects.test_deals import word
from tests.runtime import scene

pytestmark = pytest.mark.django_db

LETTERS = {"budget": "commitment", "authority": "commitment", "need": "need", "timing": "timing"}


def playbook() -> PlaybookVersion:
    """BANT, by which a deal leaves discovery at 70."""
    version = factories.version(active=False)
    version.stage_rules.filter(pipeline="deal", from_stage="discovery").update(scorecard="bant", min_score=70)
    Criterion.objects.bulk_create(
        Criterion(
            version=version, scorecard="bant", layer="investment", category=category, key=key, label=key.capitalize(),
            kind="answer", weight=25, params={"question": f"bant.{key}", "credits": {"yes": 100}}, missing="zero",
        )
        for key, category in LETTERS.items()
    )  # fmt: skip
    return factories.activate(version)


def told(who: Prospect, letter: str, *, answer: str = "said", days_ago: int = 0, **elements: str) -> Signal:
    at = timezone.now()
    quote = buying.Quote((at - timedelta(days=days_ago)).date(), "We need it.", "CFO")
    given = buying.LetterAnswer(letter, answer, quote, elements)
    return buying.answer_letter(who.pk, given, client=who.client, actor=factories.user(who.client), at=at)


BUDGET = {"amount": "20-30k", "owner": "CFO", "cycle": "2027-01-15"}


def in_force(who: Prospect, key: str) -> Evidence:
    return Evidence.objects.filter(prospect=who, criterion=key).order_by("-observed_at", "-pk")[0]


def bant(who: Prospect) -> float:
    return Score.objects.filter(prospect=who, scorecard="bant").latest("pk").value


def test_an_answer_is_a_signal_with_evidence_score_and_audit_entry() -> None:
    who = factories.qualified(playbook())
    signal = told(who, "budget", **BUDGET)
    row = in_force(who, "budget")
    assert (row.value, row.signal_ids, row.quote) == (100, [signal.pk], "We need it.")
    assert "by CFO" in row.rationale
    assert bant(who) == 25  # three letters are unknown and count nothing
    assert AuditEntry.objects.get(event="prospect.answered").detail["about"] == "budget"
    who.refresh_from_db()
    assert who.facts_no >= signal.fact_no


def test_a_claim_counts_less_and_says_what_is_missing() -> None:
    who = factories.qualified(playbook())
    told(who, "budget", amount="20k")
    assert in_force(who, "budget").value == 40
    assert "lacks owner, cycle" in in_force(who, "budget").rationale


def test_a_newer_word_replaces_an_older_one_whatever_day_it_speaks_of() -> None:
    who = factories.qualified(playbook())
    told(who, "budget", **BUDGET)
    told(who, "budget", answer="denied", days_ago=5)
    assert in_force(who, "budget").value == 0
    assert "contradicted" in in_force(who, "budget").rationale
    told(who, "budget", answer="not_known")
    assert "unknown" in in_force(who, "budget").rationale
    assert bant(who) == 0
    assert Signal.objects.filter(prospect=who, kind="answer").count() == 3


@pytest.mark.parametrize(("letter", "answer", "elements"), [("weather", "said", BUDGET), ("budget", "perhaps", BUDGET)])
def test_what_says_nothing_is_refused(letter: str, answer: str, elements: dict[str, str]) -> None:
    who = factories.qualified(playbook())
    with pytest.raises(buying.NotSaid):
        told(who, letter, answer=answer, **elements)
    assert not Signal.objects.filter(prospect=who, kind="answer").exists()


def test_a_deal_leaves_discovery_once_enough_letters_are_evidenced() -> None:
    version = playbook()
    deal = factories.deal(version)
    who, person = deal.prospect, factories.user(deal.client)
    told(who, "budget", **BUDGET)
    told(who, "need", words="We lose deals", cost_of_inaction="40k a year")
    with pytest.raises(deals.RuleNotMet, match="BANT is 50; 70 is needed"):
        deals.move_deal(deal.pk, "proposal", client=deal.client, word=word(person))
    told(who, "timing", trigger="Lease ends", date="2027-03-01")
    log = deals.move_deal(deal.pk, "proposal", client=deal.client, word=word(person))
    letters = Evidence.objects.filter(pk__in=log.evidence_ids).values_list("criterion", flat=True)
    assert sorted(letters) == ["budget", "need", "timing"]


def test_the_agent_finds_what_the_person_said_and_adds_nothing() -> None:
    version = playbook()
    who = factories.prospect(version)
    factories.signal(who, data={"industry": "B2B"})
    told(who, "budget", **BUDGET)
    before = list(Evidence.objects.filter(scorecard="bant").values_list("pk", flat=True))
    scene.run(version)
    assert list(Evidence.objects.filter(scorecard="bant").values_list("pk", flat=True)) == before
    assert bant(who) == 25


def test_forces_and_motives_rest_on_words_and_deeds() -> None:
    who = factories.qualified(playbook())
    at, person = timezone.now(), factories.user(who.client)
    base: dict[str, Any] = {"client": who.client, "actor": person, "at": at}
    silent = buying.Quote(at.date(), " ", "CFO")
    with pytest.raises(buying.NotSaid, match="quote"):
        buying.tell_force(who.pk, "habit", 2, quote=silent, **base)
    buying.tell_force(who.pk, "habit", 2, quote=replace(silent, words="We know our sheets."), **base)
    guess = buying.MotiveGuess("blame", "Asks who signs off.", "Signs alone.", supports=[])
    with pytest.raises(buying.NotSaid, match="at least 2 things they did"):
        buying.tell_motive(who.pk, stated=silent, guess=guess, **base)
    stranger = factories.signal(factories.qualified(playbook()), kind="pricing_viewed")
    deeds = [factories.signal(who, kind=kind).pk for kind in ("pricing_viewed", "demo_cancelled")]
    with pytest.raises(buying.NotSaid, match="at least 2"):
        buying.tell_motive(who.pk, stated=silent, guess=replace(guess, supports=[deeds[0], stranger.pk]), **base)
    kept = buying.tell_motive(who.pk, stated=silent, guess=replace(guess, supports=deeds), **base)
    assert kept.data["supports"] == deeds


def test_the_page_shows_states_and_takes_answers(client: Browser) -> None:
    who = factories.qualified(playbook())
    client.force_login(factories.user(who.client))
    url = reverse("prospects:buying", args=[who.pk])
    page = client.get(url).content.decode()
    assert page.count("Nothing known.") == 4
    assert "Nothing heard." in page
    given = {"what": "letter", "letter": "budget", "answer": "said", "said_on": str(timezone.localdate())}
    answer = client.post(url, {**given, "quote": "It is in the plan.", "e-amount": "20k"}, follow=True).content.decode()
    assert "Claimed" in answer
    assert "It is in the plan." in answer
    assert "When it is decided on" in answer
    force = {"what": "force", "force": "anxiety", "strength": "2", "quote": "What if?", "said_on": given["said_on"]}
    assert "Answer first: <strong>anxiety" in client.post(url, force, follow=True).content.decode()
    refused = client.post(url, {"what": "letter", "letter": "budget", "answer": "said"}, follow=True)
    assert "Said on: Choose the day on which they said it." in refused.content.decode()
    client.force_login(factories.user(who.client, "operator"))
    assert 'name="what"' not in client.get(url).content.decode()
    assert client.post(url, given).status_code == 403


def test_what_is_refused_stays_as_it_was_typed_and_what_is_kept_leads_back_to_its_place(client: Browser) -> None:
    who = factories.qualified(playbook())
    client.force_login(factories.user(who.client))
    url, today = reverse("prospects:buying", args=[who.pk]), timezone.localdate()
    said = {"what": "letter", "letter": "budget", "answer": "denied", "quote": "None this year.", "speaker": "the CFO",
            "e-amount": "20k", "said_on": str(today + timedelta(days=9))}  # fmt: skip
    answer = client.post(url, said)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "That day has not come yet." in page
    for typed in ("None this year.", "the CFO", "20k", said["said_on"], '<option value="denied" selected>'):
        assert typed in page, typed
    assert page.count('<details class="fold" open>') == 1
    guess = {
        "what": "motive",
        "hypothesis": next(iter(HYPOTHESES)),
        "why": "He counts",
        "quote": "Order",
        "said_on": today,
    }
    page = client.post(url, {**guess, "said_on": today}).content.decode()
    assert "He counts" in page
    assert "Order</textarea>" in page
    kept = client.post(url, {**said, "said_on": str(today)})
    assert kept["Location"] == f"{url}#letter-budget"


def test_the_page_asks_as_many_questions_however_much_was_said(client: Browser) -> None:
    who = factories.qualified(playbook())
    client.force_login(factories.user(who.client))
    url = reverse("prospects:buying", args=[who.pk])
    counts = []
    for _ in range(2):
        client.get(url)
        with CaptureQueriesContext(connection) as asked:
            client.get(url)
        counts.append(len(asked))
        for letter in ("budget", "need"):
            told(who, letter, amount="1")
    assert counts[0] == counts[1] <= 20
