"""A CSV or JSON file in the installation's folder of sources, read by the importing readers."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playbooks.rules.sources import FileParams, SourceConfig
from prospects.importing import identity
from prospects.importing.columns import IGNORE, KEEP, decide, override, propose, prospect_targets
from prospects.importing.reading import SourceFile, UnreadableFile, open_source
from prospects.importing.records import clean, kept_name
from prospects.importing.values import is_missing
from prospects.sources.adapters.json_api import PROFILE, profile_facts
from prospects.sources.line import Line
from prospects.sources.records import Answered, Doc, Question, moment_of
from prospects.sources.troubles import BadAnswer, Refused

MAX_INDEXED = 500_000
_KEPT_FILES = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: where it stands, and its cells by field name."""

    number: int
    fields: Mapping[str, str]


class _Index:
    """A file's rows by domain and by name, with its hash."""

    def __init__(self, entries: Iterator[Entry], sha256: str) -> None:
        self.sha256 = sha256
        self.by_domain: dict[str, list[Entry]] = {}
        self.by_name: dict[str, list[Entry]] = {}
        for count, entry in enumerate(entries):
            if count >= MAX_INDEXED:
                raise BadAnswer(f"the file has more than {MAX_INDEXED:,} rows: import it instead")
            name = entry.fields.get("name", "")
            domain = domain_of(entry.fields)
            if domain:
                self.by_domain.setdefault(domain, []).append(entry)
            if name:
                self.by_name.setdefault(identity.name_key(name), []).append(entry)


_indexes: OrderedDict[tuple[str, int, int, str], _Index] = OrderedDict()
_lock = threading.Lock()


def ask(config: SourceConfig, question: Question, line: Line, previous: Sequence[Mapping[str, Any]]) -> Answered:
    """The rows that are this company's, as documents."""
    del previous
    index = _index_of(config, path_of(config, line.office.reach.folder))
    params = params_of(config)
    domain, name = question.filled.get("domain", ""), identity.name_key(question.filled.get("name", ""))
    found: list[Entry] = []
    if params.match != "name" and domain:
        found = index.by_domain.get(domain, [])
    if not found and params.match != "domain" and name:
        # A row of the same name under another domain is another company.
        found = [e for e in index.by_name.get(name, []) if not domain or domain_of(e.fields) in ("", domain)]
    return Answered([_document(config, entry, index.sha256, question.filled) for entry in found[:100]])


def entries(config: SourceConfig, folder: Path) -> tuple[str, Iterator[Entry], list[str]]:
    """(the file's sha256, its sound rows, notes that fill while they are read). Raises Refused or BadAnswer."""
    source = _open(path_of(config, folder))
    notes: list[str] = []
    return source.sha256, _entries(config, source, notes), notes


def params_of(config: SourceConfig) -> FileParams:
    if not isinstance(config.params, FileParams):
        raise TypeError(f"{config.key} is not of kind file")
    return config.params


def path_of(config: SourceConfig, folder: Path) -> Path:
    """The file's path. Raises Refused when it lies anywhere but in the folder of sources, BadAnswer when missing."""
    home = folder.resolve()
    path = (home / config.url).resolve()
    if not path.is_relative_to(home):
        raise Refused("the file lies outside the folder of sources")
    if not path.is_file():
        raise BadAnswer(f"there is no file {config.url} in the folder of sources")
    return path


def version_of(config: SourceConfig, folder: Path) -> str:
    """What changes when the file does."""
    try:
        found = path_of(config, folder).stat()
    except (Refused, BadAnswer, OSError):
        return ""
    return f"{found.st_mtime_ns}:{found.st_size}"


def domain_of(fields: Mapping[str, str]) -> str:
    """The domain a row gives for its company."""
    return identity.own_domain(fields.get("domain", ""), fields.get("website", ""), fields.get("name", "")).domain


def _open(path: Path) -> SourceFile:
    try:
        return open_source(path)
    except UnreadableFile as error:
        raise BadAnswer(str(error)) from error


def _index_of(config: SourceConfig, path: Path) -> _Index:
    stat = path.stat()
    key = (str(path), stat.st_mtime_ns, stat.st_size, repr(sorted(params_of(config).columns.items())))
    with _lock:
        if key not in _indexes:
            source = _open(path)
            _indexes[key] = _Index(_entries(config, source, []), source.sha256)
            while len(_indexes) > _KEPT_FILES:
                _indexes.popitem(last=False)
        _indexes.move_to_end(key)
        return _indexes[key]


def _entries(config: SourceConfig, source: SourceFile, notes: list[str]) -> Iterator[Entry]:
    header = source.header
    try:
        mapping = decide(propose(header, [row.cells for row in source.sample(50)]))
        if columns := params_of(config).columns:
            mapping = override(mapping, columns, header, prospect_targets())
        names = [mapping.targets.get(name, KEEP) for name in header]
        names = [kept_name(n) if target == KEEP else target for n, target in zip(header, names, strict=True)]
        skipped = 0
        for row in source.rows():
            if row.problem:
                skipped += 1
                continue
            cells = {n: clean(cell) for n, cell in zip(names, row.cells, strict=True) if n != IGNORE}
            fields = {n: text for n, text in cells.items() if not is_missing(text)}
            if fields:
                yield Entry(row.number, fields)
        if skipped:
            notes.append(f"{skipped} rows of {config.url} could not be read and were skipped")
    except UnreadableFile as error:
        raise BadAnswer(str(error)) from error


def _document(config: SourceConfig, entry: Entry, sha256: str, filled: Mapping[str, str]) -> Doc:
    facts = {name: text for name, text in entry.fields.items() if name not in ("description", "observed_at")}
    return Doc(
        kind=config.type,
        ref=f"{sha256[:12]}:row {entry.number}",
        text=entry.fields.get("description", ""),
        observed_at=moment_of(entry.fields.get("observed_at")),
        data=profile_facts(facts, filled) if config.type == PROFILE else facts,
    )
