"""What the session does to its databases between tests."""

import pytest
from django.db import connection

from playbooks.models import Client
from tests import database, factories


@pytest.mark.django_db(transaction=True)
def test_emptying_takes_everything_but_what_migrating_wrote() -> None:
    asked = factories.request()
    factories.dispatch(factories.decision(asked, factories.user(asked.client)))
    assert Client.objects.exists()
    database.empty()
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        cursor.execute(" UNION ALL ".join(f"(SELECT '{name}' FROM \"{name}\" LIMIT 1)" for name in tables))
        assert {name for (name,) in cursor.fetchall()} == {
            "auth_permission",
            "django_content_type",
            "django_migrations",
        }
        cursor.execute("SHOW session_replication_role")
        assert cursor.fetchone() == ("origin",)
