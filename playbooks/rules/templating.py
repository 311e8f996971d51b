"""Message templates: plain text with ``{{ placeholders }}``, and nothing else. No Django, no code in templates.

A placeholder is a name, and may carry words to fall back on::

    Hi {{ first_name | there }}, you started hiring in {{ month.hiring_started }}.

``fact.KEY`` is what the evidence for criterion KEY saw, in a word or two; ``month.KEY`` is when it was seen. A template
that uses either can only be filled for a prospect who has that evidence.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

#: Placeholders that every template may use, and what stands behind them.
NAMES: Mapping[str, str] = {
    "first_name": "the contact's first name",
    "last_name": "the contact's last name",
    "name": "the contact's whole name",
    "title": "the contact's job title",
    "company": "the company's name",
    "industry": "the company's industry",
    "city": "the company's city",
    "country": "the company's country",
    "client": "our client's name",
    "sender_name": "the sender's name",
    "sender_first_name": "the sender's first name",
    "pain": "the pain of the value proposition that fits this segment",
    "promise": "its promise",
    "proof": "its proof",
}
EVIDENCE_PREFIXES = ("fact", "month")

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][\w.-]*)\s*(?:\|([^{}]*))?\}\}")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder where it stands. ``fallback`` None means the template needs a value."""

    name: str
    fallback: str | None
    start: int
    end: int

    @property
    def criterion(self) -> str:
        """The key of the criterion whose evidence it needs; "" for the common names."""
        prefix, _, key = self.name.partition(".")
        return key if prefix in EVIDENCE_PREFIXES else ""


@dataclass(frozen=True, slots=True)
class Span:
    """Characters [start, end) of a filled text came from this placeholder."""

    start: int
    end: int
    name: str


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled text. ``missing`` names the placeholders without value or fallback: such a text must not be used."""

    text: str
    spans: tuple[Span, ...]
    missing: tuple[str, ...]


def placeholders(text: str) -> Iterator[Placeholder]:
    """Every placeholder of the text, in order."""
    for match in _PLACEHOLDER.finditer(text):
        fallback = match.group(2)
        yield Placeholder(match.group(1), None if fallback is None else fallback.strip(), match.start(), match.end())


def template_problems(text: str, criteria: Collection[str]) -> list[str]:
    """What is wrong with a template's placeholders, given the playbook's criterion keys; empty when all exist."""
    problems = []
    for found in placeholders(text):
        if found.criterion:
            if found.criterion not in criteria:
                problems.append(f"{{{{ {found.name} }}}}: this playbook has no criterion {found.criterion!r}")
        elif found.name not in NAMES:
            problems.append(f"{{{{ {found.name} }}}} is no placeholder; expected one of {', '.join(NAMES)} or fact.KEY")
    rest = _PLACEHOLDER.sub("", text)
    if "{{" in rest or "}}" in rest or "{%" in rest:
        problems.append("a placeholder is not closed or not a plain name; expected {{ name }} or {{ name | words }}")
    return problems


def fill(text: str, values: Mapping[str, str]) -> Filled:
    """Put values in place of placeholders. Values are text as it stands: placeholders inside them stay unresolved."""
    parts: list[str] = []
    spans: list[Span] = []
    missing: list[str] = []
    length = last = 0
    for found in placeholders(text):
        before = text[last : found.start]
        value = values.get(found.name) or found.fallback
        if value is None:
            missing.append(found.name)
            value = ""
        parts += [before, value]
        start = length + len(before)
        length = start + len(value)
        if values.get(found.name):
            spans.append(Span(start, length, found.name))
        last = found.end
    parts.append(text[last:])
    return Filled("".join(parts), tuple(spans), tuple(missing))


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a filled text: ``state`` text, filled, fallback or missing, ``name`` the placeholder behind it."""

    text: str
    state: str = "text"
    name: str = ""


def pieces(text: str, values: Mapping[str, str]) -> list[Piece]:
    """A template as it would read, in stretches that tell what came from where."""
    out: list[Piece] = []
    last = 0
    for found in placeholders(text):
        out.append(Piece(text[last : found.start]))
        if values.get(found.name):
            out.append(Piece(values[found.name], "filled", found.name))
        elif found.fallback is not None:
            out.append(Piece(found.fallback, "fallback", found.name))
        else:
            out.append(Piece(found.name, "missing", found.name))
        last = found.end
    out.append(Piece(text[last:]))
    return [piece for piece in out if piece.text or piece.state != "text"]
