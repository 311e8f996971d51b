"""A market scan: candidate companies from every source that delivers them, one page after the other.

Pages are answers like any other: stored before they are read and used again, so that a scan that was cut short goes on
where it was, without paying twice.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from playbooks.rules.sources import SourceConfig
from playbooks.services import budgets
from prospects.services import source_answers
from prospects.sources import cache
from prospects.sources.adapters import file, json_api, model
from prospects.sources.cache import Fetched, Held, Stored
from prospects.sources.line import Line
from prospects.sources.lookup import Asking, Desk, Status
from prospects.sources.records import Candidate, Seeds, content_hash, key_of, moment_of, words_of
from prospects.sources.troubles import Gone, NotAsked, NotKnown, Trouble

log = structlog.get_logger(__name__)

MAX_COMBINATIONS = 200
_SMALLEST = Decimal("0.0001")


def scan(desk: Desk, seeds: Seeds, problems: list[str]) -> Iterator[Candidate]:
    """Candidates in the sources' order. A source that fails ends there and says so in ``problems``."""
    asking = Asking(desk)
    pending = desk.catalogue.scanned(asking.standings)
    asked = {config.key for config in pending}
    while pending:
        config = pending.pop(0)
        try:
            yield from _of_source(asking, config, seeds, problems)
        except Gone as trouble:
            problems.append(f"{config.key}: {trouble}")
            fallback = desk.catalogue.fallback_of(config)
            if fallback is not None and fallback.key not in asked:
                asked.add(fallback.key)
                pending.insert(0, fallback)
        except NotKnown:
            problems.append(f"{config.key}: it knows nothing under these seeds")
        except Trouble as trouble:
            problems.append(f"{config.key}: {trouble}")
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            log.exception("source_broke", source=config.key, trace_id=desk.trace_id)
            problems.append(f"{config.key}: reading it broke ({type(error).__name__}). Trace {desk.trace_id}.")
        finally:
            asking.settle()


def _of_source(asking: Asking, config: SourceConfig, seeds: Seeds, problems: list[str]) -> Iterator[Candidate]:
    if config.kind == "file":
        yield from _of_file(asking.desk, config, problems)
        return
    for filled in combinations(config, seeds):
        try:
            yield from _of_list(asking, config, filled, problems)
        except NotKnown:
            continue  # nothing in this industry or country; the next one may have something


def combinations(config: SourceConfig, seeds: Seeds) -> list[Mapping[str, str]]:
    """Every way to fill this source's braces from the seeds. Raises NotAsked when a seed is missing."""
    values = {"industry": list(seeds.industries), "country": list(seeds.countries), "intent": [seeds.intent]}
    words = sorted(words_of(config))
    lists: list[Sequence[str]] = []
    for word in words:
        given = [value for value in values.get(word, ()) if value]
        if not given:
            raise NotAsked(f"the playbook names no {word} to scan for")
        lists.append(given)
    chosen = itertools.islice(itertools.product(*lists), MAX_COMBINATIONS)
    return [dict(zip(words, combination, strict=True)) for combination in chosen]


def _of_file(desk: Desk, config: SourceConfig, problems: list[str]) -> Iterator[Candidate]:
    sha256, rows, notes = file.entries(config, desk.office.reach.folder)
    skipped = 0
    for entry in rows:
        if entry.fields.keys() & {"name", "domain", "website"}:
            yield _candidate(desk, config, entry.fields, f"{sha256[:12]}:row {entry.number}", None)
        else:
            skipped += 1
    problems += [f"{config.key}: {note}" for note in notes]
    if skipped:
        problems.append(f"{config.key}: {skipped} rows name no company and were skipped")


def _of_list(
    asking: Asking, config: SourceConfig, filled: Mapping[str, str], problems: list[str]
) -> Iterator[Candidate]:
    """The pages of one list, each from the cache or the source."""
    state, place, seen = "", 0, {""}
    while True:
        stored = _page(asking, config, filled, state, problems)
        for fields in stored.documents:
            place += 1
            ref = str(fields.get("ref") or fields.get("domain") or fields.get("website") or f"record {place}")
            yield _candidate(asking.desk, config, {k: str(v) for k, v in fields.items()}, ref, stored)
        state = stored.next_page
        if state in seen or (config.params.model_dump().get("max_items") or 0) <= place:
            return
        seen.add(state)


def _page(asking: Asking, config: SourceConfig, filled: Mapping[str, str], state: str, problems: list[str]) -> Stored:
    """One page, stored. A page that cannot be had is replaced by the last one there is. Raises Trouble."""
    desk = asking.desk
    key = key_of(config, filled, f"scan:{state}")
    held = cache.find(desk.client, [(config.key, key)]).get((config.key, key), Held())
    if held.answer is not None and held.fresh(desk.now, config.params.cache_days):
        return held.answer
    try:
        return _fetch(asking, config, filled, state, key, problems)
    except (Gone, NotKnown):
        raise
    except Trouble as trouble:
        if held.answer is None:
            raise
        problems.append(f"{config.key}: {trouble}; its page of {held.answer.fetched_at:%Y-%m-%d} is used instead")
        return held.answer


def _fetch(
    asking: Asking, config: SourceConfig, filled: Mapping[str, str], state: str, key: str, problems: list[str]
) -> Stored:
    if config.kind == "model":
        return _named(asking.desk, config, filled, key, problems)
    desk, price, at = asking.desk, config.cost.quantize(_SMALLEST, ROUND_CEILING), timezone.now()
    money = budgets.Bucket.MONEY
    if not budgets.reserve(desk.version, money, price, client=desk.client, at=at):
        raise NotAsked("the playbook's money for this month is spent")
    # A scan may take longer than a batch; each page has a batch's time.
    line = Line(config, desk.office, asking.brake(config), until=asking.until_again())
    records: list[dict[str, Any]] = []
    following = ""
    try:
        found, skipped, following = json_api.scan_page(config, filled, line, state)
        records = [dict(fields) for fields in found]
    finally:
        if not line.answered and price > 0:
            budgets.release(desk.version, money, price, client=desk.client, at=at)
    words = _skipped(skipped, records)
    if words:
        problems.append(f"{config.key}: {words}")
    return _kept(desk, config, filled, key, records, following, words, config.cost * line.answered)


def _named(desk: Desk, config: SourceConfig, filled: Mapping[str, str], key: str, problems: list[str]) -> Stored:
    """What a language model names. It reserves its tokens and money itself."""
    records, skipped, cost = model.name_companies(config, filled, version=desk.version, client=desk.client)
    words = _skipped(skipped, records)
    if words:
        problems.append(f"{config.key}: {words}")
    return _kept(desk, config, filled, key, records, "", words, cost)


def _skipped(skipped: int, records: Sequence[object]) -> str:
    return f"{skipped} of {len(records) + skipped} records name no company and were skipped" if skipped else ""


def _kept(
    desk: Desk, config: SourceConfig, filled: Mapping[str, str], key: str, records: list[dict[str, Any]],
    following: str, words: str, cost: Decimal,
) -> Stored:  # fmt: skip
    subject = ", ".join(filled.values()) or "all"
    fetched = Fetched(
        config.key, config.type, key, f"scan of {subject}"[:300], Status.OK if records else Status.EMPTY,
        content_hash(records), records, following, words, cost,
    )  # fmt: skip
    ids = source_answers.keep(desk.client, [fetched], at=desk.now, trace_id=desk.trace_id)
    return Stored(ids[(config.key, key)], fetched.status, desk.now, records, following)


def _candidate(
    desk: Desk, config: SourceConfig, fields: Mapping[str, str], ref: str, stored: Stored | None
) -> Candidate:
    seen = moment_of(fields.get("observed_at")) or (stored.fetched_at if stored is not None else desk.now)
    return Candidate(
        source=config.key,
        ref=ref[:300],
        fields={name: text for name, text in fields.items() if name not in ("ref", "observed_at")},
        weight=config.weight,
        confidence=config.confidence,
        observed_at=min(seen, desk.now),
        answer_id=stored.id if stored is not None else None,
    )
