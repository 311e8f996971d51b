"""The columns of the prospect list: what each shows on the page and in the CSV, and which people have chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString

from playbooks.models import Tier
from prospects.models import Stage, Verdict
from prospects.reading.list_rows import Row
from salesops.templatetags.figures import NONE_YET, num, pct, when
from salesops.templatetags.ui import route_chip

EMPTY = SafeString(f'<span class="quiet">{NONE_YET}</span>')
_STAGES = dict(Stage.choices)
_TIERS = {"": "", **dict(Tier.choices)}
_VERDICTS = {**dict(Verdict.choices), "": ""}


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
    return _sub(row.person, row.title) if row.person or row.title else EMPTY


def _route(row: Row) -> SafeString:
    """The score's route, and a person's beside it: neither hides the other."""
    by_score = route_chip(row.route)
    if row.by_hand is None:
        return by_score
    route, reason = row.by_hand
    said = escape(row.route or "nothing")
    below = f'<span class="sub" title="{escape(reason)}">by hand; the score says {said}</span>'
    return SafeString(route_chip(route) + below)


def _composite(row: Row) -> SafeString:
    return _sub(num(row.composite), "provisional" if row.composite is not None and row.provisional else "")


def _known(row: Row) -> SafeString:
    return EMPTY if row.composite is None else _plain(pct(row.coverage))


def _text(read: Callable[[Row], Any]) -> Callable[[Row], SafeString]:
    return lambda row: _plain(read(row) or "")


def _sentence(read: Callable[[Row], Any]) -> Callable[[Row], SafeString]:
    """Words that may take both lines of their row: a span, since a cell cannot be cut after its second line."""
    return lambda row: SafeString(f"<span>{words}</span>") if (words := _plain(read(row) or "")) else EMPTY


def _both(key: str, label: str, read: Callable[[Row], Any], css: str = "") -> Column:
    return Column(key, label, _text(read), read, css)


COLUMNS: dict[str, Column] = {
    column.key: column
    for column in (
        Column("person", "Person", _person, lambda r: r.person),
        Column("stage", "Stage", lambda r: _sub(_STAGES[r.stage], when(r.stage_since)), lambda r: _STAGES[r.stage]),
        Column("route", "Route", _route, lambda r: r.by_hand[0] if r.by_hand else r.route),
        Column("composite", "Composite", _composite, lambda r: r.composite, "num"),
        Column("known", "Known", _known, lambda r: r.coverage, "num"),
        Column("priority", "Priority", lambda r: _plain(num(r.priority)), lambda r: r.priority, "num"),
        Column("tier", "Tier", _text(lambda r: _TIERS[r.tier]), lambda r: r.tier),
        _both("segment", "Segment", lambda r: r.segment),
        Column("next", "Next", _sentence(lambda r: r.next_action or r.verdict_reason),
               lambda r: r.next_action, "pl-next"),
        _both("owner", "Owner", lambda r: r.owner),
        _both("verdict", "Verdict", lambda r: _VERDICTS[r.verdict]),
        Column("reason", "Reason of the verdict", _sentence(lambda r: r.verdict_reason),
               lambda r: r.verdict_reason, "pl-next"),
        _both("industry", "Industry", lambda r: r.industry),
        _both("country", "Country", lambda r: r.country),
        _both("city", "City", lambda r: r.city),
        _both("source", "Source", lambda r: r.source),
        Column("came_in", "Came in", lambda r: when(r.created_at), lambda r: r.created_at.isoformat()),
        Column("in_stage", "In this stage since", lambda r: when(r.stage_since), lambda r: r.stage_since.isoformat()),
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
        line = _ROW.format(
            pk=row.id, who=escape(str(row)), url=f"{before}{row.id}{after}",
            paused=_PAUSED if row.is_paused else "",
            domain=f'<span class="sub">{escape(row.domain)}</span>' if row.domain else "",
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
    start = (row.id, row.company, row.domain)
    by_hand: tuple[Any, ...] = ()
    chosen = {column.key for column in columns}
    if "route" in chosen:
        by_hand = ("yes" if row.by_hand else "no", row.route)
    mark: tuple[Any, ...] = ()
    if "composite" in chosen:
        mark = ("" if row.composite is None else "yes" if row.provisional else "no",)
    return (*start, *(column.tell(row) for column in columns), *by_hand, *mark)
