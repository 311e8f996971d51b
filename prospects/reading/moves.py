"""Where a prospect, a deal or a customer may go next: each legal move with its gates, on the evidence in force.

The pages show these, and the services move by them: what is shown as met is what PostgreSQL will be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from playbooks.models import PlaybookVersion, StageRule
from playbooks.rules import stages
from prospects.host.loading import load_facts, new_contexts
from prospects.models import Customer, CustomerStage, Deal, DealStage, Prospect, Score, Stage
from prospects.rules import progress, scoring
from prospects.rules.compiled import built
from prospects.rules.qualification import ICP, Gate, Rule, Standing, rule_holds, rule_of
from prospects.services.moving.ledger import ruling_versions
from prospects.services.scores import items_of
from salesops.runtime.context import Context

_LABELS: Mapping[str, Mapping[str, str]] = {
    "prospect": dict(Stage.choices),
    "deal": dict(DealStage.choices),
    "customer": dict(CustomerStage.choices),
}


@dataclass(frozen=True, slots=True)
class Option:
    """One legal move; it may be made when nothing is ``missing``, on ``evidence_ids`` and ``score_id``."""

    pipeline: str
    to_stage: str
    label: str
    version_id: int
    gates: list[Gate] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    skipped: tuple[str, ...] = ()
    asks_person: bool = False
    asks_reason: bool = False
    team: str = ""
    evidence_ids: tuple[int, ...] = ()
    score_id: int | None = None

    @property
    def passed(self) -> int:
        """How many gates are met."""
        return sum(gate.passed for gate in self.gates)

    @property
    def passed_over(self) -> str:
        """The stages a shortcut passes over, in words."""
        return " and ".join(_LABELS[self.pipeline][stage].lower() for stage in self.skipped)


@dataclass(frozen=True, slots=True)
class Footing:
    """What moves of one prospect are judged on: the version in force, its rules, and where the evidence stands."""

    version: PlaybookVersion
    rules: Mapping[tuple[str, str, str], StageRule]
    standing: Standing
    scores: Mapping[str, int]


def footing_of(prospect: Prospect) -> Footing | None:
    """None where no version is in force. A constant number of queries."""
    ruling = ruling_versions([prospect])
    if not ruling:
        return None
    version = PlaybookVersion.objects.get(pk=ruling[prospect.pk])
    context = new_contexts([prospect.pk], version.pk)[prospect.pk]
    load_facts({prospect.pk: context}, version.pk)
    rows = StageRule.objects.filter(version=version)
    rules = {(row.pipeline, row.from_stage, row.to_stage): row for row in rows}
    newest = Score.objects.filter(prospect=prospect, playbook_version=version)
    ids = dict(newest.order_by("scorecard", "-id").distinct("scorecard").values_list("scorecard", "pk"))
    return Footing(version, rules, _standing(version, context), ids)


def _standing(version: PlaybookVersion, context: Context) -> Standing:
    """Evidence of every scorecard: that of others than the four layers under ``scorecard.criterion``."""
    criteria = built(version.criteria.all())
    cards = items_of(context)
    icp = [criterion for (card, _), criterion in criteria.items() if card == ICP]
    model = scoring.IcpModel(icp, version.layer_weights, hot=version.hot_threshold, warm=version.warm_threshold)
    scored = context.scores.get(ICP)
    breakdown = scored.breakdown if scored is not None else {}
    at = version.activated_at or version.created_at
    composite = scoring.composite(model, cards.get(ICP, {}), at)
    if scored is not None:
        # As it was scored: the row that a move cites says so, and that is what PostgreSQL reads.
        composite.value, composite.coverage = scored.value, scored.coverage
        composite.route = str(breakdown.get("route", composite.route))
    items = {
        (key if card == ICP else f"{card}.{key}"): item for card, mine in cards.items() for key, item in mine.items()
    }
    others = {name: (view.value or 0.0, view.coverage) for name, view in context.scores.items() if name != ICP}
    return Standing(items, composite, icp, version.min_confidence, others)


def options_of(row: Prospect | Deal | Customer, footing: Footing) -> list[Option]:
    """Every legal move from where it stands that the playbook declares, onwards first, ways out last."""
    pipeline = "prospect" if isinstance(row, Prospect) else row.pipeline
    worth = row.amount if isinstance(row, Deal) else None
    found = []
    for source, target in (*stages.MOVES[pipeline], *stages.SKIPS[pipeline]):
        if source != row.stage:
            continue
        if target in stages.BY_REASON[pipeline]:
            found.append(_by_reason(pipeline, target, footing))
            continue
        rule = footing.rules.get((pipeline, source, target))
        if rule is not None:
            found.append(_by_rule(pipeline, target, rule, footing, worth, stages.SKIPS[pipeline].get((source, target))))
    return sorted(found, key=lambda option: (option.asks_reason, bool(option.skipped)))


def option_to(row: Prospect | Deal | Customer, prospect: Prospect, to_stage: str) -> Option | None:
    """The move to one stage; None where it is not legal in this playbook."""
    footing = footing_of(prospect)
    if footing is None:
        return None
    return next((option for option in options_of(row, footing) if option.to_stage == to_stage), None)


def _by_reason(pipeline: str, target: str, footing: Footing) -> Option:
    return Option(pipeline, target, _LABELS[pipeline][target], footing.version.pk, asks_reason=True)


def _by_rule(
    pipeline: str,
    target: str,
    row: StageRule,
    footing: Footing,
    worth: Decimal | None,
    passed: tuple[str, ...] | None,
) -> Option:
    rule: Rule = rule_of(row)
    check = rule_holds(rule, footing.standing)
    asked = check.evidence_ids if rule.min_categories or rule.required_categories else ()
    return Option(
        pipeline, target, _LABELS[pipeline][target], footing.version.pk, gates=check.gates, missing=check.missing,
        skipped=passed or (), asks_person=rule.asks_person(worth), team=row.team,
        evidence_ids=progress.grounds(rule, footing.standing, asked),
        score_id=footing.scores.get(rule.scorecard),
    )  # fmt: skip
