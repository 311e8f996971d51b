"""Looks every company up in the playbook's sources: pages, postings, news, facts. What they say becomes signals.

It reads nothing into them: the words stay as they were found, with the place where they stand. What a text means is for
``signal_extraction`` to say, and whether it counts is for the evidence agents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from playbooks.rules.sources import CANDIDATE, EMAIL_CHECK
from prospects.agents.by_hand import signals_by_hand
from prospects.agents.judging import criteria_of
from prospects.rules.people import PERSON
from prospects.rules.quality_gates import ENRICH, Asked
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.playbook_views import PlaybookView
from salesops.runtime.proposals import NoteProposal, Proposal, SignalProposal
from salesops.runtime.toolbox import Document
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Refused, Team

NAME = "enrichment"
#: Kinds of document that state facts: criteria read these as they read an imported file's, the newest first.
FACTS = frozenset({"profile", "firmographics", "technographics"})
FIRMOGRAPHICS = "firmographics"
MOST = 120  # signals about one company in one look-up
CHARACTERS, PARTS = 2000, 3  # a longer text goes on in another signal, so many times
SOON, TOMORROW = 15 * 60, 86_400  # seconds
_NOT_ASKED = "Not asked yet:"
_MONEY = re.compile(r"\bmoney\b")
# Names that mean something to the rules that read signals: no source may set them.
_RESERVED = frozenset({"confidence", "derived_from", "document", "sets", "signal_id"})


def kinds_of(playbook: PlaybookView) -> frozenset[str]:
    """What this agent asks the playbook's sources for: all they give about companies already known."""
    return playbook.delivers - {CANDIDATE, PERSON, EMAIL_CHECK}


def run(batch: Batch, tools: Tools) -> Answers:
    """What the sources say about each company, word for word, and what could not be had."""
    worth, answers = _worth_asking(batch, tools)
    found = tools.look_up(worth, kinds_of(tools.playbook)) if worth else {}
    for prospect_id, one in found.items():
        answers[prospect_id] = [*islice(_signals(one.documents), MOST), *not_had(NAME, one.problems)]
    return answers


def _worth_asking(batch: Batch, tools: Tools) -> tuple[Batch, dict[int, list[Proposal]]]:
    """Those whose discovery composite reaches the playbook's threshold, and a note about each of the others.

    Everybody, where the playbook has no such scorecard.
    """
    gate = tools.memo("enrich_gate", lambda: Asked(ENRICH, criteria_of(tools), tools.playbook.enrich_threshold))
    if not gate.holds:
        return batch, {}
    standing = {prospect.id: gate.of(prospect.signals, tools.now) for prospect in batch}
    notes: dict[int, list[Proposal]] = {
        i: [NoteProposal(kind=Refused.SOURCE, message=f"No source was asked: the discovery composite is {one.words}.")]
        for i, one in standing.items()
        if not one.passed
    }
    return [prospect for prospect in batch if standing[prospect.id].passed], notes


def _signals(documents: Sequence[Document]) -> Iterator[Proposal]:
    for document in documents:
        facts = {name: value for name, value in document.data.items() if name not in _RESERVED}
        stated = document.kind in FACTS
        for number, text in enumerate(_parts(document.text)):
            yield SignalProposal(
                kind=(FIRMOGRAPHICS if document.kind == "profile" else document.kind)[:60],
                observed_at=document.observed_at,
                value=document.value if number == 0 else None,
                text=text,
                data=({"sets": facts} if stated else facts) if number == 0 else _place(facts),
                document=document.id,
                source_ref=document.ref[:300],
                attribute=f"part {number + 1}" if number else "",
                confidence=document.confidence,
            )


def _place(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the parts of one text have in common."""
    return {name: facts[name] for name in ("title", "role", "url") if name in facts}


def _parts(text: str) -> list[str]:
    """A text in pieces that a signal holds, cut between lines where it can be; each stands in it word for word."""
    parts: list[str] = []
    rest = text.strip()
    while len(rest) > CHARACTERS and len(parts) < PARTS - 1:
        cut = rest.rfind("\n", CHARACTERS // 2, CHARACTERS)
        cut = cut if cut > 0 else rest.rfind(" ", CHARACTERS // 2, CHARACTERS)
        cut = cut if cut > 0 else CHARACTERS
        parts.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [*parts, rest[:CHARACTERS]] if rest or not parts else parts


def not_had(agent: str, problems: Sequence[str]) -> Iterator[NoteProposal]:
    """One note about all that could not be had; it says when to try again where that is worth it."""
    if not problems:
        return
    waiting = [words for words in problems if _NOT_ASKED in words]
    again = (TOMORROW if all(map(_MONEY.search, waiting)) else SOON) if waiting else None
    words = "; ".join(problems)
    yield NoteProposal(
        kind=Refused.SOURCE,
        message=words if len(words) <= 500 else f"{words[:497]}...",
        detail={"agent": agent, "problems": [words[:500] for words in problems[:20]]},
        again_in=again,
    )


AGENT = Agent(
    name=NAME,
    team=Team.LEAD_GEN,
    phase=Phase.DISCOVERY,
    order=0,
    reads=frozenset({Key.SIGNALS}),
    writes=frozenset({Key.SIGNALS}),
    implementations={
        ImplementationKind.RULES: Implementation(run),
        ImplementationKind.HUMAN: signals_by_hand("Look up"),
    },
    depths=frozenset({Depth.PRIMARY, Depth.EXTENDED}),
    refresh_days=30,
    concerns=lambda playbook: bool(kinds_of(playbook)),
    ignores=frozenset({"signal_extraction", "contact_finder", "deduplication"}),
)
