"""Several angles per prospect, each filled from a template with nothing but evidence and the account's own facts.

The first round drafts the best templates of different angles. When none of them reached the queue, one more round
tries another template; after that a person has to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Any

from approvals.rules import compliance
from approvals.rules.content import sender_header, tidy_words, with_footer
from playbooks.templating import Filled, fill
from prospects.agents.judging import criteria_of, facts_of
from prospects.rules.scoring import EvidenceItem
from prospects.rules.wording import FactWords, fact_words, template_values
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.human import asking
from salesops.runtime.proposals import Claim, MessageProposal, NoteProposal, Proposal, TaskProposal
from salesops.runtime.views import ContactView, EvidenceView, PropositionView, ProspectView, TemplateView
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Refused, Team

FIRST_ROUND = 3
_CARD = "icp"
_OPEN = frozenset({"waiting", "deferred", "approved"})
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|[.!?](?=\S)[^.!?\n]*)*[.!?]*")
_Z = 1.96


def run(batch: Batch, tools: Tools) -> Answers:
    """Drafts for every prospect that has nothing usable yet."""
    return {prospect.id: _drafts(prospect, tools) for prospect in batch}


def _drafts(prospect: ProspectView, tools: Tools) -> Sequence[Proposal]:
    if prospect.contact is None:
        return [NoteProposal(kind=Refused.STALLED, message="There is no person to write to yet.")]
    if prospect.contact.suppressed:
        return [NoteProposal(kind=Refused.COMPLIANCE, message="This person must not be contacted.")]
    statuses = {request.message_id: request.status for request in prospect.requests}
    if _OPEN & set(statuses.values()) or "rejected" in statuses.values():
        return []  # a person has it, or has said no
    unspent = [m for m in prospect.messages if m.id not in statuses]
    if any(_is_usable(m.quality_points, m.compliance, tools) for m in unspent):
        return []
    rounds = len({m.run_id for m in unspent})
    fresh = list(_fillable(prospect, tools, {m.template_key for m in prospect.messages}))
    if rounds > 1 or (rounds == 1 and not fresh):
        return [_needs_review(prospect)]
    if not fresh:
        words = "No message template can be filled from the evidence there is."
        return [NoteProposal(kind=Refused.QUALITY, message=words)]
    return fresh[:1] if rounds else _different_angles(fresh)


def _is_usable(points: float, verdict: str, tools: Tools) -> bool:
    return points >= tools.playbook.min_quality and verdict in ("PASS", "REVIEW")


def _needs_review(prospect: ProspectView) -> NoteProposal:
    best = max(prospect.messages, key=lambda m: m.quality_points)
    failed = [
        str(rule.get("saw")) for rule in best.compliance_detail.get("rules", ()) if rule.get("verdict") == "BLOCK"
    ]
    failed += [str(hard.get("saw")) for hard in best.quality.get("hard", ())]
    words = f"No draft is good enough to ask about: the best one is {best.grade} ({best.quality_points:.0f} points)"
    words += f"; {'; '.join(failed)}." if failed else "."
    return NoteProposal(kind=Refused.QUALITY, message=words[:500], detail={"grade": best.grade})


def _different_angles(drafts: Sequence[MessageProposal]) -> list[MessageProposal]:
    chosen: dict[tuple[str, str], MessageProposal] = {}
    for draft in drafts:
        chosen.setdefault((draft.channel, draft.angle), draft)
    return list(chosen.values())[:FIRST_ROUND]


def _fillable(prospect: ProspectView, tools: Tools, used: set[str]) -> Iterator[MessageProposal]:
    """Drafts from unused templates, the ones resting on the strongest and freshest evidence first."""
    contact = prospect.contact
    assert contact is not None  # noqa: S101 — checked by the caller
    words = _words(prospect, tools)
    offers = [p for p in tools.playbook.propositions if p.segment in ("", prospect.segment)]
    offer = max(offers, key=lambda p: p.segment != "", default=None)
    values = {**_names(prospect, contact, tools, offer), **template_values(words)}
    open_channels = {policy.channel for policy in tools.playbook.channels if policy.enabled}
    templates = [
        t
        for t in tools.playbook.templates
        if t.key not in used
        and t.channel in open_channels
        and t.segment in ("", prospect.segment)
        and _address(contact, t.channel)
        and all(key in words for key in t.requires)
    ]
    for template in sorted(templates, key=lambda t: (-_strength(t, prospect, words, tools.now), t.position, t.key)):
        draft = _draft(prospect, contact, tools, template, values, words, offer)
        if draft is not None:
            yield draft


def _words(prospect: ProspectView, tools: Tools) -> dict[str, FactWords]:
    criteria = [c for (card, _), c in criteria_of(tools).items() if card == _CARD]
    items = {e.criterion: _item(e) for e in prospect.evidence if e.scorecard == _CARD}
    return fact_words(criteria, items, facts_of(prospect, tools))


def _item(e: EvidenceView) -> EvidenceItem:
    return EvidenceItem(
        id=e.id, criterion=e.criterion, layer=e.layer, category=e.category, value=e.value, confidence=e.confidence,
        strong_negative=e.strong_negative, observed_at=e.observed_at, signal_ids=e.signal_ids, fact_ref=e.fact_ref,
        rationale=e.rationale,
    )  # fmt: skip


def _strength(template: TemplateView, prospect: ProspectView, words: Mapping[str, FactWords], now: datetime) -> float:
    """Value, confidence and freshness of the evidence a template rests on; fresh news counts most."""
    by_id = {e.id: e for e in prospect.evidence}
    total = 0.0
    for key in template.requires:
        e = by_id[words[key].evidence_id]
        age = max(0.0, (now - e.observed_at).total_seconds() / 86_400)
        weight = 2.0 if e.category == "timing" else 1.0
        total += weight * e.value * e.confidence * 0.5 ** (age / 90)
    return total


def _names(prospect: ProspectView, contact: ContactView, tools: Tools, offer: PropositionView | None) -> dict[str, str]:
    client, company = tools.playbook.client, prospect.company
    names = {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "name": contact.name,
        "title": contact.title,
        "company": company.name if company else "",
        "industry": company.industry if company else "",
        "city": company.city if company else "",
        "country": company.country if company else contact.country,
        "client": client.name,
        "sender_name": client.sender_name,
        "sender_first_name": client.sender_name.split(" ")[0],
    }
    if offer is not None:
        names.update({"pain": offer.pain, "promise": offer.promise, "proof": offer.proof})
    return names


def _address(contact: ContactView, channel: str) -> str:
    return {"email": contact.email, "linkedin": contact.linkedin_url}.get(channel, contact.phone)


def _draft(
    prospect: ProspectView,
    contact: ContactView,
    tools: Tools,
    template: TemplateView,
    values: Mapping[str, str],
    words: Mapping[str, FactWords],
    offer: PropositionView | None,
) -> MessageProposal | None:
    """The template filled for this prospect; None when a placeholder has neither value nor fallback."""
    subject, body = fill(template.subject, values), fill(tidy_words(template.body), values)
    if subject.missing or body.missing:
        return None
    claims = tuple(claim for part in (subject, body) for claim in _claims(part, words, offer))
    rests_on = {i for c in claims for i in c.evidence_ids} | {words[key].evidence_id for key in template.requires}
    wording = Wording(
        template.channel, template.angle, template.key, subject.text, body.text, claims, tuple(sorted(rests_on)),
        _rationale(template, words),
    )  # fmt: skip
    return proposal(prospect, contact, tools, wording)


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


def proposal(prospect: ProspectView, contact: ContactView, tools: Tools, wording: Wording) -> MessageProposal:
    """The whole message: recipient, sender and footer are always ours, never those of whoever found the words."""
    client = tools.playbook.client
    why = _why_now(prospect)
    confidence, low, high = _confidence([e for e in prospect.evidence if e.id in wording.evidence_ids])
    is_mail = wording.channel == "email"
    return MessageProposal(
        contact_id=contact.id,
        channel=wording.channel,
        angle=wording.angle,
        template_key=wording.key,
        sender=sender_header(client.sender_name, client.sender_email) if is_mail else client.sender_name,
        recipient=_address(contact, wording.channel),
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
    client = tools.playbook.client
    return with_footer(
        words,
        sender_name=client.sender_name,
        postal_address=client.postal_address,
        unsubscribe_url=contact.unsubscribe_url,
        privacy_url=client.privacy_url,
        details_source=str(contact.attributes.get("details_source", "")),
    )


def _claims(filled: Filled, words: Mapping[str, FactWords], offer: PropositionView | None) -> Iterator[Claim]:
    """One claim per sentence that carries a fact or the proof, with the rows or the approved text it rests on."""
    for match in _SENTENCE.finditer(filled.text):
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        sentence = match.group().strip()
        spans = [s for s in filled.spans if s.start < match.end() and s.end > start]
        keys = [s.name.partition(".")[2] for s in spans if s.name.startswith(("fact.", "month."))]
        if keys:
            terms = [filled.text[s.start : s.end] for s in spans if s.name.startswith(("fact.", "month."))]
            ids = tuple(sorted({words[key].evidence_id for key in keys}))
            yield Claim(sentence=sentence, evidence_ids=ids, terms=tuple(dict.fromkeys(terms)))
        elif offer is not None and any(s.name in ("proof", "promise") for s in spans):
            yield Claim(sentence=sentence, source=f"value_proposition:{offer.id}", kind="proof")


def _why_now(prospect: ProspectView) -> EvidenceView | None:
    """The newest good news about timing; its rationale names the trigger and its date."""
    good = [e for e in prospect.evidence if e.category == "timing" and e.value >= 50 and not e.strong_negative]
    return max(good, key=lambda e: (e.observed_at, e.value, e.id), default=None)


def _confidence(evidence: Sequence[EvidenceView]) -> tuple[float, float, float]:
    """Mean confidence of the evidence with Wilson's 95 % bounds for so few pieces; wide when there is little."""
    if not evidence:
        return 0.0, 0.0, 1.0
    n = len(evidence)
    p = sum(e.confidence for e in evidence) / n
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return round(p, 4), round(max(0.0, min(centre - half, p)), 4), round(min(1.0, max(centre + half, p)), 4)


def _rationale(template: TemplateView, words: Mapping[str, FactWords]) -> str:
    grounds = [f"{words[key].text or key.replace('_', ' ')} ({words[key].month})" for key in template.requires]
    rests = f" It rests on {', '.join(grounds)}." if grounds else ""
    return f"The {template.angle.replace('-', ' ').replace('_', ' ')} angle.{rests}"[:1000]


def _ask(prospect: ProspectView, tools: Tools) -> TaskProposal | None:
    """Asks a person for the words, when nothing waits and somebody may be written to."""
    contact = prospect.contact
    if contact is None or contact.suppressed or any(r.status in _OPEN for r in prospect.requests):
        return None
    open_channels = [c.channel for c in tools.playbook.channels if c.enabled and _address(contact, c.channel)]
    asks = ({"channels": open_channels, "to": contact.name},)
    return TaskProposal(form="message", title=f"Write to {prospect.name}"[:200], asks=asks) if open_channels else None


def _heard(prospect: ProspectView, tools: Tools, filled_in: Mapping[str, Any]) -> list[Proposal]:
    """A person's words. They rest on the evidence in force as a whole: a person names no rows."""
    if prospect.contact is None:
        return []
    wording = Wording(
        filled_in["channel"], "by hand", f"by-hand-{filled_in['task']}", filled_in.get("subject", ""),
        filled_in["body"], (), tuple(e.id for e in prospect.evidence), "Written by a person.",
    )  # fmt: skip
    return [proposal(prospect, prospect.contact, tools, wording)]


AGENT = Agent(
    name="message_hypothesis",
    team=Team.LEAD_GEN,
    phase=Phase.STRATEGY,
    order=1,
    reads=frozenset({Key.HYPOTHESES, Key.SIGNALS, Key.STRATEGIES}),
    writes=frozenset({Key.STRATEGIES}),
    implementations={ImplementationKind.RULES: Implementation(run), ImplementationKind.HUMAN: asking(_ask, _heard)},
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
)
