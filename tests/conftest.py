"""Every test session runs on real engines: those the environment names, else embedded ones with their own data."""

import gc
from collections.abc import Generator, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings

from playbooks.models import Client, User
from salesops import engines
from tests import database
from tests.schedule import Schedule
from tests.stack import stack as stack
from tests.stack import stack_data as stack_data

MOST_ON_A_PLAIN_REDIS = 7

# The same examples in every session, however slow the machine; --hypothesis-profile=search looks for new ones.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("suite", settings.get_profile("search"), derandomize=True, database=None)
settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    """Hold the engines for the session. With xdist the first process starts them and the workers join in."""
    if not config.option.collectonly:
        _require_rights()
        engines.ensure()


def _require_rights() -> None:
    """Say at once, and in words, what the role of DATABASE_URL lacks."""
    if engines.urls().embedded_postgres:
        return
    try:
        with psycopg.connect(engines.urls().database_url) as server:
            found = server.execute(
                "SELECT current_user, rolsuper OR rolcreatedb, "
                "has_parameter_privilege('session_replication_role', 'SET') FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.Error as error:
        pytest.exit(f"DATABASE_URL: {error}", returncode=1)
    role, may_create, may_switch = found
    wanted = [] if may_create else [f"ALTER ROLE {role} CREATEDB;"]
    wanted += [] if may_switch else [f"GRANT SET ON PARAMETER session_replication_role TO {role};"]
    if wanted:
        pytest.exit(f"The role of DATABASE_URL cannot run tests. As a superuser: {' '.join(wanted)}", returncode=1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule | None:
    """One app at a time: see tests/schedule.py."""
    return Schedule(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Each process has two logical databases of its own, and a Redis that nobody tuned has 16."""
    number = yield
    return number if engines.urls().embedded_valkey else min(number, MOST_ON_A_PLAIN_REDIS)


def pytest_collection_finish() -> None:
    """Look through what was imported no more, and for cycles seldom: it took a third of the time of page tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_unconfigure() -> None:
    """Let go of the engines, and see them off unless another process still uses them."""
    engines.release(wait=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None, django_db_blocker: Any) -> None:
    """Once its name is known and before anybody looks for it: have the database of this worker."""
    with django_db_blocker.unblock():
        database.prepare()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Empty the kept database of what a session that was killed left there."""
    with django_db_blocker.unblock():
        database.remember()
        if Client.objects.exists() or User.objects.exists():
            database.empty()
        connection.close()


@pytest.fixture(autouse=True, scope="session")
def _flush_past_the_guards() -> Iterator[None]:
    """Let the test runner empty tables that refuse it: only who may switch triggers off can."""
    original = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = lambda self: database.empty()
    yield
    TransactionTestCase._fixture_teardown = original
