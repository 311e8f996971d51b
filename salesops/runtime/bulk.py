"""Many rows at once into PostgreSQL, and ids for rows before they exist."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection
from psycopg import sql

BLOCK = 2000


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> int:
    """COPY ``rows`` into ``table`` (all or nothing, triggers and constraints included); how many.

    Inside the caller's transaction. JSON values are passed as text.
    """
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([array_text(value) if isinstance(value, (list, tuple)) else value for value in row])
            count += 1
    return count


def array_text(values: Sequence[float | str | None]) -> str:
    """An array as PostgreSQL reads it. The driver asks about every element again, which costs a tenth of all work."""
    if {int, float, bool}.issuperset(map(type, values)):
        return f"{{{','.join(map(str, values))}}}"
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: float | str | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def copy_text(table: str, columns: Sequence[str], lines: Sequence[str]) -> int:
    """The same for rows that are text already: cells between tabs, as COPY reads them, with ``\\N`` for nothing."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write("\n".join(lines) + "\n")
    return len(lines)


class Blocks:
    """Numbers from PostgreSQL sequences, fetched in blocks; unused ones are simply lost."""

    def __init__(self, sequences: Mapping[str, str]) -> None:
        """``sequences`` maps a short name to a sequence; the name ``fact`` is the order of all facts."""
        self._sequences = sequences
        self._held: dict[str, deque[int]] = {name: deque() for name in sequences}

    def row(self, table: str) -> int:
        """The next id for ``table``."""
        held = self._held[table]
        if not held:
            self._fetch(table, BLOCK)
        return held.popleft()

    def fact(self) -> int:
        """The next number in the one order of all facts."""
        return self.row("fact")

    def renew(self) -> None:
        """Forget fact numbers held: facts newer than them have been read. Row ids carry no order and stay."""
        self._held["fact"].clear()

    def _fetch(self, table: str, count: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nextval(%s::regclass) FROM generate_series(1, %s)", [self._sequences[table], count])
            self._held[table].extend(row[0] for row in cursor.fetchall())
