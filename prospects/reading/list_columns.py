"""The columns of the prospect list: what each shows on the page and in the CSV, and which people have chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from playbooks.models import Tier
from prospects.models import Prospect, RouteOverride, Stage
from salesops.templatetags.figures import NONE_YET, num, pct, when
from salesops.templatetags.ui import route_chip

EMPTY = SafeString(f'<span class="quiet">{NONE_YET}</span>')
_STAGES = dict(Stage.choices)
_TIERS = {"": "", **dict(Tier.choices)}
#: What rows are made of: a company has three times as many columns.
SHOWN = (
    "company__name", "company__domain", "company__industry", "company__country", "company__city", "contact__name",
    "contact__title", "contact__country", "client", "stage", "stage_since", "composite", "coverage", "provisional",
    "route", "tier", "priority", "segment", "source", "owner", "next_action", "verdict", "verdict_reason", "created_at",
)  # fmt: skip


@dataclass(slots=True)
class Row:
    """One prospect as the list shows it, with what other tables say about it."""

    prospect: Prospect
    override: RouteOverride | None = None
    owner: str = ""
    is_paused: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``show`` makes the cell, ``tell`` the CSV's value."""

    key: str
    label: str
    show: Callable[[Row], SafeString]
    tell: Callable[[Row], Any]
    css: str = ""


def _plain(value: object) -> SafeString:
    """Words for a page. A list draws a thousand: Django's own way first asks each whether it is safe or lazy."""
    return SafeString(escape(str(value)))


def _sub(first: object, second: object) -> SafeString:
    """A line, and a smaller one below it when there is anything to say."""
    line = first if isinstance(first, SafeString) else _plain(first)
    below = second if isinstance(second, SafeString) else _plain(second)
    return SafeString(f'{line}<span class="sub">{below}</span>') if second else line


def _person(row: Row) -> SafeString:
    contact = row.prospect.contact
    return EMPTY if contact is None else _sub(contact.name, contact.title)


def _route(row: Row) -> SafeString:
    """The score's route, and a person's beside it: neither hides the other."""
    by_score = route_chip(row.prospect.route)
    if row.override is None:
        return by_score
    reason, said = escape(row.override.reason), escape(row.prospect.route or "nothing")
    below = f'<span class="sub" title="{reason}">by hand; the score says {said}</span>'
    return SafeString(route_chip(row.override.route) + below)


def _composite(row: Row) -> SafeString:
    p = row.prospect
    return _sub(num(p.composite), "provisional" if p.composite is not None and p.provisional else "")


def _known(row: Row) -> SafeString:
    return EMPTY if row.prospect.composite is None else _plain(pct(row.prospect.coverage))


def _company(row: Row, name: str) -> Any:
    return getattr(row.prospect.company, name) if row.prospect.company else ""


def _text(read: Callable[[Row], Any]) -> Callable[[Row], SafeString]:
    return lambda row: _plain(read(row) or "")


def _both(key: str, label: str, read: Callable[[Row], Any], css: str = "") -> Column:
    return Column(key, label, _text(read), read, css)


COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("person", "Person", _person, lambda r: r.prospect.contact.name if r.prospect.contact else ""),
        Column(
            "stage", "Stage", lambda r: _sub(_STAGES[r.prospect.stage], when(r.prospect.stage_since)),
            lambda r: _STAGES[r.prospect.stage],
        ),
        Column("route", "Route", _route, lambda r: r.override.route if r.override else r.prospect.route),
        Column("composite", "Composite", _composite, lambda r: r.prospect.composite, "num"),
        Column("known", "Known", _known, lambda r: r.prospect.coverage, "num"),
        Column("priority", "Priority", lambda r: _plain(num(r.prospect.priority)),
               lambda r: r.prospect.priority, "num"),
        Column("tier", "Tier", _text(lambda r: _TIERS[r.prospect.tier]), lambda r: r.prospect.tier),
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


_ROW = (
    '<tr><td class="pl-pick"><input type="checkbox" name="prospect" value="{pk}" form="bulk-form" data-pick'
    ' aria-label="Tick {who}"></td><th scope="row"><a href="{url}">{who}</a>{paused}{domain}</th>{cells}</tr>'
)
_PAUSED = ' <span class="pl-paused" title="Paused by a person">paused</span>'


def drawn(rows: Sequence[Row], columns: Sequence[Column]) -> SafeString:
    """The rows of the table's body. Written here: a row is thirty small marks, and a page draws fifty."""
    begins = [(_begin(column), column.show) for column in columns]
    before, after = reverse("prospects:detail", args=[0]).rsplit("0", 1)
    lines = []
    for row in rows:
        prospect, company = row.prospect, row.prospect.company
        line = _ROW.format(
            pk=prospect.pk, who=escape(str(prospect)), url=f"{before}{prospect.pk}{after}",
            paused=_PAUSED if row.is_paused else "",
            domain=f'<span class="sub">{escape(company.domain)}</span>' if company and company.domain else "",
            cells="".join([f"{begin}{_safe(show(row))}</td>" for begin, show in begins]),
        )  # fmt: skip
        lines.append(line)
    return SafeString("\n".join(lines))


def _safe(cell: str) -> str:
    """A cell as it is when it was made safe; anything else is words."""
    return cell if isinstance(cell, SafeString) else escape(cell)


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
