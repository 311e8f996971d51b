"""Playbook values as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import template

from playbooks.rules.describe import describe
from playbooks.rules.sources import DELIVERS
from salesops.numerals import plain_number

register = template.Library()


@register.filter
def plainly(value: Any) -> str:
    """Any value of a playbook as text: lists with commas, yes and no, a dash for nothing."""
    if value is None or value == "" or value == [] or value == {}:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, Decimal):
        return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {plainly(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(plainly(item) for item in value)
    return str(value)


_ABBREVIATED = frozenset({"icp", "bant", "meddic", "meddpicc"})


@register.filter
def spoken(name: str) -> str:
    """A stored name as people say it: "at_risk" is at risk."""
    return name.replace("_", " ")


@register.filter
def scorecard(name: str) -> str:
    """A scorecard's name as people write it: "data_quality" is Data quality, "bant" is BANT."""
    return name.upper() if name in _ABBREVIATED else spoken(name).capitalize()


@register.filter
def asks(row: Mapping[str, Any]) -> str:
    """What a criterion asks, in one sentence."""
    return describe(row["kind"], row["params"])


@register.filter
def delivered(row: Mapping[str, Any]) -> str:
    """The kinds of document a source gives."""
    return ", ".join(kind.replace("_", " ") for kind in row["delivers"] or DELIVERS.get(row["kind"], ()))
