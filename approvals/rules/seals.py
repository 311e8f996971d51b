"""Fingerprints of what a person was shown and of what they said: the audit log keeps them beside the decision."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any


def shown(dossier: Mapping[str, Any]) -> str:
    """Of a dossier as it is stored, as 64 hexadecimal characters; the order of its keys does not matter."""
    return _digest(dossier)


def said(*, at: datetime, reason: str, words: str, diff: Sequence[Mapping[str, Any]], until: datetime | None) -> str:
    """Of everything in a decision that is neither the request nor the message. Times are aware."""
    return _digest([_instant(at), reason, words, list(diff), None if until is None else _instant(until)])


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _digest(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
