"""Models whose state moves only by transition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models
from django_fsm import FSMFieldMixin


class StateModel(models.Model):
    """A model with protected state fields that can still be refreshed from the database.

    django-fsm's own mixin lifts the protection on the shared field object while it refreshes, which another thread can
    see; forgetting the loaded value of this one row does the same without that.
    """

    class Meta:
        abstract = True

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, from_queryset: Any = None
    ) -> None:
        wanted = None if fields is None else set(fields)
        for field in self._meta.concrete_fields:
            if isinstance(field, FSMFieldMixin) and (wanted is None or field.attname in wanted):
                self.__dict__.pop(field.attname, None)
        super().refresh_from_db(using=using, fields=fields, from_queryset=from_queryset)
