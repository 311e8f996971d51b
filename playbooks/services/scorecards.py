"""Taking a stock scorecard over into a draft."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Max

from playbooks.models import Criterion, PlaybookVersion, User
from playbooks.rules.document import head_slots
from playbooks.rules.scorecards import stock_cards, stock_rows
from playbooks.services import drafts
from salesops.errors import Refusal


class NoSuchScorecard(Refusal):
    """No stock scorecard goes by that name."""


class ScorecardThere(Refusal):
    """The draft has criteria under that scorecard already."""


@dataclass(frozen=True, slots=True)
class Added:
    """How many criteria came in, and which of their values are examples to look at."""

    criteria: int
    examples: tuple[str, ...]


@transaction.atomic
def add_stock_scorecard(version: PlaybookVersion, name: str, *, actor: User | None) -> Added:
    """Add the criteria of a stock scorecard to a draft, filled in with its customer profile.

    Raises NotAllowed, Frozen, NoSuchScorecard, ScorecardThere.
    """
    drafts.require_editable(version, actor=actor)
    card = stock_cards().get(name)
    if card is None:
        raise NoSuchScorecard(f"There is no stock scorecard {name!r}; there are {', '.join(stock_cards())}.")
    criteria = Criterion.objects.filter(version=version)
    if criteria.filter(scorecard=name).exists():
        raise ScorecardThere(f"{version} has a scorecard {name} already. Edit its criteria, or remove them first.")
    rows, examples = stock_rows(card, {column: getattr(version, column) for column in head_slots()})
    last = criteria.aggregate(last=Max("position"))["last"]
    first = 0 if last is None else last + 1
    Criterion.objects.bulk_create(
        Criterion(version=version, position=first + number, **row) for number, row in enumerate(rows)
    )
    drafts.record_edit(version, actor=actor, fields=[], rows={"criteria": len(rows)})
    return Added(len(rows), tuple(examples))
