"""What the drafting and choosing agents read from the advice about earlier outcomes. Not an agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from approvals.rules.history import ENOUGH, lift
from salesops.runtime.views import ProspectView

HISTORY = ("history", "")


def _records(prospect: ProspectView, name: str) -> Iterable[Mapping[str, Any]]:
    advice = prospect.advice.get(HISTORY)
    found: Iterable[Mapping[str, Any]] = advice.data.get(name, ()) if advice is not None else ()
    return found


def angle_lift(prospect: ProspectView, channel: str, angle: str) -> float:
    """How much better an angle did with similar prospects than expected; 1 where too little is known."""
    found = next((r for r in _records(prospect, "angles") if (r["channel"], r["angle"]) == (channel, angle)), None)
    return lift(found["rate"], found["prior"]) if found is not None else 1.0


def own_rate(prospect: ProspectView, channel: str) -> tuple[float, int] | None:
    """The client's own rate on a channel with the number of cases behind it; None while those are too few."""
    found = next((r for r in _records(prospect, "channels") if r["channel"] == channel and r["n"] >= ENOUGH), None)
    return (found["rate"], found["n"]) if found is not None else None
