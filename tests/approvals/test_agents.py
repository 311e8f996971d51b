"""The message, compliance, channel and gate agents, on plain views."""

from __future__ import annotations

import dataclasses
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from approvals.agents import approval_gate, channel_decision, compliance, drafting, message_hypothesis
from approvals.host.store import load_people
from approvals.rules.content import split_footer
from approvals.services.gate import person_of
from salesops.runtime.context import Context
from salesops.runtime.contract import Tools
from salesops.runtime.outreach_proposals import EvaluationProposal, MessageProposal, VerdictProposal
from salesops.runtime.playbook_views import (
    BrandRuleView,
    ChannelPolicyView,
    CriterionView,
    PlaybookView,
    PropositionView,
    TemplateView,
)
from salesops.runtime.proposals import NoteProposal
from salesops.runtime.validation import check
from salesops.runtime.views import CompanyView, EvaluationView, EvidenceView, MessageView, RequestView
from tests import factories
from tests.runtime.memory import NOW, SEEN, contact, context, evidence, message, playbook, scope, signal

BODY = """\
Hi {{ first_name | there }},

{{ company }} has a team of {{ fact.size }}. At that size, sales still lands on your desk.

{{ proof }} You read each one and you decide.

Would it help to see ten names for {{ company }}?
"""


def template(key: str = "direct", **fields: Any) -> TemplateView:
    defaults: dict[str, Any] = {
        "key": key, "channel": "email", "angle": key, "segment": "", "requires": ("size",),
        "subject": "Sales at {{ company }}", "body": BODY, "position": 0,
    }  # fmt: skip
    return TemplateView(**{**defaults, **fields})


def policy(channel: str = "email", **fields: Any) -> ChannelPolicyView:
    defaults: dict[str, Any] = {
        "channel": channel, "enabled": True, "daily_cap": 60, "unit_cost": Decimal("0.40"), "min_confidence": 0.6,
        "reply_rate": 0.05,
    }  # fmt: skip
    return ChannelPolicyView(**{**defaults, **fields})


def rules(**fields: Any) -> PlaybookView:
    size = CriterionView(
        "icp", "firmographic", "fit", "size", "Team of 3 to 40", "in_range", 10,
        {"attribute": "employees", "minimum": 3, "maximum": 40}, None, "unknown", 0,
    )  # fmt: skip
    defaults: dict[str, Any] = {
        "criteria": (size,),
        "templates": (template(),),
        "channels": (policy(),),
        "propositions": (PropositionView(4, "", "Pain.", "Promise.", "Two founders sent 180 notes in 30 days."),),
    }
    return playbook(**{**defaults, **fields})


def prospect(**fields: Any) -> Context:
    account = CompanyView(
        1, "Globex", "globex.example", "B2B", "", 24, 24, "US", "", "Austin", "", (), "Active", True
    )  # fmt: skip
    person = contact(
        unsubscribe_url="https://us.example/u/abc/",
        attributes={"details_source": "companies.csv", "collected_on": date(2026, 5, 4), "touches": 0, "consent": None},
    )
    about = context(1, stage="qualified", company=account, contact=person, composite=77.0)
    about.add_signal(signal(1, data={"employees_min": 24, "employees_max": 24}))
    judged = evidence(1, rationale="Team size is 24, within 3–40.").model_dump(exclude={"type"})
    about.add_evidence(EvidenceView(**judged, id=9, fact_no=2))
    for name, value in fields.items():
        setattr(about, name, value)
    return about


def ask(agent: Any, about: Context, under: PlaybookView) -> list[Any]:
    name = agent.AGENT.name
    about.changed()  # tests set fields directly
    found = agent.run([about.view()], Tools(name, NOW, 0, under)).get(1, [])
    where = scope(playbook=under)
    for proposal in found:
        assert check(agent.AGENT, where, about, proposal) is None, proposal
    return list(found)


def drafts(about: Context, under: PlaybookView | None = None) -> list[Any]:
    return ask(message_hypothesis, about, under or rules())


# --- message_hypothesis ----------------------------------------------------------------------------------------------


def test_a_draft_says_only_what_is_in_evidence_and_accounts_for_each_fact() -> None:
    (draft,) = drafts(prospect())
    assert isinstance(draft, MessageProposal)
    words, footer = split_footer(draft.body)
    assert "Globex has a team of 24." in words
    assert draft.subject == "Sales at Globex"
    by_sentence = {c.sentence: c for c in draft.claims}
    assert by_sentence["Globex has a team of 24."].evidence_ids == (9,)
    proof = by_sentence["Two founders sent 180 notes in 30 days."]
    assert (proof.kind, proof.source, proof.evidence_ids) == ("proof", "value_proposition:4", ())
    assert draft.evidence_ids == (9,)
    assert "1 Harbour Street" in footer
    assert "https://us.example/u/abc/" in footer


def test_a_template_whose_evidence_is_missing_is_not_used() -> None:
    under = rules(templates=(template(requires=("hiring_started",)),))
    (note,) = drafts(prospect(), under)
    assert isinstance(note, NoteProposal)
    assert "No message template" in note.message


def test_a_placeholder_without_value_or_fallback_is_never_sent() -> None:
    under = rules(templates=(template(body="Hi {{ first_name }}, how is {{ city }}? {{ fact.growth }}\n"),))
    assert isinstance(drafts(prospect(), under)[0], NoteProposal)


def test_several_angles_are_drafted_but_each_angle_once() -> None:
    under = rules(templates=tuple(template(f"t{n}", angle=f"angle{n % 4}", position=n) for n in range(8)))
    assert [d.angle for d in drafts(prospect(), under)] == ["angle0", "angle1", "angle2"]


def test_the_segments_own_proposition_is_preferred() -> None:
    mine = PropositionView(8, "B2B", "Pain.", "Promise.", "One shop sent 12 notes.")
    under = rules(propositions=(*rules().propositions, mine))
    (draft,) = drafts(prospect(segment="B2B"), under)
    assert "One shop sent 12 notes." in draft.body


def test_why_now_names_the_newest_good_news() -> None:
    about = prospect()
    news = evidence(
        1, criterion="hiring_started", category="timing", rationale="Hiring started on 4 May 2026."
    ).model_dump(exclude={"type"})
    about.add_evidence(EvidenceView(**news, id=10, fact_no=3))
    (draft,) = drafts(about)
    assert (draft.why_now, draft.why_now_at, draft.why_now_evidence) == ("Hiring started on 4 May 2026.", SEEN, (10,))


def test_more_evidence_makes_the_bounds_narrower() -> None:
    one = drafting.confidence_in(list(prospect().evidence.values()))
    many = drafting.confidence_in(list(prospect().evidence.values()) * 9)
    assert one[0] == many[0] == 0.9
    assert one[1] < many[1] <= 0.9 <= many[2] < one[2]


def failed(number: int, key: str, run: int) -> MessageView:
    return message(number, template_key=key, grade="C", quality_points=66.0, run_id=run, agent="message_hypothesis")


def test_a_failed_round_is_redrafted_once_with_another_template() -> None:
    under = rules(templates=(template("a"), template("b", position=1), template("c", position=2)))
    (redraft,) = drafts(prospect(messages=[failed(3, "a", 70)]), under)
    assert redraft.template_key == "b"
    (note,) = drafts(prospect(messages=[failed(3, "a", 70), failed(4, "b", 71)]), under)
    assert isinstance(note, NoteProposal)
    assert "66 points" in note.message


@pytest.mark.parametrize("status", ["waiting", "deferred", "approved", "rejected"])
def test_nothing_more_is_drafted_while_a_person_has_it_or_after_a_no(status: str) -> None:
    about = prospect(messages=[message(3)], requests=[RequestView(1, "email", status, 3, "h" * 64)])
    assert drafts(about) == []


def test_a_message_handed_back_is_drafted_again_from_another_template() -> None:
    under = rules(templates=(template("direct"), template("other", position=1)))
    about = prospect(messages=[message(3)], requests=[RequestView(1, "email", "redraft", 3, "h" * 64)])
    assert [d.template_key for d in drafts(about, under)] == ["other"]


def test_a_switched_off_channel_is_not_drafted_for() -> None:
    assert isinstance(drafts(prospect(), rules(channels=(policy(enabled=False),)))[0], NoteProposal)


@pytest.mark.parametrize("address", ["", "zoe@b\u00fccher.example", "Zoe <zoe@us.example>"])
def test_without_an_address_to_write_from_no_email_is_drafted_and_somebody_hears_why(address: str) -> None:
    usual = rules()
    silent = dataclasses.replace(usual.client, sender_email=address)
    (note,) = drafts(prospect(), dataclasses.replace(usual, client=silent))
    assert (note.kind, "no e-mail address to write from" in note.message) == ("stalled", True)
    assert note.again_in, "an address is no fact that would wake the agent"
    by_hand = rules(client=silent, channels=(policy(), policy("linkedin")), templates=(template(channel="linkedin"),))
    about = prospect()
    assert about.contact is not None
    about.contact = dataclasses.replace(about.contact, linkedin_url="https://linkedin.example/in/dana")
    assert [draft.channel for draft in drafts(about, by_hand)] == ["linkedin"]


# --- compliance ------------------------------------------------------------------------------------------------------


def judged(about: Context, under: PlaybookView | None = None) -> VerdictProposal:
    (verdict,) = ask(compliance, about, under or rules())
    return verdict


def drafted(**fields: Any) -> Context:
    about = prospect()
    (draft,) = drafts(about)
    claims = tuple(claim.model_dump() for claim in draft.claims)
    about.messages = [
        message(3, **{
            "subject": draft.subject, "body": draft.body, "claims": claims, "evidence_ids": draft.evidence_ids,
            "grade": "", "compliance": "", "quality_points": 0.0, **fields,
        })
    ]  # fmt: skip
    return about


def test_an_honest_draft_reaches_the_queue() -> None:
    verdict = judged(drafted())
    assert (verdict.grade, verdict.compliance) in {("A", "PASS"), ("B+", "PASS")}
    assert verdict.points >= 85
    assert {check["key"] for check in verdict.quality["checks"]}


def test_an_invented_number_fails_hard() -> None:
    body = drafted().messages[0].body.replace("team of 24", "team of 24 and 400 customers")
    assert judged(drafted(body=body)).grade == "F"


def test_the_clients_own_forbidden_words_block() -> None:
    under = rules(brand_rules=(BrandRuleView("lands on your desk", "block", "Too familiar."),))
    verdict = judged(drafted(), under)
    assert verdict.compliance == "BLOCK"
    assert "Too familiar." in str(verdict.compliance_detail)


@pytest.mark.parametrize(("quote", "expected"), [("damp in both bedrooms", "PASS"), ("prices, please", "BLOCK")])
def test_a_sensitive_claim_passes_where_the_evidence_it_cites_says_it(quote: str, expected: str) -> None:
    about, said = drafted(), "You wrote to us about damp bedrooms."
    draft = about.messages[0]
    heard = evidence(1, criterion="wrote", rationale="They wrote to us.", quote=quote).model_dump(exclude={"type"})
    about.add_evidence(EvidenceView(**heard, id=11, fact_no=4))
    claim = {"sentence": said, "evidence_ids": (11,), "source": "", "kind": "fact", "terms": ()}
    words, cites = draft.body.replace("Would it", f"{said} Would it"), (*draft.evidence_ids, 11)
    about.messages = [dataclasses.replace(draft, body=words, claims=(*draft.claims, claim), evidence_ids=cites)]
    assert about.contact is not None
    consent = {"type": "express", "url": "https://warmwell.example/form", "snapshot_hash": "ab", "captured_at": SEEN,
               "role_relevant": True}  # fmt: skip
    attributes = {**about.contact.attributes, "consent": consent}
    about.contact = dataclasses.replace(about.contact, country="NZ", attributes=attributes)
    verdict = judged(about, rules(countries=("NZ",)))
    assert verdict.compliance == expected
    (rule,) = (rule for rule in verdict.compliance_detail["rules"] if rule["id"] == "nz.claims")
    assert rule["verdict"] == expected


def test_an_unknown_country_blocks() -> None:
    about = drafted()
    assert about.contact is not None
    about.contact = dataclasses.replace(about.contact, country="")
    assert judged(about).compliance == "BLOCK"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "day"),
    [("31.12.2025", date(2025, 12, 31)), (20260407, date(2026, 4, 7)), ("03/04/2026", None), ("2026-13-45", None)],
)
def test_a_draft_and_its_decision_know_the_same_day_of_collection(given: object, day: date | None) -> None:
    owner = factories.client()
    person, about = factories.contact(owner, attributes={"collected_on": given}), drafted()
    assert about.contact is not None
    about.contact = dataclasses.replace(about.contact, id=person.pk, country="DE")
    load_people(owner.pk, {1: about})
    assert about.contact.attributes["collected_on"] == person_of(person, client=owner).details_collected_on == day
    (rule,) = (rule for rule in judged(about).compliance_detail["rules"] if rule["id"] == "de.data.source")
    assert rule["verdict"] == ("PASS" if day else "BLOCK")


def test_a_judged_message_is_not_judged_again() -> None:
    assert ask(compliance, prospect(messages=[message(3)]), rules()) == []


# --- channel_decision ------------------------------------------------------------------------------------------------


def decided(about: Context, under: PlaybookView | None = None) -> dict[str, EvaluationProposal]:
    return {e.channel: e for e in ask(channel_decision, about, under or rules(deal_value=Decimal(4800)))}


def test_the_channel_worth_most_is_chosen_and_doing_nothing_is_weighed() -> None:
    found = decided(prospect(messages=[message(3)]))
    mail = found["email"]
    assert mail.chosen
    assert not found["none"].chosen
    assert mail.expected_value == (Decimal(str(mail.probability)) * 4800 - Decimal("0.40")).quantize(Decimal("0.0001"))
    assert [row["kind"] for row in mail.alternatives][-1] == "nothing"


def test_nothing_is_done_when_it_costs_more_than_it_brings() -> None:
    under = rules(channels=(policy(unit_cost=Decimal(50)),), deal_value=Decimal(100))
    found = decided(prospect(messages=[message(3)]), under)
    assert found["none"].chosen
    assert not found["email"].chosen


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"compliance": "BLOCK"}, "No draft is good enough"),
        ({"quality_points": 84.0}, "No draft is good enough"),
        ({"confidence": 0.55}, "0.55"),
    ],
)
def test_a_poor_message_keeps_its_channel_closed_and_says_why(bad: dict[str, Any], words: str) -> None:
    found = decided(prospect(messages=[message(3, **bad)]))
    assert set(found) == {"none"}
    assert words in found["none"].rationale


def test_channels_that_cannot_be_used_are_listed_with_the_reason() -> None:
    under = rules(channels=(policy(), policy("call"), policy("linkedin", enabled=False)), deal_value=Decimal(4800))
    reasons = {a["label"]: a["reason"] for a in decided(prospect(messages=[message(3)]), under)["email"].alternatives}
    assert reasons["Call"] == "No phone number on file."
    assert reasons["LinkedIn"] == "Switched off in the playbook."


def test_the_best_message_of_a_channel_speaks_for_it() -> None:
    about = prospect(messages=[message(3, quality_points=86.0), message(4, quality_points=97.0, template_key="b")])
    assert decided(about)["email"].message_id == 4


# --- approval_gate ---------------------------------------------------------------------------------------------------


def gated(**fields: Any) -> list[Any]:
    chosen = EvaluationView(
        6, 3, "email", 0.05, Decimal(4800), Decimal("0.4"), Decimal("239.6"), True, "Worth it.", (), 60
    )
    return ask(approval_gate, prospect(messages=[message(3)], evaluations={"email": chosen}, **fields), rules())


def test_the_gate_asks_once_and_halts() -> None:
    (request,) = gated()
    assert request.dossier["schema"] == 1
    assert request.dossier["message"]["content_hash"] == request.content_hash
    assert request.expires_at > NOW


@pytest.mark.parametrize("status", ["waiting", "deferred", "approved", "rejected"])
def test_the_gate_does_not_ask_again_while_somebody_has_it_or_said_no(status: str) -> None:
    assert gated(requests=[RequestView(1, "email", status, 3, "h" * 64)]) == []


def test_the_gate_does_not_ask_about_words_that_were_handed_back() -> None:
    (request,) = gated()
    assert gated(requests=[RequestView(1, "email", "redraft", 3, request.content_hash)]) == []
    assert len(gated(requests=[RequestView(1, "email", "redraft", 3, "o" * 64)])) == 1


def test_the_dossier_is_plain_data() -> None:
    import json

    (request,) = gated()
    assert json.loads(json.dumps(request.dossier)) == request.dossier
