"""Search in the list: whose company, domain, name or e-mail address begins with a text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from salesops.sql import fetch

#: Four ways to be found, each a walk along a prefix index; an OR over joins would read every prospect.
_NAMES = (
    ("prospects_company", "company_id", "lower(name)", "name"),
    ("prospects_company", "company_id", "domain", "host"),
    ("prospects_contact", "contact_id", "lower(name)", "name"),
    ("prospects_contact", "contact_id", "email_key", "name"),
)
#: What a filter may ask of a prospect.
_COLUMNS = """p.id, p.merged_into_id, p.playbook_id, p.priority,
            p.stage, p.route, p.tier, p.segment, p.source, p.owner_id, p.routed_by_hand"""
#: The names first, by themselves and no more than asked for: their prospects are then looked up one by one.
_KNOWN = f"""
    names AS MATERIALIZED ({{names}}),
    known AS MATERIALIZED (
        SELECT {_COLUMNS} FROM (SELECT DISTINCT id FROM names WHERE way < 2) AS who
        JOIN prospects_prospect p ON p.company_id = who.id AND p.playbook_id = %s
        UNION
        SELECT {_COLUMNS} FROM (SELECT DISTINCT id FROM names WHERE way >= 2) AS who
        JOIN prospects_prospect p ON p.contact_id = who.id AND p.playbook_id = %s
    )"""  # noqa: S608 — names are ours
_FIRST_BY_NAME = """
    WITH {known} SELECT ARRAY(
        SELECT id FROM (
            SELECT p.id, p.priority FROM known p WHERE {own}
            UNION
            SELECT p.id, p.priority FROM known JOIN prospects_prospect p ON p.id = known.merged_into_id WHERE {own}
        ) AS p ORDER BY {order} LIMIT %s
    ), EXISTS (SELECT FROM names GROUP BY way HAVING count(*) > %s)"""
_AMONG_THE_BEST = """
    WITH best AS MATERIALIZED ({best}), them AS (
        SELECT id, id AS record FROM best
        UNION ALL SELECT best.id, m.id FROM best JOIN prospects_prospect m ON m.merged_into_id = best.id
    ) SELECT ARRAY(
        SELECT them.id FROM them JOIN prospects_prospect p ON p.id = them.record
        LEFT JOIN prospects_company c ON c.id = p.company_id LEFT JOIN prospects_contact k ON k.id = p.contact_id
        WHERE lower(c.name) LIKE %s OR c.domain LIKE %s OR lower(k.name) LIKE %s OR k.email_key LIKE %s
    ), (SELECT count(*) FROM best) > %s"""

Params = list[Any]


@dataclass(frozen=True, slots=True)
class Found:
    """Ids of prospects for one page; ``is_cut`` when a search looked at some of those that begin so, not at all."""

    ids: list[int]
    is_cut: bool = False


def everybody_found(text: str, *, client_id: int, playbook_id: int) -> tuple[str, Params]:
    """SQL for the ids of all whose name begins with the text, however many."""
    known, params = _known(text, client_id, playbook_id, at_most=None)
    return f"WITH {known} SELECT coalesce(merged_into_id, id) FROM known", params  # noqa: S608 — names are ours


def first_by_name(
    text: str, *, client_id: int, playbook_id: int, own: tuple[str, Params], order: str, size: int, at_most: int
) -> Found:
    """The ``size`` best of those whose name begins with the text, among the first ``at_most`` names of each kind."""
    known, params = _known(text, client_id, playbook_id, at_most=at_most + 1)
    statement = _FIRST_BY_NAME.format(known=known, own=own[0], order=order)
    return _asked(statement, [*params, *own[1], *own[1], size, at_most])


def among_the_best(text: str, *, best: tuple[str, Params], at_most: int) -> Found:
    """Those of the best prospects (SQL for ``at_most`` ids and one) whose name begins with the text."""
    begins = _begins(text)
    patterns = [begins[what] for _, _, _, what in _NAMES]
    return _asked(_AMONG_THE_BEST.format(best=best[0]), [*best[1], *patterns, at_most])


def _known(text: str, client_id: int, playbook_id: int, *, at_most: int | None) -> tuple[str, Params]:
    """CTEs for the names that begin with the text, and for the prospects that go by them.

    Records share their client with their prospects: asked twice, PostgreSQL takes it for chance, and expects too few.
    """
    begins = _begins(text)
    names, params = [], []
    for way, (table, _, column, what) in enumerate(_NAMES):
        names.append(
            f"(SELECT {way} AS way, id FROM {table}"  # noqa: S608 — names are ours
            f" WHERE client_id = %s AND {column} LIKE %s AND {column} <> '' ORDER BY {column} USING ~<~ LIMIT %s)"
        )
        params += [client_id, begins[what], at_most]
    return _KNOWN.format(names=" UNION ALL ".join(names)), [*params, playbook_id, playbook_id]


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


def _asked(statement: str, params: Params) -> Found:
    ((ids, is_cut),) = fetch(statement, params)
    return Found(ids, is_cut)
