"""Several angles per prospect, each filled from a template with nothing but evidence and the account's own facts.

Where something holds somebody back, and templates answer it, only those are drafted.

The first round drafts the best templates of different angles. When none of them reached the queue, one more round
tries another template; after that a person has to look.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from approvals.agents.drafting import (
    OPEN,
    Wording,
    before_drafting,
    evidence_words,
    held_by,
    needs_review,
    offers_for,
    open_channels,
    resistor_of,
    rounds,
    used_templates,
    whole_message,
)
from approvals.agents.model_messages import messages_by_model
from approvals.agents.past import angle_lift
from approvals.rules.content import tidy_words
from playbooks.rules.templating import Filled, fill
from prospects.rules.psychologic import Force
from prospects.rules.wording import FactWords, template_values
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.human import asking
from salesops.runtime.outreach_proposals import Claim, MessageProposal
from salesops.runtime.playbook_views import PropositionView, TemplateView
from salesops.runtime.proposals import NoteProposal, Proposal, TaskProposal
from salesops.runtime.views import ContactView, ProspectView
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Refused, Team

FIRST_ROUND = 3
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?]+(?=\s|$)|[.!?](?=\S)[^.!?\n]*)*[.!?]*")


def run(batch: Batch, tools: Tools) -> Answers:
    """Drafts for every prospect that has nothing usable yet."""
    return {prospect.id: _drafts(prospect, tools) for prospect in batch}


def _drafts(prospect: ProspectView, tools: Tools) -> Sequence[Proposal]:
    settled = before_drafting(prospect, tools)
    if settled is not None:
        return settled
    spent = rounds(prospect)
    fresh = list(_fillable(prospect, tools, used_templates(prospect)))
    if spent > 1 or (spent == 1 and not fresh):
        return [needs_review(prospect)]
    if not fresh:
        words = "No message template can be filled from the evidence there is."
        return [NoteProposal(kind=Refused.QUALITY, message=words)]
    return fresh[:1] if spent else _different_angles(fresh)


def _different_angles(drafts: Sequence[MessageProposal]) -> list[MessageProposal]:
    chosen: dict[tuple[str, str], MessageProposal] = {}
    for draft in drafts:
        chosen.setdefault((draft.channel, draft.angle), draft)
    return list(chosen.values())[:FIRST_ROUND]


def _fillable(prospect: ProspectView, tools: Tools, used: set[str]) -> Iterator[MessageProposal]:
    """Drafts from unused templates: those on the strongest and freshest evidence first, and what worked before."""
    contact = prospect.contact
    assert contact is not None  # noqa: S101 — checked by the caller
    words = evidence_words(prospect, tools)
    offer = next(iter(offers_for(prospect, tools)), None)
    values = {**names_of(prospect, contact, tools, offer), **template_values(words)}
    channels = open_channels(contact, tools)
    templates = [
        t
        for t in tools.playbook.templates
        if t.key not in used
        and t.channel in channels
        and t.segment in ("", prospect.segment)
        and all(key in words for key in t.requires)
    ]
    strength = {
        t.key: _strength(t, prospect, words, tools.now) * angle_lift(prospect, t.channel, t.angle) for t in templates
    }
    resistor = resistor_of(prospect, tools)
    if resistor is not None:
        templates = [t for t in templates if t.addresses == resistor.name] or templates
    for template in sorted(templates, key=lambda t: (-strength[t.key], t.position, t.key)):
        draft = draft_from(prospect, contact, tools, template, values, words, offer, resistor)
        if draft is not None:
            yield draft


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


def names_of(
    prospect: ProspectView, contact: ContactView, tools: Tools, offer: PropositionView | None
) -> dict[str, str]:
    """The values of the placeholders that name no evidence."""
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


def draft_from(
    prospect: ProspectView,
    contact: ContactView,
    tools: Tools,
    template: TemplateView,
    values: Mapping[str, str],
    words: Mapping[str, FactWords],
    offer: PropositionView | None,
    resistor: Force | None = None,
) -> MessageProposal | None:
    """The template filled for this prospect; None when a placeholder has neither value nor fallback."""
    subject, body = fill(template.subject, values), fill(tidy_words(template.body), values)
    if subject.missing or body.missing:
        return None
    claims = tuple(claim for part in (subject, body) for claim in _claims(part, words, offer))
    rests_on = {i for c in claims for i in c.evidence_ids} | {words[key].evidence_id for key in template.requires}
    wording = Wording(
        template.channel, template.angle, template.key, subject.text, body.text, claims, tuple(sorted(rests_on)),
        _rationale(template, words, resistor),
    )  # fmt: skip
    return whole_message(prospect, contact, tools, wording)


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


def _rationale(template: TemplateView, words: Mapping[str, FactWords], resistor: Force | None) -> str:
    grounds = [f"{words[key].text or key.replace('_', ' ')} ({words[key].month})" for key in template.requires]
    rests = f" It rests on {', '.join(grounds)}." if grounds else ""
    angle = template.angle.replace("-", " ").replace("_", " ")
    return f"The {angle} angle.{rests}{held_by(resistor, template.addresses)}"[:1000]


def _ask(prospect: ProspectView, tools: Tools) -> TaskProposal | None:
    """Asks a person for the words, when nothing waits and somebody may be written to."""
    contact = prospect.contact
    if contact is None or contact.suppressed or any(r.status in OPEN for r in prospect.requests):
        return None
    channels = open_channels(contact, tools)
    asks = ({"channels": channels, "to": contact.name},)
    return TaskProposal(form="message", title=f"Write to {prospect.name}"[:200], asks=asks) if channels else None


def _heard(prospect: ProspectView, tools: Tools, filled_in: Mapping[str, Any]) -> list[Proposal]:
    """A person's words. They rest on the evidence in force as a whole: a person names no rows."""
    if prospect.contact is None:
        return []
    wording = Wording(
        filled_in["channel"], "by hand", f"by-hand-{filled_in['task']}", filled_in.get("subject", ""),
        filled_in["body"], (), tuple(e.id for e in prospect.evidence), "Written by a person.",
    )  # fmt: skip
    return [whole_message(prospect, prospect.contact, tools, wording)]


AGENT = Agent(
    name="message_hypothesis",
    team=Team.LEAD_GEN,
    phase=Phase.STRATEGY,
    order=1,
    reads=frozenset({Key.HYPOTHESES, Key.SIGNALS, Key.STRATEGIES}),
    writes=frozenset({Key.STRATEGIES}),
    implementations={
        ImplementationKind.RULES: Implementation(run),
        ImplementationKind.LLM: messages_by_model(_drafts),
        ImplementationKind.HUMAN: asking(_ask, _heard),
    },
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
)
