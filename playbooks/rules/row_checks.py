"""What must be true of each row beside a playbook's own: a criterion, a stage rule, a template, a source and the like.

``validation`` asks here, after it has seen that every value looks right. Pure: no Django.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from playbooks.rules.criteria import CATEGORIES, LAYERS, parse_params
from playbooks.rules.known_agents import assignment_problems, ways
from playbooks.rules.param_reader import ParamsError
from playbooks.rules.shapes import plain, within
from playbooks.rules.sources import read_source
from playbooks.rules.spelling import did_you_mean, one_of
from playbooks.rules.stages import MOVES, QUALIFIED, QUALIFYING, RESEARCHED, SKIPS
from playbooks.rules.templating import template_problems
from playbooks.rules.triggers import trigger_problems

Row = Mapping[str, Any]
KEY = re.compile(r"[A-Za-z0-9_-]+")
#: Weights count against each other, so nobody needs large ones; sums of huge ones would no longer be exact.
MOST_WEIGHT = 1000
MOST_DAYS = 36_500
#: Where agents take prospects by themselves, by the composite of the four layers.
_JUDGED_STAGES = (RESEARCHED, QUALIFYING, QUALIFIED)

#: The field at fault, what is wrong with it, and the part of it at fault, such as one parameter.
Complaint = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a row may refer to elsewhere in the playbook."""

    criterion_keys: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    source_keys: frozenset[str] = frozenset()
    scorecards: frozenset[str] = frozenset()


def _criterion(row: Row, _: Seen) -> Iterator[Complaint]:
    if not KEY.fullmatch(str(row.get("key") or "")):
        yield "key", f"expected letters, figures, - or _, got {row.get('key')!r}", ""
    if not within(row.get("weight"), 0, MOST_WEIGHT):
        yield "weight", f"expected a number from 0 to {MOST_WEIGHT:,}, got {plain(row.get('weight'))}", ""
    elif row.get("kind") == "flag" and row["weight"] > 0:
        yield "weight", "a flag rules out and adds nothing to a score; expected 0", ""
    half_life = row.get("half_life_days")
    if half_life is not None and not 0 < half_life <= MOST_DAYS:
        yield (
            "half_life_days",
            f"expected more than 0 and at most {MOST_DAYS:,} days, or nothing, got {half_life:g}",
            "",
        )
    yield from _missing(row)
    try:
        parse_params(str(row["kind"]), row.get("params") or {})
    except ParamsError as refused:
        for field, words in refused.problems:
            yield "params", words, field


def _missing(row: Row) -> Iterator[Complaint]:
    """The points that count while nothing is known belong to ``missing: value``, and to that alone."""
    missing, points = row.get("missing", "unknown"), row.get("missing_value")
    if missing == "value" and not within(points, 0, 100):
        yield "missing_value", f"expected the points that count while nothing is known, 0 to 100, got {points}", ""
    elif missing != "value" and points is not None:
        yield "missing_value", f"belongs to missing: value; beside missing: {missing} leave it out", ""


def _stage_rule(row: Row, seen: Seen) -> Iterator[Complaint]:
    moves = MOVES.get(str(row.get("pipeline")))
    if moves is None:
        yield "pipeline", f"expected one of {', '.join(MOVES)}, got {row.get('pipeline')!r}", ""
        return
    yield from _move_of_rule(row, str(row["pipeline"]), seen)
    for field, known in (("required_categories", CATEGORIES), ("required_layers", LAYERS)):
        for value in row.get(field) or ():
            if value not in known:
                yield field, one_of(known, value), ""
    for field, most in (("min_score", 100), ("min_coverage", 1), ("min_categories", len(CATEGORIES))):
        number = row.get(field)
        if number is not None and not within(number, 0, most):
            yield field, f"expected 0 to {most}, got {number:g}", ""


def _move_of_rule(row: Row, pipeline: str, seen: Seen) -> Iterator[Complaint]:
    """The move a rule allows, whom it is for and whose score it asks for."""
    start, end = row.get("from_stage"), row.get("to_stage")
    moves, skips = MOVES[pipeline], SKIPS[pipeline]
    stages = sorted({stage for move in moves for stage in move})
    for field, stage in (("from_stage", start), ("to_stage", end)):
        if stage not in stages:
            words = f"expected a stage of the pipeline ({', '.join(stages)}), got {stage!r}"
            yield field, words + did_you_mean(stage, stages), ""
    if start in stages and end in stages and (start, end) not in (*moves, *skips):
        ends = [to for source, to in (*moves, *skips) if source == start]
        words = f"no {pipeline} can move from {start} to {end}; from there: {', '.join(ends) or 'nowhere'}"
        yield "to_stage", words, ""
    if (start, end) in skips and row.get("route", "any") == "any":
        passed = ", ".join(skips[(str(start), str(end))])
        yield "route", f"this passes over {passed}: expected hot or warm, since not everybody may skip", ""
    if row.get("confirm_from_value") is not None and pipeline != "deal":
        yield "confirm_from_value", f"only a deal has a value to confirm; leave it empty for a {pipeline}", ""
    card = row.get("scorecard") or "icp"
    asks = row.get("min_score") is not None or row.get("min_coverage") is not None
    if card != "icp" and not asks:
        yield "scorecard", f"expected a minimum score or coverage beside the scorecard {card!r}", ""
    elif card != "icp" and pipeline == "prospect" and end in _JUDGED_STAGES:
        yield "scorecard", "agents judge this step by the icp scorecard; expected icp", ""
    elif card != "icp" and seen.scorecards and card not in seen.scorecards:
        yield (
            "scorecard",
            f"expected a scorecard of this playbook ({', '.join(sorted(seen.scorecards))}), got {card!r}",
            "",
        )


def _template(row: Row, seen: Seen) -> Iterator[Complaint]:
    if not str(row.get("body") or "").strip():
        yield "body", "write the words to send", ""
    if row.get("channel") == "email" and not str(row.get("subject") or "").strip():
        yield "subject", "an e-mail needs a subject", ""
    for field in ("subject", "body"):
        for words in template_problems(str(row.get(field) or ""), seen.criterion_keys):
            yield field, words, ""
    for key in row.get("requires") or ():
        if key not in seen.criterion_keys:
            yield "requires", f"this playbook has no criterion {key!r}{did_you_mean(key, seen.criterion_keys)}", ""


def _channel(row: Row, _: Seen) -> Iterator[Complaint]:
    for field in ("reply_rate", "min_confidence"):
        if not within(row.get(field), 0, 1):
            yield field, f"expected a share from 0 to 1, got {plain(row.get(field))}", ""
    for field in ("daily_cap", "unit_cost"):
        if not within(row.get(field), 0):
            yield field, f"expected a number of at least 0, got {row.get(field)}", ""


def _step(row: Row, _: Seen) -> Iterator[Complaint]:
    if not within(row.get("day"), 0):
        yield "day", f"expected a day of at least 0, got {row.get('day')}", ""


def _trigger(row: Row, _: Seen) -> Iterator[Complaint]:
    if not KEY.fullmatch(str(row.get("key") or "")):
        yield "key", f"expected letters, figures, - or _, got {row.get('key')!r}", ""
    if not str(row.get("label") or "").strip():
        yield "label", "say in a few words what it is for", ""
    yield from trigger_problems(row)


def _source(row: Row, seen: Seen) -> Iterator[Complaint]:
    try:
        read_source(row)
    except ParamsError as refused:
        for place, words in refused.problems:
            field, _, detail = place.partition(".")
            yield field or "url", words, detail
    if row.get("fallback") and row["fallback"] not in seen.source_keys:
        close = did_you_mean(row["fallback"], seen.source_keys)
        yield "fallback", f"this playbook has no source {row['fallback']!r}{close}", ""


def _nothing_more(_row: Row, _seen: Seen) -> Iterator[Complaint]:
    """What its slots ask is all there is to check."""
    return iter(())


def _assignment(row: Row, _: Seen) -> Iterator[Complaint]:
    agent = str(row.get("agent") or "").strip()
    if not agent:
        return
    for field, words in assignment_problems(agent, str(row.get("implementation") or "rules"), ways()):
        yield field, words, ""


CHECKS: Mapping[str, Callable[[Row, Seen], Iterator[Complaint]]] = {
    "criteria": _criterion,
    "value_propositions": _nothing_more,
    "stage_rules": _stage_rule,
    "channels": _channel,
    "templates": _template,
    "sequences": _step,
    "agents": _assignment,
    "triggers": _trigger,
    "sources": _source,
    "brand_rules": _nothing_more,
}
