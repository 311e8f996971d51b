"""Small vocabulary shared by the models: ids that follow one action through the system, and the order of facts."""

from __future__ import annotations

from django.db import models
from django.db.models import Func, Value

from salesops.logs import new_trace_id

__all__ = ["fact_no_field", "new_trace_id", "trace_id_field"]


def trace_id_field() -> models.CharField[str, str]:
    """The id that ties an import or a click to everything that followed from it."""
    return models.CharField(max_length=32, default=new_trace_id, editable=False)


def fact_no_field() -> models.BigIntegerField[int, int]:
    """Position of this fact in the one order of all facts; agents compare it with their watermark.

    A database default, so that rows that come in by COPY are numbered too.
    """
    next_fact = Func(Value("fact_no"), function="nextval", output_field=models.BigIntegerField())
    return models.BigIntegerField(db_default=next_fact, editable=False)
