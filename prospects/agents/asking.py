"""What agents that ask a language model share: material as labelled pieces, exact quotes, and rules to fall back on.

Not an agent. Whatever a model answers is only a proposal: names that were never given out, quotes that stand nowhere
and numbers out of range are handed on as they are, for the runtime to refuse in everybody's sight.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from salesops.llm.ports import BUDGET
from salesops.llm.prompts import Piece
from salesops.llm.screening import addressed_to_models
from salesops.numerals import plain_number
from salesops.runtime.proposals import NoteProposal, Proposal
from salesops.runtime.toolbox import Reply
from salesops.runtime.views import ProspectView, SignalView
from salesops.runtime.words import Refused

Untyped = Proposal | Mapping[str, Any]  # what an implementation may answer
NOBODY = 0  # no row has this id: what cites it is refused by the runtime as somebody else's
_PIECE, _ALL, _PIECES = 4_000, 16_000, 40
_BOOKKEEPING = frozenset({"derived_from", "confidence", "sets"})
# What identifies or reaches a person says nothing about a criterion, and is nobody else's to know.
_PERSONAL = re.compile(
    r"e_?mail|phone|(?:^|_)(?:mobile|fax|zip|person|address|contact|street)(?:_|$)|birth|postcode|linkedin"
    r"|^(?:first|last|full|user)_?name$",
    re.IGNORECASE,
)
_SHORTEST = 3
AN_HOUR, A_DAY = 3_600, 86_400
MOST_TRIES = 5  # the last comes 31 hours after the first
_BLANKS = re.compile(r"\s+")


class Form(BaseModel):
    """Base of the forms that models answer in: a field nobody asked for makes the whole answer void."""

    model_config = ConfigDict(extra="forbid", str_max_length=2000)


@dataclass(frozen=True, slots=True)
class Material:
    """Signals as a model sees them: by short names that mean nothing outside this question."""

    named: Mapping[str, SignalView]
    pieces: tuple[Piece, ...]
    withheld: tuple[NoteProposal, ...]

    def cited(self, names: Iterable[str]) -> list[SignalView] | None:
        """The signals behind names; None when one of them was never given out."""
        found = [self.named.get(name.strip()) for name in names]
        return None if None in found else [signal for signal in found if signal is not None]


def material(signals: Iterable[SignalView], prefix: str, *, wordless: str = "") -> Material:
    """The newest signals first, each with at most 4,000 characters and 16,000 together.

    ``wordless`` stands in for the words of a signal that has none; without it such a signal is left out. What speaks to
    language models instead of to people is withheld, and a note says so.
    """
    named: dict[str, SignalView] = {}
    pieces: list[Piece] = []
    withheld: list[NoteProposal] = []
    left = _ALL
    for signal in sorted(signals, key=lambda s: (_negative(s.observed_at), s.dedup_key)):
        text = (shown(signal) or wordless)[: min(_PIECE, left)]
        if not text.strip() or len(pieces) >= _PIECES:
            continue
        spoken = addressed_to_models(text)
        if spoken:
            withheld.append(_withheld(signal, spoken))
            continue
        name = f"{prefix}{len(pieces) + 1}"
        named[name] = signal
        pieces.append(Piece(f"{name}, {signal.kind.replace('_', ' ')}, {signal.observed_at:%Y-%m-%d}", text))
        left -= len(text)
    return Material(named, tuple(pieces), tuple(withheld))


def _negative(at: datetime) -> float:
    return -at.timestamp()


def _withheld(signal: SignalView, spoken: str) -> NoteProposal:
    kind = signal.kind.replace("_", " ")
    words = f"A {kind} speaks to language models (“{spoken}”): no model was shown it, and nothing was taken from it."
    return NoteProposal(kind=Refused.PROVENANCE, message=words, detail={"source": signal.source_ref or signal.source})


def shown(signal: SignalView) -> str:
    """A signal's words and values, each value under its name; a quote of either stands in the signal.

    What names a person, or says how to reach or where to find them, is left out.
    """
    lines = [signal.text] if signal.text else []
    if signal.value is not None:
        lines.append(f"value: {plain_number(signal.value)}")
    facts = {**signal.data, **_mapping(signal.data.get("sets"))}
    for name, value in facts.items():
        if name in _BOOKKEEPING or value in (None, "", []) or _PERSONAL.search(name):
            continue
        lines.append(f"{name}: {', '.join(map(str, value)) if isinstance(value, list | tuple) else value}")
    return "\n".join(lines)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def exact(quote: str, text: str) -> str:
    """The words of ``text`` that ``quote`` copies, as they stand there; empty when they do not.

    Only blanks may differ: a model sees one line where a page had two. A fragment of a word is no quote.
    """
    words = _BLANKS.split(quote.strip())
    if len(quote.strip()) < _SHORTEST and quote.strip() not in text.splitlines():
        return ""
    if not words[0]:
        return ""
    pattern = r"\s+".join(map(re.escape, words))
    found = re.search(rf"(?<!\w){pattern}(?!\w)", text)
    return found.group() if found is not None else ""


def source_of(quote: str, signals: Sequence[SignalView]) -> tuple[str, SignalView | None]:
    """The exact words and the first of ``signals`` in which they stand; a value quoted with its name loses the name."""
    for candidate in (quote, quote.partition(": ")[2]):
        for signal in signals:
            words = exact(candidate, signal.quotable)
            if words:
                return words, signal
    return "", None


def is_fragment(quote: str, signals: Iterable[SignalView]) -> bool:
    """Whether the characters stand there and yet are no words: part of one, or too little to show anything."""
    return any(quote.strip() in signal.quotable and not exact(quote, signal.quotable) for signal in signals)


def attribute_of(quote: str, signal: SignalView, wanted: str = "") -> str:
    """The fact a quote is about: the attribute that holds it, ``wanted`` before others, else the signal's kind.

    Everything quoted from one text counts as one fact, so no number of sentences makes one page several sources.
    """
    given = signal.data if signal.kind == "profile" else _mapping(signal.data.get("sets"))
    for name, value in sorted(given.items(), key=lambda item: (not item[0].startswith(wanted or "\0"), item[0])):
        text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        if quote and quote in text:
            return re.sub(r"^(employees|revenue)_(min|max)$", r"\1", name)
    return signal.kind


def instead(
    problem: str, by_rules: Iterable[Untyped], *, again_in: int | None = None, at_most: int | None = None
) -> list[Untyped]:
    """What the rules say, and a note that they spoke because the model did not; it may say when to ask it again."""
    kind = Refused.BUDGET if problem == BUDGET else Refused.MODEL
    words = f"Judged by rules instead of the language model. {problem[:1].upper()}{problem[1:]}"
    return [*by_rules, NoteProposal(kind=kind, message=words[:500], again_in=again_in, again_at_most=at_most)]


def until_it_answers(reply: Reply[Any], by_rules: Iterable[Untyped]) -> list[Untyped]:
    """What the rules say for now. What kept the model from answering passes: it is asked again about the same facts.

    A day's budget is whole again tomorrow; a service that fails is asked after an hour, then later and later. For
    judgements only: words that a person may already have been asked about are not drafted anew behind their back.
    """
    if not reply.passing:
        return instead(reply.problem, by_rules)
    if reply.problem == BUDGET:
        return instead(reply.problem, by_rules, again_in=A_DAY)
    return instead(reply.problem, by_rules, again_in=AN_HOUR, at_most=MOST_TRIES)


def known_about(prospect: ProspectView) -> str:
    """Which company the prospect is, in a few lines, without ids; nothing about a person."""
    company = prospect.company
    if company is None:
        return "a private household"
    place = ", ".join(part for part in (company.city, company.country) if part)
    return "\n".join(part for part in (company.name, company.domain, company.industry, place) if part)
