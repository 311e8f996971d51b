"""What deduplication looks at: for each prospect its own records, and those that may be the same company or person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from playbooks.ruling import Ruling, rulings_of, sql_case
from prospects.duplicates.loading import Facts, Record, candidates, records, refresh_keys
from prospects.models import RecordKind
from salesops.runtime.context import Context
from salesops.sql import fetch

#: People looked at per prospect: a company with more contacts than this is compared by its first ones.
PEOPLE = 30
#: What stands in Context.extras: whom to compare with, which ids a proposal may name, which pairs are on record with
#: status and score, which of the others are worked under this playbook.
TWINS, IDENTITIES, SAID, WORKED = "twins", "identities", "said", "worked"
_PEOPLE_OF = """
SELECT x.owner, x.id FROM (
    SELECT o.owner, k.id, row_number() OVER (PARTITION BY o.owner ORDER BY k.id) AS place
    FROM unnest(%(owners)s::bigint[], %(companies)s::bigint[]) AS o (owner, company)
    JOIN LATERAL (SELECT c.id FROM prospects_company c WHERE c.id = o.company OR c.merged_into_id = o.company) g ON true
    JOIN prospects_contact k ON k.company_id = g.id
) x WHERE x.place <= %(most)s
"""
_SAID = {
    RecordKind.COMPANY: """
SELECT one_company_id, other_company_id, status, score FROM prospects_duplicate WHERE one_company_id = ANY(%(ids)s)
UNION SELECT one_company_id, other_company_id, status, score FROM prospects_duplicate
WHERE other_company_id = ANY(%(ids)s)""",
    RecordKind.CONTACT: """
SELECT one_contact_id, other_contact_id, status, score FROM prospects_duplicate WHERE one_contact_id = ANY(%(ids)s)
UNION SELECT one_contact_id, other_contact_id, status, score FROM prospects_duplicate
WHERE other_contact_id = ANY(%(ids)s)""",
}
_GOING_ON = {
    RecordKind.COMPANY: """
SELECT coalesce(c.merged_into_id, c.id), bool_or(p.facts_no > p.converged_no
       OR p.converged_version_id IS DISTINCT FROM {ruling})
FROM prospects_company c JOIN prospects_prospect p ON p.company_id = c.id
WHERE c.id = ANY(%(ids)s) AND p.playbook_id = %(playbook)s AND p.merged_into_id IS NULL GROUP BY 1""",
    RecordKind.CONTACT: """
SELECT coalesce(k.merged_into_id, k.id), bool_or(p.facts_no > p.converged_no
       OR p.converged_version_id IS DISTINCT FROM {ruling})
FROM prospects_contact k JOIN LATERAL (
    SELECT * FROM prospects_prospect q WHERE q.contact_id = k.id
    UNION SELECT * FROM prospects_prospect q WHERE q.company_id = k.company_id) p ON true
WHERE k.id = ANY(%(ids)s) AND p.playbook_id = %(playbook)s AND p.merged_into_id IS NULL GROUP BY 1""",
}


@dataclass(frozen=True, slots=True)
class Twins:
    """One record of a prospect and the likely others. All facts carry the ids of the records they are read as."""

    kind: str
    own: Facts
    others: tuple[Facts, ...]


@dataclass(slots=True)
class _Kind:
    """The records of one kind in a batch. ``own``: prospect → its rows."""

    kind: RecordKind
    own: dict[int, list[int]] = field(default_factory=dict)
    rows: dict[int, Record] = field(default_factory=dict)
    near: dict[int, set[int]] = field(default_factory=dict)
    said: dict[tuple[int, int], tuple[str, float]] = field(default_factory=dict)
    going_on: dict[int, bool] = field(default_factory=dict)


def load_twins(contexts: Mapping[int, Context], *, client_id: int, playbook_id: int, version_id: int) -> None:
    """Fill ``extras`` with twins and the ids a proposal may name: a dozen queries, however many prospects.

    Of two prospects the later speaks, for both would say the same; the earlier when the later is at rest and has not.
    At rest is whoever was judged under the version that rules them, which need not be ``version_id``.
    """
    if not contexts:
        return
    held = rulings_of([playbook_id]).get(playbook_id, [])
    if all(one.version_id != version_id for one in held):
        held = [Ruling(version_id, None)]
    for found in (_companies(contexts), _people(contexts)):
        _fill(found, client_id, playbook_id, held)
        for context in contexts.values():
            _hand_over(context, found)


def _companies(contexts: Mapping[int, Context]) -> _Kind:
    own = {i: [c.company.id] for i, c in contexts.items() if c.company is not None}
    return _Kind(RecordKind.COMPANY, own)


def _people(contexts: Mapping[int, Context]) -> _Kind:
    own: dict[int, list[int]] = {i: [c.contact.id] for i, c in contexts.items() if c.contact is not None}
    staffed = [(i, c.company.id) for i, c in contexts.items() if c.company is not None]
    given = {"owners": [i for i, _ in staffed], "companies": [c for _, c in staffed], "most": PEOPLE}
    for owner, contact_id in fetch(_PEOPLE_OF, given) if staffed else ():
        if contact_id not in own.setdefault(owner, []):
            own[owner].append(contact_id)
    return _Kind(RecordKind.CONTACT, own)


def _fill(found: _Kind, client_id: int, playbook_id: int, held: Sequence[Ruling]) -> None:
    mine = sorted({pk for rows in found.own.values() for pk in rows})
    found.rows = records(found.kind, mine)
    refresh_keys(found.kind, client_id, found.rows.values())
    found.near = candidates(found.kind, client_id, mine)
    others = {other for near in found.near.values() for other in near} - found.rows.keys()
    found.rows.update(records(found.kind, others))
    asked = {"ids": sorted({found.rows[pk].facts.id for pk in found.near if pk in found.rows})}
    found.said = {(row[0], row[1]): (row[2], row[3]) for row in fetch(_SAID[found.kind], asked)}
    ruling, versions = sql_case(held, "p.created_at")
    given = {**versions, "ids": sorted(found.rows), "playbook": playbook_id}
    found.going_on = dict(fetch(_GOING_ON[found.kind].replace("{ruling}", ruling), given))


def _hand_over(context: Context, found: _Kind) -> None:
    twins: list[Twins] = []
    for pk in found.own.get(context.id, ()):
        record = found.rows.get(pk)
        others = tuple(_others(record, found)) if record is not None else ()
        if record is not None and others:
            twins.append(Twins(found.kind.value, record.facts, others))
    if not twins:
        return
    theirs = frozenset(other.id for t in twins for other in t.others)
    context.extras[TWINS] = (*context.extras.get(TWINS, ()), *twins)
    context.extras.setdefault(IDENTITIES, {})[found.kind.value] = (frozenset(t.own.id for t in twins), theirs)
    said = context.extras.setdefault(SAID, {})
    for t in twins:
        for other in t.others:
            pair = (min(t.own.id, other.id), max(t.own.id, other.id))
            if pair in found.said:
                said[(found.kind.value, *pair)] = found.said[pair]
    context.extras.setdefault(WORKED, {})[found.kind.value] = theirs & found.going_on.keys()


def _others(record: Record, found: _Kind) -> Iterable[Facts]:
    mine = record.facts.id
    for other in sorted(found.near.get(record.id, ())):
        row = found.rows.get(other)
        if row is None or row.facts.id == mine:
            continue  # gone, or the same one already
        theirs = row.facts.id
        status, _ = found.said.get((min(mine, theirs), max(mine, theirs)), ("", 0.0))
        if status == "apart":
            continue
        if theirs > mine and (status or found.going_on.get(theirs)):
            continue
        yield row.facts
