"""How each kind of source is asked. An adapter knows its format; limits, caches, money and the database are not its."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from playbooks.rules.sources import SourceConfig
from prospects.sources.adapters import feeds, file, jobs, json_api, website
from prospects.sources.line import Line
from prospects.sources.records import Answered, Question

#: (source, question, line, documents of the last answer) → answer. Raises Trouble.
Ask = Callable[[SourceConfig, Question, Line, Sequence[Mapping[str, Any]]], Answered]

ASK: Final[Mapping[str, Ask]] = {
    "file": file.ask,
    "json": json_api.ask,
    "website": website.ask,
    "jobs": jobs.ask,
    "feed": feeds.ask,
}
