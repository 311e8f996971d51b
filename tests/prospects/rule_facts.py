"""Small builders for the tests of the pure rules."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings

from playbooks.rules.criteria import Criterion
from prospects.rules.facts import Facts
from prospects.rules.scoring import EvidenceItem

# Two busy cores are slow cores: judge what the rules do, not how long drawing an example took.
patient = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

NOW = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


@dataclass
class Seen:
    id: int
    kind: str
    observed_at: datetime = NOW
    value: float | None = None
    text: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    source: str = "test file"


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def profile(id: int = 1, *, days_ago: float = 0, **data: Any) -> Seen:
    return Seen(id, "profile", ago(days_ago), data=data)


def facts(*signals: Seen) -> Facts:
    return Facts(signals, NOW)


def criterion(kind: str, params: dict[str, Any], **fields: Any) -> Criterion:
    given: dict[str, Any] = {"key": "k", "label": "Label", "category": "fit", "layer": "firmographic", "weight": 10}
    return Criterion.build(kind=kind, params=params, **{**given, **fields})


def item(key: str = "k", value: float = 100, **fields: Any) -> EvidenceItem:
    given: dict[str, Any] = {
        "id": 1,
        "criterion": key,
        "layer": "firmographic",
        "category": "fit",
        "value": value,
        "confidence": 0.9,
        "strong_negative": False,
        "observed_at": NOW,
        "signal_ids": (1,),
        "fact_ref": key,
    }
    return EvidenceItem(**{**given, **fields})
