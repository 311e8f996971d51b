"""What goes to a source and what comes back, as plain values that can be stored. Pure."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from playbooks.rules.sources import SourceConfig, placeholders
from prospects.importing import values
from prospects.importing.records import clean

MAX_TEXT = 20_000
MAX_VALUE = 2_000
MAX_LIST = 200
MAX_DOCUMENTS = 999
_BRACES = re.compile(r"\{(\w+)\}")
# These stand where a host or a whole address does, and hold nothing that needs a code there.
_AS_THEY_ARE = frozenset({"domain", "website", "label"})


@dataclass(frozen=True, slots=True)
class Doc:
    """One thing a source said, ``about`` whom it names. ``observed_at`` None: when it was fetched."""

    kind: str
    ref: str
    text: str = ""
    value: float | None = None
    observed_at: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    about: str = ""

    def stored(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "kind": self.kind,
            "ref": safe_text(self.ref, 300),
            "text": safe_text(self.text, MAX_TEXT),
            "value": self.value if self.value is not None and math.isfinite(self.value) else None,
            "observed_at": self.observed_at.isoformat() if self.observed_at else None,
            "about": safe_text(self.about, 300),
            "data": {safe_text(name, 60): safe_value(value) for name, value in list(self.data.items())[:100]},
        }


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask one source; ``key`` is equal for questions that are the same, whoever they are about."""

    source: str
    key: str
    subject: str
    filled: Mapping[str, str]
    most_requests: int = 1


@dataclass(frozen=True, slots=True)
class Answered:
    """What a source said to one question. ``notes`` are for people; ``next_page`` is where a list goes on."""

    documents: Sequence[Doc] = ()
    notes: Sequence[str] = ()
    next_page: str = ""


@dataclass(frozen=True, slots=True)
class Seeds:
    """Where a market scan begins: the playbook's ideal customer and intent."""

    industries: Sequence[str] = ()
    countries: Sequence[str] = ()
    intent: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A company that may be worth knowing. ``fields`` are import fields and attributes, as text."""

    source: str
    ref: str
    fields: Mapping[str, str]
    weight: float
    confidence: float
    observed_at: datetime
    answer_id: int | None = None


def key_of(config: SourceConfig, filled: Mapping[str, str], page: str = "", *, version: str = "") -> str:
    """A hash of everything that shapes an answer: where and how it is asked, and how it is read."""
    params = config.params.model_dump(mode="json", exclude={"cache_days"})
    asked = {word: filled.get(word, "") for word in sorted(words_of(config))}
    parts = [config.kind, config.url, params, list(config.delivers), asked, page, version]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()


def words_of(config: SourceConfig) -> frozenset[str]:
    """Every word in braces that this source has filled."""
    return placeholders(config.url).union(*map(placeholders, config.params.templates))


def fill_url(template: str, filled: Mapping[str, str]) -> str:
    """The address with its braces filled; whatever came from outside is spelled so that it stays one part of it."""
    return _BRACES.sub(lambda m: filled[m[1]] if m[1] in _AS_THEY_ARE else quote(filled[m[1]][:200], safe=""), template)


def fill_text(template: str, filled: Mapping[str, str]) -> str:
    """Words with their braces filled."""
    return _BRACES.sub(lambda m: filled.get(m[1], m[0])[:500], template)


def fill_body(value: Any, filled: Mapping[str, str]) -> Any:
    """A body with its braces filled."""
    if isinstance(value, str):
        return _BRACES.sub(lambda m: filled.get(m[1], m[0]), value)
    if isinstance(value, Mapping):
        return {name: fill_body(inner, filled) for name, inner in value.items()}
    if isinstance(value, list):
        return [fill_body(inner, filled) for inner in value]
    return value


def safe_text(text: str, most: int) -> str:
    """Text that any database takes: no control characters, no broken ones, bounded."""
    return clean(text[: most * 2].encode("utf-8", "ignore").decode())[:most]


def safe_value(value: Any, depth: int = 0) -> Any:
    """A value that any database takes, bounded in depth and size."""
    if isinstance(value, str):
        return safe_text(value, MAX_VALUE)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < 10**15 else str(value)[:40]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= 3:
        return safe_text(str(value), MAX_VALUE)
    if isinstance(value, Mapping):
        return {safe_text(str(k), 60): safe_value(v, depth + 1) for k, v in list(value.items())[:MAX_LIST]}
    if isinstance(value, list | tuple):
        return [safe_value(inner, depth + 1) for inner in list(value)[:MAX_LIST]]
    return safe_text(str(value), MAX_VALUE)


def moment_of(value: Any) -> datetime | None:
    """A time as interfaces give it: ISO 8601, seconds or milliseconds since 1970; None when it cannot be told."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(int(value)) if isinstance(value, int | float) and math.isfinite(value) else str(value)
    return values.moment(text[:60])


def content_hash(documents: Iterable[Mapping[str, Any]]) -> str:
    """sha256 of what stored documents say, in any order."""
    said = sorted(json.dumps(document, sort_keys=True, ensure_ascii=False) for document in documents)
    return hashlib.sha256("\n".join(said).encode()).hexdigest()
