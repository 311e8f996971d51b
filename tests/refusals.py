"""Trying to break a promise with raw SQL, as anybody with the application's database role could."""

from __future__ import annotations

from typing import Any

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
