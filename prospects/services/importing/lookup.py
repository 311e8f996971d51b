"""What is already known about the companies and people of one chunk of rows: a constant number of indexed queries."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from django.db import connection, transaction

from prospects.erasure.keys import Newcomers, keys_by
from prospects.importing.records import Record, Side
from salesops.runtime.bulk import array_text
from salesops.sql import fetch

PROFILE_PREFIX = "profile:"
_LOOKED_UP = (
    "prospects_company (client_id, source, external_id, domain, name_key)",
    "prospects_contact (client_id, source, external_id, email_key)",
    "prospects_prospect (client_id, playbook_id, company_id, contact_id, external_id)",
    "prospects_signal (prospect_id, dedup_key)",
)


@dataclass(slots=True)
class KnownCompany:
    """A company row as far as identity goes. ``id`` is already the survivor's when the row was merged away.

    ``key`` is its domain. ``merged``: found by a key that is not its own: a merged row's, or another name.
    """

    id: int
    external_id: str
    source: str
    key: str
    name_key: str
    country: str
    city: str
    merged: bool = False


@dataclass(slots=True)
class KnownContact:
    """A contact row, as :class:`KnownCompany`; ``key`` is what the e-mail address comes down to."""

    id: int
    external_id: str
    source: str
    key: str
    company_id: int | None
    merged: bool = False


Row = TypeVar("Row", KnownCompany, KnownContact)


@dataclass(slots=True)
class Directory(Generic[Row]):
    """Records of one kind by what they are recognised by. ``kind`` is one of ``RecordKind``."""

    kind: str
    by_external_id: dict[str, Row] = field(default_factory=dict)
    by_key: dict[str, Row] = field(default_factory=dict)

    def find(self, side: Side) -> Row | None:
        """Whom these values are about: an id tells more than a domain or an address."""
        found = self.by_external_id.get(side.external_id) if side.external_id else None
        return found or (self.by_key.get(side.key) if side.key else None)

    def add(self, row: Row, *, source: str) -> None:
        """Let later rows of the file find it."""
        if row.external_id and row.source == source:
            self.by_external_id[row.external_id] = row
        if row.key:
            self.by_key[row.key] = row

    @property
    def ids(self) -> set[int]:
        return {row.id for row in (*self.by_external_id.values(), *self.by_key.values())}


@dataclass(slots=True)
class Profile:
    """The newest profile signal about one person or company of a prospect."""

    digest: str
    observed_at: datetime


@dataclass(slots=True)
class KnownProspect:
    """``keys``: every profile signal already recorded, with the trace it came under. ``said``: rows of this chunk."""

    id: int
    contact_id: int | None
    keys: dict[str, str] = field(default_factory=dict)
    latest: dict[str, Profile] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    said: list[Record] = field(default_factory=list)

    def stated(self) -> dict[str, object]:
        """What has been stated so far, the first saying of each fact. Worked out only when a row may fill gaps."""
        for record in self.said:
            self.facts = {**record.facts, **self.facts}
        self.said.clear()
        return self.facts


@dataclass(slots=True)
class Known:
    """Everything a chunk's rows are compared with. The importer adds what it creates, so later rows find it."""

    companies: Directory[KnownCompany] = field(default_factory=lambda: Directory("company"))
    by_name: dict[str, list[KnownCompany]] = field(default_factory=dict)
    contacts: Directory[KnownContact] = field(default_factory=lambda: Directory("contact"))
    prospect_by_company: dict[int, KnownProspect] = field(default_factory=dict)
    prospect_by_contact: dict[int, KnownProspect] = field(default_factory=dict)
    erased: set[int] = field(default_factory=set)  # rows about people who were erased


_COMPANY = (
    "SELECT coalesce(c.merged_into_id, c.id), c.external_id, c.source, c.domain, c.name_key, c.country, c.city,"
    " c.merged_into_id IS NOT NULL FROM prospects_company c WHERE c.client_id = %s"
)
_CONTACT = (
    "SELECT coalesce(c.merged_into_id, c.id), c.external_id, c.source, c.email_key, c.company_id,"
    " c.merged_into_id IS NOT NULL FROM prospects_contact c WHERE c.client_id = %s"
)
_ALIASES = """
SELECT a.name, a.value, coalesce(t.merged_into_id, t.id), t.external_id, t.source, {columns}, true
FROM prospects_alias a JOIN prospects_{kind} t ON t.id = a.{kind}_id
WHERE a.client_id = %s AND a.kind = '{kind}'
  AND ((a.name = 'external_id' AND a.value = ANY(%s::text[]) AND a.source = %s)
       OR (a.name = 'key' AND a.value = ANY(%s::text[])))
"""
#: kind → (rows, other names they go by, the column of the key)
_KINDS = {
    "company": (_COMPANY, _ALIASES.format(kind="company", columns="t.domain, t.name_key, t.country, t.city"), "domain"),
    "contact": (_CONTACT, _ALIASES.format(kind="contact", columns="t.email_key, t.company_id"), "email_key"),
}


def look_up(records: Sequence[Record], *, client_id: int, playbook_id: int, source: str) -> Known:
    """Find the companies, contacts, prospects and earlier profiles that these rows may be about."""
    known = Known(erased=_erased(records, client_id=client_id, source=source))
    companies = [record.company for record in records if record.company is not None]
    contacts = [record.contact for record in records if record.contact is not None]
    _fill(known.companies, KnownCompany, companies, client_id=client_id, source=source)
    _fill(known.contacts, KnownContact, contacts, client_id=client_id, source=source)
    _by_name(known, companies, client_id=client_id)
    _prospects(known, playbook_id=playbook_id)
    return known


def _erased(records: Sequence[Record], *, client_id: int, source: str) -> set[int]:
    """Rows about people who were erased. Where nobody ever was, one look that finds nothing."""
    newcomers = Newcomers(client_id)
    if not newcomers:
        return set()
    return newcomers.erased({r.row: _keys_of(r, source) for r in records if r.contact is not None})


def _keys_of(record: Record, source: str) -> frozenset[str]:
    person, company = record.contact, record.company
    assert person is not None  # noqa: S101 — the caller has looked; this is for the type checker
    return keys_by(
        email=person.key, source=source, external_id=person.external_id, name=person.name,
        domain=company.key if company else "", company=company.name if company else "",
    )  # fmt: skip


def _distinct(texts: Iterable[str]) -> str:
    """Each text once, as one array for PostgreSQL; empty where there are none."""
    found = [text for text in dict.fromkeys(texts) if text]
    return array_text(found) if found else ""


def _fill(
    directory: Directory[Row], build: Callable[..., Row], sides: Sequence[Side], *, client_id: int, source: str
) -> None:
    """Records by their id in the source, by domain or address, and by whatever else they go by."""
    rows, aliases, key = _KINDS[directory.kind]
    external_ids = _distinct(side.external_id for side in sides)
    keys = _distinct(side.key for side in sides)
    if external_ids:
        sql = f"{rows} AND c.source = %s AND c.external_id = ANY(%s::text[]) AND c.external_id <> ''"
        for found in fetch(sql, [client_id, source, external_ids]):
            directory.by_external_id[found[1]] = build(*found)
    if keys:
        for found in fetch(f"{rows} AND c.{key} = ANY(%s::text[]) AND c.{key} <> ''", [client_id, keys]):
            directory.by_key[found[3]] = build(*found)
    if external_ids or keys:
        for name, value, *found in fetch(aliases, [client_id, external_ids or "{}", source, keys or "{}"]):
            table = directory.by_key if name == "key" else directory.by_external_id
            table.setdefault(value, build(*found))


def _by_name(known: Known, sides: Sequence[Side], *, client_id: int) -> None:
    names = _distinct(side.name_key for side in sides)
    if names:
        sql = f"{_COMPANY} AND c.name_key = ANY(%s::text[]) AND c.merged_into_id IS NULL"
        for row in fetch(sql, [client_id, names]):
            known.by_name.setdefault(row[4], []).append(KnownCompany(*row))


def _prospects(known: Known, *, playbook_id: int) -> None:
    companies = known.companies.ids | {company.id for found in known.by_name.values() for company in found}
    contacts = known.contacts.ids
    by_id: dict[int, KnownProspect] = {}
    if companies:
        sql = (
            "SELECT id, contact_id, company_id FROM prospects_prospect"
            " WHERE playbook_id = %s AND company_id = ANY(%s) AND merged_into_id IS NULL"
        )
        roots = with_merged("prospects_company", companies)
        for pk, contact_id, company_id in fetch(sql, [playbook_id, list(roots)]):
            known.prospect_by_company[roots[company_id]] = by_id[pk] = KnownProspect(pk, contact_id)
    if contacts:
        sql = (
            "SELECT id, contact_id FROM prospects_prospect"
            " WHERE playbook_id = %s AND company_id IS NULL AND contact_id = ANY(%s) AND merged_into_id IS NULL"
        )
        roots = with_merged("prospects_contact", contacts)
        for pk, contact_id in fetch(sql, [playbook_id, list(roots)]):
            known.prospect_by_contact[roots[contact_id]] = by_id[pk] = KnownProspect(pk, contact_id)
    if by_id:
        _profiles(by_id)


def with_merged(table: str, ids: Iterable[int]) -> dict[int, int]:
    """These records and those merged into them → the record each is read as. Merged rows have a small index."""
    roots = {record: record for record in ids}
    sql = f"SELECT id, merged_into_id FROM {table} WHERE merged_into_id = ANY(%s)"  # noqa: S608 — a constant
    roots.update({row[0]: row[1] for row in fetch(sql, [list(roots)])})
    return roots


def _profiles(by_id: dict[int, KnownProspect]) -> None:
    """``dedup_key`` of a profile is ``profile:who:file:row:digest``; see :func:`profile_key`."""
    sql = (
        "SELECT prospect_id, dedup_key, observed_at, trace_id FROM prospects_signal WHERE prospect_id = ANY(%s)"
        " AND dedup_key >= 'profile:' AND dedup_key < 'profile;' ORDER BY observed_at, fact_no"
    )
    readers = with_merged("prospects_prospect", by_id)  # a row of one merged away was recorded there
    for prospect_id, key, observed_at, trace_id in fetch(sql, [list(readers)]):
        prospect = by_id[readers[prospect_id]]
        prospect.keys[key] = trace_id
        _, who, *_, digest = key.split(":")
        prospect.latest[who] = Profile(digest, observed_at)


def profile_key(record: Record, sha256: str) -> str:
    """The same row of the same file saying the same is the same observation, however often it is imported."""
    return f"{PROFILE_PREFIX}{record.who}:{sha256[:12]}:{record.row}:{record.digest}"


class Met(Protocol):
    """Whom this run has met already."""

    @property
    def companies(self) -> Container[int]: ...
    @property
    def contacts(self) -> Container[int]: ...


def recall_facts(known: Known, met: Met) -> None:
    """Fetch what is on file about those this very file has spoken of before: only they can have gaps to fill."""
    again = [p for company_id, p in known.prospect_by_company.items() if company_id in met.companies]
    again += [p for contact_id, p in known.prospect_by_contact.items() if contact_id in met.contacts]
    if not again:
        return
    facts = facts_of([prospect.id for prospect in again])
    for prospect in again:
        prospect.facts = facts.get(prospect.id, {})


def facts_of(prospect_ids: Sequence[int]) -> dict[int, dict[str, object]]:
    """What each prospect's profiles say, the newest saying of each fact."""
    sql = (
        "SELECT prospect_id, data FROM prospects_signal WHERE prospect_id = ANY(%s) AND dedup_key >= 'profile:'"
        " AND dedup_key < 'profile;' ORDER BY observed_at, fact_no"
    )
    found: dict[int, dict[str, object]] = {}
    readers = with_merged("prospects_prospect", prospect_ids)
    for prospect_id, data in fetch(sql, [list(readers)]):
        found.setdefault(readers[prospect_id], {}).update(data if isinstance(data, dict) else _json(data))
    return found


def _json(text: str) -> dict[str, object]:
    import json  # Django hands JSON columns of raw cursors over as text

    loaded = json.loads(text)
    return loaded if isinstance(loaded, dict) else {}


def tell_planner() -> None:
    """Let PostgreSQL see what the import has written.

    Without statistics it takes a client with a hundred thousand companies for one with a few hundred, and reads all of
    them for every look-up; its own workers come by once a minute and look closer than this sample. A table that is
    being analysed already is left out.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL default_statistics_target = 20")
        cursor.execute(f"ANALYZE (SKIP_LOCKED) {', '.join(_LOOKED_UP)}")


def id_stream(sequence: str, block: int = 1000) -> Iterator[int]:
    """Fresh numbers of a sequence for as long as somebody asks, fetched a block at a time."""
    while True:
        yield from next_ids(sequence, block)


def next_ids(sequence: str, count: int) -> list[int]:
    """``count`` fresh numbers of a sequence, in rising order."""
    sql = "SELECT nextval(%s::regclass) FROM generate_series(1, %s)"
    return [row[0] for row in fetch(sql, [sequence, count])]
