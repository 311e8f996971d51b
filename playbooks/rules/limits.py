"""How long a text and how large a number may be. Pure.

The columns decide; ``playbooks.models.limits`` tells them here once the models are loaded. So YAML, admin and services
refuse, beside the field, what PostgreSQL would refuse without naming one. Where nobody has registered, nothing is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class Limit:
    """The most a column takes: ``characters`` of a text, or of each in a list; ``largest`` number."""

    characters: int | None = None
    largest: Decimal | None = None


#: (list of rows, "" for the version itself; column) → its limit.
Limits = Mapping[tuple[str, str], Limit]
_known: dict[tuple[str, str], Limit] = {}


def register(limits: Limits) -> None:
    """Called once, by whoever knows the columns."""
    _known.update(limits)


def limit_of(section: str, column: str) -> Limit:
    """What is known of a column's limits; nothing when nobody has registered."""
    return _known.get((section, column), Limit())


def beyond(limit: Limit, value: Any) -> str:
    """What was expected of a value that its column cannot take; empty when it fits."""
    if limit.characters is not None:
        for text in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(text, str) and len(text) > limit.characters:
                return f"expected at most {limit.characters} characters, got {len(text)}"
    if limit.largest is not None and not isinstance(value, (str, bool)) and value is not None and value > limit.largest:
        return f"expected at most {limit.largest:,}, got {value:,}"
    return ""
