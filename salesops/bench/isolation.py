"""A database and a queue that belong to the benchmarks alone.

Settings are read when a process starts, so the command starts itself once more with other addresses in its environment:
embedded engines under ``bench/`` of the data folder, or a ``…_bench`` database and other Redis numbers on real servers.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connection
from psycopg import sql

from salesops import engines

MARK = "SALESOPS_BENCH"
_REDIS_OFFSET = 8


class NotIsolatedError(Exception):
    """The benchmarks were about to write into a database that is not theirs."""


def is_isolated() -> bool:
    """Whether this process was started by :func:`isolated_environment`."""
    return os.environ.get(MARK) == "1"


def isolated_environment() -> dict[str, str]:
    """The environment of the process that measures; makes the database on a real server when it is missing."""
    environment = {**os.environ, MARK: "1", "SALESOPS_DATA": str(engines.data_dir() / "bench")}
    if url := os.environ.get("DATABASE_URL"):
        environment["DATABASE_URL"] = _own_database(url)
    if url := os.environ.get("REDIS_URL"):
        environment["REDIS_URL"] = _own_redis(url)
    return environment


def _own_database(url: str) -> str:
    parts = urlsplit(url)
    name = parts.path.rsplit("/", 1)[-1] + "_bench"
    with psycopg.connect(url.replace("postgis://", "postgres://", 1), autocommit=True) as server:
        if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return urlunsplit(parts._replace(path=parts.path.rsplit("/", 1)[0] + "/" + name))


def _own_redis(url: str) -> str:
    parts = urlsplit(url)
    number = int(parts.path.strip("/") or 0) + _REDIS_OFFSET
    return urlunsplit(parts._replace(path=f"/{number}"))


def empty_database() -> None:
    """Drop everything in the benchmarks' database.

    Raises:
        NotIsolatedError: when this is not the benchmarks' database.
    """
    name = str(connection.settings_dict["NAME"])
    ours = engines.data_dir().name == "bench" if engines.urls().embedded_postgres else name.endswith("_bench")
    if not (is_isolated() and ours):
        raise NotIsolatedError(f"{name} is not the benchmarks' own database.")
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; DROP SEQUENCE IF EXISTS fact_no")
    connection.close()
