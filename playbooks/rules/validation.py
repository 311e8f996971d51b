"""What must be true of a playbook before it may rule: each broken rule says which field and what was expected there.

The model's ``clean``, the admin's forms and the YAML reader all ask here. PostgreSQL holds the same line again for what
one row can show (see the models' constraints). Pure: no Django.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from playbooks.rules.criteria import CATEGORIES, LAYERS, parse_params
from playbooks.rules.document import IDENTITY, ROWS, Document, head_slots
from playbooks.rules.known_agents import assignment_problems, ways
from playbooks.rules.param_reader import ParamsError
from playbooks.rules.shapes import expected, is_number, shape_problems, unsaid
from playbooks.rules.sources import read_source
from playbooks.rules.spelling import did_you_mean, one_of
from playbooks.rules.stages import MOVES, QUALIFIED, QUALIFYING, RESEARCHED, SKIPS
from playbooks.rules.templating import template_problems
from playbooks.rules.triggers import trigger_problems
from playbooks.rules.twins import LIKELIER_ONE, MOST_CONTRADICTED

Row = Mapping[str, Any]
#: Weights count against each other, so nobody needs large ones; sums of huge ones would no longer be exact.
MOST_WEIGHT = 1000
MOST_DAYS = 36_500
WEIGHT_COLUMNS = tuple(f"weight_{layer}" for layer in LAYERS)
#: Where agents take prospects by themselves, by the composite of the four layers.
_JUDGED_STAGES = (RESEARCHED, QUALIFYING, QUALIFIED)
_COUNTRY = re.compile(r"[A-Z]{2}")
_KEY = re.compile(r"[A-Za-z0-9_-]+")


_NAMES = {slot.at: ("", slot) for slot in IDENTITY}


@dataclass(frozen=True, slots=True)
class Problem:
    """One broken rule. ``section`` is "" for the version itself, else the list of rows; ``field`` is the column.

    ``detail`` is the part of the field at fault, such as one parameter.
    """

    section: str
    index: int | None
    field: str
    words: str
    detail: str = ""

    @property
    def path(self) -> str:
        """The place as YAML names it: ``icp.employees_max``, ``criteria[3].params.values``."""
        if not self.section:
            section, slot = (head_slots() | _NAMES).get(self.field, ("", None))
            parts = [section, slot.name if slot else self.field]
        else:
            names = {slot.at: slot.name for slot in ROWS[self.section].slots}
            at = self.section if self.index is None else f"{self.section}[{self.index}]"
            parts = [at, names.get(self.field, self.field)]
        return ".".join(part for part in [*parts, self.detail] if part)

    def __str__(self) -> str:
        return f"{self.path}: {self.words}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a row may refer to elsewhere in the playbook."""

    criterion_keys: frozenset[str] = frozenset()
    layers: frozenset[str] = frozenset()
    source_keys: frozenset[str] = frozenset()
    scorecards: frozenset[str] = frozenset()


def problems(document: Document) -> list[Problem]:
    """Everything that keeps this playbook from ruling, in the order of the document; empty when it may."""
    criteria = document.rows.get("criteria", [])
    seen = Seen(
        frozenset(str(row.get("key")) for row in criteria),
        frozenset(str(row.get("layer")) for row in criteria),
        frozenset(str(row.get("key")) for row in document.rows.get("sources", [])),
        frozenset(str(row.get("scorecard") or "icp") for row in criteria),
    )
    found = [*_identity_problems(document), *head_problems(document.head, document.kind, seen.layers)]
    for name in ROWS:
        rows = document.rows.get(name, [])
        for index, row in enumerate(rows):
            found += row_problems(name, row, seen, index)
        found += repeated(name, rows)
    found += _whole_problems(document)
    return found


def _identity_problems(document: Document) -> Iterator[Problem]:
    """Broken rules of what names the playbook."""
    names = {slot.at: getattr(document, slot.at) for slot in IDENTITY}
    broken = dict(shape_problems("", IDENTITY, names))
    for slot in IDENTITY:
        if slot.at in broken:
            yield Problem("", None, slot.at, broken[slot.at])
        elif slot.at != "name" and not _KEY.fullmatch(names[slot.at]):
            yield Problem("", None, slot.at, f"expected letters, figures, - or _, got {names[slot.at]!r}")
        elif not names[slot.at].strip():
            yield Problem("", None, slot.at, "is missing; expected text")


def head_problems(head: Row, kind: str, criterion_layers: Collection[str]) -> Iterator[Problem]:
    """Broken rules of the version's own row; when a value does not even look right, that alone."""

    def wrong(field: str, words: str) -> Problem:
        return Problem("", None, field, words)

    misshapen = [wrong(*found) for found in shape_problems("", (slot for _, slot in head_slots().values()), head)]
    if misshapen:
        yield from misshapen
        return
    if not str(head.get("root_intent") or "").strip():
        yield wrong("root_intent", "say in one sentence what this playbook is for")
    yield from _icp(head, kind, criterion_layers, wrong)
    yield from _weights(head, wrong)
    yield from _thresholds(head, wrong)
    yield from _limits(head, wrong)
    countries = head.get("countries") or []
    if not countries:
        yield wrong("countries", "name at least one country to sell into, as a two-letter code such as US")
    for column in ("countries", "icp_countries"):
        for code in head.get(column) or []:
            if not _COUNTRY.fullmatch(str(code)):
                yield wrong(column, f"expected two-letter country codes such as US or NZ, got {code!r}")


def _plain(value: Any) -> str:
    """A number without the zeros that say nothing."""
    return f"{value:g}" if is_number(value) else str(value)


def _within(value: Any, low: float, high: float = float("inf")) -> bool:
    """Whether there is a number, and it lies within [low, high]."""
    return is_number(value) and low <= value <= high


Wrong = Callable[[str, str], Problem]


def _icp(head: Row, kind: str, layers: Collection[str], wrong: Wrong) -> Iterator[Problem]:
    low: Any = head.get("icp_employees_min")
    high: Any = head.get("icp_employees_max")
    if kind == "household":
        if not {"behavioral", "investment"} & set(layers):
            yield wrong("icp_description", "a household playbook needs a behavioral or an investment criterion")
    elif not head.get("icp_industries") and low is None and high is None:
        yield wrong(
            "icp_industries", "name at least one industry or a company size: an empty customer profile fits all"
        )
    if low is not None and high is not None and low > high:
        yield wrong("icp_employees_max", f"expected at least the minimum of {low}, got {high}")


def _weights(head: Row, wrong: Wrong) -> Iterator[Problem]:
    weights = [head.get(column) for column in WEIGHT_COLUMNS]
    for column, weight in zip(WEIGHT_COLUMNS, weights, strict=True):
        if not isinstance(weight, int) or isinstance(weight, bool) or weight < 0:
            yield wrong(column, f"expected a whole number of at least 0, got {weight!r}")
            return
    total = sum(int(weight or 0) for weight in weights)
    if total != 100:
        yield wrong("weight_investment", f"the four layer weights must sum to 100; they sum to {total}")


def _thresholds(head: Row, wrong: Wrong) -> Iterator[Problem]:
    hot: Any = head.get("hot_threshold")
    warm: Any = head.get("warm_threshold")
    if hot is None or warm is None or not 0 <= warm < hot <= 100:
        yield wrong(
            "hot_threshold", f"expected hot above warm, both from 0 to 100; got hot {_plain(hot)}, warm {_plain(warm)}"
        )
    tiers: list[Any] = [head.get(f"tier_{n}_threshold") for n in (1, 2, 3)]
    if any(t is None for t in tiers) or not 1 >= tiers[0] > tiers[1] > tiers[2] >= 0:
        yield wrong("tier_1_threshold", f"expected three falling shares from 1 to 0, got {tiers}")
    for column in ("min_confidence", "min_contact_confidence", "keep_threshold", "enrich_threshold", "crm_threshold"):
        value = head.get(column)
        if not _within(value, 0, 1):
            yield wrong(column, f"expected a share from 0 to 1, got {value}")
    yield from _twins(head, wrong)
    least = head.get("min_categories")
    if not _within(least, 1, len(CATEGORIES)):
        yield wrong("min_categories", f"expected 1 to {len(CATEGORIES)}, got {least}")


def _twins(head: Row, wrong: Wrong) -> Iterator[Problem]:
    merge, ask = head.get("merge_threshold"), head.get("twin_threshold")
    if not _within(merge, MOST_CONTRADICTED, 1) or merge == MOST_CONTRADICTED:
        words = f"expected more than {MOST_CONTRADICTED:g}, up to 1 (two records that contradict each other"
        yield wrong("merge_threshold", f"{words} are always left to a person); got {merge}")
    elif not _within(ask, LIKELIER_ONE, float(merge or 1)):
        words = f"expected {LIKELIER_ONE:g} (as likely one as two) to {merge:g}, from where on records are merged"
        yield wrong("twin_threshold", f"{words}; got {ask}")


def _limits(head: Row, wrong: Wrong) -> Iterator[Problem]:
    for column in ("calls_per_day", "emails_per_day"):
        if not _within(head.get(column), 1):
            yield wrong(column, f"expected a daily limit above 0, got {head.get(column)}")
    for column in ("linkedin_per_day", "sms_per_day", "experiments_per_week", "tokens_per_day", "undo_seconds"):
        if not _within(head.get(column), 0):
            yield wrong(column, f"expected a limit of at least 0, got {head.get(column)}")
    money = head.get("money_per_month")
    if not _within(money, 0):
        yield wrong("money_per_month", "give a money limit for a month, 0 or more")
    if not _within(head.get("request_hours"), 1):
        yield wrong("request_hours", f"expected at least 1 hour, got {head.get('request_hours')}")


def row_problems(name: str, row: Row, seen: Seen, index: int | None = None) -> list[Problem]:
    """Broken rules of one child row, given what it may refer to; when a value does not even look right, that alone."""
    slots = ROWS[name].slots
    found = [(field, words, "") for field, words in shape_problems(name, slots, row)]
    if not found:
        found = list(_CHECKS[name](row, seen))
        said = {field for field, _, _ in found}
        missing = [slot for slot in unsaid(slots, row) if slot.at not in said]
        found += [(slot.at, f"is missing; expected {expected(slot)}", "") for slot in missing]
    return [Problem(name, index, field, words, detail) for field, words, detail in found]


Complaint = tuple[str, str, str]


def _criterion(row: Row, _: Seen) -> Iterator[Complaint]:
    if not _KEY.fullmatch(str(row.get("key") or "")):
        yield "key", f"expected letters, figures, - or _, got {row.get('key')!r}", ""
    if not _within(row.get("weight"), 0, MOST_WEIGHT):
        yield "weight", f"expected a number from 0 to {MOST_WEIGHT:,}, got {_plain(row.get('weight'))}", ""
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
    if missing == "value" and not _within(points, 0, 100):
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
        if number is not None and not _within(number, 0, most):
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
        if not _within(row.get(field), 0, 1):
            yield field, f"expected a share from 0 to 1, got {_plain(row.get(field))}", ""
    for field in ("daily_cap", "unit_cost"):
        if not _within(row.get(field), 0):
            yield field, f"expected a number of at least 0, got {row.get(field)}", ""


def _step(row: Row, _: Seen) -> Iterator[Complaint]:
    if not _within(row.get("day"), 0):
        yield "day", f"expected a day of at least 0, got {row.get('day')}", ""


def _trigger(row: Row, _: Seen) -> Iterator[Complaint]:
    if not _KEY.fullmatch(str(row.get("key") or "")):
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


_CHECKS: Mapping[str, Callable[[Row, Seen], Iterator[Complaint]]] = {
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


def repeated(name: str, rows: Sequence[Row]) -> Iterator[Problem]:
    """Rows that an earlier row already speaks for."""
    shape = ROWS[name]
    first: dict[tuple[Any, ...], int] = {}
    for index, row in enumerate(rows):
        identity = tuple(row.get(column) for column in shape.identity)
        if identity in first:
            shown = " → ".join(str(part) for part in identity)
            yield Problem(name, index, shape.identity[-1], f"{shown} is already said in row {first[identity] + 1}")
        first.setdefault(identity, index)


def _whole_problems(document: Document) -> Iterable[Problem]:
    """What only the rows together show."""
    icp = [row for row in document.rows.get("criteria", []) if row.get("scorecard") == "icp"]
    if not any(_within(row.get("weight"), 0) and row["weight"] > 0 for row in icp):
        yield Problem("criteria", None, "", "the icp scorecard needs at least one criterion with weight")
    rules = document.rows.get("stage_rules", [])
    if not any(row.get("pipeline") == "prospect" and row.get("to_stage") == "qualified" for row in rules):
        yield Problem(
            "stage_rules", None, "", "a rule from qualifying to qualified is needed, else nobody ever qualifies"
        )
