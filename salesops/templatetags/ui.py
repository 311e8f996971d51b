"""What templates are made of: icons, chips, bars, form fields, pagers. Small marks are built here, not in templates.

Marks that only depend on a word of ours are built once per word: a page draws hundreds of them.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from django import template
from django.forms import BaseForm, BoundField
from django.template.defaultfilters import floatformat
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from salesops.paging import Page
from salesops.templatetags import figures

register = template.Library()
register.filters.update(figures.register.filters)
register.tags.update(figures.register.tags)

TONE_ICONS = {
    "hot": "flame",
    "warm": "half",
    "cold": "ring",
    "danger": "cross",
    "caution": "warning",
    "done": "check",
    "accent": "dot",
}
CHANNELS = {
    "email": ("E-mail", "mail"),
    "call": ("Call", "phone"),
    "linkedin": ("LinkedIn", "linkedin"),
    "sms": ("SMS", "sms"),
}
STATUS_TONES = {
    "waiting": "accent",
    "approved": "done",
    "accepted": "done",
    "done": "done",
    "finished": "done",
    "delivered": "done",
    "rejected": "danger",
    "refused": "danger",
    "failed": "danger",
    "bounced": "danger",
    "complained": "danger",
    "unknown": "caution",
    "postponed": "caution",
    "deferred": "caution",
    "redraft": "caution",
    "sending": "accent",
    "queued": "accent",
    "running": "accent",
    "undo_hold": "accent",
    "open": "accent",
    "active": "done",
}
STATUS_WORDS = {"undo_hold": "can be undone", "redraft": "handed back", "open": "to do"}
VERDICT_TONES = {
    "qualified": "done",
    "stalled": "caution",
    "rejected": "neutral",
    "PASS": "done",
    "REVIEW": "caution",
    "BLOCK": "danger",
}


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """A decorative icon of our own sprite: the word beside it carries the meaning."""
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        static("icons.svg"),
        name,
    )


@register.simple_tag
@cache
def stylesheet(name: str) -> SafeString:
    """A link to one of our style sheets."""
    return format_html('<link rel="stylesheet" href="{}">', static(f"css/{name}"))


@register.simple_tag
@cache
def script(name: str) -> SafeString:
    """A link to one of our ES modules."""
    return format_html('<script type="module" src="{}"></script>', static(f"js/{name}"))


@register.simple_tag
def chip(label: object, tone: str = "neutral", shape: str = "") -> SafeString:
    """A labelled chip. Each tone has its own shape, so that colour never carries the meaning alone."""
    if label in (None, ""):
        return SafeString("")
    mark = shape or TONE_ICONS.get(tone, "")
    return format_html('<span class="chip {}">{}{}</span>', tone, icon(mark) if mark else "", label)


@register.simple_tag
@lru_cache(maxsize=100)
def route_chip(route: str | None) -> SafeString:
    """Hot, warm or cold."""
    return chip(str(route).capitalize(), str(route)) if route else SafeString("")


@register.simple_tag
@lru_cache(maxsize=100)
def tier_chip(tier: str | None) -> SafeString:
    """TIER_1 as "Tier 1"."""
    return chip(str(tier).replace("_", " ").capitalize()) if tier else SafeString("")


@register.simple_tag
@lru_cache(maxsize=100)
def grade_chip(grade: str | None) -> SafeString:
    """The quality grade of a message."""
    if not grade:
        return SafeString("")
    tone = "done" if grade in ("A", "B+") else "caution" if grade in ("B", "C") else "danger"
    return format_html('<span class="chip {}"><span class="visually-hidden">Quality </span>{}</span>', tone, grade)


@register.simple_tag
@lru_cache(maxsize=100)
def channel_chip(channel: str | None) -> SafeString:
    """The channel with its shape."""
    if not channel:
        return SafeString("")
    label, shape = CHANNELS.get(channel, (channel, "dot"))
    return chip(label, shape=shape)


@register.simple_tag
@lru_cache(maxsize=100)
def verdict_chip(verdict: str | None) -> SafeString:
    """qualified, rejected, stalled; or PASS, REVIEW, BLOCK."""
    return chip(str(verdict).capitalize(), VERDICT_TONES.get(str(verdict), "neutral")) if verdict else SafeString("")


@register.simple_tag
@lru_cache(maxsize=100)
def status_chip(status: str | None) -> SafeString:
    """The state of a request, a dispatch, a task, an import or a run."""
    if not status:
        return SafeString("")
    words = STATUS_WORDS.get(status, status.replace("_", " "))
    return chip(words.capitalize(), STATUS_TONES.get(status, "neutral"))


@register.simple_tag
def score_bar(
    value: float | None, coverage: float | None = 1.0, label: str = "", weight: float | None = None
) -> SafeString:
    """A 0–100 bar to scale; the part of it that rests on no evidence is hatched. ``coverage`` is a share 0–1."""
    if value is None:
        name = format_html('<span class="label">{}</span>', label) if label else ""
        return format_html('<div class="score">{}<span class="value quiet">unknown</span>{}</div>', name, _bar(""))
    shown = min(100.0, max(0.0, float(value)))
    known = min(1.0, max(0.0, float(1.0 if coverage is None else coverage)))
    solid, hatched = f"{shown * known:.1f}%", f"{shown * (1 - known):.1f}%"
    marks = format_html(
        '<rect class="bar-fill" width="{}" height="8" rx="2"/><rect x="{}" width="{}" height="8" fill="url(#hatch)"/>',
        solid, solid, hatched,
    )  # fmt: skip
    return format_html(
        '<div class="score">{}<span class="value">{}<span class="visually-hidden"> of 100, {} of it known</span></span>'
        "{}</div>",
        _bar_label(label, weight), floatformat(shown, 0), figures.pct(known), _bar(marks),
    )  # fmt: skip


def _bar_label(label: str, weight: float | None) -> SafeString:
    if not label:
        return SafeString("")
    if not weight:
        return format_html('<span class="label">{}</span>', label)
    return format_html(
        '<span class="label">{} <span class="quiet small nowrap" title="Weight in the composite">'
        '<span class="visually-hidden">weight </span>{}\u202f%</span></span>',
        label, floatformat(weight),
    )  # fmt: skip


def _bar(marks: str) -> SafeString:
    """A track of full width with ``marks`` on it."""
    return format_html(
        '<svg aria-hidden="true" focusable="false" height="8">'
        '<rect class="bar-track" width="100%" height="8" rx="2"/>{}</svg>',
        marks,
    )


@register.simple_tag
def meter(used: float, limit: float, label: str) -> SafeString:
    """How much of a limit is used."""
    share = min(1.0, float(used) / float(limit)) if limit else 1.0
    over = " over" if share >= 1.0 else ""
    mark = format_html('<rect class="bar-fill{}" width="{}" height="8" rx="2"/>', over, f"{share * 100:.1f}%")
    return format_html(
        '<div class="score"><span class="label">{}</span>'
        '<span class="value">{} <span class="quiet">of {}</span></span>{}</div>',
        label, figures.num(used), figures.num(limit), _bar(mark),
    )  # fmt: skip


@register.simple_tag
def gate(passed: bool, label: str, numbers: str = "") -> SafeString:
    """One line of a gate checklist."""
    state, mark, word = ("passed", "check", "Met: ") if passed else ("failed", "cross", "Not met: ")
    return format_html(
        '<li class="{}">{}<span><span class="visually-hidden">{}</span>{}</span>{}</li>',
        state, icon(mark), word, label, format_html('<span class="numbers">{}</span>', numbers) if numbers else "",
    )  # fmt: skip


@register.inclusion_tag("partials/empty.html")
def empty(title: str, words: str = "", url: str = "", action: str = "") -> dict[str, str]:
    """An empty state: what would fill it, and a link there."""
    return {"title": title, "words": words, "url": url, "action": action}


@register.inclusion_tag("partials/pager.html", takes_context=True)
def pager(context: template.Context, page: Page[Any], target: str = "") -> dict[str, object]:
    """Links to the next and previous page; with ``target`` htmx swaps only that element."""
    return {"page": page, "target": target, "request": context["request"]}


@register.inclusion_tag("partials/field.html")
def field(bound: BoundField) -> dict[str, object]:
    """A form field: label, control, help, and its error beside it."""
    kind = getattr(bound.field.widget, "input_type", "")
    return {"field": bound, "kind": kind}


@register.inclusion_tag("partials/form_fields.html")
def form_fields(form: BaseForm) -> dict[str, object]:
    """All fields of a form, its own errors first."""
    return {"form": form}
