"""The small marks of an agent's row: the Agents page draws some of each for every agent there is."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape

from django import template
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst

from prospects.models import AgentRun
from salesops.reading.agent_health import Health
from salesops.reading.agent_numbers import Row
from salesops.templatetags.figures import NONE_YET, num, pct, when
from salesops.templatetags.ui import chip, icon

register = template.Library()

_NOTHING = SafeString(f'<span class="quiet">{NONE_YET}</span>')
_STATES = {
    "working": ("Working", "accent", ""),
    "failing": ("Failing", "danger", ""),
    "paused": ("Paused", "caution", ""),
    "off": ("Off", "neutral", "minus"),
    "ready": ("Ready", "done", "dot"),
    "idle": ("Idle", "neutral", "ring"),
}


@register.simple_tag
def agent_state(row: Row) -> SafeString:
    """What it is doing; one that has run and does nothing now is ready."""
    return _state("ready" if row.state == "idle" and row.total.runs else row.state)


@cache
def _state(state: str) -> SafeString:
    return chip(*_STATES[state])


@register.filter
def p95(seconds: float | None) -> SafeString:
    """A time in seconds or, since rules are that fast, in milliseconds."""
    if seconds is None:
        return _NOTHING
    if seconds >= 1:
        return SafeString(f"{num(seconds, 1)} s")
    return SafeString("&lt; 0.1 ms" if seconds < 0.0001 else f"{num(seconds * 1000, 1)} ms")


def _done_by(row: Row) -> str:
    """Who does the agent's work, and why not the language model that should."""
    if not row.no_model:
        return escape(row.implementation)
    why = f'<div class="small ag-keyless">{icon("warning")}<span>by rules: {escape(row.no_model)}</span></div>'
    return f"{escape(row.implementation)}{why}"


def _checked(health: Health, url: str) -> str:
    """The checks that failed, with a link to all of them; else how many passed."""
    if health.failed:
        failed = [(escape(check.label), escape(str(check.numbers))) for check in health.failed]
        checks = [f"<span>{icon('cross')}<span>{label}: {numbers}</span></span>" for label, numbers in failed]
        return f'<a class="ag-sick" href="{url}#health">{"".join(checks)}</a>'
    if health.measured:
        passed = f'{icon("check")}{escape(str(health.words))}<span class="ag-wide">passed</span>'
        return f'<span class="ag-well nowrap">{passed}</span>'
    return '<span class="quiet small">nothing yet</span>'


_AGENT = """<tr>
    <th scope="row"><a href="{}">{}</a><div class="quiet small nowrap ag-wide">{}</div></th>
    <td>{}</td><td class="ag-wide">{}</td><td class="nowrap ag-wide">{}</td>
    <td class="num ag-wide">{}</td><td class="num ag-wide">{}</td><td class="num ag-wide">{}</td>
    <td class="num ag-wide">{}</td><td class="ag-wide">{}</td><td>{}</td><td>{}</td></tr>"""
_PAUSE = (
    '<a class="button small" href="{0}" hx-get="{0}" hx-target="#dialog" hx-swap="innerHTML">{1}Pause'
    '<span class="visually-hidden"> {2}</span></a>'
)
_LINE = (
    '<svg class="ag-line" viewBox="0 0 84 20" width="84" height="20" role="img" aria-label="{0}"><title>{0}</title>'
    '<polyline class="spark" points="{1}"></polyline><circle class="ag-end" cx="{2}" cy="{3}" r="2"></circle></svg>'
)


@register.simple_tag
def agent_row(row: Row, health: Health, stop_url: str) -> SafeString:
    """An agent's line of the table. Written here: it is thirty small marks, and there are thirty agents.

    Django's own way asks each mark whether it is safe or lazy; here words are escaped, and all else is made of numbers.
    """
    url, total, today, words = reverse("agent", args=[row.agent.name]), row.total, row.today, escape(row.words)
    kept = f'{num(total.promoted)} <span class="quiet">/ {num(total.refused)}</span>'
    spent = f'{num(today.cost, 2)}<div class="quiet small nowrap">{num(today.tokens)} tokens</div>'
    may_pause = not row.stopped and row.state != "off"
    line = _AGENT.format(
        url, words[:1].upper() + words[1:], escape(row.place), agent_state(row), _done_by(row),
        when(total.last, "never"), pct(total.success), kept if total.runs else _NOTHING, p95(row.p95),
        spent if today.cost or today.tokens else _NOTHING, _line(row), _checked(health, url),
        _PAUSE.format(escape(stop_url + row.agent.name), icon("stop"), words) if may_pause else "",
    )  # fmt: skip
    return SafeString(line)


def _line(row: Row) -> str:
    line = row.line
    if line is None:
        return '<span class="quiet small">no runs</span>'
    return _LINE.format(escape(line.title), line.points, line.end_x, line.end_y)


_RUN = """<tr>
    <th scope="row" class="nowrap"><a href="{}">#{}</a> <span class="quiet small">{}</span></th>
    <td><a href="{}">{}</a></td>
    <td class="nowrap">{}</td>
    <td data-label="By">{}</td><td class="num" data-label="Proposed">{}</td><td class="num" data-label="Kept">{}</td>
    <td class="num" data-label="Refused">{}</td><td class="num" data-label="Time">{} ms</td>
    <td class="num" data-label="Tokens">{}</td><td class="num" data-label="Cost">{}</td>
    <td data-label="Trace"><a class="mono" href="{}">{}</a></td></tr>"""


@register.simple_tag
def run_rows(runs: Iterable[AgentRun], *, by_agent: bool) -> SafeString:
    """A page of runs as rows, each naming its agent or its prospect. Written here: a row is fourteen small marks."""
    return mark_safe("".join(_run_row(run, by_agent) for run in runs))  # noqa: S308 — made by format_html


def _run_row(run: AgentRun, by_agent: bool) -> SafeString:
    if by_agent:
        whose, who = reverse("agent", args=[run.agent]), capfirst(run.words)
    else:
        whose, who = reverse("prospects:detail", args=[run.prospect_id]), str(run.prospect)
    return format_html(
        _RUN,
        reverse("run", args=[run.pk]), run.pk, when(run.at), whose, who, _run_state(run), run.implementation,
        num(run.proposed), num(run.promoted),
        format_html("<strong>{}</strong>", num(run.refused)) if run.refused else 0,
        "< 0.1" if run.milliseconds < 0.1 else num(run.milliseconds, 1), num(run.tokens), num(run.cost, 2),
        reverse("trace", args=[run.trace_id]), run.trace_id[:8],
    )  # fmt: skip


def _run_state(run: AgentRun) -> SafeString:
    if run.status == AgentRun.Status.FAILED:
        return format_html('{} <span class="small">{}</span>', _ended(run.status), run.error)
    return _ended(run.status)


@cache
def _ended(status: str) -> SafeString:
    tones = {AgentRun.Status.OK: "done", AgentRun.Status.FAILED: "danger", AgentRun.Status.AGAIN: "caution"}
    return chip(AgentRun.Status(status).label, tones[AgentRun.Status(status)])
