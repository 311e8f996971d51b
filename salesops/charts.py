"""Geometry of small server-rendered charts: every number a template puts into an SVG is worked out here.

Lengths are in the units of the chart's view box. Bars start at zero. Pure: no Django.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BarPart:
    """One stretch of a stacked bar. ``tone`` names its pattern, ``n`` what it counts."""

    tone: str
    n: int
    x: str
    width: str


@dataclass(frozen=True, slots=True)
class StackedBar:
    """A bar to scale, made of parts; ``title`` says in words what it shows."""

    title: str
    parts: tuple[BarPart, ...]
    width: str


@dataclass(frozen=True, slots=True)
class Whisker:
    """A share with its interval on an axis from 0 to 100 %. ``low``, ``high`` and ``at`` are positions."""

    title: str
    low: str
    high: str
    at: str
    length: str


@dataclass(frozen=True, slots=True)
class Sparkline:
    """A line through ``values``; ``end`` is the last point, to be marked."""

    title: str
    points: str
    end_x: str
    end_y: str


def stacked_bar(title: str, parts: Sequence[tuple[str, int]], *, largest: int, width: float = 240.0) -> StackedBar:
    """A stacked bar in which ``largest`` fills ``width``. A part that counts something is never invisible."""
    x, drawn = 0.0, []
    for tone, n in parts:
        if n <= 0:
            continue
        length = max(n / largest * width, 0.75) if largest else 0.0
        drawn.append(BarPart(tone, n, _plain(x), _plain(length)))
        x += length
    return StackedBar(title, tuple(drawn), _plain(x))


def whisker(title: str, share: float, low: float, high: float, *, width: float = 96.0, margin: float = 4.0) -> Whisker:
    """A share and its interval (all 0–1) on an axis as long as ``width`` less a margin at both ends."""
    inner = width - 2 * margin

    def place(value: float) -> float:
        return margin + min(max(value, 0.0), 1.0) * inner

    return Whisker(
        title, _plain(place(low)), _plain(place(high)), _plain(place(share)), _plain(place(high) - place(low))
    )


def sparkline(title: str, values: Sequence[float], *, width: float = 96.0, height: float = 20.0) -> Sparkline | None:
    """A zero-based line over equally spaced values; None with fewer than two of them."""
    if len(values) < 2:
        return None
    top = max(*values, 0.0) or 1.0
    step = (width - 4) / (len(values) - 1)
    points = [(2 + i * step, height - 2 - max(v, 0.0) / top * (height - 4)) for i, v in enumerate(values)]
    joined = " ".join(f"{_plain(x)},{_plain(y)}" for x, y in points)
    return Sparkline(title, joined, _plain(points[-1][0]), _plain(points[-1][1]))


def _plain(value: float) -> str:
    """A length with at most two decimals and no trailing zeros: the same text on every run."""
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
