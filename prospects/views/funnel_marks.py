"""Small marks of the funnel page as markup: bars, whiskers, counts that lead somewhere, waiting times.

Built here rather than in templates because a page holds a hundred of them. Words are escaped; numbers are our own.
"""

from __future__ import annotations

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from prospects.rules.statistics import Proportion, WaitingTime
from salesops.charts import stacked_bar, whisker
from salesops.percent import percent
from salesops.templatetags.figures import duration

NOTHING = SafeString('<span class="quiet">–</span>')
ZERO = SafeString('<span class="quiet">0</span>')
_BAR_WIDTH = 150
_WHISKER_WIDTH = 80
_PATTERNED = ("aside", "lost")


def count(n: int, url: str) -> SafeString:
    """A count and the address of exactly the prospects it counts; nobody is no link."""
    return _safe(f'<a href="{escape(url)}">{n:,}</a>') if n else ZERO


def bar(words: str, parts: list[tuple[str, int]], *, largest: int) -> SafeString:
    """A stacked bar. Set aside and lost have patterns, so that colour never carries the meaning alone."""
    drawn = "".join(
        f'<rect x="{part.x}" y="1" width="{part.width}" height="12" {_tone(part.tone)}/>'
        for part in stacked_bar(words, parts, largest=largest, width=_BAR_WIDTH).parts
    )
    axis = '<line class="axis" x1="0.5" x2="0.5" y1="0" y2="14"/>'
    return _safe(_svg("fn-bar", _BAR_WIDTH, words, axis + drawn))


def _tone(tone: str) -> str:
    return f'fill="url(#fn-{tone})" class="fn-edge"' if tone in _PATTERNED else f'class="fn-{tone}"'


def _svg(name: str, width: int, words: str, drawn: str) -> str:
    said = escape(words)
    return (
        f'<svg class="{name}" viewBox="0 0 {width} 14" width="{width}" height="14" role="img" aria-label="{said}">'
        f"<title>{said}</title>{drawn}</svg>"
    )


def share(proportion: Proportion, what: str, url: str = "") -> SafeString:
    """A share with its interval; below ten cases counts only. With ``url`` the count of successes leads there."""
    if not proportion.n:
        return NOTHING
    value, interval = proportion.share, proportion.interval
    if value is None or interval is None or not proportion.is_large_enough:
        n = f'<a href="{escape(url)}">{proportion.successes}</a>' if url else proportion.successes
        return _safe(f'<span class="fn-few" title="Fewer than 10 cases: counts only">{n} of {proportion.n}</span>')
    between = f"{percent(0.95)} interval {percent(interval.low)} to {percent(interval.high)}"
    words = f"{what}: {_percent(value)}, {between}, n = {proportion.n:,}"
    at = whisker(words, value, interval.low, interval.high, width=_WHISKER_WIDTH)
    drawn = (
        '<line class="fn-scale" x1="4" x2="76" y1="7" y2="7"/>'
        f'<rect class="fn-interval" x="{at.low}" y="4" width="{at.length}" height="6" rx="1"/>'
        f'<line class="whisker" x1="{at.low}" x2="{at.low}" y1="3" y2="11"/>'
        f'<line class="whisker" x1="{at.high}" x2="{at.high}" y1="3" y2="11"/>'
        f'<circle class="fn-point" cx="{at.at}" cy="7" r="3"/>'
    )
    n = f'<a class="fn-n" href="{escape(url)}">{proportion.successes:,}</a>' if url else ""
    return _safe(f'<span class="fn-pct">{_percent(value)}</span>{_svg("fn-whisker", _WHISKER_WIDTH, words, drawn)}{n}')


def _percent(value: float) -> str:
    """Whole per cents, but never "100 %" for nearly all nor "0 %" for a few."""
    is_extreme = 0 < value < 0.01 or 0.99 < value < 1
    return percent(value, 1 if is_extreme else 0)


def waiting(time: WaitingTime) -> SafeString:
    """A waiting time; where the share was not reached, the longest time anything was watched."""
    if time.seconds is not None:
        return _safe(escape(duration(time.seconds)))
    if time.observed_seconds is None:
        return NOTHING
    watched = escape(duration(int(time.observed_seconds)))  # "more than < 1 s" says nothing
    return _safe(
        f'<span class="fn-censored">&gt;&thinsp;{watched}<span aria-hidden="true"> ⊣'
        '</span><span class="visually-hidden"> (not reached)</span></span>'
    )


def waiting_title(time: WaitingTime, share_words: str) -> str:
    """What a waiting time means, for the tooltip."""
    if time.seconds is not None:
        return f"{share_words} had left within this time".capitalize()
    if time.observed_seconds is None:
        return "Nobody entered"
    return f"Not reached: fewer than {share_words} have left so far"


def _safe(markup: str) -> SafeString:
    return mark_safe(markup)  # noqa: S308 — made of our own markup, numbers, and words escaped above
