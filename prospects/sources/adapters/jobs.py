"""Public job boards: the three shapes in which they list their postings as JSON."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from playbooks.rules.sources import JobsParams, SourceConfig
from prospects.sources.adapters.json_api import JSON_KINDS
from prospects.sources.line import Line
from prospects.sources.markup import plain
from prospects.sources.records import Answered, Doc, Question, fill_url, moment_of, safe_text
from prospects.sources.troubles import BadAnswer

MAX_DESCRIPTION = 4000
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def ask(config: SourceConfig, question: Question, line: Line, previous: Sequence[Mapping[str, Any]]) -> Answered:
    """The newest postings as documents. Postings that cannot be read are left out and counted."""
    del previous
    if not isinstance(config.params, JobsParams):
        raise TypeError(f"{config.key} is not of kind jobs")
    said = line.get(fill_url(config.url, question.filled), kinds=JSON_KINDS).json()
    postings = said.get("jobs") if isinstance(said, Mapping) else said
    if not isinstance(postings, list):
        raise BadAnswer("the answer is not a list of job postings in a shape we know")
    read = [_posting(config, posting) for posting in postings]
    documents = [doc for doc in read if doc is not None]
    notes = [f"{len(read) - len(documents)} of {len(read)} postings could not be read"] if None in read else []
    documents.sort(key=lambda doc: doc.observed_at or _LONG_AGO, reverse=True)
    return Answered(documents[: config.params.max_postings], notes)


def _posting(config: SourceConfig, raw: Any) -> Doc | None:
    if not isinstance(raw, Mapping):
        return None
    title = _words(raw.get("title")) or _words(raw.get("text"))
    if not title:
        return None
    given = raw.get("categories")
    groups: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    location = _place(raw.get("location")) or _place(groups.get("location"))
    department = _department(raw, groups)
    url = next((u for name in ("absolute_url", "hostedUrl", "jobUrl") if (u := _words(raw.get(name)))), "")
    posted = next(
        (at for name in ("updated_at", "createdAt", "publishedAt", "published_at") if (at := moment_of(raw.get(name)))),
        None,
    )
    heading = " · ".join(part for part in (title, department, location) if part)
    text = "\n".join(part for part in (heading, _description(raw)) if part)
    data = {"title": title, "location": location, "department": department, "url": url}
    return Doc(config.type, url or str(raw.get("id", ""))[:100] or title, text, observed_at=posted, data=data)


def _words(value: Any) -> str:
    return safe_text(value, 300) if isinstance(value, str) else ""


def _place(value: Any) -> str:
    return _words(value.get("name")) if isinstance(value, Mapping) else _words(value)


def _department(raw: Mapping[str, Any], groups: Mapping[str, Any]) -> str:
    departments = raw.get("departments")
    first = departments[0] if isinstance(departments, list) and departments else None
    return (
        _words(groups.get("team")) or _words(groups.get("department")) or _place(raw.get("department")) or _place(first)
    )


def _description(raw: Mapping[str, Any]) -> str:
    for name in ("descriptionPlain", "description", "content", "descriptionHtml"):
        text = raw.get(name)
        if isinstance(text, str) and text.strip():
            # One board spells its HTML twice over (&lt;p&gt;), another gives plain words.
            markup = (
                html.unescape(text[: 4 * MAX_DESCRIPTION]) if "&lt;" in text[:2000] else text[: 4 * MAX_DESCRIPTION]
            )
            return safe_text(plain(markup), MAX_DESCRIPTION)
    return ""
