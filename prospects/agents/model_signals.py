"""Typed weak signals out of texts, by a language model: what happened, in the text's own words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import Field

from prospects.agents.asking import (
    NOBODY,
    Form,
    Material,
    is_fragment,
    known_about,
    material,
    source_of,
    until_it_answers,
)
from prospects.rules.facts import confidence_of
from salesops.llm.prompts import load
from salesops.runtime.contract import Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import NoteProposal, Proposal, SignalProposal
from salesops.runtime.toolbox import Question
from salesops.runtime.views import ProspectView
from salesops.runtime.words import Refused

PROMPT = "prospects/signal_extraction"
NAME = "signal_extraction"

#: What a text may announce, as the model is told. The rules know the first seven by their words.
KINDS: Mapping[str, str] = {
    "funding": "money was raised or somebody invested",
    "expansion": "a new office, market, country or plant",
    "new_product": "a product or a larger feature was launched",
    "hiring": "people are being hired now",
    "regulatory": "a law, a licence or a deadline binds them",
    "partnership": "an alliance or an integration with another company",
    "technology": "a system was adopted, replaced or is being moved to",
    "leadership_change": "somebody took or left a leading position",
    "acquisition": "they bought a company or were bought",
    "layoffs": "people were let go or a site was closed",
    "customer_win": "a named customer or contract was won",
    "award": "a prize, a certification or a ranking",
    "pain": "a problem or complaint they have themselves",
    "review": "what a customer or an employee thinks of them",
    "website_change": "their site or what they offer was changed",
}


class Observed(Form):
    """One thing that happened."""

    kind: str = Field(description="one of the kinds listed")
    source: str = Field(description="name of the text, such as t1")
    quote: str = Field(description="words copied from that text")
    confidence: float = Field(description="0 to 1")


class SignalsAnswer(Form):
    """What the texts say happened."""

    observations: list[Observed] = Field(max_length=20)


def signals_by_model(texts: frozenset[str], by_rules: Callable[[Batch, Tools], Answers]) -> Implementation:
    """The implementation that reads signals of the kinds ``texts``; the rules keep what comes from data."""

    def run(batch: Batch, tools: Tools) -> Answers:
        ruled = by_rules(batch, tools)
        seen = [material((s for s in p.signals if s.kind in texts and s.agent != NAME), "t") for p in batch]
        asked = [(p, m) for p, m in zip(batch, seen, strict=True) if m.pieces]
        replies = tools.ask([_question(p, m) for p, m in asked])
        answers: dict[int, list[Proposal | Mapping[str, Any]]] = {p.id: [*ruled.get(p.id, ())] for p in batch}
        for (prospect, shown), reply in zip(asked, replies, strict=True):
            own = ruled.get(prospect.id, ())
            if reply.answer is None:
                answers[prospect.id] = [*until_it_answers(reply, own)]
            else:
                from_data = [r for r in own if not isinstance(r, SignalProposal) or not r.quote]
                answers[prospect.id] = [*from_data, *_observed(reply.answer, shown)]
        for prospect, shown in zip(batch, seen, strict=True):
            answers[prospect.id] += shown.withheld
        return answers

    return Implementation(run, version=f"1.{load(PROMPT).edition}")


def _question(prospect: ProspectView, shown: Material) -> Question[SignalsAnswer]:
    kinds = "\n".join(f"{kind}: {words}" for kind, words in KINDS.items())
    values = {"kinds": kinds, "company": known_about(prospect), "texts": shown.pieces}
    return Question(prospect, PROMPT, values, SignalsAnswer)


def _observed(answer: SignalsAnswer, shown: Material) -> Iterator[Proposal | Mapping[str, Any]]:
    taken: set[tuple[str, int]] = set()
    for observed in answer.observations:
        if observed.kind not in KINDS:
            words = f"The language model named a kind of signal there is not: “{observed.kind[:60]}”."
            yield NoteProposal(kind=Refused.SCHEMA, message=words)
            continue
        if not observed.quote.strip() or is_fragment(observed.quote, shown.named.values()):
            words = f"The language model reported {observed.kind.replace('_', ' ')} without quoting any words."
            yield NoteProposal(kind=Refused.PROVENANCE, message=words)
            continue
        cited = shown.cited([observed.source])
        quote, origin = source_of(observed.quote, cited or ())
        text = cited[0] if cited else None
        if origin is not None and (observed.kind, origin.id) in taken:
            continue  # one text announces a kind of thing once
        if origin is not None:
            taken.add((observed.kind, origin.id))
        rests_on = origin or text or next(iter(shown.named.values()))
        sure = observed.confidence
        if origin is not None and sure <= 1:
            sure = min(sure, confidence_of(origin))
        yield {
            "type": "signal",
            "kind": observed.kind,
            "observed_at": rests_on.observed_at,
            "text": quote or observed.quote,
            "derived_from": text.id if text is not None else NOBODY,
            "attribute": observed.kind,
            "confidence": sure,
            "quote": quote or observed.quote,
        }
