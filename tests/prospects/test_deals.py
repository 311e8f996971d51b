"""Deals and customers: opened by conversion and by winning, moved by their rules, refused by PostgreSQL."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.db.models import Model
from django.utils import timezone

from playbooks.models import AuditEntry, PlaybookVersion, StageRule, User
from prospects.models import Customer, Deal, Handoff, Prospect, Score, StageTransition
from prospects.services.moving import by_person, deals, stages
from prospects.services.moving.ledger import IllegalMove, Word
from salesops.dbtypes import new_trace_id
from tests import factories
from tests.refusals import refuses

pytestmark = pytest.mark.django_db

RULES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("deal", "discovery", "proposal", {"scorecard": "bant", "min_score": 70, "team": "conversion"}),
    ("deal", "proposal", "negotiation", {"needs_person": True, "team": "conversion"}),
    ("deal", "negotiation", "won", {"confirm_from_value": 10_000, "team": "conversion"}),
    ("deal", "discovery", "won", {"route": "hot", "needs_person": True}),
    ("customer", "onboarding", "healthy", {"team": "lifecycle"}),
    ("customer", "healthy", "expansion", {"team": "lifecycle"}),
    ("customer", "at_risk", "healthy", {"team": "lifecycle"}),
)


def playbook(*rules: tuple[str, str, str, dict[str, Any]], **fields: Any) -> PlaybookVersion:
    version = factories.version(active=False, **fields)
    version.stage_rules.exclude(pipeline="prospect").delete()
    StageRule.objects.bulk_create(
        StageRule(version=version, pipeline=line, from_stage=start, to_stage=end, **needs)
        for line, start, end, needs in rules or RULES
    )
    return factories.activate(version)


def converted(version: PlaybookVersion) -> Prospect:
    who = factories.qualified(version)
    factories.move(who, version, "contacted", "engaged")
    stages.move([who], "converted", client=who.client, word=Word(at=timezone.now(), actor=None))
    who.refresh_from_db()
    return who


def word(actor: User | None = None, reason: str = "") -> Word:
    return Word(at=timezone.now(), actor=actor, reason=reason)


def scored(who: Prospect, version: PlaybookVersion, card: str, value: float, **breakdown: Any) -> Score:
    return Score.objects.create(
        client=who.client, prospect=who, playbook_version=version, scorecard=card, value=value, coverage=1,
        breakdown={"criteria": [], **breakdown}, computed_at=timezone.now(),
    )  # fmt: skip


def taken(version: PlaybookVersion, *path: str) -> Deal:
    """A deal moved by a person along ``path``, under rules that ask for nothing else."""
    deal = Deal.objects.get(prospect=converted(version))
    person = factories.user(deal.client)
    for stage in path:
        deals.move_deal(deal.pk, stage, client=deal.client, word=word(person, "Agreed."))
    deal.refresh_from_db()
    return deal


STEPS = tuple(rule for rule in RULES if "route" not in rule[3])  # whoever skips is hot
EASY = tuple((line, start, end, {}) for line, start, end, _ in STEPS)


def test_converting_opens_a_deal_worth_what_the_playbook_expects() -> None:
    who = converted(playbook())
    deal = Deal.objects.get()
    assert (deal.prospect, deal.stage, deal.amount, deal.currency) == (who, "discovery", Decimal(5000), "USD")
    assert deal.stage_since == who.stage_since
    entry = AuditEntry.objects.get(event="deal.opened")
    assert (entry.subject_id, entry.detail["prospect"]) == (deal.pk, who.pk)


def test_conversion_that_fails_opens_no_deal() -> None:
    version = playbook()
    who = factories.move(factories.qualified(version), version, "contacted")
    with pytest.raises(DatabaseError, match="has no stage rule"), transaction.atomic():
        stages.move([who], "converted", client=who.client, word=Word(at=timezone.now(), actor=None))
    assert not Deal.objects.exists()


def test_a_prospect_may_have_several_deals_with_logs_of_their_own() -> None:
    version = playbook(*EASY)
    first = taken(version, "proposal")
    person = factories.user(first.client)
    second = deals.open_another(
        first.prospect_id, client=first.client, actor=person, word=word(person), name="Second site", amount=Decimal(900)
    )
    deals.move_deal(second.pk, "proposal", client=first.client, word=word(person))
    logs = StageTransition.objects.filter(pipeline="deal").order_by("pk").values_list("deal_id", "seq", "to_stage")
    assert list(logs) == [(first.pk, 1, "proposal"), (second.pk, 1, "proposal")]


def test_nobody_converts_before_half_of_a_framework_is_known_where_the_playbook_asks_for_it() -> None:
    version = factories.version(active=False)
    version.stage_rules.filter(from_stage="engaged", to_stage="converted").update(scorecard="bant", min_score=50)
    who = factories.move(factories.qualified(factories.activate(version)), version, "contacted", "engaged")
    person = factories.user(who.client)
    for value in (None, 49.9):
        if value is not None:
            scored(who, version, "bant", value)
        with pytest.raises(deals.RuleNotMet, match="BANT"):
            by_person.move_prospect(who.pk, "converted", client=who.client, word=word(person))
    score = scored(who, version, "bant", 50)
    by_person.move_prospect(who.pk, "converted", client=who.client, word=word(person))
    assert StageTransition.objects.get(prospect=who, to_stage="converted").score == score


def test_nobody_who_has_not_converted_gets_a_deal() -> None:
    who = factories.qualified(playbook())
    person = factories.user(who.client)
    with pytest.raises(IllegalMove, match="converted"):
        deals.open_another(who.pk, client=who.client, actor=person, word=word(person))


def test_a_rule_that_does_not_hold_says_what_is_there_and_what_is_needed() -> None:
    version = playbook()
    who = converted(version)
    deal, person = Deal.objects.get(), factories.user(who.client)
    with pytest.raises(deals.RuleNotMet, match="BANT is not known yet; 70 is needed"):
        deals.move_deal(deal.pk, "proposal", client=who.client, word=word(person))
    scored(who, version, "bant", 65)
    with pytest.raises(deals.RuleNotMet, match="BANT is 65; 70 is needed"):
        deals.move_deal(deal.pk, "proposal", client=who.client, word=word(person))
    held = scored(who, version, "bant", 75)
    letter = factories.evidence(who, version, scorecard="bant", criterion="budget", category="commitment")
    log = deals.move_deal(deal.pk, "proposal", client=who.client, word=word(person))
    assert (log.score_id, log.evidence_ids, log.playbook_version_id) == (held.pk, [letter.pk], version.pk)
    assert log.seconds > 0


def test_a_dear_deal_is_confirmed_by_a_person_and_a_cheap_one_needs_nobody() -> None:
    rules = [rule if rule[2] == "won" else (*rule[:3], {}) for rule in STEPS]
    deal = taken(playbook(*rules), "proposal", "negotiation")
    with pytest.raises(deals.RuleNotMet, match="asks a person"):
        deals.move_deal(deal.pk, "won", client=deal.client, word=word(), amount=Decimal(10_000))
    deals.move_deal(deal.pk, "won", client=deal.client, word=word(), amount=Decimal(9_999))
    deal.refresh_from_db()
    assert (deal.stage, deal.amount) == ("won", Decimal(9_999))


def test_winning_opens_a_customer_and_tells_the_lifecycle_team() -> None:
    rules = [(*rule[:3], {"team": rule[3].get("team", "conversion")}) for rule in STEPS]
    deal = taken(playbook(*rules), "proposal", "negotiation", "won")
    customer = Customer.objects.get()
    assert (customer.deal, customer.prospect, customer.stage) == (deal, deal.prospect, "onboarding")
    handed = Handoff.objects.filter(stage="won").get()
    assert (handed.from_team, handed.to_team) == ("conversion", "lifecycle")
    events = AuditEntry.objects.filter(event__in=["deal.won", "customer.opened"]).order_by("seq")
    assert [event.event for event in events] == ["deal.won", "customer.opened"]
    assert StageTransition.objects.get(to_stage="won").reason == "Agreed."


def test_a_second_win_stays_with_the_customer_there_is() -> None:
    version = playbook(*EASY)
    first = taken(version, "proposal", "negotiation", "won")
    person = factories.user(first.client)
    second = deals.open_another(first.prospect_id, client=first.client, actor=person, word=word(person))
    for stage in ("proposal", "negotiation", "won"):
        deals.move_deal(second.pk, stage, client=first.client, word=word(person))
    assert Customer.objects.count() == 1


def test_losing_needs_a_reason_and_ends_it() -> None:
    deal = taken(playbook(*EASY), "proposal")
    person = factories.user(deal.client)
    with pytest.raises(deals.RuleNotMet, match="reason"):
        deals.move_deal(deal.pk, "lost", client=deal.client, word=word(person))
    deals.move_deal(deal.pk, "lost", client=deal.client, word=word(person, "They chose to do nothing."))
    assert AuditEntry.objects.filter(event="deal.lost").count() == 1
    assert StageTransition.objects.get(to_stage="lost").reason == "They chose to do nothing."
    with pytest.raises(IllegalMove):
        deals.move_deal(deal.pk, "proposal", client=deal.client, word=word(person))
    with pytest.raises(IllegalMove, match="closed"):
        deals.change_deal(deal.pk, client=deal.client, actor=person, name="", amount=Decimal(1))


def test_a_deal_is_not_won_for_nothing() -> None:
    deal = taken(playbook(*EASY), "proposal", "negotiation")
    person = factories.user(deal.client)
    for amount in (Decimal(0), Decimal(-5), Decimal("NaN"), Decimal(10) ** 11):
        with pytest.raises(deals.NotWorth):
            deals.move_deal(deal.pk, "won", client=deal.client, word=word(person), amount=amount)


def test_only_the_hot_pass_over_stages_and_the_log_names_them() -> None:
    version = playbook()
    who = converted(version)
    deal, person = Deal.objects.get(), factories.user(who.client)
    scored(who, version, "icp", 55, route="warm")
    with pytest.raises(deals.RuleNotMet, match="Only for hot prospects; this one is warm"):
        deals.move_deal(deal.pk, "won", client=who.client, word=word(person))
    scored(who, version, "icp", 90, route="hot")
    log = deals.move_deal(deal.pk, "won", client=who.client, word=word(person))
    log.refresh_from_db()
    assert log.skipped == ["proposal", "negotiation"]


def test_customers_move_between_health_and_risk_and_leave_with_a_reason() -> None:
    deal = taken(playbook(*EASY), "proposal", "negotiation", "won")
    customer, person = Customer.objects.get(), factories.user(deal.client)
    for stage in ("healthy", "expansion"):
        deals.move_customer(customer.pk, stage, client=deal.client, word=word(person))
    with pytest.raises(IllegalMove):  # the playbook has no rule back from expansion
        deals.move_customer(customer.pk, "healthy", client=deal.client, word=word(person))
    assert list(customer.transitions.order_by("seq").values_list("to_stage", flat=True)) == ["healthy", "expansion"]


def test_a_person_moves_a_prospect_by_its_rule_with_the_evidence_that_satisfies_it() -> None:
    version = factories.version(active=False)
    version.stage_rules.filter(from_stage="qualified").update(min_categories=3)
    who = factories.qualified(factories.activate(version))
    person = factories.user(who.client)
    (log,) = by_person.move_prospect(who.pk, "contacted", client=who.client, word=word(person))
    assert sorted(log.evidence_ids) == sorted(who.evidence.values_list("pk", flat=True))
    with pytest.raises(deals.RuleNotMet, match="reason"):
        by_person.move_prospect(who.pk, "closed", client=who.client, word=word(person))


# What PostgreSQL refuses, whoever asks.


def raw_move(row: Deal | Customer, to: str, **fields: Any) -> str:
    """SQL of a transition row written by hand; the values are a test's own."""
    column = f"{row.pipeline}_id"
    given = {
        "client_id": row.client_id, "prospect_id": row.prospect_id, column: row.pk,
        "playbook_version_id": row.prospect.playbook.active_version.pk, "pipeline": row.pipeline,
        "seq": row.stage_seq + 1, "from_stage": row.stage, "to_stage": to, "seconds": 0, "agent": "", "reason": "",
        "evidence_ids": "{}", "transaction": 0, "trace_id": new_trace_id(), **fields,
    }  # fmt: skip
    values = ", ".join("NULL" if value is None else f"'{value}'" for value in given.values())
    return f"INSERT INTO prospects_stagetransition (at, {', '.join(given)}) VALUES (now(), {values})"


def test_a_deals_stage_changes_by_its_log_alone() -> None:
    deal = taken(playbook(*EASY), "proposal")
    because = "without a transition written in the same transaction"
    refuses("UPDATE prospects_deal SET stage = 'won', stage_seq = 9", because=because)
    with pytest.raises(DatabaseError, match=because), transaction.atomic():
        Deal.objects.filter(pk=deal.pk).update(stage="won")
    customer = Customer.objects.none()
    assert not customer.exists()


def test_a_customers_stage_changes_by_its_log_alone() -> None:
    taken(playbook(*EASY), "proposal", "negotiation", "won")
    refuses(
        "UPDATE prospects_customer SET stage = 'healthy'",
        because="without a transition written in the same transaction",
    )


@pytest.mark.parametrize(
    ("to", "fields", "because"),
    [
        ("negotiation", {}, "has no stage rule"),
        ("onboarding", {}, "is not a legal move"),
        ("proposal", {"from_stage": "won"}, "does not continue the log"),
        ("proposal", {}, "lacks the score"),
        ("lost", {}, "needs a reason"),
        ("lost", {"deal_id": None, "reason": "x"}, "transition_names_what_moved"),
        ("won", {}, "needs a person"),
        ("proposal", {"seq": 3}, "does not continue the log"),
    ],
)
def test_a_deals_log_row_that_no_rule_allows(to: str, fields: dict[str, Any], because: str) -> None:
    converted(playbook())
    refuses(raw_move(Deal.objects.get(), to, **fields), because=because)


def test_a_log_row_about_somebody_elses_deal() -> None:
    version = playbook(*EASY)
    mine, other = taken(version), converted(version)
    refuses(raw_move(mine, "proposal", prospect_id=other.pk), because="names a deal that is not its prospect")


def test_a_skip_for_the_hot_by_somebody_cold() -> None:
    version = playbook()
    person = factories.user(version.playbook.client)
    converted(version)
    refuses(raw_move(Deal.objects.get(), "won", actor_id=person.pk), because="is not on the route")


@pytest.mark.django_db(transaction=True)
def test_a_log_row_that_its_deal_did_not_follow() -> None:
    deal = taken(playbook(*EASY))
    refuses(raw_move(deal, "proposal"), because="was not followed")


def birth(model: type[Model], **fields: Any) -> None:
    with transaction.atomic():
        model._default_manager.create(trace_id=new_trace_id(), **fields)


def test_a_deal_for_somebody_who_has_not_converted() -> None:
    who = factories.qualified(playbook())
    with pytest.raises(DatabaseError, match="for a converted prospect"):
        birth(Deal, client=who.client, playbook=who.playbook, prospect=who, amount=1, currency="USD")


def test_a_customer_without_a_won_deal_or_twice() -> None:
    deal = taken(playbook(*EASY), "proposal")
    mine = {"client": deal.client, "playbook": deal.playbook, "prospect": deal.prospect}
    with pytest.raises(DatabaseError, match="for a won deal"):
        birth(Customer, deal=deal, **mine)
    person = factories.user(deal.client)
    for stage in ("negotiation", "won"):
        deals.move_deal(deal.pk, stage, client=deal.client, word=word(person))
    with pytest.raises(DatabaseError, match=r"once_until_it_leaves|deal_id"):
        birth(Customer, deal=deal, **mine)


def test_what_a_deal_was_closed_at_and_whose_it_is_stays() -> None:
    taken(playbook(*EASY), "proposal", "negotiation", "won")
    refuses("UPDATE prospects_deal SET amount = 1", because="its amount stays")
    refuses("UPDATE prospects_deal SET trace_id = 'x'", because="keeps what it was made with")
    refuses("DELETE FROM prospects_deal", because="cannot be deleted")
    refuses("UPDATE prospects_customer SET deal_id = 0", because="keeps what it was made with")
    refuses("DELETE FROM prospects_customer", because="cannot be deleted")
