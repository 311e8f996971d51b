"""Evidence in a word or two, as a message template can carry it: ``fact.KEY`` and ``month.KEY``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from playbooks.rules.criteria import Criterion, InSet, Overlap
from prospects.rules.criteria import ACCEPTS, shown
from prospects.rules.facts import Facts
from prospects.rules.scoring import EvidenceItem
from salesops.numerals import plain_number


@dataclass(frozen=True, slots=True)
class FactWords:
    """What one piece of evidence may say in a message. ``text`` and ``month`` are "" when there is nothing to say."""

    criterion: str
    evidence_id: int
    text: str
    month: str
    observed_on: date


def fact_words(criteria: Iterable[Criterion], items: Mapping[str, EvidenceItem], facts: Facts) -> dict[str, FactWords]:
    """By criterion key, the words for all evidence in force that speaks for the prospect (value ≥ 50)."""
    found = {}
    for criterion in criteria:
        item = items.get(criterion.key)
        if item is None or item.strong_negative or item.value < ACCEPTS:
            continue
        text = _text(criterion, item, facts)
        found[criterion.key] = FactWords(
            criterion.key, item.id, text, _month(item.observed_at, facts.now), item.observed_at.date()
        )
    return found


def template_values(words: Mapping[str, FactWords]) -> dict[str, str]:
    """The ``fact.KEY`` and ``month.KEY`` values for :func:`playbooks.rules.templating.fill`."""
    values = {f"fact.{key}": found.text for key, found in words.items() if found.text}
    values.update({f"month.{key}": found.month for key, found in words.items() if found.month})
    return values


def _text(criterion: Criterion, item: EvidenceItem, facts: Facts) -> str:
    attribute = facts.attribute(item.fact_ref)
    if attribute is None:
        cited = set(item.signal_ids)
        newest = next((signal for signal in facts.signals if signal.id in cited), None)
        return plain_number(newest.value) if newest is not None and newest.value is not None else ""
    value = attribute.value
    if isinstance(value, bool):
        return item.fact_ref.replace("_", " ") if value else ""
    if isinstance(value, list):
        return _matched(criterion, [str(entry) for entry in value])
    # "B2B -> Sales": the last step of a path is the word people use.
    return shown(value).rsplit("->", 1)[-1].strip()


def _matched(criterion: Criterion, have: list[str]) -> str:
    """The first wanted value that is there, spelt as the source spells it."""
    params = criterion.params
    wanted = params.values if isinstance(params, (InSet, Overlap)) else ()
    spelt = {entry.strip().casefold(): entry.strip() for entry in have}
    return next((spelt[value.casefold()] for value in wanted if value.casefold() in spelt), have[0] if have else "")


def _month(at: datetime, now: datetime) -> str:
    return f"{at:%B}" if at.year == now.year else f"{at:%B %Y}"
