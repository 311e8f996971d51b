"""Raw SQL as anybody with the application's database role could send it."""

import uuid
from datetime import timedelta

import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from approvals.models import Decision, Dispatch
from tests import factories as make


def execute(sql, params=()):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


def refused(sql, params=(), *, says=""):
    with pytest.raises(Error) as error:
        execute(sql, params)
    assert says in str(error.value), error.value


def insert(row, **changes):
    """SQL and values that insert `row` (unsaved or saved) as it stands, with `changes`."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key and not field.has_db_default()]
    values = {field.column: field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields}
    values.update(changes)
    names = ", ".join(f'"{name}"' for name in values)
    return f"INSERT INTO {row._meta.db_table} ({names}) VALUES ({', '.join(['%s'] * len(values))})", list(
        values.values()
    )


def draft_dispatch(decision, **changes):
    message = decision.message
    row = Dispatch(
        client=decision.client, decision=decision, request=decision.request, prospect=message.prospect,
        contact=message.contact, channel=message.channel, message=message, content_hash=message.content_hash,
        recipient=message.recipient, idempotency_key=uuid.uuid4().hex, not_before=timezone.now(),
        expires_at=timezone.now() + timedelta(hours=1), mode="sandbox",
    )  # fmt: skip
    return insert(row, **changes)


def other_message(at_work, request_, **changes):
    words = at_work.words(request_.contact)
    return make.message(request_.prospect, at_work.version, **{**words, **changes})


def draft_decision(at_work, request_, **changes):
    row = Decision(
        client=at_work.client, request=request_, request_version=request_.version, kind="approve",
        user=at_work.reviewer, at=timezone.now(), message=request_.message, content_hash=request_.content_hash,
        trace_id="0" * 32,
    )  # fmt: skip
    return insert(row, **changes)
