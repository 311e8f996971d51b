"""The grade and the legal and brand verdict of every draft, before anybody is asked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import Any, cast

from approvals.rules import compliance, quality
from approvals.rules.claims import backed
from prospects.rules.psychologic import motive_of
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.outreach_proposals import VerdictProposal
from salesops.runtime.views import ContactView, MessageView, ProspectView
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Team


def run(batch: Batch, tools: Tools) -> Answers:
    """A verdict for every message that has none."""
    rules = tools.memo("brand_rules", lambda: _brand_rules(tools))
    answers = {}
    for prospect in batch:
        contact = prospect.contact
        if contact is not None:
            fresh = [m for m in prospect.messages if not m.compliance]
            answers[prospect.id] = [_verdict(prospect, contact, m, tools, rules) for m in fresh]
    return answers


def _brand_rules(tools: Tools) -> tuple[compliance.BrandRule, ...]:
    return tuple(compliance.BrandRule.about(row.phrase, row.verdict, row.reason) for row in tools.playbook.brand_rules)


def _verdict(
    prospect: ProspectView,
    contact: ContactView,
    message: MessageView,
    tools: Tools,
    rules: tuple[compliance.BrandRule, ...],
) -> VerdictProposal:
    graded = quality.grade_message(quality_draft(prospect, contact, message, tools))
    case = _case(prospect, contact, message, tools, rules)
    motive = motive_of(prospect.signals, tools.now)
    judged = compliance.evaluate(replace(case, unsaid=(motive.why,)) if motive is not None and motive.why else case)
    return VerdictProposal(
        message_id=message.id,
        grade=cast(Any, graded.grade),
        points=graded.score,
        quality=graded.as_dict(),
        compliance=judged.verdict,
        compliance_detail=judged.as_dict(),
    )


def quality_draft(prospect: ProspectView, contact: ContactView, message: MessageView, tools: Tools) -> quality.Draft:
    """A message as the quality table measures it."""
    client = tools.playbook.client
    touches = int(contact.attributes.get("touches", 0))
    return quality.Draft(
        subject=message.subject,
        body=message.body,
        today=tools.now.astimezone(UTC).date(),
        first_name=contact.first_name,
        company_name=prospect.company.name if prospect.company else "",
        facts=_facts(prospect, message),
        claims=tuple(map(quality.Claim.read, message.claims)),
        touch=touches + 1,
        attachments=len(message.attachments),
        has_prior_thread=touches > 0,
        suppressed=contact.suppressed,
        sender_name=client.sender_name,
        postal_address=client.postal_address,
        unsubscribe_url=contact.unsubscribe_url,
        identity_required=message.channel == "email",
    )


def _facts(prospect: ProspectView, message: MessageView) -> tuple[quality.Fact, ...]:
    """The cited evidence, with the words in which the message speaks of it."""
    company = prospect.company.name if prospect.company else ""
    return tuple(
        quality.Fact.cited(
            e.criterion, e.quote, e.id, message.claims, company=company, observed_on=e.observed_at.date()
        )
        for e in prospect.evidence
        if e.id in message.evidence_ids
    )


def _case(
    prospect: ProspectView,
    contact: ContactView,
    message: MessageView,
    tools: Tools,
    rules: tuple[compliance.BrandRule, ...],
) -> compliance.Case:
    playbook, client, known = tools.playbook, tools.playbook.client, contact.attributes
    touches = int(known.get("touches", 0))
    said = {e.id: f"{e.rationale} {e.quote}" for e in prospect.evidence if e.id in message.evidence_ids}
    return compliance.Case(
        channel=message.channel,
        country=compliance.country_code(contact.country),
        moment="draft",
        now=tools.now,
        sender_name=client.sender_name,
        sender_email=client.sender_email,
        recipient=message.recipient,
        subject=message.subject,
        body=message.body,
        postal_address=client.postal_address,
        privacy_url=client.privacy_url,
        unsubscribe_url=contact.unsubscribe_url,
        details_source=str(known.get("details_source", "")),
        details_collected_on=known.get("collected_on"),
        has_prior_thread=touches > 0,
        first_touch=touches == 0,
        entity_type=cast(Any, contact.entity_type),
        consent=_consent(known.get("consent")),
        suppressed=contact.suppressed,
        countries_allowed=tuple(compliance.country_code(name) for name in playbook.countries),
        time_zones=(contact.time_zone,) if contact.time_zone else (),
        guessed_address=bool(known.get("guessed_address")),
        do_not_call=bool(known.get("do_not_call")),
        attested=message.channel == "linkedin",
        brand_rules=rules,
        grounds=backed(message.claims, said),
        names=(client.name, prospect.company.name if prospect.company else ""),
    )


def _consent(given: Mapping[str, Any] | None) -> compliance.ConsentBasis | None:
    return None if given is None else compliance.ConsentBasis(**given)


AGENT = Agent(
    name="compliance",
    team=Team.LEAD_GEN,
    phase=Phase.STRATEGY,
    order=9,
    reads=frozenset({Key.STRATEGIES}),
    writes=frozenset({Key.STRATEGIES}),
    implementations={ImplementationKind.RULES: Implementation(run)},
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
)
