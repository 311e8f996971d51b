"""Reads what companies and people are recognised by, and finds who else may be them: a constant number of queries.

Candidates meet under stored keys (``prospects.rules.blocking``), each looked up by index, so the cost depends on how
many records are asked about and not on how many there are.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from prospects.models import RecordKind
from prospects.rules.blocking import MAX_BLOCK, company_keys, person_keys
from prospects.rules.identities import CompanyFacts, PersonFacts, from_attributes
from salesops.sql import fetch

Facts = CompanyFacts | PersonFacts
IN_TOUCH = ("contacted", "engaged", "converted")
_COMPANIES = """
SELECT c.id, coalesce(c.merged_into_id, c.id), c.name, c.domain, c.country, c.city, c.source, c.external_id,
       c.founded_year, coalesce(c.employees_max, c.employees_min),
       num_nonnulls(nullif(c.domain, ''), nullif(c.industry, ''), c.employees_min, c.revenue_min,
           nullif(c.country, ''), nullif(c.city, ''), nullif(c.status, ''), c.hiring, c.founded_year,
           nullif(c.website, ''), nullif(c.external_id, '')) + least(cardinality(c.tags), 3),
       EXISTS (SELECT 1 FROM prospects_prospect p WHERE p.company_id = c.id AND p.stage = ANY(%(touched)s))
FROM prospects_company c WHERE c.id = ANY(%(ids)s)
"""
_CONTACTS = """
SELECT k.id, coalesce(k.merged_into_id, k.id), k.first_name, k.last_name, k.email_key, k.phone, k.linkedin_url,
       k.country, coalesce(c.merged_into_id, c.id), k.source, k.external_id, k.name, k.attributes,
       num_nonnulls(nullif(k.email_key, ''), nullif(k.phone, ''), nullif(k.title, ''), nullif(k.seniority, ''),
           nullif(k.linkedin_url, ''), nullif(k.first_name, ''), nullif(k.last_name, ''), nullif(k.country, ''),
           nullif(k.time_zone, '')),
       EXISTS (SELECT 1 FROM prospects_prospect p WHERE p.contact_id = k.id AND p.stage = ANY(%(touched)s))
FROM prospects_contact k LEFT JOIN prospects_company c ON c.id = k.company_id
WHERE k.id = ANY(%(ids)s) AND k.erased_at IS NULL
"""
# A block that is larger than it may be is a common word: the count over the cut-off list tells.
_CANDIDATES = """
SELECT DISTINCT k.record_id, o.record_id
FROM prospects_blockingkey k CROSS JOIN LATERAL (
    SELECT record_id, count(*) OVER () AS size FROM (
        SELECT b.record_id FROM prospects_blockingkey b
        WHERE b.client_id = k.client_id AND b.kind = k.kind AND b.key = k.key LIMIT %(most)s) block
) o
WHERE k.client_id = %(client)s AND k.kind = %(kind)s AND k.record_id = ANY(%(ids)s)
  AND o.record_id <> k.record_id AND o.size < %(most)s
"""


@dataclass(frozen=True, slots=True)
class Record:
    """One row's facts. ``id`` is the row's own; the facts carry the id of the record it is read as."""

    id: int
    facts: Facts


def records(kind: str, ids: Collection[int]) -> dict[int, Record]:
    """The identifying facts of these companies or contacts, by id."""
    if not ids:
        return {}
    given = {"ids": list(ids), "touched": list(IN_TOUCH)}
    if kind == RecordKind.COMPANY:
        return {row[0]: Record(row[0], _company(row)) for row in fetch(_COMPANIES, given)}
    return {row[0]: Record(row[0], _person(row)) for row in fetch(_CONTACTS, given)}


def _company(row: Sequence[Any]) -> CompanyFacts:
    return CompanyFacts(
        id=row[1], name=row[2], domain=row[3], country=row[4], city=row[5], source=row[6], external_id=row[7],
        founded_year=row[8], employees=row[9], filled=row[10], in_touch=row[11],
    )  # fmt: skip


def _person(row: Sequence[Any]) -> PersonFacts:
    attributes = row[12] if isinstance(row[12], dict) else json.loads(row[12])
    known = from_attributes(attributes)
    return PersonFacts(
        id=row[1], first_name=row[2], last_name=row[3], email_key=row[4], phone=row[5],
        linkedin=row[6].rstrip("/").rsplit("/", 1)[-1].casefold(), country=row[7],
        company="" if row[8] is None else str(row[8]), source=row[9], external_id=row[10], name=row[11],
        filled=row[13] + sum(map(bool, known.values())), in_touch=row[14], **known,
    )  # fmt: skip


def candidates(kind: str, client_id: int, ids: Collection[int]) -> dict[int, set[int]]:
    """For each of these records the others that share a key with it, in one query."""
    found: dict[int, set[int]] = {}
    if not ids:
        return found
    given = {"client": client_id, "kind": kind, "ids": list(ids), "most": MAX_BLOCK + 1}
    for mine, other in fetch(_CANDIDATES, given):
        found.setdefault(mine, set()).add(other)
    return found


def keys_of(record: Record) -> frozenset[str]:
    """The keys a record is found under."""
    facts = record.facts
    return company_keys(facts) if isinstance(facts, CompanyFacts) else person_keys(facts)


def refresh_keys(kind: str, client_id: int, known: Collection[Record]) -> int:
    """Bring the stored keys of these records level with their facts; how many keys changed.

    In a transaction of its own where there is none: whoever looks next must see them.
    """
    wanted = {(record.id, key) for record in known for key in keys_of(record)}
    ids = sorted({record.id for record in known})
    if not ids:
        return 0
    stored = set(
        fetch(
            "SELECT record_id, key FROM prospects_blockingkey WHERE kind = %(kind)s AND record_id = ANY(%(ids)s)",
            {"kind": kind, "ids": ids},
        )
    )
    stale, fresh = sorted(stored - wanted), sorted(wanted - stored)
    if not stale and not fresh:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        if stale:
            cursor.execute(
                "DELETE FROM prospects_blockingkey b USING unnest(%s::bigint[], %s::text[]) AS old (id, key)"
                " WHERE b.client_id = %s AND b.kind = %s AND b.key = old.key AND b.record_id = old.id",
                [[pk for pk, _ in stale], [key for _, key in stale], client_id, kind],
            )
        if fresh:
            cursor.execute(
                "INSERT INTO prospects_blockingkey (client_id, kind, key, record_id)"
                " SELECT %s, %s, new.key, new.id FROM unnest(%s::bigint[], %s::text[]) AS new (id, key)"
                " ON CONFLICT DO NOTHING",
                [client_id, kind, [pk for pk, _ in fresh], [key for _, key in fresh]],
            )
    return len(stale) + len(fresh)
