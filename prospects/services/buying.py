"""What a person says of a prospect's buying: letters of frameworks, forces of a switch, motives. Append-only.

Every answer is a signal; the evidence and the framework scores that follow from it are written in the same transaction,
so that a deal can be moved on them at once. The next convergence finds the same and adds nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

from django.db import transaction

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client, PlaybookVersion, Role, User
from playbooks.rules.criteria import Criterion
from playbooks.services.authority import require
from playbooks.services.budgets import zone_of
from prospects.host.loading import load_facts, new_contexts
from prospects.models import Evidence, Prospect, Score, Signal
from prospects.reading.trust import is_provisional
from prospects.rules import scoring
from prospects.rules.compiled import built
from prospects.rules.facts import ANSWER, PERSON, Facts
from prospects.rules.frameworks import FRAMEWORKS, LETTERS
from prospects.rules.letters import evidence_of, known, letters_in
from prospects.rules.psychologic import FORCE_KIND, FORCES, MOTIVE_KIND, STRONGEST, hypothesis_problems
from prospects.services.moving.ledger import ruling_versions
from prospects.services.scores import items_of
from salesops.dbtypes import new_trace_id
from salesops.errors import Refusal

#: Who may say what is known.
TELLERS = (Role.REVIEWER, Role.LEADER, Role.ADMIN)
SAID, DENIED, NOT_KNOWN = "said", "denied", "not_known"
_TEXT = 2000


class NotSaid(Refusal):
    """An answer that says nothing, or not enough to be kept."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Their words, from whom and of which day. Words and speaker may be empty."""

    said_on: date
    words: str = ""
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class LetterAnswer:
    """What is known of one letter: ``said`` with its elements, ``denied``, or ``not_known``."""

    letter: str
    answer: str
    quote: Quote
    elements: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MotiveGuess:
    """Our guess at the motive behind what they say: why, what would disprove it, and the signals it rests on."""

    hypothesis: str
    why: str
    disconfirmer: str
    supports: Sequence[int]


def answer_letter(prospect_id: int, given: LetterAnswer, *, client: Client, actor: User, at: datetime) -> Signal:
    """Keep what a person says of a letter, with the evidence and scores that follow. Raises ``NotSaid``."""
    letter = LETTERS.get(given.letter)
    if letter is None or given.answer not in (SAID, DENIED, NOT_KNOWN):
        raise NotSaid("Choose a letter, and whether they say so, deny it, or it is not known.")
    elements = {
        name: value.strip() for name, value in given.elements.items() if name in letter.elements and value.strip()
    }
    if given.answer != NOT_KNOWN and not given.quote.words.strip() and not elements:
        raise NotSaid("Give their words, or fill in what they named.")
    said: Any = {SAID: elements, DENIED: False, NOT_KNOWN: None}[given.answer]
    yes_or_no = {SAID: "yes", DENIED: "no", NOT_KNOWN: "unknown"}[given.answer]
    data = {"question": letter.name, "answer": yes_or_no, "letters": {letter.name: said}}
    return _tell(prospect_id, ANSWER, given.quote, data, client=client, actor=actor, at=at)


def tell_force(
    prospect_id: int, force: str, strength: int, *, quote: Quote, client: Client, actor: User, at: datetime
) -> Signal:  # fmt: skip
    """Keep how strongly a force moves or holds them, 0 to 3, with their words. Raises ``NotSaid``."""
    if force not in FORCES or not 0 <= strength <= STRONGEST:
        raise NotSaid(f"Choose push, pull, anxiety or habit, and 0 to {STRONGEST}.")
    if strength and not quote.words.strip():
        raise NotSaid("A force rests on their words: quote them.")
    data = {"force": force, "strength": strength}
    return _tell(prospect_id, FORCE_KIND, quote, data, client=client, actor=actor, at=at)


def tell_motive(
    prospect_id: int, *, stated: Quote, guess: MotiveGuess | None, client: Client, actor: User, at: datetime
) -> Signal:  # fmt: skip
    """Keep the motive they state, and our guess behind it. Raises ``NotSaid`` where the guess lacks its grounds."""
    if not stated.words.strip() and guess is None:
        raise NotSaid("Quote what they say they want, or choose a hypothesis.")
    data: dict[str, Any] = {}
    if guess is not None:
        mine = Signal.objects.for_client(client).filter(prospect=prospect_id, pk__in=list(guess.supports))
        kinds = dict(mine.values_list("pk", "kind"))
        problems = hypothesis_problems(guess.hypothesis, kinds, guess.disconfirmer)
        if problems:
            raise NotSaid(" ".join(problems))
        data = {
            "hypothesis": guess.hypothesis, "why": guess.why[:_TEXT], "disconfirmer": guess.disconfirmer[:_TEXT],
            "supports": sorted(kinds),
        }  # fmt: skip
    return _tell(prospect_id, MOTIVE_KIND, stated, data, client=client, actor=actor, at=at)


def _tell(
    prospect_id: int, kind: str, quote: Quote, data: dict[str, Any], *, client: Client, actor: User, at: datetime
) -> Signal:  # fmt: skip
    require(client, actor, tuple(Role), to="say what is known of a prospect's buying")
    here = at.astimezone(zone_of(client))  # days are those where the client is
    if quote.said_on > here.date():
        raise NotSaid("That day has not come yet.")
    trace = new_trace_id()
    told = {
        **data, "by": PERSON, "user": actor.pk, "speaker": quote.speaker.strip()[:120], "given_at": at.isoformat()
    }  # fmt: skip
    with transaction.atomic():
        prospect = Prospect.objects.for_client(client).select_for_update(no_key=True).get(pk=prospect_id)
        signal = Signal.objects.create(
            client=client, prospect=prospect, kind=kind, text=quote.words.strip()[:_TEXT], data=told, source=PERSON,
            observed_at=min(at, datetime.combine(quote.said_on, time(12), here.tzinfo)), source_ref=f"user {actor.pk}",
            dedup_key=f"told:{trace}", trace_id=trace,
        )  # fmt: skip
        signal.refresh_from_db(fields=["fact_no"])
        prospect.facts_no = max(prospect.facts_no, signal.fact_no)
        prospect.save(update_fields=["facts_no"])
        refresh_letters(prospect, at=at)
        audit.record(
            client=client, event=AuditEvent.LETTERS_ANSWERED, subject=prospect, actor=actor, trace_id=trace,
            detail={"kind": kind, "signal": signal.pk, "about": data.get("question") or data.get("force") or kind},
        )  # fmt: skip
    return signal


def refresh_letters(prospect: Prospect, *, at: datetime) -> None:
    """Bring evidence and scores of the prospect's frameworks level with what was said. Inside a transaction.

    The same rules as the agent's, so that what it finds later is what stands here.
    """
    ruling = ruling_versions([prospect])
    if not ruling:
        return
    version = PlaybookVersion.objects.get(pk=ruling[prospect.pk])
    criteria = built(version.criteria.all())
    letters = letters_in(criteria.values())
    if not letters:
        return
    context = new_contexts([prospect.pk], version.pk)[prospect.pk]
    load_facts({prospect.pk: context}, version.pk)
    signals = {signal.id: signal for signal in context.signals}
    rows = []
    for found in known(letters, context.signals, list(context.evidence.values()), Facts(context.signals, at)):
        held = context.evidence.get((found.criterion.scorecard, found.criterion.key))
        row = evidence_of(found, signals, held)
        if row is not None and not _says_the_same(row, held):
            rows.append(Evidence(client_id=prospect.client_id, prospect=prospect, playbook_version=version,
                                 **{**row, "signal_ids": list(row["signal_ids"])}))  # fmt: skip
    if rows:
        Evidence.objects.bulk_create(rows)
        context = new_contexts([prospect.pk], version.pk)[prospect.pk]
        load_facts({prospect.pk: context}, version.pk)
        _score(prospect, version, criteria, context, at)


def _says_the_same(row: Mapping[str, Any], held: Any) -> bool:
    compared = ("value", "confidence", "rationale", "signal_ids", "observed_at", "quote")
    return held is not None and all(getattr(held, name) == row[name] for name in compared)


def _score(
    prospect: Prospect, version: PlaybookVersion, criteria: Mapping[tuple[str, str], Criterion], context: Any,
    at: datetime,
) -> None:  # fmt: skip
    cards = items_of(context)
    made = []
    for name in sorted({card for card, _ in criteria if card in FRAMEWORKS}):
        mine = [criterion for (card, _), criterion in criteria.items() if card == name]
        result = scoring.score(scoring.Scorecard(name, mine), cards.get(name, {}), at)
        if result.value is not None and result.has_evidence:
            made.append(
                Score(
                    client_id=prospect.client_id, prospect=prospect, playbook_version=version, scorecard=name,
                    value=result.value, coverage=result.coverage, provisional=is_provisional(prospect.client_id),
                    breakdown={"criteria": result.columns()}, computed_at=at,
                )
            )  # fmt: skip
    Score.objects.bulk_create(made)
