"""RSS and Atom feeds, however well or badly they are written."""

from __future__ import annotations

import io
from calendar import timegm
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import feedparser

from playbooks.rules.sources import FeedParams, SourceConfig
from prospects.sources.line import Line
from prospects.sources.markup import plain
from prospects.sources.records import Answered, Doc, Question, fill_url, safe_text
from prospects.sources.troubles import BadAnswer

FEED_KINDS = frozenset(
    {
        "application/rss+xml", "application/atom+xml", "application/xml", "text/xml", "application/rdf+xml",
        "application/x-rss+xml", "text/plain", "text/html",
    }
)  # fmt: skip
MAX_SUMMARY = 4000
MAX_FEED = 1_000_000  # bytes: a hostile one takes some seconds of processor time


def ask(config: SourceConfig, question: Question, line: Line, previous: Sequence[Mapping[str, Any]]) -> Answered:
    """The newest entries as documents."""
    del previous
    params = config.params
    if not isinstance(params, FeedParams):
        raise TypeError(f"{config.key} is not of kind feed")
    url = fill_url(config.url, question.filled)
    page = line.get(url, kinds=FEED_KINDS, robots=config.per_host, max_bytes=MAX_FEED)
    # Only bytes are handed over: the library would fetch anything that looks like an address by itself.
    feed = feedparser.parse(
        io.BytesIO(page.body),
        response_headers={"content-type": page.headers.get("content-type", "")},
        sanitize_html=False,  # its words are taken out of its markup here, and that is the slow part
        resolve_relative_uris=False,
    )
    if not feed.entries and not feed.get("version"):
        raise BadAnswer("the answer is no feed")
    oldest = datetime.now(UTC) - timedelta(days=params.max_age_days)
    read = [_document(config, entry) for entry in feed.entries]
    documents = [doc for doc in read if doc is not None and (doc.observed_at is None or doc.observed_at >= oldest)]
    documents.sort(key=lambda doc: doc.observed_at or oldest, reverse=True)
    notes = [f"{read.count(None)} of {len(read)} entries could not be read"] if None in read else []
    return Answered(documents[: params.max_items], notes)


def _document(config: SourceConfig, entry: Mapping[str, Any]) -> Doc | None:
    title = _plain(entry.get("title"), 300)
    if not title:
        return None
    summary = _plain(entry.get("summary"), MAX_SUMMARY)
    url = safe_text(str(entry.get("link") or entry.get("id") or ""), 300)
    at = _moment(entry.get("published_parsed") or entry.get("updated_parsed"))
    text = title if not summary or summary == title else f"{title}\n{summary}"
    return Doc(config.type, url or title, text, observed_at=at, data={"title": title, "url": url})


def _moment(parsed: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC) if parsed else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _plain(value: Any, most: int) -> str:
    """Words without markup."""
    return safe_text(plain(str(value or "")[: most * 4]), most)
