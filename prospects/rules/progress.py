"""Where a prospect's evidence takes it: the verdict, and the legal moves that lead there. Pure.

The way in is sourced → researched → qualifying; from there the verdict decides: *qualified* when the stage rule holds,
*rejected*, *nurture* when everything is known and it is good but not good enough, else *stalled*. Whoever waits or was
rejected comes back only on new evidence, and only if that leads somewhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from playbooks.rules import stages
from prospects.rules import qualification
from prospects.rules.qualification import Rule, Standing, Verdict

Rules = Mapping[tuple[str, str], Rule]
_INWARD = (stages.SOURCED, stages.RESEARCHED, stages.QUALIFYING)
_RETURNING = (*stages.WAITING, stages.REJECTED)
_AWAITS_PERSON = "A person has to confirm: {label}."


@dataclass(frozen=True, slots=True)
class Move:
    """One move with its ground: the evidence that satisfied the rule, or the words for an exit."""

    from_stage: str
    to_stage: str
    reason: str
    evidence_ids: tuple[int, ...] = ()
    by_rule: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The verdict and the moves towards it; no moves when the prospect stays where it is."""

    verdict: Verdict
    moves: tuple[Move, ...]


def plan(stage: str, standing: Standing, rules: Rules, *, warm: float, new_evidence: bool) -> Plan:
    """What the evidence says of a prospect that stands at ``stage``.

    A prospect that people have closed or that is already in contact keeps its stage.
    """
    if stage in (stages.DISQUALIFIED, stages.CLOSED):
        return Plan(Verdict(qualification.REJECTED, f"Work has ended: {stage}."), ())
    if stage in (stages.CONTACTED, stages.ENGAGED, stages.CONVERTED):
        return Plan(Verdict(qualification.QUALIFIED, f"Already {stage}."), ())
    goal = rules.get((stages.QUALIFYING, stages.QUALIFIED))
    if goal is None:
        missing = ["The playbook has no stage rule that leads to qualified."]
        return Plan(Verdict(qualification.STALLED, missing[0], missing), ())
    verdict = _confirmed(qualification.qualify(standing, goal, warm), goal)
    target = _target(verdict, standing, warm)
    return Plan(verdict, _way(stage, target, standing, rules, verdict, new_evidence=new_evidence))


def _confirmed(verdict: Verdict, goal: Rule) -> Verdict:
    """A rule that asks for a person is not satisfied by evidence alone."""
    if verdict.verdict != qualification.QUALIFIED or not goal.needs_person:
        return verdict
    words = _AWAITS_PERSON.format(label=goal.to_stage)
    return Verdict(qualification.STALLED, words, [words], verdict.gates, verdict.evidence_ids)


def _target(verdict: Verdict, standing: Standing, warm: float) -> str:
    if verdict.verdict == qualification.QUALIFIED:
        return stages.QUALIFIED
    if verdict.verdict == qualification.REJECTED:
        return stages.REJECTED
    failed = {gate.key for gate in verdict.gates if not gate.passed}
    value = standing.composite.value
    return stages.NURTURE if failed == {"score"} and value is not None and value >= warm else stages.STALLED


def _way(
    stage: str, target: str, standing: Standing, rules: Rules, verdict: Verdict, *, new_evidence: bool
) -> tuple[Move, ...]:
    if stage == target or (stage in _RETURNING and not new_evidence):
        return ()
    if stage == stages.QUALIFIED:
        return (_fallen(target, verdict),)
    moves: list[Move] = []
    while stage != stages.QUALIFYING:
        short = _shortcut(stage, target, standing, rules)
        if short is not None:
            moves.append(short)
            stage = short.to_stage
            if stage == target:
                return tuple(moves)
            continue
        onward = _INWARD[_INWARD.index(stage) + 1] if stage in _INWARD else stages.QUALIFYING
        step = _by_rule(stage, onward, standing, rules)
        if step is None:
            return tuple(moves)
        moves.append(step)
        stage = onward
    if target == stages.QUALIFIED:
        goal = rules[(stages.QUALIFYING, stages.QUALIFIED)]
        moves.append(Move(stage, target, verdict.reason, grounds(goal, standing, verdict.evidence_ids), by_rule=True))
    else:
        moves.append(Move(stage, target, verdict.reason, verdict.evidence_ids))
    return tuple(moves)


def _shortcut(stage: str, target: str, standing: Standing, rules: Rules) -> Move | None:
    """The longest declared step that passes over stages on the way to ``target``, when its rule holds."""
    ends = (stages.QUALIFIED, stages.QUALIFYING) if target == stages.QUALIFIED else (stages.QUALIFYING,)
    for end in ends:
        passed = stages.SKIPS["prospect"].get((stage, end))
        step = _by_rule(stage, end, standing, rules) if passed else None
        if step is not None and passed:
            words = f"{step.reason} Passed over {' and '.join(passed)}: {standing.composite.route}."
            return replace(step, reason=words)
    return None


def _fallen(target: str, verdict: Verdict) -> Move:
    """Out of qualified again: a strong negative rules it out, anything else sends it back to wait."""
    end = stages.DISQUALIFIED if target == stages.REJECTED else target
    return Move(stages.QUALIFIED, end, verdict.reason, verdict.evidence_ids)


def _by_rule(stage: str, onward: str, standing: Standing, rules: Rules) -> Move | None:
    """The inward step, when the playbook has a rule for it, it asks for no person, and it holds.

    Inward steps ask for evidence only; a strong negative does not keep a prospect from being judged.
    """
    rule = rules.get((stage, onward))
    if rule is None or rule.needs_person:
        return None
    check = qualification.rule_holds(rule, standing)
    forgiven = {"strong_negative"} if onward != stages.QUALIFIED else set()
    if any(not gate.passed and gate.key not in forgiven for gate in check.gates):
        return None
    words = f"{len(standing.items)} pieces of evidence gathered." if standing.items else "Facts gathered."
    return Move(stage, onward, words, grounds(rule, standing, check.evidence_ids), by_rule=True)


def grounds(rule: Rule, standing: Standing, ids: tuple[int, ...]) -> tuple[int, ...]:
    """The evidence a rule rests on, with one row for every layer it asks for, and that behind another scorecard."""
    chosen = set(ids)
    if rule.scorecard != qualification.ICP:
        prefix = f"{rule.scorecard}."
        chosen.update(item.id for key, item in standing.items.items() if key.startswith(prefix) and item.value > 0)
    by_id = {item.id: item for item in standing.items.values()}
    covered = {by_id[i].layer for i in ids if i in by_id}
    for layer in rule.required_layers:
        if layer not in covered:
            rows = [item.id for item in standing.items.values() if item.layer == layer]
            chosen.update(rows[:1])
    return tuple(sorted(chosen))
