"""What PostgreSQL refuses about merges: a pointer without its merge, a merge without its pointer, a second undoing."""

from __future__ import annotations

from typing import NamedTuple

import pgtrigger

from prospects.models.erasure_guards import only_erased
from salesops.guards import Guard, refuse


class _Kind(NamedTuple):
    table: str
    column: str  # of Merge and Prospect, after kept_ and merged_


_COMPANY = _Kind("prospects_company", "company")
_CONTACT = _Kind("prospects_contact", "contact")


def undone_once() -> Guard:
    """A merge keeps what it was made with; only its undoing may be written, once."""
    kept = (
        "client_id", "kind", "kept_company_id", "merged_company_id", "kept_contact_id", "merged_contact_id",
        "duplicate_id", "score", "reasons", "by_id", "run_id", "at", "trace_id",
    )  # fmt: skip
    old, new = (", ".join(f"{row}.{column}" for column in kept) for row in ("OLD", "NEW"))
    theirs = "e.contact_ids && ARRAY[OLD.kept_contact_id, OLD.merged_contact_id] AND OLD.client_id = e.client_id"
    return Guard(
        name="undone_once",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            f"IF {only_erased('reasons', of=theirs)} THEN RETURN NEW; END IF;"
            f" IF ({old}) IS DISTINCT FROM ({new}) THEN "
            + refuse("% keeps what it was made with")
            + " END IF; IF OLD.undone_at IS NOT NULL THEN "
            + refuse("% is undone once")
            + " END IF; RETURN NEW;"
        ),
    )


def merge_joins_two() -> Guard:
    """Two records of one client, neither of them merged into another. Locks both: of two merges at once one waits."""
    return Guard(
        name="merge_joins_two",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        declare=[("whole", "integer")],
        func=(
            "IF NEW.undone_at IS NOT NULL THEN " + refuse("% is not undone at birth") + " END IF;"
            " IF NEW.kind = 'company' THEN" + _two_roots(_COMPANY) + " ELSE" + _two_roots(_CONTACT) + " END IF;"
            " IF whole <> 2 THEN "
            + refuse("% joins two records of its client that are not merged already")
            + " END IF; RETURN NEW;"
        ),
    )


def _two_roots(kind: _Kind) -> str:
    pair = f"(NEW.kept_{kind.column}_id, NEW.merged_{kind.column}_id)"
    return (
        f" PERFORM 1 FROM {kind.table} WHERE id IN {pair} ORDER BY id FOR NO KEY UPDATE;"
        f" SELECT count(*) INTO whole FROM {kind.table} r WHERE r.id IN {pair} AND r.client_id = NEW.client_id"
        " AND r.merged_into_id IS NULL;"
    )


def merge_is_followed() -> Guard:
    """At commit the merged record points at the one it is now read as; after the undoing it does not."""
    return Guard(
        name="merge_is_followed",
        when=pgtrigger.After,
        operation=pgtrigger.Insert | pgtrigger.Update,
        timing=pgtrigger.Deferred,
        declare=[("pointer", "bigint"), ("live", "boolean")],
        func=(
            "IF NEW.kind = 'company' THEN SELECT merged_into_id INTO pointer FROM prospects_company"
            " WHERE id = NEW.merged_company_id;"
            " ELSE SELECT merged_into_id INTO pointer FROM prospects_contact WHERE id = NEW.merged_contact_id; END IF;"
            " SELECT EXISTS (SELECT 1 FROM prospects_merge m WHERE m.undone_at IS NULL"
            " AND (m.merged_company_id = NEW.merged_company_id OR m.merged_contact_id = NEW.merged_contact_id))"
            " INTO live; IF live <> (pointer IS NOT NULL) THEN "
            + refuse("% was not followed by its record")
            + " END IF; RETURN NULL;"
        ),
    )


def company_follows_its_merge() -> list[Guard]:
    """A company points at another exactly while a merge says so, and its prospects go along."""
    return _follows(_COMPANY, _prospects_go_along())


def contact_follows_its_merge() -> list[Guard]:
    """A contact points at another exactly while a merge says so."""
    return _follows(_CONTACT, "")


def _follows(kind: _Kind, more: str) -> list[Guard]:
    table, column = kind
    func = (
        f"SELECT merged_into_id INTO pointer FROM {table} WHERE id = NEW.id;"
        f" SELECT m.kept_{column}_id INTO kept FROM prospects_merge m"
        f" WHERE m.merged_{column}_id = NEW.id AND m.undone_at IS NULL;"
        # The pointer is flat: it names the end of the chain of merges.
        f" IF pointer IS DISTINCT FROM (SELECT coalesce(k.merged_into_id, k.id) FROM {table} k WHERE k.id = kept)"
        f" OR EXISTS (SELECT 1 FROM prospects_merge m JOIN {table} r ON r.id = m.merged_{column}_id"
        f" WHERE m.kept_{column}_id = NEW.id AND m.undone_at IS NULL"
        " AND r.merged_into_id IS DISTINCT FROM coalesce(pointer, NEW.id)) THEN "
        + refuse("% points where its merges lead")
        + f" END IF;{more} RETURN NULL;"
    )
    declare = [("pointer", "bigint"), ("kept", "bigint")]
    return _on_change("pointer_follows", func, declare)


def _on_change(name: str, func: str, declare: list[tuple[str, str]]) -> list[Guard]:
    """At commit, for rows whose pointer changed, or that were born with one: others cost nothing."""
    changes = (
        ("", pgtrigger.Update, "OLD.merged_into_id IS DISTINCT FROM NEW.merged_into_id"),
        ("_at_birth", pgtrigger.Insert, "NEW.merged_into_id IS NOT NULL"),
    )
    return [
        Guard(
            name=f"{name}{suffix}",
            when=pgtrigger.After,
            operation=operation,
            timing=pgtrigger.Deferred,
            condition=pgtrigger.Condition(condition),
            declare=declare,
            func=func,
        )
        for suffix, operation, condition in changes
    ]


def _prospects_go_along() -> str:
    """Of the prospects of one company under one playbook exactly one goes on, and none follows a stranger."""
    return (
        " IF EXISTS (SELECT 1 FROM prospects_prospect p WHERE p.company_id IN (SELECT NEW.id UNION SELECT pointer"
        " UNION SELECT g.id FROM prospects_company g WHERE g.merged_into_id IN (pointer, NEW.id))"
        " GROUP BY p.playbook_id HAVING count(*) FILTER (WHERE p.merged_into_id IS NULL) <> 1) THEN "
        + refuse("% has prospects that did not go along with its merge")
        + " END IF; IF EXISTS (SELECT 1 FROM prospects_prospect p JOIN prospects_prospect t ON t.id = p.merged_into_id"
        " JOIN prospects_company c ON c.id = p.company_id JOIN prospects_company d ON d.id = t.company_id"
        " WHERE p.id IN (SELECT id FROM prospects_prospect WHERE company_id = NEW.id UNION SELECT f.id"
        " FROM prospects_prospect q JOIN prospects_prospect f ON f.merged_into_id = q.id WHERE q.company_id = NEW.id)"
        " AND coalesce(c.merged_into_id, c.id) <> coalesce(d.merged_into_id, d.id)) THEN "
        + refuse("% has prospects that follow a stranger")
        + " END IF;"
    )


def prospect_follows_its_record() -> list[Guard]:
    """A prospect is merged into another only of the same playbook, whose company or person is the same one."""
    func = (
        "IF EXISTS (SELECT 1 FROM prospects_prospect p LEFT JOIN prospects_prospect t ON t.id = p.merged_into_id"
        " LEFT JOIN prospects_company c ON c.id = p.company_id LEFT JOIN prospects_company d ON d.id = t.company_id"
        " LEFT JOIN prospects_contact k ON k.id = p.contact_id LEFT JOIN prospects_contact l ON l.id = t.contact_id"
        " WHERE p.id = NEW.id AND p.merged_into_id IS NOT NULL AND (t.id = p.id OR t.merged_into_id IS NOT NULL"
        " OR t.playbook_id <> p.playbook_id OR t.client_id <> p.client_id"
        " OR CASE WHEN p.company_id IS NOT NULL"
        " THEN coalesce(c.merged_into_id, c.id) IS DISTINCT FROM coalesce(d.merged_into_id, d.id)"
        " ELSE t.company_id IS NOT NULL OR coalesce(k.merged_into_id, k.id)"
        " IS DISTINCT FROM coalesce(l.merged_into_id, l.id) END))"
        " OR EXISTS (SELECT 1 FROM prospects_prospect p JOIN prospects_prospect f ON f.merged_into_id = p.id"
        " WHERE p.id = NEW.id AND p.merged_into_id IS NOT NULL) THEN "
        + refuse("% goes on as another only where their company or person is one")
        + " END IF; RETURN NULL;"
    )
    return _on_change("goes_on_as", func, [])


def one_goes_on() -> Guard:
    """Of those born for one company, or one person without a company, under one playbook, only one goes on.

    Whoever is born for a record waits for a merge of it that is under way, and a merge waits for them: the foreign key
    alone lets both pass each other. A record born in this very transaction is nobody else's to merge. The refusal
    is a serialisation failure: doing it again finds the merge.
    """
    return Guard(
        name="one_goes_on",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="born"),
        func=_born_for(_COMPANY, "true") + _born_for(_CONTACT, "n.company_id IS NULL") + " RETURN NULL;",
    )


def _born_for(kind: _Kind, own: str) -> str:
    table, column = kind
    alike = f"SELECT a.id FROM {table} a WHERE a.id = coalesce(r.merged_into_id, r.id)"
    return (
        f" PERFORM r.id FROM {table} r WHERE r.id IN (SELECT n.{column}_id FROM born n WHERE {own}"
        " AND n.merged_into_id IS NULL) AND r.xmin <> pg_current_xact_id()::xid ORDER BY r.id FOR SHARE;"
        f" IF FOUND AND EXISTS (SELECT 1 FROM born n JOIN {table} r ON r.id = n.{column}_id WHERE {own}"
        f" AND n.merged_into_id IS NULL AND (r.merged_into_id IS NOT NULL OR EXISTS (SELECT 1 FROM {table} f"
        f" WHERE f.merged_into_id = r.id)) AND EXISTS (SELECT 1 FROM prospects_prospect p"
        f" WHERE p.playbook_id = n.playbook_id AND p.id <> n.id AND p.merged_into_id IS NULL"
        f"{'' if kind is _COMPANY else ' AND p.company_id IS NULL'}"
        f" AND p.{column}_id IN ({alike} UNION ALL SELECT f.id FROM {table} f"
        " WHERE f.merged_into_id = coalesce(r.merged_into_id, r.id)))) THEN"
        " RAISE EXCEPTION '% goes on already under the record this one was merged into', TG_TABLE_NAME"
        " USING ERRCODE = 'serialization_failure'; END IF;"
    )
