"""Trying to break a promise with raw SQL, as anybody with the application's database role could."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction


def refuses(sql: str, params: list[Any] | None = None, *, because: str) -> None:
    """Run ``sql`` in a transaction of its own; PostgreSQL must refuse it with words that match ``because``."""
    with pytest.raises(DatabaseError, match=because):
        _attempt(sql, params)


def _attempt(sql: str, params: list[Any] | None) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # judge at once what commit would judge
        cursor.execute(sql, params)


def elsewhere() -> psycopg.Connection[Any]:
    """Another connection to the same database, in a transaction of its own until it is closed."""
    given = connection.get_connection_params()
    names = {"dbname", "user", "password", "host", "port"} & given.keys()
    return psycopg.connect(**{name: given[name] for name in names})
