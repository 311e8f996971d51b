"""What is missing on one prospect, and which evidence would be the cheapest to look for next."""

from __future__ import annotations

from dataclasses import dataclass

from playbooks.models import PlaybookVersion
from playbooks.rules import stages
from prospects.models import Prospect, Verdict
from prospects.reading.why import Why
from prospects.rules.next_evidence import WAYS, Item, Worth, accuracy, probability, ranked
from prospects.rules.qualification import REJECTED, Rule

ICP = "icp"
_WON_OVER = frozenset({stages.QUALIFIED, stages.CONTACTED, stages.ENGAGED, stages.CONVERTED})
_LOOK_UP = 0.1  # money a look-up or a watched source costs when nobody has said otherwise


@dataclass(frozen=True, slots=True)
class NextEvidence:
    """What to look for, with the numbers it was weighed by. ``words`` says why, when there is nothing."""

    worths: list[Worth]
    probability: float
    currency: str
    words: str = ""


def next_evidence_of(prospect: Prospect, why: Why) -> NextEvidence | None:
    """The open questions of the ICP scorecard by what their answers are worth; one query, none when it is settled.

    A qualified prospect is worth the deal times the best channel's reply rate. The playbook pursues from its stage
    rule's score on, so pursuing costs that share of it: there it makes no difference whether one goes on.
    """
    version = why.version
    if version is None:
        return None
    ruled_out = any(line.evidence.strong_negative for part in why.layers for line in part.evidence)
    p = probability(
        prospect.composite, prospect.coverage,
        qualified=prospect.verdict == Verdict.QUALIFIED or prospect.stage in _WON_OVER,
        ruled_out=ruled_out or prospect.verdict == REJECTED,
    )  # fmt: skip
    if not 0 < p < 1:
        return NextEvidence([], p, version.currency, _nothing(p))
    policies = {row.channel: row for row in version.channel_policies.all()}
    rule = why.rule
    rate = max((row.reply_rate for row in policies.values() if row.enabled), default=0.0)
    value = float(version.deal_value) * rate
    bar = (rule.min_score if rule and rule.min_score is not None else version.warm_threshold) / 100
    costs = {channel: float(row.unit_cost) for channel, row in policies.items()}
    worths = ranked(p, value, value * bar, _items(version, why, rule, costs))
    return NextEvidence(worths, p, version.currency, "" if worths else _nothing(p))


def _items(version: PlaybookVersion, why: Why, rule: Rule | None, costs: dict[str, float]) -> list[Item]:
    """Every question nobody has answered. What a required category lacks counts like the weightiest question."""
    known = {line.evidence.criterion for part in why.layers for line in part.evidence}
    have = {
        line.evidence.category
        for part in why.layers
        for line in part.evidence
        if line.evidence.value >= 50 and line.evidence.confidence >= version.min_confidence
    }
    wanted = set(rule.required_categories if rule else ()) - have
    asked = [row for row in why.criteria.values() if row.scorecard == ICP and row.kind in WAYS]
    totals: dict[str, float] = {}
    for row in asked:
        totals[row.layer] = totals.get(row.layer, 0.0) + row.weight
    weights = {
        row.key: version.layer_weights[row.layer] * row.weight / totals[row.layer] for row in asked if totals[row.layer]
    }
    weightiest = max(weights.values(), default=0.0)
    items = []
    for row in asked:
        if row.key not in known:
            how, channel, days = WAYS[row.kind]
            right = accuracy(weights.get(row.key, 0.0), weightiest, is_missing=row.category in wanted)
            cost = costs.get(channel, _LOOK_UP) if channel else _LOOK_UP
            items.append(Item(row.key, row.label or row.key, right, right, cost, days, how))
    return items


def _nothing(p: float) -> str:
    if p >= 1:
        return "It is qualified: more evidence would change nothing."
    if p <= 0:
        return "It is ruled out: more evidence would change nothing."
    return "No open question could change the decision for less than it costs to answer."
