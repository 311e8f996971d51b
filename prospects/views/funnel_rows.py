"""The funnel made ready to be drawn: rows of marks, words and links, so that templates do no arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote_plus, urlencode

from django.urls import reverse
from django.utils.safestring import SafeString

from playbooks.rules.stages import CONTACTED, CONVERTED, ENGAGED, MAIN_LINE, QUALIFIED, SOURCED
from prospects.funnel.drilldown import FunnelSlice
from prospects.funnel.filters import NONE, PERIOD, FunnelFilters
from prospects.funnel.reading import Funnel, SegmentRow, StageRow
from prospects.models import Basis, Outcome
from prospects.views import funnel_marks as marks

REACHED = "reached"
SEGMENT_STAGES = (SOURCED, QUALIFIED, CONTACTED, ENGAGED, CONVERTED)
SEGMENTS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Number:
    """A count and the address of exactly the prospects it counts."""

    n: int
    url: str

    @property
    def mark(self) -> SafeString:
        """The count as a link."""
        return marks.count(self.n, self.url)


@dataclass(frozen=True, slots=True)
class Time:
    """A waiting time and what it means."""

    mark: SafeString
    title: str


@dataclass(frozen=True, slots=True)
class ShownStage:
    """One row of the funnel; ``reached`` is None in period mode."""

    label: str
    is_side: bool
    bar: SafeString
    entered: Number
    on: Number
    aside: Number
    lost: Number
    still: Number
    step: SafeString
    reached: SafeString | None
    reached_number: Number | None
    median: Time
    p90: Time


@dataclass(frozen=True, slots=True)
class ShownSegment:
    """One row of the segments table; ``url`` narrows the page to it, ``qualified`` is None in period mode."""

    label: str
    url: str
    numbers: list[Number]
    qualified: SafeString | None


def slice_of(filters: FunnelFilters, stage: str, outcome: str) -> FunnelSlice:
    """The slice behind one number: ``outcome`` is an outcome, "" for entered, or ``REACHED``."""
    whole = FunnelSlice(Basis.ENTERED, stage, outcome, filters.first, filters.last, version=filters.version)
    if outcome == REACHED:
        return replace(whole, basis=Basis.REACHED, outcome="")
    if filters.mode == PERIOD and outcome:
        if outcome == Outcome.OPEN:  # still there now, whenever they entered
            return replace(whole, first=None, last=None)
        return replace(whole, basis=Basis.LEFT)
    return replace(whole, within=filters.within if outcome else None)


class _Addresses:
    """Addresses of lists behind numbers; the part that all of them share is written once a page."""

    def __init__(self, filters: FunnelFilters, chosen: dict[str, str]) -> None:
        narrowed = {name: value for name, value in filters.as_query().items() if name in ("source", "route", "tier")}
        self.filters = filters
        self.base = f"{reverse('prospects:list')}?{urlencode({**chosen, **narrowed})}"
        self.slices: dict[tuple[str, str], str] = {}

    def of(self, stage: str, outcome: str, *, segment: str = "") -> str:
        """The address of the prospects behind one number, in one segment when it is named."""
        said = self.slices.get((stage, outcome))
        if said is None:
            said = self.slices[stage, outcome] = urlencode(slice_of(self.filters, stage, outcome).as_query())
        segment = segment or self.filters.segment
        joint = "" if self.base.endswith("?") else "&"
        return f"{self.base}{joint}{said}" + (f"&segment={quote_plus(segment)}" if segment else "")


def shown_stages(funnel: Funnel, chosen: dict[str, str]) -> list[ShownStage]:
    """Every stage, with bars to one scale."""
    addresses = _Addresses(funnel.filters, chosen)
    largest = max((max(row.entered, row.on + row.aside + row.lost + row.open) for row in funnel.rows), default=0)
    return [_shown_stage(row, addresses, largest) for row in funnel.rows]


def _shown_stage(row: StageRow, addresses: _Addresses, largest: int) -> ShownStage:
    def number(n: int, outcome: str) -> Number:
        return Number(n, addresses.of(row.stage, outcome))

    parts = [("on", row.on), ("aside", row.aside), ("lost", row.lost), ("open", row.open)]
    words = f"{row.on:,} moved on, {row.aside:,} set aside, {row.lost:,} lost, {row.open:,} still there"
    reached, reached_number = None, None
    if row.reached:
        reached_number = number(row.reached.successes, REACHED)
        reached = marks.share(row.reached, f"{row.label}, ever reached", reached_number.url)
    return ShownStage(
        label=row.label,
        is_side=row.is_side,
        bar=marks.bar(f"{row.label}: {words}", parts, largest=largest),
        entered=number(row.entered, ""),
        on=number(row.on, Outcome.ON),
        aside=number(row.aside, Outcome.ASIDE),
        lost=number(row.lost, Outcome.LOST),
        still=number(row.open, Outcome.OPEN),
        step=marks.share(row.next_step, f"{row.label}, moved on"),
        reached=reached,
        reached_number=reached_number,
        median=Time(marks.waiting(row.median), marks.waiting_title(row.median, "half")),
        p90=Time(marks.waiting(row.p90), marks.waiting_title(row.p90, "nine in ten")),
    )


def shown_segments(funnel: Funnel, chosen: dict[str, str]) -> list[ShownSegment]:
    """Every segment with its counts at the stages that matter."""
    addresses = _Addresses(funnel.filters, chosen)
    others = urlencode({**chosen, **replace(funnel.filters, segment="").as_query()})
    return [_shown_segment(row, addresses, f"?{others}&segment=" if others else "?segment=") for row in funnel.segments]


def _shown_segment(row: SegmentRow, addresses: _Addresses, here: str) -> ShownSegment:
    outcome = "" if addresses.filters.mode == PERIOD else REACHED
    value = row.segment or NONE
    label = row.segment or "No segment"
    return ShownSegment(
        label=label,
        url=here + quote_plus(value),
        numbers=[Number(row.counts[stage], addresses.of(stage, outcome, segment=value)) for stage in SEGMENT_STAGES],
        qualified=marks.share(row.qualified, f"{label}, qualified") if row.qualified else None,
    )


def main_line_labels(funnel: Funnel) -> list[str]:
    """The labels of the stages a segment is counted at."""
    labels = {row.stage: row.label for row in funnel.rows}
    return [labels.get(stage, stage) for stage in SEGMENT_STAGES if stage in MAIN_LINE]
