"""The score service: the only writer of Score rows and of the score columns of a prospect.

Scores are append-only and say what they were added up from. A re-score that changes nothing writes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from playbooks.criteria import Criterion
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, Client, Playbook, User
from prospects.models import Prospect
from prospects.rules import priority as priorities
from prospects.rules import scoring
from prospects.rules.compiled import criteria_by_key
from prospects.rules.facts import origin_of
from prospects.rules.priority import Priority, PriorityModel
from prospects.rules.scoring import Composite, EvidenceItem, IcpModel, Scorecard, ScoreResult
from prospects.runtime_loading import ICP
from salesops.runtime.bulk import copy_rows
from salesops.runtime.context import Context
from salesops.runtime.ports import Numbers, Scope
from salesops.runtime.views import ScoreView
from salesops.runtime.words import ImplementationKind

#: Below this many recorded decisions a composite is marked provisional: nobody has confirmed yet that it predicts.
DECISIONS_TO_TRUST = 50
#: The agent whose score the priority is.
PRIORITIZER = "prioritization"
COLUMNS = (
    "id", "client_id", "prospect_id", "playbook_version_id", "scorecard", "value", "coverage", "provisional",
    "breakdown", "computed_at", "run_id", "fact_no",
)  # fmt: skip


@dataclass(slots=True)
class ScoringModel:
    """A playbook version's scorecards, prepared once."""

    icp: IcpModel
    cards: dict[str, Scorecard]
    criteria: dict[tuple[str, str], Criterion]
    priority: PriorityModel
    provisional: bool


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
        criteria = criteria_of(scope)
        playbook = scope.playbook
        by_card: dict[str, list[Criterion]] = {}
        for (card, _), criterion in criteria.items():
            by_card.setdefault(card, []).append(criterion)
        model = ScoringModel(
            icp=IcpModel(
                by_card.get(ICP, []), playbook.layer_weights, hot=playbook.hot_threshold, warm=playbook.warm_threshold
            ),
            cards={name: Scorecard(name, rows) for name, rows in by_card.items() if name not in (ICP, priorities.CARD)},
            criteria=criteria,
            priority=priorities.priority_model(
                criteria.values(), playbook.tier_thresholds, (step.tier for step in playbook.sequences)
            ),
            provisional=_decisions(scope.client_id) < DECISIONS_TO_TRUST,
        )
        scope.memory["scoring"] = model
    return model


def _decisions(client_id: int) -> int:
    """How many decisions people have recorded for this client, counted no further than it matters."""
    made = AuditEntry.objects.for_client(client_id).filter(event=AuditEvent.DECISION_MADE)
    return len(made.values_list("pk", flat=True)[:DECISIONS_TO_TRUST])


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
        if composite.value is not None:
            row = _row(scope, context, ICP, composite.value, composite.coverage, _composed(model, composite), numbers)
            if row is not None:
                context.row.score_id = row[0]
                rows.append(row)
        for name, result in others.items():
            if result.value is not None and result.has_evidence:
                row = _row(scope, context, name, result.value, result.coverage, _plain(result), numbers)
                if row is not None:
                    rows.append(row)
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


def priority_row(
    scope: Scope, context: Context, found: Priority, numbers: Numbers, run_id: int | None = None
) -> tuple[Any, ...] | None:
    """A Score row with the priority, taken into the context; None when it says what the last one does."""
    context.provisional = scoring_model(scope).provisional
    return _row(scope, context, priorities.CARD, found.value, found.coverage, found.breakdown(), numbers, run_id)


def _reprioritized(scope: Scope, contexts: Mapping[int, Context], numbers: Numbers) -> None:
    """The priorities that time or a new playbook has changed, as rows; before the rest is scored."""
    if scope.assignments.get(PRIORITIZER) is ImplementationKind.OFF:
        return
    model, rows = scoring_model(scope).priority, []
    for context in contexts.values():
        found = priorities.prioritize(model, priorities.evidence_by_card(context.evidence.values()), scope.now)
        row = priority_row(scope, context, found, numbers) if found is not None else None
        if row is not None:
            rows.append(row)
    if rows:
        copy_rows("prospects_score", COLUMNS, rows)


def _composed(model: ScoringModel, composite: Composite) -> dict[str, Any]:
    layers = [
        {"layer": name, "weight": model.icp.layer_weights[name], "value": r.value, "coverage": r.coverage}
        for name, r in composite.layers.items()
    ]
    lines = [line for result in composite.layers.values() for line in result.breakdown_json()]
    negative = composite.strong_negative
    return {
        "route": composite.route,
        "strong_negative": negative.id if negative is not None else None,
        "layers": layers,
        "criteria": lines,
    }


def _plain(result: ScoreResult) -> dict[str, Any]:
    return {"criteria": result.breakdown_json()}


def _row(
    scope: Scope,
    context: Context,
    card: str,
    value: float,
    coverage: float,
    breakdown: dict[str, Any],
    numbers: Numbers,
    run_id: int | None = None,
) -> tuple[Any, ...] | None:
    """A Score row, or None when the last one says the same from the same evidence."""
    provisional = context.provisional
    last = context.scores.get(card)
    if last is not None and _same(last, value, coverage, provisional, breakdown):
        return None
    context.scores[card] = ScoreView(card, value, coverage, provisional, breakdown)
    context.changed()
    return (
        numbers.row("score"), scope.client_id, context.id, scope.playbook.id, card, value, coverage, provisional,
        json.dumps(breakdown), scope.now, run_id, numbers.fact(),
    )  # fmt: skip


def _same(last: ScoreView, value: float, coverage: float, provisional: bool, breakdown: Mapping[str, Any]) -> bool:
    return (
        last.value is not None
        and abs(last.value - value) < 1e-9
        and abs(last.coverage - coverage) < 1e-9
        and last.provisional == provisional
        and _grounds(last.breakdown) == _grounds(breakdown)
    )


def _grounds(breakdown: Mapping[str, Any]) -> tuple[Any, ...]:
    """What a score rests on, and what follows from it."""
    lines = [line["evidence_id"] for line in breakdown.get("criteria", [])]
    return lines, breakdown.get("evidence_ids"), breakdown.get("tier"), breakdown.get("sequence")


@dataclass(slots=True)
class ScoreReport:
    """What a re-score did."""

    prospects: int = 0
    written: int = 0
    changed_route: int = 0
    seconds: float = 0.0
    routes: dict[str, int] = field(default_factory=dict)


def rescore(
    *,
    client: Client,
    playbook: Playbook,
    actor: User | None,
    clock: datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
    batch_size: int = 1000,
) -> ScoreReport:
    """Recompute the scores of every prospect of a playbook from its evidence, in batches of one transaction each.

    Raises ``NoActiveVersion``. Moves nobody: stages follow evidence, not the passing of time alone.
    """
    from prospects.runtime_store import HOST, open_scope  # the store builds on this module

    del actor  # re-scoring is mechanical: the rows name no person
    scope = open_scope(client, playbook, now=clock or timezone.now())
    report = ScoreReport()
    started = time.perf_counter()
    mine = Prospect.objects.for_client(client).filter(playbook=playbook).going_on()
    ids = mine.order_by("pk").values_list("pk", flat=True)
    total, after = ids.count(), 0
    while batch := list(ids.filter(pk__gt=after)[:batch_size]):
        after = batch[-1]
        with transaction.atomic():
            _rescore_batch(HOST, scope, batch, report)
        if progress is not None:
            progress(report.prospects, total)
    report.seconds = time.perf_counter() - started
    return report


def _rescore_batch(host: Any, scope: Scope, ids: list[int], report: ScoreReport) -> None:
    contexts = host.contexts(scope, ids)
    host.load(scope, contexts)
    stale = host.guard(contexts)
    contexts = {i: c for i, c in contexts.items() if i not in stale}
    before = {i: (c.route, c.tier, c.composite, c.coverage, c.priority, c.provisional) for i, c in contexts.items()}
    scores = {i: dict(c.scores) for i, c in contexts.items()}
    numbers = host.numbers()
    _reprioritized(scope, contexts, numbers)
    rescore_contexts(scope, contexts, numbers)
    after = {i: (c.route, c.tier, c.composite, c.coverage, c.priority, c.provisional) for i, c in contexts.items()}
    report.written += sum(
        score is not scores[i].get(card) for i, c in contexts.items() for card, score in c.scores.items()
    )
    host.save(scope, {i: c for i, c in contexts.items() if before[i] != after[i]})
    report.prospects += len(ids)
    report.changed_route += sum(before[i][0] != after[i][0] for i in contexts)
    for context in contexts.values():
        report.routes[context.route] = report.routes.get(context.route, 0) + 1
