"""Why somebody might move, and what holds them: a stated motive, a hypothesis about the real one, four forces. Pure.

The forces of a switch, each 0 to 3 with a quote: *push* (what is wrong with today), *pull* (what draws them to the
new), *anxiety* (what they fear about changing), *habit* (what they are used to). Push and pull move, anxiety and habit
resist. A message answers the larger resistor. A hypothesis is a working guess of ours: it needs two things they did and
one thing that would prove it wrong, and it is never said to anybody.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from playbooks.rules.criteria import Criterion
from prospects.rules.criteria import judge
from prospects.rules.facts import PERSON, Facts, SignalLike
from prospects.rules.frameworks import EXPIRES

CARD = "switch"
FORCES = ("push", "pull", "anxiety", "habit")
RESISTORS = ("anxiety", "habit")
STRONGEST = 3
FORCE_KIND, MOTIVE_KIND = "switch_force", "motive"
#: What somebody may really want, and what each means.
HYPOTHESES: Mapping[str, str] = MappingProxyType(
    {
        "blame": "Not to be the one at fault",
        "status": "To stand well with others",
        "effort": "To be spared work",
        "certainty": "To know what will happen",
        "autonomy": "To decide for themselves",
    }
)
SUPPORTS = 2
#: What somebody says, or what a file, a page or a person of ours says of them, is nothing they did.
_NOT_BEHAVIOR = frozenset(
    {
        "profile", "answer", "reply", "call_note", "meeting_note", "judgement", "outreach_sent", "page", "web_page",
        "news", "text", "contact", "merged", "merge_undone", FORCE_KIND, MOTIVE_KIND,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Force:
    """One force, 0 to 3. ``quote`` is empty where nothing was heard, and then the strength is 0.

    ``read``: a language model read it out of their words.
    """

    name: str
    strength: int = 0
    quote: str = ""
    at: datetime | None = None
    speaker: str = ""
    source: str = ""
    signal_id: int | None = None
    read: bool = False

    @property
    def resists(self) -> bool:
        """Whether it holds them back."""
        return self.name in RESISTORS


def forces_of(criteria: Iterable[Criterion], facts: Facts) -> dict[str, Force]:
    """The four forces as they stand by the newest word of each.

    Of one day a person's word counts before a reader's, and a reader's before what the playbook's phrases heard. A
    force without a quote is none. What is older than 90 days has expired.
    """
    said: dict[str, list[tuple[tuple[Any, ...], Force]]] = {name: [] for name in FORCES}
    for criterion in criteria:
        heard = _heard(criterion, facts) if criterion.scorecard == CARD and criterion.key in FORCES else None
        if heard is not None and heard.at is not None:
            said[heard.name].append(((heard.at.date(), 0, heard.at), heard))
    for signal in facts.by_kind.get(FORCE_KIND, ()):
        told = _told(signal)
        if told is not None and facts.now - EXPIRES < signal.observed_at:
            said[told.name].append(((signal.observed_at.date(), 1 + _by_person(signal), signal.observed_at), told))
    return {name: max(words, key=lambda word: word[0])[1] if words else Force(name) for name, words in said.items()}


def _by_person(signal: SignalLike) -> bool:
    """Whether one of our people told us."""
    return bool(signal.data.get("by") == PERSON)


def _told(signal: SignalLike) -> Force | None:
    name, strength = signal.data.get("force"), signal.data.get("strength")
    if name not in FORCES or isinstance(strength, bool) or not isinstance(strength, int):
        return None
    strength = min(STRONGEST, max(0, strength)) if signal.text.strip() else 0
    speaker = str(signal.data.get("speaker") or "")
    return Force(
        str(name), strength, signal.text, signal.observed_at, speaker, signal.source, signal.id, _is_read(signal)
    )  # fmt: skip


def _is_read(signal: SignalLike) -> bool:
    """Whether it was drawn out of another signal: of these kinds only a language model draws any."""
    return "derived_from" in signal.data


def _heard(criterion: Criterion, facts: Facts) -> Force | None:
    judged = judge(criterion, facts)
    at = judged.observed_at
    if judged.value is None or at is None or not judged.quote.strip() or facts.now - at >= EXPIRES:
        return None
    strength = round(judged.value * STRONGEST / 100)
    signal_id = judged.signal_ids[0] if judged.signal_ids else None
    return Force(criterion.key, strength, judged.quote, at, "", judged.source, signal_id)


def largest_resistor(forces: Mapping[str, Force]) -> Force | None:
    """What holds them back most; of two alike what they fear. None where nothing was heard."""
    held = [forces[name] for name in RESISTORS if name in forces and forces[name].strength > 0]
    return max(held, key=lambda force: force.strength, default=None)


def is_behavior(kind: str) -> bool:
    """Whether a signal of this kind is something they did."""
    return kind not in _NOT_BEHAVIOR


def hypothesis_problems(hypothesis: str, supports: Mapping[int, str], disconfirmer: str) -> list[str]:
    """Why a hypothesis may not be kept; empty when it may. ``supports`` is signal id → kind."""
    problems = []
    if hypothesis not in HYPOTHESES:
        problems.append(f"Choose one of {', '.join(HYPOTHESES)}.")
    if sum(is_behavior(kind) for kind in supports.values()) < SUPPORTS:
        problems.append(f"Name at least {SUPPORTS} things they did that speak for it.")
    if not disconfirmer.strip():
        problems.append("Say what would prove it wrong.")
    return problems


@dataclass(frozen=True, slots=True)
class Motive:
    """What they say they want, in their words, and our guess at what they want besides; ``read`` by a model or not."""

    signal_id: int
    at: datetime
    stated: str = ""
    speaker: str = ""
    hypothesis: str = ""
    why: str = ""
    disconfirmer: str = ""
    supports: tuple[int, ...] = ()
    read: bool = False


def motive_of(signals: Collection[SignalLike], now: datetime) -> Motive | None:
    """The newest motive on record that has not expired; of one day a person's word counts first."""
    mine = [s for s in signals if s.kind == MOTIVE_KIND and now - EXPIRES < s.observed_at <= now]
    if not mine:
        return None
    newest = max(mine, key=lambda s: (s.observed_at.date(), _by_person(s), s.observed_at, s.id))
    data: Mapping[str, Any] = newest.data
    return Motive(
        newest.id, newest.observed_at, newest.text, str(data.get("speaker") or ""), str(data.get("hypothesis") or ""),
        str(data.get("why") or ""), str(data.get("disconfirmer") or ""),
        tuple(int(i) for i in data.get("supports") or ()), _is_read(newest),
    )  # fmt: skip
