"""What moves somebody and what holds them, read out of their own words by a language model: forces and motives.

Each is a signal with the words it was heard in. A guess at a motive stands only on two things they did and with one
that would prove it wrong, by the same rule as a person's; it is noted, and never said to anybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import Field

from prospects.agents.asking import NOBODY, Form, Material, Untyped, is_fragment, known_about, material, source_of
from prospects.rules.facts import confidence_of
from prospects.rules.psychologic import (
    FORCE_KIND,
    FORCES,
    HYPOTHESES,
    MOTIVE_KIND,
    STRONGEST,
    hypothesis_problems,
    is_behavior,
)
from salesops.llm.prompts import load
from salesops.runtime.proposals import NoteProposal
from salesops.runtime.toolbox import Question
from salesops.runtime.views import ProspectView, SignalView
from salesops.runtime.words import Refused

PROMPT = "prospects/motives"
EDITION = load(PROMPT).edition
#: Where somebody is heard in their own words.
SPOKEN = frozenset({"reply", "call_note", "meeting_note", "post", "review"})


class HeardForce(Form):
    """One force in the words it was heard in."""

    force: str = Field(description="push, pull, anxiety or habit")
    strength: int = Field(description="1 to 3")
    source: str = Field(description="name of the text, such as t1")
    quote: str = Field(description="words copied from that text")


class HeardMotive(Form):
    """What they say they want, and a guess at what they want besides."""

    source: str = Field(description="name of the text, such as t1")
    quote: str = Field(description="words copied from that text")
    hypothesis: str = Field(default="", description="one of the guesses listed, or empty")
    why: str = Field(default="", description="one sentence")
    supports: list[str] = Field(default_factory=list, description="names of things they did", max_length=20)
    disconfirmer: str = Field(default="", description="what would prove the guess wrong")


class MotivesAnswer(Form):
    """What the words show of forces and motives."""

    forces: list[HeardForce] = Field(max_length=12)
    motives: list[HeardMotive] = Field(max_length=3)


class Heard:
    """One prospect's words and deeds as a model is shown them, and what it may answer about them."""

    def __init__(self, prospect: ProspectView) -> None:
        self.prospect = prospect
        self.said = material((s for s in prospect.signals if s.kind in SPOKEN), "t")
        deeds = (s for s in prospect.signals if is_behavior(s.kind) and s.kind not in SPOKEN)
        self.done = material(deeds, "b", wordless="nothing more is known of it")

    @property
    def question(self) -> Question[MotivesAnswer] | None:
        """What to ask; None where nothing was said."""
        if not self.said.pieces:
            return None
        guesses = "\n".join(f"{name}: {words}" for name, words in HYPOTHESES.items())
        values = {
            "hypotheses": guesses,
            "company": known_about(self.prospect),
            "texts": self.said.pieces,
            "deeds": self.done.pieces or "nothing we saw",
        }
        return Question(self.prospect, PROMPT, values, MotivesAnswer)

    def proposals(self, answer: MotivesAnswer) -> Iterator[Untyped]:
        """What was heard, unsound quotes too so that they are refused in sight; notes for what names no words."""
        taken: set[tuple[str, int]] = set()
        for force in answer.forces:
            yield from self._force(force, taken)
        for motive in answer.motives:
            yield from self._motive(motive, taken)

    def _force(self, heard: HeardForce, taken: set[tuple[str, int]]) -> Iterator[Untyped]:
        if heard.force not in FORCES:
            yield _refused(Refused.SCHEMA, f"named a force there is not: “{heard.force[:60]}”")
        elif not 1 <= heard.strength <= STRONGEST:
            yield _refused(Refused.RANGE, f"gave {heard.force} a strength of {heard.strength} of {STRONGEST}")
        elif _is_unquoted(heard.quote, self.said):
            yield _refused(Refused.PROVENANCE, f"heard {heard.force} without quoting any words")
        else:
            data = {"force": heard.force, "strength": heard.strength}
            yield from _signal(FORCE_KIND, heard.force, data, heard.source, heard.quote, self.said, taken)

    def _motive(self, heard: HeardMotive, taken: set[tuple[str, int]]) -> Iterator[Untyped]:
        if _is_unquoted(heard.quote, self.said):
            yield _refused(Refused.PROVENANCE, "named a motive without quoting any words")
            return
        data: dict[str, Any] = {}
        deeds: list[SignalView] = []
        if heard.hypothesis.strip():
            found = self.done.cited(heard.supports)
            problems = ["Rests on something it was not given."] if found is None else _problems(heard, found)
            if problems:
                words = f"A guess at a motive by the language model was refused. {' '.join(problems)}"
                yield NoteProposal(kind=Refused.PROVENANCE, message=words[:500])
            else:
                deeds = found or []
                data = {"hypothesis": heard.hypothesis, "why": heard.why.strip(), "disconfirmer": heard.disconfirmer}
        name = str(data.get("hypothesis", "stated"))
        rests_on = sorted({deed.id for deed in deeds})
        yield from _signal(MOTIVE_KIND, name, data, heard.source, heard.quote, self.said, taken, rests_on)


def _problems(heard: HeardMotive, deeds: Sequence[SignalView]) -> list[str]:
    return hypothesis_problems(heard.hypothesis, {deed.id: deed.kind for deed in deeds}, heard.disconfirmer)


def _is_unquoted(quote: str, said: Material) -> bool:
    return not quote.strip() or is_fragment(quote, said.named.values())


def _refused(kind: Refused, words: str) -> NoteProposal:
    return NoteProposal(kind=kind, message=f"The language model {words}.")


def _signal(
    kind: str, attribute: str, data: Mapping[str, Any], source: str, quote: str, said: Material,
    taken: set[tuple[str, int]], rests_on: Sequence[int] = (),
) -> Iterator[Untyped]:  # fmt: skip
    """The signal as an untyped proposal, for the runtime to check; a text shows one thing once."""
    cited = said.cited([source])
    exact, origin = source_of(quote, cited or ())
    if origin is not None:
        if (attribute, origin.id) in taken:
            return
        taken.add((attribute, origin.id))
    text = origin or (cited[0] if cited else None)
    yield {
        "type": "signal",
        "kind": kind,
        "observed_at": (text or next(iter(said.named.values()))).observed_at,
        "text": exact or quote,
        "data": dict(data),
        "derived_from": text.id if text is not None else NOBODY,
        "rests_on": list(rests_on),
        "attribute": attribute,
        "confidence": confidence_of(text) if text is not None else 0.0,
        "quote": exact or quote,
    }
