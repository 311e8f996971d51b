"""The rules applied to rows: compliance and quality of one message, at the draft, the decision and the dispatch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

from approvals.models import ConsentBasis, Dispatch, Message
from approvals.rules import compliance, quality
from approvals.rules.claims import Backed, backed
from approvals.rules.content import Content, content_hash, sender_address
from approvals.services.suppress import link_in, suppressed
from playbooks.models import BrandRule, Channel, Client, PlaybookVersion
from prospects.duplicates.same import people_like
from prospects.importing import values
from prospects.models import Contact, Evidence, Prospect
from prospects.reading.buying import guesses_about
from salesops.reach import why_unreachable

# A person may know somebody as "Dan"; no person can turn an unfilled placeholder or an invented number into a fact.
_HARD_AT_DECISION = ("placeholder", "fake_thread", "shortener", "identity", "suppressed", "number", "customer", "claim")


@dataclass(frozen=True)
class Person:
    """What is known about a recipient beside the words. Loaded once per check."""

    contact: Contact
    consent: ConsentBasis | None
    suppressed: bool
    touches: int
    details_source: str
    details_collected_on: date | None


def person_of(contact: Contact, *, client: Client) -> Person:
    """A few queries, all by index. What they heard under another record counts."""
    touched = Dispatch.objects.felt(client).filter(
        contact__in=people_like([contact.pk])[contact.pk], status=Dispatch.Status.ACCEPTED
    )
    return Person(
        contact=contact,
        consent=contact.consents.first(),
        suppressed=bool(suppressed(client, [contact])),
        touches=touched.count(),
        details_source=details_source(contact),
        details_collected_on=details_collected_on(contact),
    )


def details_source(contact: Contact) -> str:
    """Where we got this person's details, in the words that the footer uses."""
    return str(contact.attributes.get("details_source") or contact.source)


def details_collected_on(contact: Contact) -> date | None:
    """When we got them: as the list they came in says, else when it came in. None: it says no day that can be read."""
    given = contact.attributes.get("collected_on")
    if not given:
        return contact.created_at.date()
    found = values.moment(str(given))
    return found.date() if found is not None else None


def brand_rules(version: PlaybookVersion) -> tuple[compliance.BrandRule, ...]:
    """The version's own rules about words."""
    rows = BrandRule.objects.filter(version=version).order_by("id")
    return tuple(compliance.BrandRule.about(row.phrase, row.verdict, row.reason) for row in rows)


def compliance_of(
    message: Message,
    person: Person,
    *,
    version: PlaybookVersion,
    client: Client,
    moment: compliance.Moment,
    at: datetime,
) -> compliance.Result:
    """The legal and brand verdict on these words to this person, at this moment."""
    return compliance.evaluate(_case(message, person, version, client, moment, at))


def _case(
    message: Message,
    person: Person,
    version: PlaybookVersion,
    client: Client,
    moment: compliance.Moment,
    at: datetime,
) -> compliance.Case:
    """All that the verdict rests on."""
    contact = person.contact
    today, week = _linkedin_acts(client, at) if message.channel == Channel.LINKEDIN else (0, 0)
    return compliance.Case(
        channel=message.channel,
        country=compliance.country_code(contact.country),
        moment=moment,
        now=at,
        sender_name=client.sender_name,
        sender_email=sender_address(message.sender) if message.channel == Channel.EMAIL else client.sender_email,
        recipient=message.recipient,
        subject=message.subject,
        body=message.body,
        postal_address=client.postal_address,
        privacy_url=client.privacy_url,
        unsubscribe_url=link_in(message.body, client.pk, contact.pk),
        details_source=person.details_source,
        details_collected_on=person.details_collected_on,
        has_prior_thread=person.touches > 0,
        first_touch=person.touches == 0,
        entity_type=cast(Any, contact.entity_type),
        consent=_consent(person.consent),
        suppressed=person.suppressed,
        countries_allowed=tuple(compliance.country_code(name) for name in version.countries),
        time_zones=(contact.time_zone,) if contact.time_zone else (),
        guessed_address=bool(contact.attributes.get("guessed_address")),
        do_not_call=bool(contact.attributes.get("do_not_call")),
        attested=message.channel == Channel.LINKEDIN,
        linkedin_today=today,
        linkedin_week=week,
        brand_rules=brand_rules(version),
        grounds=_grounds(message),
        names=(client.name, contact.company.name if contact.company else ""),
        unsaid=guesses_about(message.prospect_id, at),
    )


def _grounds(message: Message) -> tuple[Backed, ...]:
    """What the evidence under each of the message's claims says."""
    rows = Evidence.objects.filter(pk__in=message.evidence_ids, prospect=message.prospect_id)
    said = {pk: f"{rationale} {quote}" for pk, rationale, quote in rows.values_list("pk", "rationale", "quote")}
    return backed(message.claims, said)


def _linkedin_acts(client: Client, at: datetime) -> tuple[int, int]:
    """Acts on LinkedIn in the last day and the last seven, whoever they were for."""
    acts = Dispatch.objects.felt(client).filter(
        channel=Channel.LINKEDIN, status__in=[Dispatch.Status.ACCEPTED, Dispatch.Status.UNKNOWN],
        claimed_at__gt=at - timedelta(days=7), claimed_at__lte=at,
    )  # fmt: skip
    times = [claimed for claimed in acts.values_list("claimed_at", flat=True) if claimed is not None]
    return sum(claimed > at - timedelta(days=1) for claimed in times), len(times)


def _consent(row: ConsentBasis | None) -> compliance.ConsentBasis | None:
    if row is None:
        return None
    return compliance.ConsentBasis(row.type, row.url, row.snapshot_hash, row.captured_at, row.role_relevant)


def claims_of(message: Message) -> tuple[quality.Claim, ...]:
    """The message's claims as the quality rules read them."""
    return tuple(map(quality.Claim.read, message.claims))


def claims_json(claims: tuple[quality.Claim, ...]) -> list[dict[str, Any]]:
    """Back to the shape of Message.claims."""
    return [
        {
            "sentence": claim.sentence,
            "evidence_ids": list(claim.evidence_ids),
            "source": claim.source,
            "kind": claim.kind,
        }
        for claim in claims
    ]


def quality_of(
    subject: str,
    body: str,
    claims: tuple[quality.Claim, ...],
    message: Message,
    person: Person,
    prospect: Prospect,
    *,
    client: Client,
    at: datetime,
) -> quality.Quality:
    """The grade of these words in the place of `message`'s."""
    company = prospect.company
    draft = quality.Draft(
        subject=subject,
        body=body,
        today=at.astimezone(UTC).date(),
        first_name=person.contact.first_name,
        company_name=company.name if company else "",
        facts=_facts(message, company.name if company else ""),
        claims=claims,
        touch=person.touches + 1,
        attachments=len(message.attachments),
        has_prior_thread=person.touches > 0,
        suppressed=person.suppressed,
        sender_name=client.sender_name,
        postal_address=client.postal_address,
        unsubscribe_url=link_in(body, client.pk, person.contact.pk),
        identity_required=message.channel == Channel.EMAIL,
    )
    return quality.grade_message(draft)


def _facts(message: Message, company: str) -> tuple[quality.Fact, ...]:
    """The cited evidence as facts."""
    rows = Evidence.objects.filter(pk__in=message.evidence_ids).order_by("pk")
    return tuple(
        quality.Fact.cited(
            e.criterion, e.quote, e.pk, message.claims, company=company, observed_on=e.observed_at.date()
        )
        for e in rows
    )


def hard_reasons(graded: quality.Quality) -> list[str]:
    """The hard failures that no person's approval can heal."""
    return [f"{fail.saw} ({', '.join(fail.words)})" for fail in graded.hard if fail.key in _HARD_AT_DECISION]


def content_of(message: Message) -> Content:
    """The seven fields of the fingerprint."""
    return Content(
        channel=message.channel,
        recipient=message.recipient,
        sender=message.sender,
        subject=message.subject,
        body=message.body,
        rule_version=message.rule_version,
        attachments=tuple(message.attachments),
    )


def dead_link(message: Message) -> str:
    """Why nobody outside could open the link in these words that unsubscribes; empty when they can, or without one.

    Words keep the link they were drafted with, whatever PUBLIC_URL says since.
    """
    link = link_in(message.body, message.client_id, message.contact_id)
    problem = why_unreachable(link) if link else ""
    return f"the unsubscribe link in the words is dead: {problem}" if problem else ""


def is_intact(message: Message) -> bool:
    """Whether the words still hash to what was approved."""
    return content_hash(content_of(message)) == message.content_hash
