"""Every test session runs on real engines: those the environment names, else embedded ones with their own data."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import TransactionTestCase

from salesops import engines
from tests.stack import stack as stack
from tests.stack import stack_data as stack_data


def pytest_configure(config: pytest.Config) -> None:
    """Hold the engines for the session. With xdist the first process starts them and the workers join in."""
    if not config.option.collectonly:
        engines.ensure()


def pytest_unconfigure() -> None:
    """Let go of the engines, and see them off unless another process still uses them."""
    engines.release(wait=True)


@pytest.fixture(autouse=True, scope="session")
def _flush_past_the_guards() -> Iterator[None]:
    """Let the test runner empty tables that refuse TRUNCATE: only a superuser with triggers off can."""
    original = TransactionTestCase._fixture_teardown

    def teardown(self: TransactionTestCase) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
        try:
            original(self)
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SET session_replication_role = DEFAULT")

    TransactionTestCase._fixture_teardown = teardown
    yield
    TransactionTestCase._fixture_teardown = original
