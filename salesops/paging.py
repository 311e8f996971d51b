"""Keyset paging: the hundredth page costs what the first did, and rows that arrive meanwhile move nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode

RowT = TypeVar("RowT", bound=models.Model)
ItemT = TypeVar("ItemT")
AFTER, BEFORE = "after", "before"


@dataclass(frozen=True)
class Page(Generic[ItemT]):
    """One page of rows. ``next`` and ``previous`` are opaque cursors for ``?after=`` and ``?before=``, or None."""

    items: list[ItemT]
    next: str | None
    previous: str | None

    def __bool__(self) -> bool:
        return bool(self.items)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: beyond the row with these values of the keys, or at the top. ``backwards`` reads upwards."""

    values: tuple[Any, ...] = ()
    backwards: bool = False


def place_of(model: type[models.Model], keys: Sequence[str], request: HttpRequest) -> Place:
    """The place that the request's cursor names; the top when it names none that can be read."""
    before = request.GET.get(BEFORE, "")
    values = _decode(model, keys, before or request.GET.get(AFTER, ""))
    return Place() if values is None else Place(tuple(values), backwards=bool(before))


def keyset_page(queryset: QuerySet[RowT], *, keys: Sequence[str], request: HttpRequest, size: int = 50) -> Page[RowT]:
    """The page of ``queryset`` that the request's cursor names.

    ``keys`` are column names with an optional leading minus, none of them nullable, the last one unique. A cursor that
    cannot be read, or was made for other keys, gives the first page.
    """
    place = place_of(queryset.model, keys, request)
    return page_from(list(rows_beyond(queryset, keys, place)[: size + 1]), keys=keys, place=place, size=size)


def rows_beyond(queryset: QuerySet[RowT], keys: Sequence[str], place: Place) -> QuerySet[RowT]:
    """The rows beyond the place, the nearest first: the other way round when it reads upwards."""
    ordered = [_reversed(key) for key in keys] if place.backwards else list(keys)
    rows = queryset.order_by(*ordered)
    return rows.filter(_beyond(ordered, place.values)) if place.values else rows


def page_from(found: Sequence[ItemT], *, keys: Sequence[str], place: Place, size: int) -> Page[ItemT]:
    """The page of rows that were found beyond the place, nearest first: ``size`` of them, and one if there are more."""
    more, items = len(found) > size, list(found[:size])
    if place.backwards:
        items.reverse()
    has_next = bool(items) and (place.backwards or more)
    has_previous = bool(items) and (more if place.backwards else bool(place.values))
    return Page(
        items=items,
        next=cursor_at(items[-1], keys) if has_next else None,
        previous=cursor_at(items[0], keys) if has_previous else None,
    )


def _reversed(key: str) -> str:
    return key[1:] if key.startswith("-") else f"-{key}"


def _beyond(keys: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows that sort strictly after ``values``. The first key is bounded on its own: the index can seek to it."""
    condition = Q()
    equal = Q()
    for key, value in zip(keys, values, strict=True):
        name, verb = (key[1:], "lt") if key.startswith("-") else (key, "gt")
        condition |= equal & Q(**{f"{name}__{verb}": value})
        equal &= Q(**{name: value})
    first, verb = (keys[0][1:], "lte") if keys[0].startswith("-") else (keys[0], "gte")
    return Q(**{f"{first}__{verb}": values[0]}) & condition


def cursor_at(row: object, keys: Sequence[str]) -> str:
    """The cursor of the rows that come after (or before) this one."""
    values = [_plain(getattr(row, key.lstrip("-"))) for key in keys]
    return urlsafe_base64_encode(json.dumps([list(keys), values]).encode())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _decode(model: type[models.Model], keys: Sequence[str], cursor: str) -> list[Any] | None:
    if not cursor:
        return None
    try:
        made_for, values = json.loads(urlsafe_base64_decode(cursor))
        if made_for != list(keys) or len(values) != len(keys) or None in values:
            return None
        return [_typed(model, key.lstrip("-"), value) for key, value in zip(keys, values, strict=True)]
    except (ValueError, TypeError, ValidationError):
        return None


def _typed(model: type[models.Model], name: str, value: Any) -> Any:
    """The value as its column's type; an annotation has no column and keeps the plain value."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return value
    return field.to_python(value) if isinstance(field, models.Field) else value
