"""The columns of the prospect list: what each shows on the page and in the CSV, and which people have chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from prospects.models import Prospect, RouteOverride
from salesops.templatetags.figures import NONE_YET, num, pct, when
from salesops.templatetags.ui import route_chip

EMPTY = SafeString(f'<span class="quiet">{NONE_YET}</span>')
_END = SafeString("</td>")


@dataclass(slots=True)
class Row:
    """One prospect as the list shows it, with what other tables say about it. ``chosen`` is ticked already."""

    prospect: Prospect
    override: RouteOverride | None = None
    owner: str = ""
    is_paused: bool = False
    cells: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``show`` makes the cell, ``tell`` the CSV's value."""

    key: str
    label: str
    show: Callable[[Row], SafeString]
    tell: Callable[[Row], Any]
    css: str = ""


def _sub(first: str, second: object) -> SafeString:
    return format_html('{}<span class="sub">{}</span>', first, second) if second else conditional_escape(first)


def _person(row: Row) -> SafeString:
    contact = row.prospect.contact
    return EMPTY if contact is None else _sub(contact.name, contact.title)


def _route(row: Row) -> SafeString:
    """The score's route, and a person's beside it: neither hides the other."""
    by_score = route_chip(row.prospect.route)
    if row.override is None:
        return by_score
    return format_html(
        '{}<span class="sub" title="{}">by hand; the score says {}</span>',
        route_chip(row.override.route), row.override.reason, row.prospect.route or "nothing",
    )  # fmt: skip


def _composite(row: Row) -> SafeString:
    p = row.prospect
    return _sub(num(p.composite), "provisional" if p.composite is not None and p.provisional else "")


def _known(row: Row) -> SafeString:
    return EMPTY if row.prospect.composite is None else conditional_escape(pct(row.prospect.coverage))


def _company(row: Row, name: str) -> Any:
    return getattr(row.prospect.company, name) if row.prospect.company else ""


def _text(read: Callable[[Row], Any]) -> Callable[[Row], SafeString]:
    return lambda row: conditional_escape(read(row) or "")


def _both(key: str, label: str, read: Callable[[Row], Any], css: str = "") -> Column:
    return Column(key, label, _text(read), read, css)


COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("person", "Person", _person, lambda r: r.prospect.contact.name if r.prospect.contact else ""),
        Column(
            "stage", "Stage", lambda r: _sub(r.prospect.get_stage_display(), when(r.prospect.stage_since)),
            lambda r: r.prospect.get_stage_display(),
        ),
        Column("route", "Route", _route, lambda r: r.override.route if r.override else r.prospect.route),
        Column("composite", "Composite", _composite, lambda r: r.prospect.composite, "num"),
        Column("known", "Known", _known, lambda r: r.prospect.coverage, "num"),
        Column("priority", "Priority", lambda r: conditional_escape(num(r.prospect.priority)),
               lambda r: r.prospect.priority, "num"),
        Column("tier", "Tier", _text(lambda r: r.prospect.get_tier_display()), lambda r: r.prospect.tier),
        _both("segment", "Segment", lambda r: r.prospect.segment),
        Column("next", "Next", _text(lambda r: r.prospect.next_action or r.prospect.verdict_reason),
               lambda r: r.prospect.next_action, "pl-next"),
        _both("owner", "Owner", lambda r: r.owner),
        _both("verdict", "Verdict", lambda r: r.prospect.get_verdict_display() if r.prospect.verdict else ""),
        _both("reason", "Reason of the verdict", lambda r: r.prospect.verdict_reason, "pl-next"),
        _both("industry", "Industry", lambda r: _company(r, "industry")),
        _both("country", "Country", lambda r: _company(r, "country")
              or (r.prospect.contact.country if r.prospect.contact else "")),
        _both("city", "City", lambda r: _company(r, "city")),
        _both("source", "Source", lambda r: r.prospect.source),
        Column("came_in", "Came in", lambda r: when(r.prospect.created_at),
               lambda r: r.prospect.created_at.isoformat()),
        Column("in_stage", "In this stage since", lambda r: when(r.prospect.stage_since),
               lambda r: r.prospect.stage_since.isoformat()),
    )
}  # fmt: skip
#: Columns whose cells are understood without their head.
_SPEAKS = frozenset({"person", "stage", "route", "tier", "segment", "next", "verdict", "reason", "industry", "city"})
USUAL = ("person", "stage", "route", "composite", "known", "priority", "tier", "segment", "next")


def columns_named(keys: Iterable[str]) -> list[Column]:
    """The columns of these names in this order, each once; the usual ones when none is left."""
    found = [COLUMNS[key] for key in dict.fromkeys(keys) if key in COLUMNS]
    return found or [COLUMNS[key] for key in USUAL]


def _begin(column: Column) -> str:
    """The cell's tag. On a phone, where rows are cards without a head, what would not speak for itself is labelled."""
    css = f' class="{column.css}"' if column.css else ""
    return f"<td{css}>" if column.key in _SPEAKS else f'<td{css} data-label="{column.label}">'


def filled(rows: Sequence[Row], columns: Sequence[Column]) -> list[Row]:
    """The rows with their cells made. What is safe stays so when added up; one cell that is not, and all is escaped."""
    begins = [SafeString(_begin(column)) for column in columns]
    for row in rows:
        row.cells = SafeString()
        for begin, column in zip(begins, columns, strict=True):
            row.cells += begin + column.show(row) + _END
    return list(rows)


#: What every CSV begins with, whatever is chosen: who it is, in words and as a number.
ALWAYS = ("id", "company", "domain")


def csv_header(columns: Sequence[Column]) -> tuple[str, ...]:
    """The names of the CSV's columns."""
    chosen = [column.key for column in columns]
    by_hand = ("route_by_hand", "score_route") if "route" in chosen else ()
    mark = ("provisional",) if "composite" in chosen else ()
    return (*ALWAYS, *chosen, *by_hand, *mark)


def csv_row(row: Row, columns: Sequence[Column]) -> tuple[Any, ...]:
    """One line, in the order of the header."""
    company = row.prospect.company
    start = (row.prospect.pk, company.name if company else "", company.domain if company else "")
    by_hand: tuple[Any, ...] = ()
    chosen = {column.key for column in columns}
    if "route" in chosen:
        by_hand = ("yes" if row.override else "no", row.prospect.route)
    mark: tuple[Any, ...] = ()
    if "composite" in chosen:
        mark = ("" if row.prospect.composite is None else "yes" if row.prospect.provisional else "no",)
    return (*start, *(column.tell(row) for column in columns), *by_hand, *mark)
