"""The score service: the only writer of Score rows and of the score columns of a prospect.

Scores are append-only and say what they were added up from. A re-score that changes nothing writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playbooks.rules.criteria import Criterion
from prospects.host.loading import ICP
from prospects.models import WorkLevel
from prospects.reading.trust import is_provisional
from prospects.rules import priority as priorities
from prospects.rules import scoring, written
from prospects.rules.compiled import criteria_by_key
from prospects.rules.facts import origin_of
from prospects.rules.priority import Priority
from prospects.rules.rescoring import VersionModel, model_of
from prospects.rules.scoring import Composite, EvidenceItem
from prospects.rules.written import Written
from salesops.runtime.bulk import copy_rows
from salesops.runtime.context import Context
from salesops.runtime.ports import Numbers, Scope
from salesops.runtime.views import ScoreView

#: The agent whose score the priority is.
PRIORITIZER = "prioritization"
COLUMNS = (
    "id", "client_id", "prospect_id", "playbook_version_id", "scorecard", "value", "coverage", "provisional",
    "breakdown", "computed_at", "run_id", "fact_no",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ScoringModel(VersionModel):
    """A playbook version's scorecards, prepared once, and how far they are to be trusted yet."""

    provisional: bool = True


def criteria_of(scope: Scope) -> dict[tuple[str, str], Criterion]:
    """The version's criteria with parsed parameters, by (scorecard, key); parsed once per version."""
    found: dict[tuple[str, str], Criterion] | None = scope.memory.get("criteria")
    if found is None:
        found = scope.memory["criteria"] = criteria_by_key(scope.playbook)
    return found


def scoring_model(scope: Scope) -> ScoringModel:
    """The scorecards of the scope's playbook version, prepared once per scope."""
    model: ScoringModel | None = scope.memory.get("scoring")
    if model is None:
        made = model_of(scope.playbook, criteria_of(scope))
        model = ScoringModel(made.icp, made.cards, made.priority, made.criteria, is_provisional(scope.client_id))
        scope.memory["scoring"] = model
    return model


def items_of(context: Context) -> dict[str, dict[str, EvidenceItem]]:
    """The evidence in force as scoring sees it: scorecard → criterion key → item."""
    signals = {signal.id: signal for signal in context.signals}
    cards: dict[str, dict[str, EvidenceItem]] = {}
    for e in context.evidence.values():
        origins = tuple(origin_of(signals[i], e.fact_ref) for i in e.signal_ids if i in signals)
        cards.setdefault(e.scorecard, {})[e.criterion] = EvidenceItem(
            id=e.id, criterion=e.criterion, layer=e.layer, category=e.category, value=e.value,
            confidence=e.confidence, strong_negative=e.strong_negative, observed_at=e.observed_at,
            signal_ids=e.signal_ids, fact_ref=e.fact_ref, rationale=e.rationale, origins=origins,
        )  # fmt: skip
    return cards


@dataclass(slots=True)
class Scored:
    """What one prospect's evidence adds up to now."""

    items: dict[str, EvidenceItem]
    composite: Composite


def rescore_contexts(scope: Scope, contexts: Mapping[int, Context], numbers: Numbers) -> dict[int, Scored]:
    """Score these prospects, append what changed and set their score columns in the context (saved by the host)."""
    model = scoring_model(scope)
    rows: list[tuple[Any, ...]] = []
    scored: dict[int, Scored] = {}
    for context in contexts.values():
        cards = items_of(context)
        icp_items = cards.get(ICP, {})
        composite = scoring.composite(model.icp, icp_items, scope.now)
        others = {name: scoring.score(card, cards.get(name, {}), scope.now) for name, card in model.cards.items()}
        _project(context, model, composite)
        scored[context.id] = Scored(icp_items, composite)
        for said in (written.composed(model.icp, composite), *written.plain(others)):
            row = _row(scope, context, said, numbers) if said is not None else None
            if row is not None:
                rows.append(row)
                if said is not None and said.card == ICP:
                    context.row.score_id = row[0]
    if rows:
        copy_rows("prospects_score", COLUMNS, rows)
    return scored


def _project(context: Context, model: ScoringModel, composite: Composite) -> None:
    """What the scores say of the prospect itself; its priority is the one last found by the agent that ranks."""
    context.composite = composite.value
    context.coverage = composite.coverage
    context.route = composite.route
    context.provisional = model.provisional
    ranked = context.scores.get(priorities.CARD)
    context.priority = (ranked.value or 0.0) if ranked is not None else 0.0
    context.tier = str(ranked.breakdown.get("tier", "")) if ranked is not None else ""


def work_level(route: str, tier: str, verdict: str) -> int:
    """Whose turn comes first: what looks best, then what nobody has judged, then the rest."""
    if route == "hot" or tier == "TIER_1":
        return WorkLevel.FIRST
    if route == "cold" or verdict == "rejected":
        return WorkLevel.LATER
    return WorkLevel.NORMAL


def priority_row(
    scope: Scope, context: Context, found: Priority, numbers: Numbers, run_id: int | None = None
) -> tuple[Any, ...] | None:
    """A Score row with the priority, taken into the context; None when it says what the last one does."""
    context.provisional = scoring_model(scope).provisional
    return _row(scope, context, written.ranked(found), numbers, run_id)


def _row(
    scope: Scope, context: Context, said: Written, numbers: Numbers, run_id: int | None = None
) -> tuple[Any, ...] | None:
    """A Score row, or None when the last one says the same from the same evidence."""
    provisional = context.provisional
    last = context.scores.get(said.card)
    if last is not None and _says_the_same(said, last, provisional):
        return None
    breakdown = said.breakdown()
    context.scores[said.card] = ScoreView(said.card, said.value, said.coverage, provisional, breakdown)
    context.changed()
    return (
        numbers.row("score"), scope.client_id, context.id, scope.playbook.id, said.card, said.value, said.coverage,
        provisional, said.text(), scope.now, run_id, numbers.fact(),
    )  # fmt: skip


def _says_the_same(said: Written, last: ScoreView, provisional: bool) -> bool:
    if last.value is None or last.provisional != provisional or not said.is_close(last.value, last.coverage):
        return False
    return said.rests_on(last.breakdown)
