from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from salesops.runtime.context import Context
from salesops.runtime.outreach_proposals import (
    Claim,
    EvaluationProposal,
    MessageProposal,
    RequestProposal,
    VerdictProposal,
)
from salesops.runtime.proposals import EvidenceProposal, Proposal, SignalProposal
from salesops.runtime.validation import Objection, check, parse
from salesops.runtime.words import Key, Phase, Refused, Team
from tests.runtime.memory import NOW, SEEN, agent, contact, context, evidence, message, scope, signal

WRITER = agent(
    "writer", lambda batch, tools: {}, team=Team.LEAD_GEN, phase=Phase.STRATEGY,
    writes=(Key.SIGNALS, Key.HYPOTHESES, Key.STRATEGIES, Key.EVALUATIONS, Key.PROPOSALS),
)  # fmt: skip


def known(**fields: Any) -> Context:
    """A qualified prospect with one signal (1), one piece of evidence (9), a contact and one graded message (3)."""
    made = context(1, stage="qualified", contact=contact(), **fields)
    made.add_signal(signal(1, text="We raised $5M and are hiring three sellers.", data={"employees": 24}))
    judged = evidence(1).model_dump(exclude={"type"})
    from salesops.runtime.views import EvidenceView

    made.add_evidence(EvidenceView(**judged, id=9, fact_no=2))
    made.add_message(message(3))
    return made


def objection(proposal: Proposal, about: Context | None = None) -> Objection | None:
    return check(WRITER, scope(), about or known(), proposal)


def kind_of(proposal: Proposal, about: Context | None = None) -> Refused | None:
    found = objection(proposal, about)
    return found.kind if found else None


def draft(**fields: Any) -> MessageProposal:
    defaults: dict[str, Any] = {
        "contact_id": 5, "channel": "email", "angle": "direct", "template_key": "direct",
        "sender": "robin@acme.example", "recipient": "dana@globex.example", "subject": "Hello",
        "body": "Hi Dana. Team of 24.\n", "rule_version": "1", "evidence_ids": (9,),
        "claims": (Claim(sentence="Team of 24.", evidence_ids=(9,)),), "confidence": 0.8, "confidence_low": 0.5,
        "confidence_high": 0.9,
    }  # fmt: skip
    return MessageProposal(**{**defaults, **fields})


def evaluation(**fields: Any) -> EvaluationProposal:
    defaults: dict[str, Any] = {
        "message_id": 3, "channel": "email", "probability": 0.1, "probability_low": 0.05, "probability_high": 0.2,
        "value": Decimal(1000), "cost": Decimal("0.4"), "expected_value": Decimal("99.6"), "chosen": True,
        "rationale": "Worth it.",
    }  # fmt: skip
    return EvaluationProposal(**{**defaults, **fields})


def ask(**fields: Any) -> RequestProposal:
    defaults: dict[str, Any] = {
        "message_id": 3, "contact_id": 5, "channel": "email", "content_hash": "h" * 64, "grade": "A", "dossier": {},
        "expires_at": NOW,
    }  # fmt: skip
    return RequestProposal(**{**defaults, **fields})


@pytest.mark.parametrize("proposal", [evidence(1), draft(), evaluation(), ask()], ids=lambda p: p.type)
def test_honest_proposals_pass(proposal: Proposal) -> None:
    assert objection(proposal) is None


@pytest.mark.parametrize("quote", ["are hiring three sellers", "24", "We raised $5M and are hiring three sellers."])
def test_a_quote_that_stands_in_its_signal_passes(quote: str) -> None:
    assert kind_of(evidence(1, quote=quote)) is None


@pytest.mark.parametrize("quote", ["raised $50M", "hiring  three", "are firing three sellers", "WE RAISED"])
def test_a_quote_that_is_not_word_for_word_is_refused(quote: str) -> None:
    assert kind_of(evidence(1, quote=quote)) is Refused.PROVENANCE


def test_evidence_from_another_prospects_signal_is_refused() -> None:
    assert kind_of(evidence(2)) is Refused.PROVENANCE
    assert kind_of(evidence(1, signal_ids=(1, 2))) is Refused.PROVENANCE


def test_evidence_without_a_signal_cannot_even_be_said() -> None:
    found = parse({**evidence(1).model_dump(), "signal_ids": []})
    assert isinstance(found, Objection)
    assert found.kind is Refused.SCHEMA


def test_evidence_under_a_criterion_the_playbook_lacks_is_refused() -> None:
    assert kind_of(evidence(1, criterion="shoe_size")) is Refused.PROVENANCE


def test_the_future_has_not_been_observed() -> None:
    tomorrow = NOW + timedelta(days=3)
    assert kind_of(evidence(1, observed_at=tomorrow)) is Refused.RANGE
    assert kind_of(SignalProposal(kind="hiring", observed_at=tomorrow, derived_from=1)) is Refused.RANGE


def test_a_signal_must_be_derived_from_one_of_this_prospect() -> None:
    assert kind_of(SignalProposal(kind="hiring", observed_at=SEEN, derived_from=2)) is Refused.PROVENANCE


def test_a_signal_rests_on_signals_of_this_prospect_alone() -> None:
    assert kind_of(SignalProposal(kind="motive", observed_at=SEEN, derived_from=1, rests_on=(1,))) is None
    assert (
        kind_of(SignalProposal(kind="motive", observed_at=SEEN, derived_from=1, rests_on=(1, 7))) is Refused.PROVENANCE
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"recipient": "mallory@elsewhere.example"},
        {"recipient": ""},
        {"channel": "linkedin"},
        {"evidence_ids": (9, 10)},
        {"claims": (Claim(sentence="Team of 24.", evidence_ids=(10,)),)},
        {"claims": (Claim(sentence="You doubled last year.", evidence_ids=(9,)),)},
    ],
)
def test_a_message_to_somebody_else_or_on_borrowed_evidence_is_refused(changed: dict[str, Any]) -> None:
    assert kind_of(draft(**changed)) is Refused.PROVENANCE


@pytest.mark.parametrize("channel", ["email", "call", "sms", "linkedin", "fax"])
def test_nobody_is_written_to_where_no_address_is_on_file(channel: str) -> None:
    about = known()
    assert about.contact is not None
    about.contact = replace(about.contact, email="", phone="", linkedin_url="")
    assert kind_of(draft(channel=channel, recipient=""), about) is Refused.PROVENANCE
    about.contact = None
    assert kind_of(draft(channel=channel, recipient=""), about) is Refused.PROVENANCE


def test_a_claim_may_stand_in_the_subject() -> None:
    claim = Claim(sentence="Your hires", evidence_ids=(9,))
    assert kind_of(draft(subject="Your hires this year", claims=(claim,))) is None
    assert kind_of(draft(subject="Our list", claims=(claim,))) is Refused.PROVENANCE


def test_confidence_lies_within_its_bounds() -> None:
    assert kind_of(draft(confidence_low=0.85)) is Refused.RANGE
    assert kind_of(evaluation(probability_high=0.01)) is Refused.RANGE


def test_the_expected_value_is_recomputed() -> None:
    assert kind_of(evaluation(expected_value=Decimal(5000))) is Refused.RANGE


def test_a_verdict_must_be_about_an_own_message() -> None:
    verdict = VerdictProposal(message_id=4, grade="A", points=99, quality={}, compliance="PASS", compliance_detail={})
    assert kind_of(verdict) is Refused.PROVENANCE


def test_a_request_asks_for_exactly_the_words_of_its_message() -> None:
    assert kind_of(ask(content_hash="0" * 64)) is Refused.PROVENANCE
    assert kind_of(ask(message_id=4)) is Refused.PROVENANCE


@pytest.mark.parametrize("bad", [{"compliance": "BLOCK"}, {"compliance": ""}, {"grade": ""}])
def test_nobody_is_asked_about_a_message_that_is_blocked_or_unjudged(bad: dict[str, Any]) -> None:
    about = known()
    about.messages = [message(3, **bad)]
    assert kind_of(ask(), about) is Refused.CONFLICT


def test_outreach_for_a_prospect_still_being_qualified_is_preempted() -> None:
    about = known()
    about.stage = "qualifying"
    for proposal in (draft(), ask()):
        found = objection(proposal, about)
        assert found is not None
        assert (found.kind, found.detail["winner"]) == (Refused.PREEMPTED, Team.QUALIFICATION)


def test_an_agent_may_only_write_what_it_declared() -> None:
    reader = agent("reader", lambda batch, tools: {}, writes=(Key.SIGNALS,))
    found = check(reader, scope(), known(), evidence(1))
    assert found is not None
    assert found.kind is Refused.PERMISSION


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1, 101])
def test_numbers_out_of_range_are_refused_at_the_edge(value: float) -> None:
    found = parse({**evidence(1).model_dump(), "value": value})
    assert isinstance(found, Objection)
    assert found.kind in (Refused.RANGE, Refused.SCHEMA)


def test_a_typed_proposal_is_taken_as_it_is() -> None:
    proposal = evidence(1)
    assert parse(proposal) is proposal
    assert isinstance(parse(proposal.model_dump()), EvidenceProposal)
