"""Why a prospect stands where it stands: layers, gates and evidence, each with the facts under it.

Scores are shown as they were computed (from the Score row's own breakdown); gates are checked again by the same pure
rules the agents use, at the time of that score.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from playbooks.frozen import frozen_version
from playbooks.models import Layer, PlaybookVersion, StageRule
from playbooks.rules import stages
from playbooks.rules.criteria import Criterion
from prospects.host.loading import ICP, MEMBERS, Place, load_facts
from prospects.models import Prospect
from prospects.rules import scoring
from prospects.rules.qualification import Gate, Rule, Standing, rule_holds
from prospects.rules.quality_gates import GATES, passing
from prospects.services.scores import items_of
from salesops.percent import percent
from salesops.runtime.context import Context
from salesops.runtime.views import EvidenceView, ScoreView, SignalView


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One judged fragment with the signals it cites."""

    evidence: EvidenceView
    label: str
    signals: list[SignalView]


@dataclass(frozen=True, slots=True)
class LayerPart:
    """One of the four layers. ``value`` None: nothing is known; ``unknown`` lists the questions still open."""

    layer: str
    label: str
    weight: float
    value: float | None
    coverage: float
    evidence: list[EvidenceLine]
    unknown: list[str]


@dataclass(frozen=True, slots=True)
class ShownGate:
    """One line of the checklist; ``numbers`` says what is there and what is needed."""

    label: str
    passed: bool
    numbers: str
    words: str


@dataclass(frozen=True, slots=True)
class Why:
    """All of it. ``version`` is None when no version has judged this prospect and none is active."""

    version: PlaybookVersion | None
    layers: list[LayerPart] = field(default_factory=list)
    gates: list[ShownGate] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    other_evidence: list[EvidenceLine] = field(default_factory=list)
    scores: list[tuple[str, float | None, float]] = field(default_factory=list)
    quality: list[ShownGate] = field(default_factory=list)
    computed_at: datetime | None = None
    criteria: Mapping[tuple[str, str], Criterion] = field(default_factory=dict)
    rule: Rule | None = None

    @property
    def passed(self) -> int:
        """How many gates are met."""
        return sum(gate.passed for gate in self.gates)


def why_of(prospect: Prospect) -> Why:
    """The explanation under the version that last judged the prospect, else the active one; constant queries."""
    version_id = prospect.converged_version_id or _ruling(prospect)
    if version_id is None:
        return Why(None)
    version = frozen_version(version_id)
    context = _context(prospect)
    load_facts({prospect.pk: context}, version.pk)
    criteria = criteria_of(version)
    scored_at: datetime | None = context.row.scored_at
    rule = _rule(version)
    gates = _gates(version, rule, criteria, context, scored_at or prospect.created_at)
    lines = _lines(context, criteria)
    return Why(
        version=version,
        layers=_layers(version, context.scores.get(ICP), lines, criteria),
        gates=[ShownGate(gate.label, gate.passed, _numbers(gate), gate.words) for gate in gates],
        missing=[gate.words for gate in gates if not gate.passed],
        other_evidence=[line for line in lines if line.evidence.scorecard != ICP],
        scores=[(name, view.value, view.coverage) for name, view in sorted(context.scores.items()) if name != ICP],
        quality=_quality(version, criteria, context),
        computed_at=scored_at,
        criteria=criteria,
        rule=rule,
    )


def _quality(version: PlaybookVersion, criteria: dict[tuple[str, str], Criterion], context: Context) -> list[ShownGate]:
    """The playbook's gates on data, where it has their scorecards, by the scores as they were computed."""
    there = {card for card, _ in criteria}
    shown = []
    for gate in GATES:
        if gate.scorecard in there:
            view = context.scores.get(gate.scorecard)
            found = passing(view.value if view is not None else None, getattr(version, gate.threshold))
            shown.append(ShownGate(gate.label, found.passed, found.words, found.words))
    return shown


def _ruling(prospect: Prospect) -> int | None:
    active = prospect.playbook.active_version
    return active.pk if active else None


def _context(prospect: Prospect) -> Context:
    """What facts are loaded into: the signals of prospects merged into this one are read as its own."""
    place = Place(
        prospect.stage_seq, prospect.stage_since, prospect.verdict_reason, prospect.next_action, prospect.converged_no
    )
    members = tuple(member.pk for member in prospect.merged.all())
    return Context(prospect.pk, "", prospect.stage, prospect.facts_no, row=place, extras={MEMBERS: members})


def criteria_of(version: PlaybookVersion) -> dict[tuple[str, str], Criterion]:
    """The version's criteria with parsed parameters, by (scorecard, key); one query."""
    return {
        (row.scorecard, row.key): Criterion.build(
            key=row.key,
            kind=row.kind,
            params=row.params,
            category=row.category,
            layer=row.layer,
            scorecard=row.scorecard,
            label=row.label,
            weight=row.weight,
            half_life_days=row.half_life_days,
            missing=row.missing,
            missing_value=row.missing_value,
            position=row.position,
        )
        for row in version.criteria.all()
    }


def _rule(version: PlaybookVersion) -> Rule | None:
    """What the version asks for before somebody is qualified."""
    move = (StageRule.Pipeline.PROSPECT, stages.QUALIFYING, stages.QUALIFIED)
    rows = version.stage_rules.all()
    row = next((row for row in rows if (row.pipeline, row.from_stage, row.to_stage) == move), None)
    if row is None:
        return None
    return Rule(
        pipeline=row.pipeline,
        from_stage=row.from_stage,
        to_stage=row.to_stage,
        required_categories=tuple(row.required_categories),
        required_layers=tuple(row.required_layers),
        min_categories=row.min_categories,
        min_score=row.min_score,
        min_coverage=row.min_coverage,
        needs_person=row.needs_person,
    )


def _gates(
    version: PlaybookVersion,
    rule: Rule | None,
    criteria: dict[tuple[str, str], Criterion],
    context: Context,
    at: datetime,
) -> list[Gate]:
    if rule is None:
        return []
    asked = [criterion for (card, _), criterion in criteria.items() if card == ICP]
    model = scoring.IcpModel(asked, version.layer_weights, hot=version.hot_threshold, warm=version.warm_threshold)
    items = items_of(context).get(ICP, {})
    standing = Standing(items, scoring.composite(model, items, at), asked, version.min_confidence)
    return rule_holds(rule, standing).gates


def _numbers(gate: Gate) -> str:
    if gate.key == "categories":
        return f"{gate.actual:.0f} of {gate.needed:.0f}"
    if gate.key == "score":
        return f"{gate.actual:.0f}, needs {gate.needed:.0f}"
    if gate.key == "coverage":
        return f"{percent(gate.actual)}, needs {percent(gate.needed)}"
    return f"{percent(gate.actual)} known" if gate.key.startswith("layer_") else ""


def _lines(context: Context, criteria: dict[tuple[str, str], Criterion]) -> list[EvidenceLine]:
    signals = {signal.id: signal for signal in context.signals}
    lines = []
    for view in context.evidence.values():
        criterion = criteria.get((view.scorecard, view.criterion))
        if criterion and criterion.kind == "flag" and not view.strong_negative:
            continue  # looked for and not found: nothing to show
        label = criterion.label if criterion and criterion.label else view.criterion.replace("_", " ").capitalize()
        lines.append(EvidenceLine(view, label, [signals[i] for i in view.signal_ids if i in signals]))
    return sorted(lines, key=lambda line: (-line.evidence.value, line.label))


def _layers(
    version: PlaybookVersion,
    score: ScoreView | None,
    lines: list[EvidenceLine],
    criteria: dict[tuple[str, str], Criterion],
) -> list[LayerPart]:
    breakdown: Mapping[str, Any] = score.breakdown if score else {}
    parts = {part["layer"]: part for part in breakdown.get("layers", [])}
    by_layer: dict[str, list[EvidenceLine]] = defaultdict(list)
    for line in lines:
        if line.evidence.scorecard == ICP:
            by_layer[line.evidence.layer].append(line)
    known = {line.evidence.criterion for line in lines if line.evidence.scorecard == ICP}
    return [
        LayerPart(
            layer=layer.value,
            label=str(layer.label),
            weight=version.layer_weights[layer.value],
            value=parts[layer.value]["value"] if layer.value in parts and by_layer[layer.value] else None,
            coverage=parts.get(layer.value, {}).get("coverage", 0.0),
            evidence=by_layer[layer.value],
            unknown=[
                criterion.label or key
                for (card, key), criterion in criteria.items()
                if card == ICP and criterion.layer == layer.value and key not in known and criterion.kind != "flag"
            ],
        )
        for layer in Layer
    ]
