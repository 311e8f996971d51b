"""What must be true of a playbook before it may rule: each broken rule says which field and what was expected there.

The model's ``clean``, the admin's forms and the YAML reader all ask here. PostgreSQL holds the same line again for what
one row can show (see the models' constraints). Pure: no Django.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from playbooks.rules.criteria import CATEGORIES, LAYERS
from playbooks.rules.document import IDENTITY, ROWS, Document, head_slots
from playbooks.rules.row_checks import CHECKS, KEY, Row, Seen
from playbooks.rules.shapes import expected, plain, shape_problems, unsaid, within
from playbooks.rules.stages import QUALIFIED, QUALIFYING
from playbooks.rules.twins import LIKELIER_ONE, MOST_CONTRADICTED

WEIGHT_COLUMNS = tuple(f"weight_{layer}" for layer in LAYERS)
_MOVE = ("pipeline", "from_stage", "to_stage")
_COUNTRY = re.compile(r"[A-Z]{2}")
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
        elif slot.at != "name" and not KEY.fullmatch(names[slot.at]):
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
            "hot_threshold", f"expected hot above warm, both from 0 to 100; got hot {plain(hot)}, warm {plain(warm)}"
        )
    tiers: list[Any] = [head.get(f"tier_{n}_threshold") for n in (1, 2, 3)]
    if any(t is None for t in tiers) or not 1 >= tiers[0] > tiers[1] > tiers[2] >= 0:
        yield wrong("tier_1_threshold", f"expected three falling shares from 1 to 0, got {tiers}")
    for column in ("min_confidence", "min_contact_confidence", "keep_threshold", "enrich_threshold", "crm_threshold"):
        value = head.get(column)
        if not within(value, 0, 1):
            yield wrong(column, f"expected a share from 0 to 1, got {value}")
    yield from _twins(head, wrong)
    least = head.get("min_categories")
    if not within(least, 1, len(CATEGORIES)):
        yield wrong("min_categories", f"expected 1 to {len(CATEGORIES)}, got {least}")


def _twins(head: Row, wrong: Wrong) -> Iterator[Problem]:
    merge, ask = head.get("merge_threshold"), head.get("twin_threshold")
    if not within(merge, MOST_CONTRADICTED, 1) or merge == MOST_CONTRADICTED:
        words = f"expected more than {MOST_CONTRADICTED:g}, up to 1 (two records that contradict each other"
        yield wrong("merge_threshold", f"{words} are always left to a person); got {merge}")
    elif not within(ask, LIKELIER_ONE, float(merge or 1)):
        words = f"expected {LIKELIER_ONE:g} (as likely one as two) to {merge:g}, from where on records are merged"
        yield wrong("twin_threshold", f"{words}; got {ask}")


def _limits(head: Row, wrong: Wrong) -> Iterator[Problem]:
    for column in ("calls_per_day", "emails_per_day"):
        if not within(head.get(column), 1):
            yield wrong(column, f"expected a daily limit above 0, got {head.get(column)}")
    for column in ("linkedin_per_day", "sms_per_day", "experiments_per_week", "tokens_per_day", "undo_seconds"):
        if not within(head.get(column), 0):
            yield wrong(column, f"expected a limit of at least 0, got {head.get(column)}")
    money = head.get("money_per_month")
    if not within(money, 0):
        yield wrong("money_per_month", "give a money limit for a month, 0 or more")
    if not within(head.get("request_hours"), 1):
        yield wrong("request_hours", f"expected at least 1 hour, got {head.get('request_hours')}")


def row_problems(name: str, row: Row, seen: Seen, index: int | None = None) -> list[Problem]:
    """Broken rules of one child row, given what it may refer to; when a value does not even look right, that alone."""
    slots = ROWS[name].slots
    found = [(field, words, "") for field, words in shape_problems(name, slots, row)]
    if not found:
        found = list(CHECKS[name](row, seen))
        said = {field for field, _, _ in found}
        missing = [slot for slot in unsaid(slots, row) if slot.at not in said]
        found += [(slot.at, f"is missing; expected {expected(slot)}", "") for slot in missing]
    return [Problem(name, index, field, words, detail) for field, words, detail in found]


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
    if not any(within(row.get("weight"), 0) and row["weight"] > 0 for row in icp):
        yield Problem("criteria", None, "", "the icp scorecard needs at least one criterion with weight")
    moves = {tuple(row.get(part) for part in _MOVE) for row in document.rows.get("stage_rules", [])}
    if ("prospect", QUALIFYING, QUALIFIED) not in moves:  # a shortcut past qualifying is for some, and judges nobody
        yield Problem(
            "stage_rules", None, "", "a rule from qualifying to qualified is needed, else nobody ever qualifies"
        )
