"""Adding past scores up again: from the evidence they name, under their version, at their time.

A score row is right when its evidence is what was in force when it was made, and adds up to the very same numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from playbooks.models import PlaybookVersion
from prospects.host.loading import COUNTS, MERGE_UNDONE, playbook_view
from prospects.rules import priority as priorities
from prospects.rules import rescoring, scoring, written
from prospects.rules.rescoring import VersionModel
from prospects.rules.scoring import Judged
from prospects.rules.written import Written, evidence_of
from salesops.sql import fetch

InForce = Mapping[str, Mapping[str, Judged]]
_SCORES = """
SELECT id, prospect_id, playbook_version_id, scorecard, value, coverage, breakdown::text, computed_at, fact_no
FROM prospects_score WHERE prospect_id = ANY(%s) ORDER BY id
"""
_EVIDENCE = """
SELECT id, prospect_id, scorecard, criterion, value, observed_at, strong_negative, fact_no FROM prospects_evidence
WHERE id = ANY(%s)
"""
# Evidence that had come before each score, counted under its version, and was the newest of its criterion.
_IN_FORCE = f"""
SELECT s.id, x.criterion, x.id, x.observed_at
FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[]) AS s (id, prospect, fact, card)
CROSS JOIN LATERAL (
    SELECT DISTINCT ON (e.criterion) e.criterion, e.id, e.observed_at FROM prospects_evidence e
    WHERE e.prospect_id = s.prospect AND e.scorecard = s.card AND e.fact_no < s.fact AND {COUNTS}
    ORDER BY e.criterion, e.observed_at DESC, e.id DESC) x
ORDER BY 1
"""  # noqa: S608 — constants
_PARTED = "SELECT DISTINCT prospect_id FROM prospects_signal WHERE prospect_id = ANY(%s) AND kind = %s"


class ScoreRow(NamedTuple):
    """A Score row as it is checked."""

    id: int
    prospect_id: int
    version_id: int
    scorecard: str
    value: float
    coverage: float
    breakdown: Mapping[str, Any]
    computed_at: datetime
    fact_no: int


class Models:
    """The models of playbook versions, each prepared once."""

    def __init__(self) -> None:
        self._made: dict[int, VersionModel] = {}

    def of(self, version_id: int) -> VersionModel:
        """The version's model. Raises PlaybookVersion.DoesNotExist."""
        if version_id not in self._made:
            version = PlaybookVersion.objects.select_related("playbook__client").get(pk=version_id)
            self._made[version_id] = rescoring.model_of(playbook_view(version))
        return self._made[version_id]


def wrong_scores(prospects: Sequence[int], models: Models) -> Iterator[tuple[int, str]]:
    """(id, what is wrong) of every Score row of these prospects that does not add up again, the earliest first.

    A constant number of queries for each version, however many prospects.
    """
    rows = [ScoreRow(*(*row[:6], orjson.loads(row[6]), *row[7:])) for row in fetch(_SCORES, [list(prospects)])]
    evidence = _evidence({i for row in rows for i in evidence_of(row.breakdown)})
    parted = {row[0] for row in fetch(_PARTED, [list(prospects), MERGE_UNDONE])}
    left_out = _left_out([row for row in rows if row.prospect_id not in parted], models)
    for row in rows:
        words = _wrong(row, evidence, models.of(row.version_id)) or left_out.get(row.id, "")
        if words:
            yield row.id, words


def _evidence(ids: Iterable[int]) -> dict[int, tuple[Any, ...]]:
    return {row[0]: row for row in fetch(_EVIDENCE, [list(ids)])}


def _wrong(row: ScoreRow, evidence: Mapping[int, tuple[Any, ...]], model: VersionModel) -> str:
    named = evidence_of(row.breakdown)
    gone = [i for i in named if i not in evidence]
    if gone:
        return f"it rests on evidence {gone[0]}, which is not there"
    cards: dict[str, dict[str, Judged]] = {}
    for i in named:
        _, prospect_id, scorecard, criterion, value, observed_at, negative, fact_no = evidence[i]
        if prospect_id != row.prospect_id:
            return f"it rests on evidence {i}, which is another prospect's"
        if fact_no >= row.fact_no:
            return f"it rests on evidence {i}, which came after it"
        cards.setdefault(scorecard, {})[criterion] = Judged(i, value, observed_at, negative)
    said = _again(row.scorecard, cards, model, row.computed_at)
    if said is None:
        return "nothing it names adds up to a score"
    if (said.value, said.coverage) != (row.value, row.coverage):
        found = f"{said.value!r} with {said.coverage!r} known"
        return f"its evidence adds up to {found}, it says {row.value!r} with {row.coverage!r} known"
    if orjson.loads(said.text()) != row.breakdown:
        return "its breakdown is not what its evidence adds up to"
    return ""


def _again(card: str, cards: InForce, model: VersionModel, at: datetime) -> Written | None:
    """The score as it is written today."""
    if card == written.ICP:
        return written.composed(model.icp, scoring.composite(model.icp, cards.get(card, {}), at))
    if card == written.PRIORITY:
        found = priorities.prioritize(model.priority, cards, at)
        return written.ranked(found) if found is not None else None
    result = scoring.score(model.cards[card], cards.get(card, {}), at) if card in model.cards else None
    return written.card(card, result.value, result) if result is not None and result.value is not None else None


def _left_out(rows: Sequence[ScoreRow], models: Models) -> dict[int, str]:
    """Score id → the evidence that was in force when it was made and that it does not name.

    A priority is not asked: it rests on the scores of other cards, which are looked at themselves.
    """
    found: dict[int, str] = {}
    by_version: dict[int, dict[int, ScoreRow]] = {}
    for row in rows:
        if row.scorecard != written.PRIORITY:
            by_version.setdefault(row.version_id, {})[row.id] = row
    for version, mine in by_version.items():
        model = models.of(version)
        given = [[r.id for r in mine.values()], [r.prospect_id for r in mine.values()]]
        given += [[r.fact_no for r in mine.values()]]
        cards = [r.scorecard for r in mine.values()]
        for score_id, criterion, evidence_id, observed_at in fetch(_IN_FORCE, [*given, cards, version, version]):
            row = mine[score_id]
            card = model.cards.get(row.scorecard)
            over = card is not None and card.expires is not None and row.computed_at - observed_at >= card.expires
            if (
                (row.scorecard, criterion) in model.criteria
                and not over
                and evidence_id not in evidence_of(row.breakdown)
            ):
                found.setdefault(score_id, f"evidence {evidence_id} was in force for {criterion}, and is not named")
    return found
