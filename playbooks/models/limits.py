"""What the columns of a playbook can hold at most, read off the models."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models

from playbooks.models.playbook import Playbook, PlaybookVersion
from playbooks.rules.document import IDENTITY, ROWS, head_slots
from playbooks.rules.limits import Limit, Limits

_LARGEST = {
    "PositiveSmallIntegerField": 2**15 - 1,
    "PositiveIntegerField": 2**31 - 1,
    "PositiveBigIntegerField": 2**63 - 1,
}


def limits() -> Limits:
    """Every column of a playbook's identity, of its version and of its rows that takes no more than so much."""
    return dict(_limits())


def _limits() -> Iterator[tuple[tuple[str, str], Limit]]:
    for slot in IDENTITY[1:]:
        yield ("", slot.at), _limit(Playbook._meta.get_field(slot.at))
    for column in head_slots():
        yield ("", column), _limit(PlaybookVersion._meta.get_field(column))
    for name, shape in ROWS.items():
        model = getattr(PlaybookVersion, shape.related).rel.related_model
        for slot in shape.slots:
            yield (name, slot.at), _limit(model._meta.get_field(slot.at))


def _limit(field: Any) -> Limit:
    if isinstance(field, ArrayField):
        return _limit(field.base_field)
    if isinstance(field, models.DecimalField):
        return Limit(
            largest=Decimal(10) ** (field.max_digits - field.decimal_places) - Decimal(10) ** -field.decimal_places
        )
    largest = _LARGEST.get(field.get_internal_type())
    return Limit(getattr(field, "max_length", None), None if largest is None else Decimal(largest))
