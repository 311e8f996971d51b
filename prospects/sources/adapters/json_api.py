"""Any HTTP interface that answers in JSON, as its source's row declares it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from playbooks.rules.sources import DOCUMENT_FIELDS, JsonParams, Paging, SourceConfig
from prospects.importing.columns import KEEP, ColumnMap, prospect_targets
from prospects.importing.records import Record, RowReader, kept_name
from prospects.importing.rows import Row
from prospects.sources.line import Line
from prospects.sources.records import (
    MAX_DOCUMENTS,
    Answered,
    Doc,
    Question,
    fill_body,
    fill_url,
    moment_of,
    safe_text,
)
from prospects.sources.troubles import BadAnswer
from prospects.sources.web import Page

JSON_KINDS = frozenset({"application/json", "text/json", "text/plain", "application/javascript"})
PROFILE = "profile"
_NEXT = re.compile(r"<([^>]{1,2000})>\s*;[^,]*?\brel\s*=\s*\"?next\"?", re.IGNORECASE)
_ABSENT = object()


def ask(config: SourceConfig, question: Question, line: Line, previous: Sequence[Mapping[str, Any]]) -> Answered:
    """Every page of the answer as documents. Records that cannot be read are left out and counted."""
    del previous
    params = params_of(config)
    documents: list[Doc] = []
    notes: list[str] = []
    state, pages, most = "", 0, min(params.max_items, MAX_DOCUMENTS)
    while len(documents) < most:
        items, following = read_page(config, question.filled, line, state)
        pages += 1
        skipped = 0
        for item in items:
            doc = document_of(config, item, question.filled)
            if doc is None:
                skipped += 1
            elif len(documents) < most:
                documents.append(doc)
        if skipped:
            notes.append(f"{skipped} of {len(items)} records could not be read and were skipped")
        if not following or pages >= question.most_requests:
            break
        state = following
    return Answered(documents, notes)


def scan_page(
    config: SourceConfig, filled: Mapping[str, str], line: Line, state: str
) -> tuple[list[dict[str, str]], int, str]:
    """(candidates' fields as text, records skipped, where the list goes on) of one page."""
    items, following = read_page(config, filled, line, state)
    found = [fields for item in items if (fields := candidate_of(config, item))]
    return found, len(items) - len(found), following


def params_of(config: SourceConfig) -> JsonParams:
    if not isinstance(config.params, JsonParams):
        raise TypeError(f"{config.key} is not of kind json")
    return config.params


def read_page(config: SourceConfig, filled: Mapping[str, str], line: Line, state: str) -> tuple[list[Any], str]:
    """The records of one page, and where the list goes on (nothing: it ends here). Raises Trouble."""
    params = params_of(config)
    url, body = _request(config, params, filled, state)
    page = line.get(url, kinds=JSON_KINDS, method=params.method, body=body)
    said = page.json()
    found = dig(said, params.items) if params.items else said
    if found is _ABSENT or found is None:
        if isinstance(said, dict):
            return [], ""
        raise BadAnswer(f"the answer has nothing at {params.items}")
    items = found if isinstance(found, list) else [found]
    following = _following(params.paging, state, page, said) if items and params.paging else ""
    return items, "" if following == state else following


def _request(config: SourceConfig, params: JsonParams, filled: Mapping[str, str], state: str) -> tuple[str, Any]:
    url = fill_url(config.url, filled)
    body = fill_body(params.body, filled) if params.method == "POST" else None
    paging = params.paging
    if paging is None:
        return url, body
    if paging.style == "next":
        return state or url, body
    value = state or (str(paging.start) if paging.style == "page" else "")
    if not value:
        return url, body
    if body is not None:
        return url, {**body, paging.parameter: int(value) if paging.style == "page" else value}
    return _with_parameter(url, paging.parameter, value), body


def _with_parameter(url: str, name: str, value: str) -> str:
    parts = urlsplit(url)
    query = [(n, v) for n, v in parse_qsl(parts.query, keep_blank_values=True) if n != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)])))


def _following(paging: Paging, state: str, page: Page, said: Any) -> str:
    if paging.style == "page":
        number = int(state) if state else paging.start
        return str(number + 1) if number - paging.start + 1 < paging.last else ""
    if paging.style == "next" and not paging.path:
        found = _NEXT.search(page.headers.get("link", ""))
        return urljoin(page.url, found[1]) if found else ""
    value = dig(said, paging.path)
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        return ""
    return urljoin(page.url, str(value)) if paging.style == "next" else str(value)[:2000]


def dig(value: Any, path: str) -> Any:
    """What stands at a dotted path; numbers count into lists. ``_ABSENT`` when nothing does."""
    for step in path.split("."):
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return _ABSENT
    return value


def _mapped(params: JsonParams, item: Any) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        return {}
    found = {name: dig(item, path) for name, path in params.fields.items()}
    return {name: value for name, value in found.items() if value is not _ABSENT and value is not None and value != ""}


def candidate_of(config: SourceConfig, item: Any) -> dict[str, str]:
    """A record as import fields; empty when it names no company."""
    fields = {name: as_text(value) for name, value in _mapped(params_of(config), item).items()}
    fields = {name: text for name, text in fields.items() if text}
    return fields if fields.keys() & {"name", "domain", "website"} else {}


def document_of(config: SourceConfig, item: Any, filled: Mapping[str, str]) -> Doc | None:
    """A record as a document; None when nothing of it could be read."""
    mapped = _mapped(params_of(config), item)
    if not mapped:
        return None
    facts = {name: value for name, value in mapped.items() if name not in DOCUMENT_FIELDS}
    kind = config.type
    data = profile_facts(facts, filled) if kind == PROFILE else facts
    return Doc(
        kind=kind,
        ref=as_text(mapped.get("ref", "")) or (filled.get("domain") or filled.get("name", "")),
        text=as_text(mapped.get("text", "")),
        value=_number(mapped.get("value")),
        observed_at=moment_of(mapped.get("observed_at")),
        data=data,
        about=as_text(mapped.get(params_of(config).match, "")),
    )


def profile_facts(fields: Mapping[str, Any], filled: Mapping[str, str]) -> dict[str, Any]:
    """Facts under their import names, read and spelled as an imported file's are; others, lists too, as they are."""
    known = set(prospect_targets())
    lists = {kept_name(name): v for name, v in fields.items() if isinstance(v, list) and name not in known}
    texts = {name: as_text(value) for name, value in fields.items()}
    given = {"name": filled.get("name", ""), "domain": filled.get("domain", ""), **texts}
    given = {name: text for name, text in given.items() if text}
    mapping = ColumnMap({name: name if name in known else KEEP for name in given})
    reader = RowReader(list(given), mapping, now=datetime.now(UTC), day_first=None, people_only=False)
    record = reader.read(Row(1, list(given.values()), ""))
    return {**record.facts, **lists} if isinstance(record, Record) else {}


def as_text(value: Any) -> str:
    """A value as a cell of a file would hold it; lists are joined by bars."""
    if isinstance(value, str):
        return safe_text(value, 20_000)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.15g}" if isinstance(value, float) else str(value)[:40]
    if isinstance(value, list):
        return " | ".join(_flat(value))[:2000]
    return ""


def _flat(values: list[Any]) -> Iterator[str]:
    for value in values[:200]:
        text = "" if isinstance(value, list) else as_text(value)
        if text:
            yield text


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
