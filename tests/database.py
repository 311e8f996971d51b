"""The test databases: migrated once per machine and copied for each worker; emptied without rebuilding anything.

Running every migration takes the better part of a minute, so it happens once, in a template. What it was made from is
noted on it as a comment: a template that only lacks the newest is brought forward, one made from others is made anew,
and so is a worker's database that is not like the template.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from inspect import getfile
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.migrations.loader import MigrationLoader
from psycopg import sql

_LOCK = 0x5A17  # held while a template is made or copied: neither stands being looked at
_KEPT = {"django_migrations", "django_content_type", "auth_permission"}  # what migrating writes, the same for all tests


def prepare() -> None:
    """Have the database that this process is about to use copied from a template where it would be made anew.

    Names the template in the connection's settings: Django's own creation of test databases does the rest.
    """
    name = connection.creation._get_test_db_name()
    template, wanted = _template_name(), _migrations()
    with _server() as cursor:
        made_from = _note(cursor, template)
        if made_from != wanted:
            if not _leads_to(made_from, wanted):
                _drop(cursor, template)
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(template)))
            _migrate(template)
            _remember(cursor, template, wanted)
        if _note(cursor, name) != wanted:
            _drop(cursor, name)
            cursor.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
    connection.settings_dict["TEST"]["TEMPLATE"] = template


def remember() -> None:
    """Note on this process's database which migrations it has seen."""
    with connection.cursor() as cursor:
        _remember(cursor, connection.settings_dict["NAME"], _migrations())


def empty() -> None:
    """Delete every row, past triggers and foreign keys: hardly anything where there is hardly anything.

    TRUNCATE, Django's way, makes all tables and indexes anew, and migrating's own rows after it.
    """
    tables = [name for name in connection.introspection.django_table_names(only_existing=True) if name not in _KEPT]
    with triggers_off() as cursor:
        cursor.execute("; ".join(f"DELETE FROM {connection.ops.quote_name(name)}" for name in tables))


@contextmanager
def triggers_off() -> Iterator[CursorWrapper]:
    """Do something that the guards of the database refuse, and its foreign keys with them."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = DEFAULT")


def _template_name() -> str:
    return f"{connection.settings_dict['TEST'].get('NAME') or 'test'}".split("_gw")[0] + "_template"


@cache
def _migrations() -> dict[str, str]:
    """Return every migration there is, with a hash of its file."""
    return {
        f"{app}.{name}": hashlib.sha256(Path(getfile(type(migration))).read_bytes()).hexdigest()[:12]
        for (app, name), migration in MigrationLoader(None, ignore_no_migrations=True).disk_migrations.items()
    }


def _leads_to(made_from: dict[str, str], wanted: dict[str, str]) -> bool:
    """Whether a database made from these only lacks some."""
    return bool(made_from) and made_from.items() <= wanted.items()


@contextmanager
def _server() -> Iterator[CursorWrapper]:
    """A cursor outside every test database, alone among the workers."""
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        try:
            yield cursor
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _note(cursor: CursorWrapper, database: str) -> dict[str, str]:
    """Return the migrations noted on a database; {} where there is no note, or no database."""
    cursor.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [database])
    row = cursor.fetchone()
    try:
        return dict(json.loads(row[0])) if row and row[0] else {}
    except ValueError:
        return {}


def _remember(cursor: CursorWrapper, database: str, migrations: dict[str, str]) -> None:
    words = sql.SQL("COMMENT ON DATABASE {} IS {}").format(
        sql.Identifier(database), sql.Literal(json.dumps(migrations))
    )
    cursor.execute(words)


def _drop(cursor: CursorWrapper, database: str) -> None:
    cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(database)))


def _migrate(database: str) -> None:
    """Run what is missing there, leaving no connection behind."""
    connection.close()
    before = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = database
    try:
        call_command("migrate", verbosity=0, interactive=False)
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
