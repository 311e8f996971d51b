"""Typed weak signals out of texts, by a language model: what happened, and what was heard, in the text's own words.

What happened is read in public texts, forces and motives where somebody speaks: two questions, each put only where
there is something to read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import Field

from prospects.agents import model_motives
from prospects.agents.asking import (
    NOBODY,
    Form,
    Material,
    Untyped,
    is_fragment,
    known_about,
    material,
    source_of,
    until_it_answers,
)
from prospects.rules.facts import confidence_of
from salesops.llm.prompts import load
from salesops.runtime.contract import Answers, Batch, Implementation, Tools
from salesops.runtime.proposals import NoteProposal, SignalProposal
from salesops.runtime.toolbox import Question, Reply
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
        read = [(p, material((s for s in p.signals if s.kind in texts and s.agent != NAME), "t")) for p in batch]
        heard = [model_motives.Heard(prospect) for prospect in batch]
        asked: list[Question[Any]] = [_question(p, shown) for p, shown in read if shown.pieces]
        asked += [question for one in heard if (question := one.question) is not None]
        replies = iter(tools.ask(asked))
        answers: dict[int, list[Untyped]] = {}
        for prospect, shown in read:
            reply = next(replies) if shown.pieces else None
            answers[prospect.id] = [*_happened(reply, shown, ruled.get(prospect.id, ())), *shown.withheld]
        for one in heard:
            reply = next(replies) if one.said.pieces else None
            answers[one.prospect.id] += _moved(reply, one, answers[one.prospect.id])
        return answers

    return Implementation(run, version=f"2.{load(PROMPT).edition}.{model_motives.EDITION}")


def _happened(reply: Reply[Any] | None, shown: Material, by_rules: Iterable[Untyped]) -> list[Untyped]:
    if reply is None:
        return [*by_rules]
    if reply.answer is None:
        return until_it_answers(reply, by_rules)
    from_data = [r for r in by_rules if not isinstance(r, SignalProposal) or not r.quote]
    return [*from_data, *_observed(reply.answer, shown)]


def _moved(reply: Reply[Any] | None, heard: model_motives.Heard, said: Iterable[Untyped]) -> list[Untyped]:
    """Nothing stands in for a model that does not answer: the playbook's phrases are heard in any case."""
    told = {note.message for note in said if isinstance(note, NoteProposal)}
    if reply is None:
        found: list[Untyped] = []
    elif reply.answer is None:
        found = until_it_answers(reply, ())
    else:
        found = [*heard.proposals(reply.answer)]
    found += [*heard.said.withheld, *heard.done.withheld]
    return [one for one in found if not isinstance(one, NoteProposal) or one.message not in told]


def _question(prospect: ProspectView, shown: Material) -> Question[SignalsAnswer]:
    kinds = "\n".join(f"{kind}: {words}" for kind, words in KINDS.items())
    values = {"kinds": kinds, "company": known_about(prospect), "texts": shown.pieces}
    return Question(prospect, PROMPT, values, SignalsAnswer)


def _observed(answer: SignalsAnswer, shown: Material) -> Iterator[Untyped]:
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
