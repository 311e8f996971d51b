"""What drafting agents share, whoever finds the words: when to draft at all, and the parts that are never drafted.

Not an agent. Recipient, sender, postal address and the way to unsubscribe are put by this module, never by a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

from approvals.rules import compliance
from approvals.rules.content import UnsafeHeader, sender_header, tidy_words, with_footer
from prospects.agents.judging import criteria_of, facts_of
from prospects.rules.psychologic import CARD as FORCES_CARD
from prospects.rules.psychologic import FORCE_KIND, Force, forces_of, largest_resistor
from prospects.rules.scoring import EvidenceItem
from prospects.rules.wording import FactWords, fact_words
from salesops.runtime.contract import Tools
from salesops.runtime.outreach_proposals import Claim, MessageProposal
from salesops.runtime.playbook_views import PropositionView
from salesops.runtime.proposals import NoteProposal
from salesops.runtime.views import ContactView, EvidenceView, MessageView, ProspectView, RequestView, SignalView
from salesops.runtime.words import Refused

CARD = "icp"
OPEN = frozenset({"waiting", "deferred", "approved"})
#: Nobody said yes or no to these: the same words may be asked about again, once something new is known.
LAPSED = frozenset({"expired", "cancelled"})
#: The signal that a person asked for another draft.
HANDED_BACK = "draft_handed_back"
_Z = 1.96
_DAY = 86_400


def before_drafting(prospect: ProspectView, tools: Tools) -> list[NoteProposal] | None:
    """Why nothing is to be drafted now, with a note where a person should know; None when something is."""
    if prospect.contact is None:
        return [NoteProposal(kind=Refused.STALLED, message="There is no person to write to yet.")]
    if prospect.contact.suppressed:
        return [NoteProposal(kind=Refused.COMPLIANCE, message="This person must not be contacted.")]
    statuses = {request.message_id: request.status for request in prospect.requests}
    if OPEN & set(statuses.values()) or "rejected" in statuses.values():
        return []  # a person has it, or has said no
    if any(_is_usable(m, tools) for m in unspent(prospect)):
        return []
    if _no_sender(tools) and not open_channels(prospect.contact, tools):
        words = f"{tools.playbook.client.name} has no e-mail address to write from: give one under Admin → Clients."
        return [NoteProposal(kind=Refused.STALLED, message=words, again_in=_DAY)]
    return None


def round_began(signals: Iterable[SignalView], requests: Iterable[RequestView]) -> int:
    """The number of the fact after which drafts count: the last one before a person wanted another draft, or before
    a request that nobody answered was put together. 0 when neither happened.
    """
    handed_back = (signal.fact_no for signal in signals if signal.kind == HANDED_BACK)
    return max((*handed_back, *(r.facts_no for r in requests if r.status in LAPSED)), default=0)


def answered(requests: Iterable[RequestView]) -> set[int]:
    """Messages that a person has before them or has said something about."""
    return {request.message_id for request in requests if request.status not in LAPSED}


def unspent(prospect: ProspectView) -> list[MessageView]:
    """Drafts of this round that nobody was asked about yet."""
    asked = {request.message_id for request in prospect.requests}
    since = round_began(prospect.signals, prospect.requests)
    return [message for message in prospect.messages if message.id not in asked and message.fact_no > since]


def used_templates(prospect: ProspectView) -> set[str]:
    """Templates not to be tried again. What was left over from an earlier round may be offered now."""
    tried = {message.id for message in unspent(prospect)} | answered(prospect.requests)
    return {message.template_key for message in prospect.messages if message.id in tried}


def rounds(prospect: ProspectView) -> int:
    """How often somebody has drafted in vain."""
    return len({message.run_id for message in unspent(prospect)})


def _is_usable(message: MessageView, tools: Tools) -> bool:
    """A hard failure makes an F of any number of points."""
    good = message.quality_points >= tools.playbook.min_quality and message.grade != "F"
    return good and message.compliance in ("PASS", "REVIEW")


def failings(message: MessageView) -> list[str]:
    """What compliance and quality held against a draft, in words."""
    failed = [
        str(rule.get("saw")) for rule in message.compliance_detail.get("rules", ()) if rule.get("verdict") == "BLOCK"
    ]
    return failed + [str(hard.get("saw")) for hard in message.quality.get("hard", ())]


def needs_review(prospect: ProspectView) -> NoteProposal:
    """The note that ends drafting in vain."""
    best = max(prospect.messages, key=lambda m: m.quality_points)
    failed = failings(best)
    words = f"No draft is good enough to ask about: the best one is {best.grade} ({best.quality_points:.0f} points)"
    words += f"; {'; '.join(failed)}." if failed else "."
    return NoteProposal(kind=Refused.QUALITY, message=words[:500], detail={"grade": best.grade})


def evidence_words(prospect: ProspectView, tools: Tools) -> dict[str, FactWords]:
    """By criterion, what the evidence that speaks for the prospect may say in a message."""
    criteria = [c for (card, _), c in criteria_of(tools).items() if card == CARD]
    items = {e.criterion: _item(e) for e in prospect.evidence if e.scorecard == CARD}
    return fact_words(criteria, items, facts_of(prospect, tools))


def _item(e: EvidenceView) -> EvidenceItem:
    return EvidenceItem(
        id=e.id, criterion=e.criterion, layer=e.layer, category=e.category, value=e.value, confidence=e.confidence,
        strong_negative=e.strong_negative, observed_at=e.observed_at, signal_ids=e.signal_ids, fact_ref=e.fact_ref,
        rationale=e.rationale,
    )  # fmt: skip


def offers_for(prospect: ProspectView, tools: Tools) -> list[PropositionView]:
    """The value propositions of the prospect's segment and those for everybody, the closest first."""
    fitting = [p for p in tools.playbook.propositions if p.segment in ("", prospect.segment)]
    return sorted(fitting, key=lambda p: p.segment == "")


def resistor_of(prospect: ProspectView, tools: Tools) -> Force | None:
    """What holds them back most, as far as a person, a reader or the playbook's phrases have heard."""
    criteria = [c for (card, _), c in criteria_of(tools).items() if card == FORCES_CARD]
    if not criteria and all(signal.kind != FORCE_KIND for signal in prospect.signals):
        return None
    return largest_resistor(forces_of(criteria, facts_of(prospect, tools)))


def held_by(resistor: Force | None, answered: str) -> str:
    """The sentence of a rationale that says which resistance a message answers; empty where it answers none."""
    if resistor is None or answered != resistor.name:
        return ""
    return f" It answers their {resistor.name}, which holds them back most."


def address_of(contact: ContactView, channel: str) -> str:
    """Where this contact is reached by a channel; empty when it is not."""
    return {"email": contact.email, "linkedin": contact.linkedin_url}.get(channel, contact.phone)


def open_channels(contact: ContactView, tools: Tools) -> list[str]:
    """Channels that are switched on, reach this contact and have somebody to write from."""
    closed = {"email"} if _no_sender(tools) else set()
    return [
        policy.channel
        for policy in tools.playbook.channels
        if policy.enabled and policy.channel not in closed and address_of(contact, policy.channel)
    ]


def _no_sender(tools: Tools) -> bool:
    """Whether the account has no name and address that can stand in a header: a new one has none."""
    try:
        sender_header(tools.playbook.client.sender_name, tools.playbook.client.sender_email)
    except UnsafeHeader:
        return True
    return False


@dataclass(frozen=True, slots=True)
class Wording:
    """What is to be said, whoever found the words, and what it rests on."""

    channel: str
    angle: str
    key: str
    subject: str
    body: str
    claims: tuple[Claim, ...]
    evidence_ids: tuple[int, ...]
    rationale: str


def whole_message(prospect: ProspectView, contact: ContactView, tools: Tools, wording: Wording) -> MessageProposal:
    """The whole message: recipient, sender and footer are always ours, never those of whoever found the words."""
    client = tools.playbook.client
    why = why_now(prospect)
    confidence, low, high = confidence_in([e for e in prospect.evidence if e.id in wording.evidence_ids])
    is_mail = wording.channel == "email"
    return MessageProposal(
        contact_id=contact.id,
        channel=wording.channel,
        angle=wording.angle,
        template_key=wording.key,
        sender=sender_header(client.sender_name, client.sender_email) if is_mail else client.sender_name,
        recipient=address_of(contact, wording.channel),
        subject=wording.subject,
        body=_whole(wording.body, contact, tools) if is_mail else tidy_words(wording.body),
        rule_version=compliance.RULE_VERSION,
        claims=wording.claims,
        evidence_ids=wording.evidence_ids,
        why_now=why.rationale if why else "",
        why_now_at=why.observed_at if why else None,
        why_now_evidence=(why.id,) if why else (),
        rationale=wording.rationale,
        confidence=confidence,
        confidence_low=low,
        confidence_high=high,
    )


def _whole(words: str, contact: ContactView, tools: Tools) -> str:
    """The words with our footer: who writes, from where, and how to make it stop."""
    client = tools.playbook.client
    return with_footer(
        words,
        sender_name=client.sender_name,
        postal_address=client.postal_address,
        unsubscribe_url=contact.unsubscribe_url,
        privacy_url=client.privacy_url,
        details_source=str(contact.attributes.get("details_source", "")),
    )


def why_now(prospect: ProspectView) -> EvidenceView | None:
    """The newest good news about timing; its rationale names the trigger and its date."""
    good = [e for e in prospect.evidence if e.category == "timing" and e.value >= 50 and not e.strong_negative]
    return max(good, key=lambda e: (e.observed_at, e.value, e.id), default=None)


def confidence_in(evidence: Sequence[EvidenceView]) -> tuple[float, float, float]:
    """Mean confidence of the evidence with Wilson's 95 % bounds for so few pieces; wide when there is little."""
    if not evidence:
        return 0.0, 0.0, 1.0
    n = len(evidence)
    p = sum(e.confidence for e in evidence) / n
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return round(p, 4), round(max(0.0, min(centre - half, p)), 4), round(min(1.0, max(centre + half, p)), 4)
