"""Triggers that nothing in a session can switch off.

django-pgtrigger carries triggers in migrations, but its own functions step aside when a session variable says so
(``pgtrigger.ignore``). A promise that a ``SET LOCAL`` can suspend is not a promise, so ours leave that door out.
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.db import models
from pgtrigger import compiler

# Not part of the template: migrations hold the hashes of what was made from that.
_OWN_TABLES_ONLY = """
            DO $own$ BEGIN
                EXECUTE format('ALTER FUNCTION {pgid}() SET search_path = pg_catalog, %I, pg_temp', current_schema());
            END $own$;
        """


class GuardSql(compiler.UpsertTriggerSql):
    """The SQL that installs a guard: pgtrigger's own, less the escape hatch, reading this schema's tables alone.

    A session's temporary table, or a schema put before ours, would else stand in for the decision a guard looks for.
    """

    def __init__(self, *, pgid: str, **kwargs: Any) -> None:
        super().__init__(pgid=pgid, **kwargs)
        self.data += _OWN_TABLES_ONLY.format(pgid=pgid)

    def get_template(self) -> str:
        return """
            CREATE OR REPLACE FUNCTION {pgid}() RETURNS TRIGGER AS $$
                {declare}
                BEGIN
                    {func}
                END;
            $$ LANGUAGE plpgsql;

            DROP TRIGGER IF EXISTS {pgid} ON {table};
            CREATE {constraint} TRIGGER {pgid}
                {when} {operation} ON {table}
                {timing}
                {referencing}
                FOR EACH {level} {condition}
                EXECUTE PROCEDURE {execute};

            COMMENT ON TRIGGER {pgid} ON {table} IS '{hash}';
        """


class Guard(pgtrigger.Trigger):
    """A trigger that keeps a promise."""

    def compile(self, model: type[models.Model]) -> compiler.Trigger:  # type: ignore[override]
        compiled = super().compile(model)  # type: ignore[arg-type]
        return compiler.Trigger(name=compiled.name, sql=GuardSql(**compiled.sql.kwargs))


def refuse(reason: str) -> str:
    """PL/pgSQL that raises ``reason`` (its ``%`` is the table's name) as an integrity violation."""
    return f"RAISE EXCEPTION '{reason}', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';"


def append_only() -> Guard:
    """Refuse UPDATE and DELETE."""
    return Guard(
        name="append_only",
        when=pgtrigger.Before,
        operation=pgtrigger.Update | pgtrigger.Delete,
        func=refuse("% is append-only"),
    )


def no_truncate() -> Guard:
    """Refuse TRUNCATE, which row triggers do not see."""
    return Guard(
        name="no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func=refuse("% cannot be truncated"),
    )


def no_delete() -> Guard:
    """Refuse DELETE of rows whose history others point at."""
    return Guard(
        name="no_delete", when=pgtrigger.Before, operation=pgtrigger.Delete, func=refuse("% cannot be deleted")
    )


def fact_guards() -> list[Guard]:
    """The guards of every table of facts."""
    return [append_only(), no_truncate()]


def of_its_client(column: str, table: str) -> Guard:
    """Refuse a row whose ``column`` names a row of ``table`` that is another client's."""
    return Guard(
        name=f"{column.removesuffix('_id')}_of_its_client",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert | pgtrigger.UpdateOf("client_id", column),
        condition=pgtrigger.Condition(f"NEW.{column} IS NOT NULL"),
        func=(
            f"PERFORM 1 FROM {table} o WHERE o.id = NEW.{column} AND o.client_id = NEW.client_id; IF NOT FOUND THEN "
            + refuse("% hangs on another client''s")
            + " END IF; RETURN NEW;"
        ),
    )


def frozen_columns(*columns: str) -> Guard:
    """Refuse any change of ``columns`` after insert."""
    old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
    return Guard(
        name="frozen_columns",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        func=f"IF ({old}) IS DISTINCT FROM ({new}) THEN {refuse('% keeps what it was made with')} END IF; RETURN NEW;",
    )
