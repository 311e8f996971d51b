"""Drafts by a language model: it finds the words and says what each sentence rests on; everything else is ours.

A draft that names a fact it was not given, says a number its grounds do not hold, or carries a link, an address or a
line break is refused, and a note says why. When nothing is left, the templates speak.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pydantic import Field

from approvals.agents.drafting import (
    Wording,
    before_drafting,
    evidence_words,
    failings,
    held_by,
    needs_review,
    offers_for,
    open_channels,
    resistor_of,
    rounds,
    unspent,
    whole_message,
)
from approvals.rules.motives import asserted
from prospects.agents.asking import NOBODY, Form, Untyped, instead, known_about
from prospects.rules.psychologic import STRONGEST, Force
from salesops.llm.prompts import load
from salesops.llm.screening import addressed_to_models
from salesops.runtime.contract import Answers, Batch, Implementation, Tools
from salesops.runtime.outreach_proposals import Claim, MessageProposal
from salesops.runtime.playbook_views import PropositionView
from salesops.runtime.proposals import NoteProposal, Proposal
from salesops.runtime.toolbox import Question
from salesops.runtime.views import ContactView, EvidenceView, ProspectView
from salesops.runtime.words import Refused

if TYPE_CHECKING:
    from tldextract import TLDExtract

PROMPT = "approvals/message_hypothesis"
_MOST_FACTS, _MOST_ROUNDS = 12, 2
_MOST_WISHES, _LONGEST_WISH = 3, 500
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_REACHABLE = re.compile(
    r"://|\bwww\.|\S@\S|[<>{}\[\]|\\]|(?:\+|\b00)\d[\d ().-]{6,}\d|\b\d{3}[ .-]\d{3,4}[ .-]\d{3,4}\b"
)
_HOST = re.compile(r"\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b", re.IGNORECASE)


class Sentence(Form):
    """One sentence and the names of what it rests on."""

    text: str = Field(description="the sentence, with its full stop or question mark")
    rests_on: list[str] = Field(description="names of facts and offers, such as e1 or p1", max_length=8)


class Draft(Form):
    """One note, without greeting and signature."""

    channel: str = Field(description="one of the channels listed")
    angle: str = Field(description="the angle in one or two words")
    subject: str = Field(description="two to five words")
    paragraphs: list[list[Sentence]] = Field(min_length=1, max_length=6)
    why: str = Field(description="why this should work, in one sentence")
    answers: str = Field(default="", description="what holds them back that it answers, by its name; empty for none")


class DraftsAnswer(Form):
    """Two or three notes that come at it from different angles."""

    drafts: list[Draft] = Field(max_length=5)


@dataclass(frozen=True, slots=True)
class _Grounds:
    """What a draft may rest on, by the names the model was given."""

    facts: Mapping[str, EvidenceView]
    offers: Mapping[str, PropositionView]
    texts: Mapping[str, str]
    resistor: Force | None

    def said(self, names: Sequence[str]) -> str:
        return "\n".join(self.texts.get(name, "") for name in names)


def messages_by_model(by_rules: Callable[[ProspectView, Tools], Sequence[Proposal]]) -> Implementation:
    """The implementation that asks a model for words; ``by_rules`` drafts for one prospect when that fails."""

    def run(batch: Batch, tools: Tools) -> Answers:
        answers: dict[int, list[Untyped]] = {}
        asked: list[tuple[ProspectView, ContactView, _Grounds]] = []
        for prospect in batch:
            settled = _settled(prospect, tools)
            if settled is None and prospect.contact is not None:
                asked.append((prospect, prospect.contact, _grounds(prospect, tools)))
            else:
                answers[prospect.id] = [*(settled or ())]
        replies = tools.ask([_question(p, c, g, tools) for p, c, g in asked])
        for (prospect, contact, grounds), reply in zip(asked, replies, strict=True):
            if reply.answer is None:
                answers[prospect.id] = [*instead(reply.problem, by_rules(prospect, tools))]
                continue
            found = list(_drafted(prospect, contact, reply.answer, grounds, tools))
            answers[prospect.id] = [*found]
            if all(isinstance(item, NoteProposal) for item in found):
                answers[prospect.id] += instead("None of its drafts could be used.", by_rules(prospect, tools))
        return answers

    return Implementation(run, version=f"1.{load(PROMPT).edition}")


def _settled(prospect: ProspectView, tools: Tools) -> Sequence[NoteProposal] | None:
    """What there is to say without asking; None when a draft is wanted."""
    settled = before_drafting(prospect, tools)
    if settled is None and rounds(prospect) >= _MOST_ROUNDS:
        return [needs_review(prospect)]
    return settled


def _grounds(prospect: ProspectView, tools: Tools) -> _Grounds:
    """The evidence that speaks for the prospect, newest first, and the offers, each under a short name."""
    words = evidence_words(prospect, tools)
    spoken = {w.evidence_id: w for w in words.values()}
    usable = [e for e in prospect.evidence if e.id in spoken and not addressed_to_models(f"{e.rationale}\n{e.quote}")]
    usable.sort(key=lambda e: (-e.observed_at.timestamp(), e.criterion))
    facts = {f"e{n}": e for n, e in enumerate(usable[:_MOST_FACTS], 1)}
    offers = {f"p{n}": p for n, p in enumerate(offers_for(prospect, tools), 1)}
    texts = {
        name: "\n".join((e.rationale, e.quote, spoken[e.id].text, spoken[e.id].month, f"{e.observed_at:%d %B %Y}"))
        for name, e in facts.items()
    }
    texts |= {name: "\n".join((p.pain, p.promise, p.proof)) for name, p in offers.items()}
    return _Grounds(facts, offers, texts, resistor_of(prospect, tools))


def _question(prospect: ProspectView, contact: ContactView, grounds: _Grounds, tools: Tools) -> Question[DraftsAnswer]:
    facts = [f"{name}: {e.rationale} ({e.observed_at:%B %Y})" for name, e in grounds.facts.items()]
    facts = [
        f"{line} Quoted: {e.quote}" if e.quote else line for line, e in zip(facts, grounds.facts.values(), strict=True)
    ]
    offers = [f"{name}: pain: {p.pain} promise: {p.promise} proof: {p.proof}" for name, p in grounds.offers.items()]
    title = f", {contact.title}" if contact.title else ""
    values = {
        "person": f"A person at this company{title}\n{known_about(prospect)}",
        "facts": "\n".join(facts) or "none",
        "offers": "\n".join(offers) or "none",
        "channels": "\n".join(open_channels(contact, tools)) or "none",
        "earlier": _earlier(prospect),
        "wished": _wished(prospect),
        "resistor": _resistance(grounds.resistor),
    }
    return Question(prospect, PROMPT, values, DraftsAnswer)


def _resistance(resistor: Force | None) -> str:
    """What holds them back most with the words it was heard in; words that speak to language models are left out."""
    if resistor is None:
        return "nothing we know of"
    quoted = "" if addressed_to_models(resistor.quote) else f": “{resistor.quote[:300]}”"
    return f"{resistor.name}, {resistor.strength} of {STRONGEST}{quoted}"


def _earlier(prospect: ProspectView) -> str:
    lines = [f"{m.angle}, graded {m.grade}: {'; '.join(failings(m)) or 'too few points'}" for m in unspent(prospect)]
    return "\n".join(lines) or "nothing yet"


def _wished(prospect: ProspectView) -> str:
    """What people wrote when they handed drafts back, the newest first; words that speak to models are left out."""
    angles = {message.id: message.angle for message in prospect.messages}
    handed_back = [request for request in prospect.requests if request.status == "redraft"]
    lines = []
    for request in handed_back[: -_MOST_WISHES - 1 : -1]:
        wish = " ".join(request.wish.split())
        shown = f"“{wish[:_LONGEST_WISH]}”" if wish and not addressed_to_models(wish) else "another draft"
        lines.append(f"of the {angles.get(request.message_id, 'earlier')} draft: {shown}")
    return "\n".join(lines) or "nothing"


def _drafted(
    prospect: ProspectView, contact: ContactView, answer: DraftsAnswer, grounds: _Grounds, tools: Tools
) -> Iterator[Proposal]:
    """Notes for drafts that are refused, then the others; those that answer what holds them back where any does."""
    taken: set[tuple[str, str]] = set()
    sound: list[tuple[Draft, MessageProposal]] = []
    channels = open_channels(contact, tools)
    for number, draft in enumerate(answer.drafts, 1):
        wrong = _wrong(draft, prospect, grounds, channels)
        angle = re.sub(r"[^a-z0-9]+", "-", draft.angle.casefold()).strip("-")[:40] or "other"
        if wrong is not None:
            yield NoteProposal(kind=wrong[0], message=f"A draft by the language model was refused: {wrong[1]}"[:500])
        elif (draft.channel, angle) not in taken:
            taken.add((draft.channel, angle))
            key = f"model-{rounds(prospect) + 1}-{number}"
            wording = _wording(draft, angle, key, contact, grounds, tools)
            sound.append((draft, whole_message(prospect, contact, tools, wording)))
    answering = [message for draft, message in sound if draft.answers.strip()]
    yield from answering or [message for _, message in sound]


def _wrong(
    draft: Draft, prospect: ProspectView, grounds: _Grounds, channels: Sequence[str]
) -> tuple[Refused, str] | None:
    """The first thing about a draft that nobody should be asked to approve."""
    if draft.channel not in channels:
        return Refused.PERMISSION, f"it goes by a channel that is not open here (“{draft.channel[:20]}”)."
    answered = draft.answers.strip()
    if answered and (grounds.resistor is None or answered != grounds.resistor.name):
        return Refused.PROVENANCE, f"it answers what nobody said holds them back most (“{answered[:20]}”)."
    sentences = [sentence for paragraph in draft.paragraphs for sentence in paragraph]
    cited = [name for sentence in sentences for name in sentence.rests_on]
    for name in cited:
        if name not in grounds.texts:
            return Refused.PROVENANCE, f"a sentence rests on something it was not given (“{name[:20]}”)."
    if not any(name in grounds.facts for name in cited):
        return Refused.PROVENANCE, "it rests on no fact about the prospect."
    for text, names in [(draft.subject, cited), *((s.text, s.rests_on) for s in sentences)]:
        wrong = _wrong_words(text, prospect, grounds.said(names), bool(names))
        if wrong is not None:
            return wrong
        told = asserted(text, [grounds.resistor.quote] if grounds.resistor is not None else [])
        if told:
            return Refused.COMPLIANCE, f"it tells them what holds or moves them (“{told[:80]}”)."
    return None


def _wrong_words(text: str, prospect: ProspectView, said: str, rests: bool) -> tuple[Refused, str] | None:
    spoken = addressed_to_models(text)
    if spoken:
        return Refused.PROVENANCE, f"it speaks to language models (“{spoken}”)."
    reachable = _REACHABLE.search(text) or ("\n" in text.strip()) or _host(text, prospect)
    if reachable:
        return Refused.COMPLIANCE, f"it carries a link, an address or markup of its own (“{text.strip()[:80]}”)."
    known = set(_NUMBER.findall(said))
    bare = [number for number in _NUMBER.findall(text) if number not in known]
    if rests and bare:
        return Refused.PROVENANCE, f"it says a number that does not stand in what it rests on ({bare[0]})."
    return None


def _host(text: str, prospect: ProspectView) -> bool:
    """Whether the text names a host other than the company's own name or domain."""
    own = {prospect.company.name.casefold(), prospect.company.domain.casefold()} if prospect.company else set()
    return any(found.casefold() not in own and bool(_suffixes()(found).suffix) for found in _HOST.findall(text))


@cache
def _suffixes() -> TLDExtract:
    import tldextract  # brings a whole HTTP client along, which most processes never need

    return tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)


def _wording(draft: Draft, angle: str, key: str, contact: ContactView, grounds: _Grounds, tools: Tools) -> Wording:
    """Greeting and signature around the model's sentences, and the rows each sentence rests on."""
    paragraphs = [[(_tidy(s.text), s.rests_on) for s in paragraph] for paragraph in draft.paragraphs]
    claims = tuple(_claim(text, names, grounds) for p in paragraphs for text, names in p if names)
    sender = tools.playbook.client.sender_name.split(" ")[0]
    blocks = [f"Hi {contact.first_name or 'there'},", *(" ".join(text for text, _ in p) for p in paragraphs), sender]
    return Wording(
        channel=draft.channel,
        angle=angle,
        key=key,
        subject=_tidy(draft.subject)[:300],
        body="\n\n".join(block for block in blocks if block),
        claims=claims,
        evidence_ids=tuple(sorted({i for claim in claims for i in claim.evidence_ids})),
        rationale=f"Drafted by a language model. {_tidy(draft.why)}{held_by(grounds.resistor, draft.answers.strip())}"[
            :1000
        ],
    )


def _tidy(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _claim(text: str, names: Sequence[str], grounds: _Grounds) -> Claim:
    offers = [grounds.offers[name] for name in names if name in grounds.offers]
    facts = tuple(sorted({grounds.facts[name].id for name in names if name in grounds.facts}))
    source = f"value_proposition:{offers[0].id}" if offers else ""
    return Claim(
        sentence=text,
        evidence_ids=facts or (() if offers else (NOBODY,)),
        source=source,
        kind="proof" if offers else "fact",
    )
