"""Small vocabulary shared by the models: ids that follow one action through the system, and the order of facts."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, Value

from salesops.logs import new_trace_id

__all__ = ["JsonDocument", "fact_no_field", "new_trace_id", "trace_id_field"]


def trace_id_field() -> models.CharField[str, str]:
    """The id that ties an import or a click to everything that followed from it."""
    return models.CharField(max_length=32, default=new_trace_id, editable=False)


def fact_no_field() -> models.BigIntegerField[int, int]:
    """Position of this fact in the one order of all facts; agents compare it with their watermark.

    A database default, so that rows that come in by COPY are numbered too.
    """
    next_fact = Func(Value("fact_no"), function="nextval", output_field=models.BigIntegerField())
    return models.BigIntegerField(db_default=next_fact, editable=False)


class JsonDocument(models.JSONField):
    """JSON kept as it was written (``json``): for what is written once, often, and read whole.

    ``jsonb`` takes every document apart, which costs three times as much to write. What asks into many documents, or
    looks for what they hold, is better off with ``JSONField``.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:  # noqa: ARG002 — Django's signature
        return "json"

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:  # noqa: ARG002
        return value  # psycopg has read it already, unlike ``jsonb``, which Django keeps it from reading
