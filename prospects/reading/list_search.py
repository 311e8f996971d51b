"""Search in the list: whose company, domain, name or e-mail address begins with a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from salesops.sql import fetch

#: Four ways to be found, each a walk along a prefix index; an OR over joins would read every prospect.
_NAMES = (
    ("prospects_company", "lower(name)", "name"),
    ("prospects_company", "domain", "host"),
    ("prospects_contact", "lower(name)", "name"),
    ("prospects_contact", "email_key", "name"),
)
#: What a filter may ask of a prospect.
_COLUMNS = """p.id, p.merged_into_id, p.playbook_id, p.priority,
            p.stage, p.route, p.tier, p.segment, p.source, p.owner_id, p.routed_by_hand"""
_EVERYBODY = """
    WITH names AS MATERIALIZED ({names})
    SELECT coalesce(p.merged_into_id, p.id) FROM (SELECT DISTINCT id FROM names WHERE way < 2) AS who
    JOIN prospects_prospect p ON p.company_id = who.id AND p.playbook_id = %s
    UNION
    SELECT coalesce(p.merged_into_id, p.id) FROM (SELECT DISTINCT id FROM names WHERE way >= 2) AS who
    JOIN prospects_prospect p ON p.contact_id = who.id AND p.playbook_id = %s"""
#: One statement for a page. Names and ids are few and gathered before they are looked up: all at once, in the order of
#: the index, and without an estimate of how many they are that could lead elsewhere. Nobody reads the best ones unless
#: there were too many names; whoever was merged is found by where the prospect stands that took it in.
_PAGE = """
    WITH names AS MATERIALIZED ({names}),
    known AS MATERIALIZED (
        SELECT {columns} FROM prospects_prospect p WHERE p.playbook_id = %s
        AND (p.company_id = ANY (ARRAY(SELECT id FROM names WHERE way < 2))
            OR p.contact_id = ANY (ARRAY(SELECT id FROM names WHERE way >= 2)))
    ),
    best AS MATERIALIZED (
        SELECT id, priority FROM ({best}) AS best WHERE EXISTS (SELECT FROM names GROUP BY way HAVING count(*) > %s)
    ),
    records AS MATERIALIZED (
        SELECT coalesce(p.merged_into_id, p.id) AS id, p.company_id, p.contact_id FROM prospects_prospect p
        WHERE p.id = ANY (ARRAY(SELECT id FROM best)) OR p.merged_into_id = ANY (ARRAY(SELECT id FROM best))
    )
    SELECT ARRAY(
        SELECT p.id FROM (
            SELECT p.id, p.priority FROM known p WHERE {own}
            UNION
            SELECT p.id, p.priority FROM prospects_prospect p
            WHERE p.id = ANY (ARRAY(SELECT merged_into_id FROM known WHERE merged_into_id IS NOT NULL)) AND {own}
            UNION
            SELECT best.id, best.priority FROM best JOIN records USING (id)
            WHERE records.company_id = ANY (ARRAY(
                SELECT c.id FROM prospects_company c WHERE c.id = ANY (ARRAY(SELECT company_id FROM records))
                AND (lower(c.name) LIKE %s OR c.domain LIKE %s)
            )) OR records.contact_id = ANY (ARRAY(
                SELECT k.id FROM prospects_contact k WHERE k.id = ANY (ARRAY(SELECT contact_id FROM records))
                AND (lower(k.name) LIKE %s OR k.email_key LIKE %s)
            ))
        ) AS p WHERE {beyond} ORDER BY {order} LIMIT %s
    ), (SELECT count(*) FROM best) > %s"""

Params = list[Any]
Sql = tuple[str, Params]


@dataclass(frozen=True, slots=True)
class Found:
    """Ids of prospects for one page; ``is_cut`` when a search looked at some of those that begin so, not at all."""

    ids: list[int]
    is_cut: bool = False


def everybody_found(text: str, *, client_id: int, playbook_id: int) -> Sql:
    """SQL for the ids of all whose name begins with the text, however many."""
    names, params = _names(text, client_id, at_most=None)
    return _EVERYBODY.format(names=names), [*params, playbook_id, playbook_id]


def page_found(
    text: str, *, client_id: int, playbook_id: int, own: Sql, best: Sql, beyond: Sql, order: str, size: int,
    at_most: int,
) -> Found:  # fmt: skip
    """The first ``size`` in the order of those whose name begins with the text: of ``at_most`` names of each kind, and
    where there are more of ``at_most`` of the best prospects, too.

    ``own`` is what a prospect ``p`` has to be itself, ``best`` asks for id and priority of the best ``at_most`` and one
    that are so, ``beyond`` is where the page begins.
    """
    names, params = _names(text, client_id, at_most=at_most + 1)
    begins = _begins(text)
    statement = _PAGE.format(
        names=names, columns=_COLUMNS, best=best[0], own=own[0], beyond=beyond[0], order=order
    )  # fmt: skip
    params += [playbook_id, *best[1], at_most, *own[1], *own[1], *(begins[what] for _, _, what in _NAMES)]
    ((ids, is_cut),) = fetch(statement, [*params, *beyond[1], size, at_most])
    return Found(ids, is_cut)


def _names(text: str, client_id: int, *, at_most: int | None) -> Sql:
    """SQL for the names that begin with the text: which kind, and whose.

    Records share their client with their prospects: asked twice, PostgreSQL takes it for chance, and expects too few.
    """
    begins = _begins(text)
    names, params = [], []
    for way, (table, column, what) in enumerate(_NAMES):
        names.append(
            f"(SELECT {way} AS way, id FROM {table}"  # noqa: S608 — names are ours
            f" WHERE client_id = %s AND {column} LIKE %s AND {column} <> '' ORDER BY {column} USING ~<~ LIMIT %s)"
        )
        params += [client_id, begins[what], at_most]
    return " UNION ALL ".join(names), params


def _begins(text: str) -> dict[str, str]:
    """The patterns of names and of domains."""
    term = text.lower()
    escaped = connection.ops.prep_for_like_query
    return {"name": escaped(term) + "%", "host": escaped(_host(term)) + "%"}


def _host(term: str) -> str:
    """What a pasted address says about the domain."""
    for prefix in ("https://", "http://", "www."):
        term = term.removeprefix(prefix)
    return term.split("/", 1)[0]
