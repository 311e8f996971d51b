"""What pages show of a prospect's buying: letters of frameworks, forces of a switch, motives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone

from playbooks.models import PlaybookVersion
from prospects.host.loading import load_facts, new_contexts
from prospects.models import Prospect, Signal
from prospects.rules import letters, psychologic
from prospects.rules.compiled import built
from prospects.rules.facts import Facts
from prospects.rules.frameworks import ELEMENTS, EXPIRES, FRAMEWORKS, Element, Letter, State
from prospects.rules.psychologic import Force, Motive
from prospects.rules.qualification import card_name
from prospects.services.moving.ledger import ruling_versions
from salesops.runtime.views import SignalView

TONES: Mapping[str, str] = {
    State.UNKNOWN: "neutral", State.CLAIMED: "caution", State.EVIDENCED: "done", State.CONTRADICTED: "danger",
}  # fmt: skip
_BEHAVIORS = 30  # things they did that a hypothesis may rest on, the newest


#: Something they did: in words, and the signal that says so.
Deed = tuple[str, SignalView]


def _deed(signal: SignalView) -> Deed:
    return signal.kind.replace("_", " ").capitalize(), signal


@dataclass(frozen=True, slots=True)
class Row:
    """One letter as a page shows it, under every framework of the playbook that has it."""

    letter: Letter
    label: str
    asked_by: str
    state: str
    missing: tuple[str, ...]
    quote: str = ""
    speaker: str = ""
    source: str = ""
    at: datetime | None = None
    expires: datetime | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    history: tuple[SignalView, ...] = ()

    @property
    def tone(self) -> str:
        """The colour of its state."""
        return TONES[self.state]

    @property
    def elements(self) -> list[tuple[Element, str]]:
        """What it asks for, each with what was said last."""
        return [(ELEMENTS[name], self.values.get(name, "")) for name in self.letter.elements]


@dataclass(frozen=True, slots=True)
class Buying:
    """All of it. ``version`` None: no version rules this prospect."""

    version: PlaybookVersion | None
    rows: list[Row] = field(default_factory=list)
    scores: list[tuple[str, float, float]] = field(default_factory=list)
    forces: list[Force] = field(default_factory=list)
    resistor: Force | None = None
    motive: Motive | None = None
    grounds: list[Deed] = field(default_factory=list)
    behaviors: list[Deed] = field(default_factory=list)

    @property
    def motive_expires(self) -> datetime | None:
        """When the motive on record stops counting."""
        return self.motive.at + EXPIRES if self.motive is not None else None


def buying_of(prospect: Prospect) -> Buying:
    """What is known at this moment, from the signals themselves; a constant number of queries."""
    ruling = ruling_versions([prospect])
    if not ruling:
        return Buying(None)
    version = PlaybookVersion.objects.get(pk=ruling[prospect.pk])
    criteria = built(version.criteria.all())
    context = new_contexts([prospect.pk], version.pk)[prospect.pk]
    load_facts({prospect.pk: context}, version.pk)
    facts = Facts(context.signals, timezone.now())
    forces = psychologic.forces_of(criteria.values(), facts)
    motive = psychologic.motive_of(context.signals, facts.now)
    by_id = {signal.id: signal for signal in context.signals}
    newest = sorted(context.signals, key=lambda signal: (signal.observed_at, signal.id), reverse=True)
    return Buying(
        version=version,
        rows=_rows(criteria, context, facts),
        scores=[
            (card_name(name), view.value or 0.0, view.coverage)
            for name, view in sorted(context.scores.items())
            if name in FRAMEWORKS
        ],
        forces=list(forces.values()),
        resistor=psychologic.largest_resistor(forces),
        motive=motive,
        grounds=[_deed(by_id[i]) for i in motive.supports if i in by_id] if motive is not None else [],
        behaviors=[_deed(signal) for signal in newest if psychologic.is_behavior(signal.kind)][:_BEHAVIORS],
    )


def guesses_about(prospect_id: int, at: datetime) -> tuple[str, ...]:
    """Our guesses at a prospect's motives that still count, in the words they were noted in; one query."""
    noted = Signal.objects.filter(prospect=prospect_id, kind=psychologic.MOTIVE_KIND, observed_at__gt=at - EXPIRES)
    return tuple(str(data["why"]) for data in noted.values_list("data", flat=True) if data.get("why"))


def _rows(criteria: Mapping[Any, Any], context: Any, facts: Facts) -> list[Row]:
    """One row per letter; the frameworks that share one are named together."""
    rows: dict[str, Row] = {}
    asked: dict[str, list[str]] = {}
    evidence = list(context.evidence.values())
    for found in letters.known(letters.letters_in(criteria.values()), context.signals, evidence, facts):
        name = found.letter.name
        asked.setdefault(name, []).append(card_name(found.criterion.scorecard))
        if name not in rows:
            rows[name] = _row(found, context.signals)
    return [
        Row(
            **{
                **{slot: getattr(row, slot) for slot in Row.__slots__},
                "asked_by": ", ".join(dict.fromkeys(asked[name])),
            }
        )
        for name, row in rows.items()
    ]


def _row(found: letters.Known, signals: list[SignalView]) -> Row:
    newest = found.newest
    history = [s for s in signals if _speaks_of(s, found)]
    history.sort(key=lambda s: s.fact_no, reverse=True)
    values: dict[str, str] = {}
    for signal in history:
        said = signal.data["letters"].get(found.letter.name)
        if not isinstance(said, Mapping):
            break
        values = {**{str(k): str(v) for k, v in said.items()}, **values}
    label = found.criterion.label or found.criterion.key.replace("_", " ").capitalize()
    missing = tuple(ELEMENTS[name].label if name in ELEMENTS else name for name in found.standing.missing)
    if newest is None:
        return Row(found.letter, label, "", found.standing.state, missing, values=values, history=tuple(history))
    return Row(
        found.letter, label, "", found.standing.state, missing, newest.quote, newest.speaker, newest.source, newest.at,
        found.expires, values, tuple(history),
    )  # fmt: skip


def _speaks_of(signal: SignalView, found: letters.Known) -> bool:
    named = signal.data.get("letters")
    return isinstance(named, Mapping) and found.letter.name in named
