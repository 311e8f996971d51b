"""A what-if as its page shows it: tables of before and after, and who is behind a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from playbooks.models import Route, Tier
from prospects.models import Verdict, WhatIf, WhatIfChange

_UNKNOWN = "none"  # "" in an address reads as no filter at all
_KINDS: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "route": ("Route", (*((str(v), str(label)) for v, label in Route.choices), ("", "No route"))),
    "tier": ("Tier", (*((str(v), str(label)) for v, label in Tier.choices), ("", "No tier"))),
    "verdict": ("Verdict", tuple((str(v), str(label)) for v, label in Verdict.choices if v)),
}


@dataclass(frozen=True, slots=True)
class Moves:
    """Whom the page is narrowed to: those who go from one value to another of ``kind``; "" kind means everybody."""

    kind: str = ""
    before: str = ""
    after: str = ""

    @property
    def words(self) -> str:
        """The filter as a person reads it."""
        if not self.kind:
            return ""
        names = dict(_KINDS[self.kind][1])
        return f"{names.get(self.before, self.before)} → {names.get(self.after, self.after)}"


@dataclass(frozen=True, slots=True)
class Cell:
    """How many go from ``before`` to ``after``; ``query`` narrows the list to them, "" where nothing moves."""

    count: int
    label: str
    query: str


@dataclass(frozen=True, slots=True)
class Table:
    """Today down the side, each row with how many that are; under the version across, ``then`` how many that makes."""

    kind: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...], int], ...]
    then: tuple[int, ...]


def read_moves(query: Mapping[str, str]) -> Moves:
    """The filter an address names; anything that does not fit is no filter."""
    kind = query.get("kind", "")
    before, after = (query.get(name, "") for name in ("from", "to"))
    if kind not in _KINDS or not before or not after:
        return Moves()
    return Moves(kind, *("" if value == _UNKNOWN else value for value in (before, after)))


def filtered(what_if: WhatIf, moves: Moves) -> QuerySet[WhatIfChange]:
    """Those who would change, or the part of them that the filter names."""
    rows = WhatIfChange.objects.filter(what_if=what_if)
    if not moves.kind:
        return rows
    return rows.filter(**{moves.kind: moves.before, f"new_{moves.kind}": moves.after})


def counted(counts: Mapping[str, Mapping[str, int]]) -> list[Table]:
    """One table each for routes, tiers and verdicts; values that nobody has are left out."""
    return [_table(kind, counts.get(kind, {})) for kind in _KINDS if counts.get(kind)]


def totals(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """How many would change route, tier and verdict."""
    return {
        kind: sum(n for pair, n in counts.get(kind, {}).items() if len(set(pair.split(">"))) > 1) for kind in _KINDS
    }


def moved(counts: Mapping[str, Mapping[str, int]], kind: str) -> list[Cell]:
    """The moves from one value of ``kind`` to another, the largest first."""
    names = dict(_KINDS[kind][1])
    pairs = {tuple(pair.split(">", 1)): n for pair, n in counts.get(kind, {}).items()}
    cells = [_cell(kind, a, b, names.get(a, a), names.get(b, b), n) for (a, b), n in pairs.items() if a != b]
    return sorted(cells, key=lambda cell: (-cell.count, cell.label))


def _table(kind: str, counts: Mapping[str, int]) -> Table:
    title, known = _KINDS[kind]
    pairs = {tuple(pair.split(">", 1)): n for pair, n in counts.items()}
    used = {value for pair in pairs for value in pair}
    values = [(value, label) for value, label in known if value in used]
    values += [(value, value or "None") for value in sorted(used - {value for value, _ in known})]
    rows = []
    for before, label in values:
        cells = [_cell(kind, before, after, label, name, pairs.get((before, after), 0)) for after, name in values]
        rows.append((label, tuple(cells), sum(cell.count for cell in cells)))
    then = tuple(sum(n for (_, after), n in pairs.items() if after == value) for value, _ in values)
    return Table(kind, title, tuple(label for _, label in values), tuple(rows), then)


def _cell(kind: str, before: str, after: str, label: str, name: str, count: int) -> Cell:
    moves = count and before != after
    query = f"kind={kind}&from={before or _UNKNOWN}&to={after or _UNKNOWN}" if moves else ""
    return Cell(count, f"{label} to {name}", query)
