"""A row and what it hangs on are one client's, and PostgreSQL sees to it in every table that names both."""

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, models, transaction

from prospects.models import Prospect, Signal
from salesops.tenancy import SameClient
from tests import factories

SIGNAL = (
    "INSERT INTO prospects_signal (client_id, prospect_id, kind, observed_at, text, data, source, source_ref,"
    " dedup_key, created_at, trace_id) VALUES (%s, %s, 'x', now(), '', '{}', 'x', '', 'x', now(), 'x')"
)


def test_every_table_that_names_a_client_and_a_prospect_is_held_to_it() -> None:
    """A prospect may be missing (a task about nobody in particular): then the client's own key checks.

    Of judgements a trigger asks it, with the playbook: see tests/prospects/test_database_refuses.py.
    """
    loose = [
        model.__name__
        for model in apps.get_models()
        if {"client", "prospect"} <= {field.name for field in model._meta.local_fields}
        and not model._meta.get_field("prospect").null
        and not any(isinstance(constraint, SameClient) for constraint in model._meta.constraints)
        and "under_its_playbook" not in {trigger.name for trigger in model._meta.triggers}
    ]
    assert loose == []


def _run(sql: str, *values: object) -> None:
    """Keys are checked when a transaction ends; here, at once."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(sql, values)


@pytest.mark.django_db
def test_a_fact_cannot_be_filed_under_another_client() -> None:
    who, other = factories.prospect(), factories.client()
    with pytest.raises(DatabaseError, match="signal_of_one_client"):
        _run(SIGNAL, other.pk, who.pk)


@pytest.mark.django_db
def test_a_prospect_cannot_be_worked_by_another_clients_playbook() -> None:
    company, other = factories.company(factories.client()), factories.version(factories.client())
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        with pytest.raises(DatabaseError, match="prospect_of_one_client"), transaction.atomic():
            Prospect.objects.create(client=company.client, playbook=other.playbook, company=company)


@pytest.mark.django_db
def test_a_form_says_so_first() -> None:
    signal = Signal(client=factories.client(), prospect=factories.prospect())
    constraint = SameClient("prospect", name="any")
    with pytest.raises(ValidationError, match="belongs to another client"):
        constraint.validate(Signal, signal)
    constraint.validate(Signal, signal, exclude={"prospect"})


def test_the_constraint_can_be_written_into_a_migration() -> None:
    one = SameClient("prospect", name="a")
    path, args, kwargs = one.deconstruct()
    assert path == "salesops.tenancy.SameClient"
    assert SameClient(*args, **kwargs) == one != SameClient("prospect", name="b")
    assert isinstance(one, models.BaseConstraint)
