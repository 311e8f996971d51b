"""The funnel made ready to be drawn: bars, whiskers, words and links, so that templates do no arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote_plus, urlencode

from django.urls import reverse

from prospects.drilldown import FunnelSlice
from prospects.funnel import Funnel, SegmentRow, StageRow
from prospects.funnel_filters import NONE, PERIOD, FunnelFilters
from prospects.models import Basis, Outcome
from prospects.rules.statistics import Proportion, WaitingTime
from prospects.stages import CONTACTED, CONVERTED, ENGAGED, MAIN_LINE, QUALIFIED, SOURCED
from salesops.charts import StackedBar, Whisker, stacked_bar, whisker
from salesops.templatetags.figures import duration

REACHED = "reached"
SEGMENT_STAGES = (SOURCED, QUALIFIED, CONTACTED, ENGAGED, CONVERTED)
SEGMENTS_SHOWN = 4
_BAR_WIDTH = 150
_WHISKER_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Number:
    """A count and the address of exactly the prospects it counts."""

    n: int
    url: str


@dataclass(frozen=True, slots=True)
class Share:
    """A proportion with its whisker; below ten cases counts only, so there is no whisker."""

    proportion: Proportion
    words: str
    chart: Whisker | None


@dataclass(frozen=True, slots=True)
class Time:
    """A waiting time in words. ``is_open``: the share was not reached, ``words`` is the longest time watched."""

    words: str
    is_open: bool
    title: str


@dataclass(frozen=True, slots=True)
class ShownStage:
    """One row of the funnel."""

    label: str
    is_side: bool
    bar: StackedBar
    entered: Number
    on: Number
    aside: Number
    lost: Number
    still: Number
    step: Share
    reached: Share | None
    reached_number: Number | None
    median: Time
    p90: Time


@dataclass(frozen=True, slots=True)
class ShownSegment:
    """One row of the segments table; ``qualified`` is None in period mode."""

    label: str
    filter_value: str
    numbers: list[Number]
    qualified: Share | None


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
    return ShownStage(
        label=row.label,
        is_side=row.is_side,
        bar=stacked_bar(f"{row.label}: {words}", parts, largest=largest, width=_BAR_WIDTH),
        entered=number(row.entered, ""),
        on=number(row.on, Outcome.ON),
        aside=number(row.aside, Outcome.ASIDE),
        lost=number(row.lost, Outcome.LOST),
        still=number(row.open, Outcome.OPEN),
        step=_share(row.next_step, f"{row.label}, moved on"),
        reached=_share(row.reached, f"{row.label}, ever reached") if row.reached else None,
        reached_number=number(row.reached.successes, REACHED) if row.reached else None,
        median=_time(row.median, "half"),
        p90=_time(row.p90, "nine in ten"),
    )


def shown_segments(funnel: Funnel, chosen: dict[str, str]) -> list[ShownSegment]:
    """Every segment with its counts at the stages that matter."""
    addresses = _Addresses(funnel.filters, chosen)
    return [_shown_segment(row, addresses) for row in funnel.segments]


def _shown_segment(row: SegmentRow, addresses: _Addresses) -> ShownSegment:
    outcome = "" if addresses.filters.mode == PERIOD else REACHED
    value = row.segment or NONE
    label = row.segment or "No segment"
    return ShownSegment(
        label=label,
        filter_value=value,
        numbers=[Number(row.counts[stage], addresses.of(stage, outcome, segment=value)) for stage in SEGMENT_STAGES],
        qualified=_share(row.qualified, f"{label}, qualified") if row.qualified else None,
    )


def _share(proportion: Proportion, what: str) -> Share:
    share, interval = proportion.share, proportion.interval
    if share is None or interval is None or not proportion.is_large_enough:
        return Share(proportion, "", None)
    words = f"{what}: {share:.0%}, 95 % interval {interval.low:.0%} to {interval.high:.0%}, n = {proportion.n:,}"
    chart = whisker(words, share, interval.low, interval.high, width=_WHISKER_WIDTH)
    return Share(proportion, _percent(share), chart)


def _percent(share: float) -> str:
    """Whole per cents, but never "100 %" for nearly all nor "0 %" for a few."""
    is_extreme = 0 < share < 0.01 or 0.99 < share < 1
    return f"{share:.1%}".replace("%", "\u202f%") if is_extreme else f"{share:.0%}".replace("%", "\u202f%")


def _time(waiting: WaitingTime, share: str) -> Time:
    if waiting.seconds is not None:
        return Time(str(duration(waiting.seconds)), False, f"{share} had left within this time".capitalize())
    if waiting.observed_seconds is None:
        return Time("", False, "Nobody entered")
    return Time(str(duration(waiting.observed_seconds)), True, f"Not reached: fewer than {share} have left so far")


def main_line_labels(funnel: Funnel) -> list[str]:
    """The labels of the stages a segment is counted at."""
    labels = {row.stage: row.label for row in funnel.rows}
    return [labels.get(stage, stage) for stage in SEGMENT_STAGES if stage in MAIN_LINE]
