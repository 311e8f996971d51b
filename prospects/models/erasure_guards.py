"""The one way past append-only: a row may lose what names a person, in the transaction of that person's tombstone.

No session can switch it on. What opens it is a row of ``prospects_erasure`` written in this very transaction, by an
admin of the client, about people of that client, which stays for good and does not commit without its audit entry.
"""

from __future__ import annotations

import pgtrigger

from salesops.guards import Guard, no_truncate, refuse

#: Of whom a row must speak, as SQL about it (OLD) and a tombstone of this transaction (e).
OF_PROSPECT = "OLD.prospect_id = ANY(e.prospect_ids) AND OLD.client_id = e.client_id"
OF_CLIENT = "OLD.client_id = e.client_id"
OF_CONTACT = "OLD.contact_id = ANY(e.contact_ids) AND OLD.client_id = e.client_id"
OF_EITHER = (
    "(OLD.contact_id = ANY(e.contact_ids) OR OLD.prospect_id = ANY(e.prospect_ids)) AND OLD.client_id = e.client_id"
)
_NOW = "SELECT 1 FROM prospects_erasure e WHERE e.transaction = pg_current_xact_id()::text::bigint AND"


def being_erased(of: str) -> str:
    """SQL condition: an erasure of this transaction is about this row."""
    return f"EXISTS ({_NOW} {of})"


def only_erased(*columns: str, of: str) -> str:
    """SQL condition: the row loses words in ``columns``, nothing else changes, and its person is being erased."""
    loose = " ".join(f"- '{column}'" for column in columns)
    return (
        f"(to_jsonb(OLD) {loose} = to_jsonb(NEW) {loose} AND {being_erased(of)}"
        " AND salesops_only_erased(to_jsonb(OLD), to_jsonb(NEW)))"
    )


def facts_but_erasable(*columns: str, of: str = OF_PROSPECT) -> list[Guard]:
    """The guards of a table of facts whose ``columns`` an erasure may empty."""
    return [
        Guard(
            name="append_only",
            when=pgtrigger.Before,
            operation=pgtrigger.Update | pgtrigger.Delete,
            func=(
                "IF TG_OP = 'UPDATE' THEN IF "
                + only_erased(*columns, of=of)
                + " THEN RETURN NEW; END IF; END IF; "
                + refuse("% is append-only")
            ),
        ),
        no_truncate(),
    ]


def frozen_but_erasable(frozen: tuple[str, ...], *columns: str, of: str = OF_PROSPECT) -> Guard:
    """Refuse any change of ``frozen`` after insert, save what an erasure takes out of ``columns``."""
    old, new = (", ".join(f"{row}.{column}" for column in frozen) for row in ("OLD", "NEW"))
    return Guard(
        name="frozen_columns",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=(
            f"IF ({old}) IS DISTINCT FROM ({new}) AND NOT {only_erased(*columns, of=of)} THEN "
            + refuse("% keeps what it was made with")
            + " END IF; RETURN NEW;"
        ),
    )


def alias_is_kept() -> list[Guard]:
    """Another name of an erased person becomes a number that says nothing."""
    return [
        Guard(
            name="append_only",
            when=pgtrigger.Before,
            operation=pgtrigger.Update | pgtrigger.Delete,
            func=(
                "IF TG_OP = 'UPDATE' THEN IF to_jsonb(OLD) - 'value' = to_jsonb(NEW) - 'value'"
                f" AND NEW.value = 'erased:' || OLD.id AND {being_erased(OF_CONTACT)}"
                " THEN RETURN NEW; END IF; END IF; " + refuse("% is append-only")
            ),
        ),
        no_truncate(),
    ]


def contact_is_erased_once() -> list[Guard]:
    """A contact is erased by an erasure, and then stays what it is: nobody fills it again."""
    mine = "NEW.id = ANY(e.contact_ids) AND NEW.client_id = e.client_id"
    return [
        Guard(
            name="not_born_erased",
            when=pgtrigger.Before,
            operation=pgtrigger.Insert,
            condition=pgtrigger.Condition("NEW.erased_at IS NOT NULL"),
            func=refuse("% is not erased at birth"),
        ),
        Guard(
            name="erased_by_an_erasure",
            when=pgtrigger.Before,
            operation=pgtrigger.Update,
            condition=pgtrigger.Condition("OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL"),
            func=f"IF NOT {being_erased(mine)} THEN "
            + refuse("% is erased only by an erasure")
            + " END IF; RETURN NEW;",
        ),
        Guard(
            name="erased_for_good",
            when=pgtrigger.Before,
            operation=pgtrigger.Update,
            condition=pgtrigger.Condition("OLD.erased_at IS NOT NULL"),
            func=(
                "IF to_jsonb(OLD) - 'merged_into_id' - 'updated_at' <> to_jsonb(NEW) - 'merged_into_id' - 'updated_at'"
                " THEN " + refuse("% was erased, and stays so") + " END IF; RETURN NEW;"
            ),
        ),
        Guard(
            name="erased_stays",
            when=pgtrigger.Before,
            operation=pgtrigger.Delete,
            condition=pgtrigger.Condition("OLD.erased_at IS NOT NULL"),
            func=refuse("% was erased, and stays so"),
        ),
    ]


def erasure_is_of_its_own() -> Guard:
    """By an admin; about people of the client, not erased yet; about prospects of theirs or of their company."""
    return Guard(
        name="of_its_own",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func=(
            "NEW.transaction := pg_current_xact_id()::text::bigint;"
            " IF NOT EXISTS (SELECT 1 FROM playbooks_user u WHERE u.id = NEW.by_id AND u.is_active AND (u.is_superuser"
            " OR EXISTS (SELECT 1 FROM playbooks_membership b WHERE b.user_id = u.id AND b.client_id = NEW.client_id"
            " AND b.role = 'admin'))) THEN "
            + refuse("% is by somebody who may not erase here")
            + " END IF; IF cardinality(NEW.contact_ids) = 0 OR (SELECT count(*) FROM prospects_contact k"
            " WHERE k.id = ANY(NEW.contact_ids) AND k.client_id = NEW.client_id AND k.erased_at IS NULL)"
            " <> cardinality(NEW.contact_ids) THEN "
            + refuse("% is about people of its client who are not erased yet")
            + " END IF; IF EXISTS (SELECT 1 FROM unnest(NEW.prospect_ids) AS w (id) WHERE NOT EXISTS (SELECT 1"
            " FROM prospects_prospect p WHERE p.id = w.id AND p.client_id = NEW.client_id"
            " AND (p.contact_id = ANY(NEW.contact_ids) OR p.company_id IN (SELECT o.id FROM prospects_contact k"
            " JOIN prospects_company c ON c.id = k.company_id JOIN prospects_company o"
            " ON coalesce(c.merged_into_id, c.id) IN (o.id, o.merged_into_id)"
            " WHERE k.id = ANY(NEW.contact_ids))))) THEN "
            + refuse("% is about prospects that are not theirs")
            + " END IF; RETURN NEW;"
        ),
    )


def erasure_is_whole() -> Guard:
    """At commit its people are erased and the audit log says who did it."""
    return Guard(
        name="is_whole",
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        timing=pgtrigger.Deferred,
        func=(
            "IF EXISTS (SELECT 1 FROM prospects_contact k WHERE k.id = ANY(NEW.contact_ids) AND k.erased_at IS NULL)"
            " THEN "
            + refuse("% left its person as they were")
            + " END IF; IF NOT EXISTS (SELECT 1 FROM playbooks_auditentry a WHERE a.client_id = NEW.client_id"
            " AND a.event = 'person.erased' AND a.subject_type = 'prospects.erasure' AND a.subject_id = NEW.id"
            " AND a.actor_id = NEW.by_id) THEN " + refuse("% has no audit entry") + " END IF; RETURN NULL;"
        ),
    )
