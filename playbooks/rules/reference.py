"""What a playbook file may hold, as a page made from the tables that reader, checks and admin go by. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from playbooks.rules import params
from playbooks.rules.document import IDENTITY, REQUIRED, ROWS, SECTIONS, Slot
from playbooks.rules.limits import limit_of
from playbooks.rules.shapes import EXPECTED

_INTRO: Final = """# Playbook files

A playbook file is YAML. `manage.py load_playbook FILE` makes a draft of it, `--check` only says what is wrong with it,
`--create-client` sets up the client it names when there is none yet. `manage.py dump_playbook CLIENT/PLAYBOOK` writes
one. What is written is read back exactly, and written again the same.

The reader is strict: a name it does not know, a name said twice, an alias or a value of another kind is refused, with
its line, its path and what was expected there:

    line 43: criteria[1].params.minimum: expected a number, got 'three'
    line 58: thresholds.hott: unknown here; expected one of crm, enrich, hot, …; did you mean hot?

`manage.py playbook_reference` makes this page from the tables that everything else goes by.
"""
#: Section or list, a point, name → what it is for. A name without words here speaks for itself.
_ABOUT: Final[Mapping[str, str]] = {
    ".client": "short name of the client",
    ".playbook": "short name of the playbook",
    ".name": "what people call it",
    ".kind": "sells to companies (b2b) or to households",
    ".change_note": "what this version changes",
    ".root_intent": "what the playbook is for, in one sentence",
    ".procedure": "the documented workflow, in Markdown",
    ".countries": "sold into, as two-letter codes",
    "icp.description": "the ideal customer in words",
    "icp.related_industries": "next best industries",
    "icp.employees_min": "company size, lower end",
    "icp.employees_max": "company size, upper end",
    "icp.countries": "two-letter codes",
    "icp.roles": "whom to write to",
    "thresholds.hot": "composite from here: hot",
    "thresholds.warm": "composite from here: warm; below: cold",
    "thresholds.tier_1": "priority from here, 0–1",
    "thresholds.tier_2": "priority from here, 0–1",
    "thresholds.tier_3": "priority from here, 0–1; below: tier 4",
    "thresholds.keep": "discovery fit from here: kept, 0–1",
    "thresholds.enrich": "discovery score from here: enriched, 0–1",
    "thresholds.crm": "data quality from here: fit for the CRM, 0–1",
    "thresholds.min_confidence": "evidence below it does not count, 0–1",
    "thresholds.min_categories": "independent categories that make somebody qualified, 1–5",
    "thresholds.min_quality": "message points needed to reach the queue",
    "thresholds.min_contact_confidence": "how sure a contact must be, 0–1",
    "budgets.calls_per_day": "above 0",
    "budgets.emails_per_day": "above 0",
    "budgets.deal_value": "expected value of one converted prospect",
    "budgets.tokens_per_day": "of language models",
    "approval.undo_seconds": "how long an approval can be taken back",
    "approval.request_hours": "a request older than this expires; agents ask again once something new is known",
    "approval.two_approvers": "whether two people must approve",
    "criteria.key": "short name, once per scorecard",
    "criteria.layer": "whose score it adds to",
    "criteria.category": "which kind of independent evidence it gives",
    "criteria.half_life_days": "evidence fades by half in so many days",
    "criteria.missing": "what silence means: out of the sum, zero, or a value",
    "criteria.params": "what it asks; see below",
    "stage_rules.scorecard": "whose score is asked for",
    "stage_rules.min_coverage": "0–1",
    "stage_rules.min_score": "0–100",
    "stage_rules.needs_person": "whether a person must confirm",
    "channels.reply_rate": "expected share of positive replies, before our own data",
    "channels.unit_cost": "of one message, in the playbook's currency",
    "templates.requires": "keys of criteria it speaks of",
    "templates.segment": "empty: everybody",
    "value_propositions.segment": "empty: everybody",
    "sequences.purpose": "the angle to draw on",
    "agents.model": "of a language model; empty: the installation's own",
    "triggers.signal": "of an event: the kind of signal",
    "triggers.cron": "of a schedule: minute, hour, day, month, weekday by the client's clocks",
    "triggers.metric": "of a threshold: what to count",
    "triggers.value": "of a threshold",
    "sources.url": "words in braces are filled in per company",
    "sources.auth_env": "environment variable with the key; keys never stand in a playbook",
    "sources.weight": "0–1: how much a company found here counts in a market scan",
    "sources.confidence": "0–1: how far a fact from here is believed",
    "sources.fallback": "the source asked instead once this one is gone",
    "sources.params": "how it answers; see below",
}


def reference() -> str:
    """The whole page."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield _INTRO
    yield "## Top level\n"
    yield from _table("", (*IDENTITY, *SECTIONS[""]))
    for section, slots in SECTIONS.items():
        if section:
            yield f"\n## `{section}`\n"
            yield from _table(section, slots)
    for name, shape in ROWS.items():
        order = "in their order" if shape.ranked else f"sorted by {' and '.join(_names(shape.slots, shape.sort_by))}"
        told = " and ".join(_names(shape.slots, shape.identity))
        yield f"\n## `{name}`: a list\n\nRows are kept {order} and told apart by {told}.\n"
        yield from _table(name, shape.slots)
    for section, title in ((params.CRITERIA, "a criterion"), (params.SOURCES, "a source")):
        for kind in params.KINDS[section]:
            yield f"\n### `params` of {title} of kind `{kind}`\n"
            yield from _params(section, kind)


def _names(slots: Iterable[Slot], columns: Iterable[str]) -> list[str]:
    names = {slot.at: slot.name for slot in slots}
    return [names[column] for column in columns]


def _table(section: str, slots: Iterable[Slot]) -> Iterator[str]:
    yield "| name | value | when left out | |"
    yield "|---|---|---|---|"
    for slot in slots:
        about = _ABOUT.get(f"{section}.{slot.name}", "")
        yield f"| `{slot.name}` | {_value(section, slot)} | {_left_out(slot)} | {about} |"


def _value(section: str, slot: Slot) -> str:
    if slot.choices:
        return " · ".join(f"`{choice}`" for choice in slot.choices)
    limit = limit_of(section if section in ROWS else "", slot.at)
    most = f", at most {limit.characters} characters" if limit.characters else ""
    return EXPECTED[slot.kind] + (most + " each" if most and slot.kind == "words" else most)


def _left_out(slot: Slot) -> str:
    if slot.default is REQUIRED:
        return "must be given"
    if isinstance(slot.default, bool):
        return f"`{str(slot.default).lower()}`"
    if slot.default is None:
        return "nothing"
    return f"`{slot.default}`" if slot.default not in ("", [], {}) else "empty"


_SHAPES: Final[Mapping[str, str]] = {
    "word": "a word",
    "whole": "a whole number",
    "number": "a number",
    "flag": "true or false",
    "words": "a list of words",
    "partial": "a list of `{values: […], credit: 0–1}`",
    "points": "a list of names, or name: number",
    "breakpoints": "a list of `[number, points]`",
    "pairs": "name: text",
    "data": "names with values",
}


def _params(section: str, kind: str) -> Iterator[str]:
    yield "| name | value | needed | |"
    yield "|---|---|---|---|"
    for param in params.params_of(section, kind):
        value = " · ".join(f"`{choice}`" for choice in param.choices if choice) or _SHAPES[param.shape]
        about = f"{param.label}. {param.about}".strip()
        yield f"| `{param.name}` | {value} | {'yes' if param.required else ''} | {about} |"
