"""Gates on data rather than on stages: which scorecard has to reach which of the playbook's thresholds for what. Pure.

A gate holds only where the playbook has the scorecard: without one, nothing is kept back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from playbooks.rules.criteria import Criterion
from prospects.rules import scoring
from prospects.rules.criteria import judge_all
from prospects.rules.facts import Facts, SignalLike
from prospects.rules.scoring import Judged, Scorecard


@dataclass(frozen=True, slots=True)
class QualityGate:
    """``threshold`` is the playbook's column, a share of 1; ``label`` says what passing it allows."""

    scorecard: str
    threshold: str
    label: str


KEEP = QualityGate("discovery_fit", "keep_threshold", "Worth keeping")
ENRICH = QualityGate("composite_discovery", "enrich_threshold", "Worth asking sources about")
CRM = QualityGate("data_quality", "crm_threshold", "Complete enough for a CRM")
GATES = (KEEP, ENRICH, CRM)


@dataclass(frozen=True, slots=True)
class Passing:
    """What there is and what is needed, in points of 100; ``value`` None while nothing is known."""

    passed: bool
    value: float | None
    needed: float

    @property
    def words(self) -> str:
        """As a person reads it."""
        have = "nothing known yet" if self.value is None else f"{self.value:.0f}"
        return f"{have}, needs {self.needed:.0f}"


def passing(value: float | None, threshold: float) -> Passing:
    """A score of 0–100 against a threshold of 0–1. Rounding errors of a sum keep nobody out."""
    needed = 100 * threshold
    return Passing(value is not None and value >= needed - 1e-9, value, needed)


class Asked:
    """One gate of one playbook version, prepared once. ``holds`` is False where the version lacks the scorecard."""

    def __init__(self, gate: QualityGate, criteria: Mapping[tuple[str, str], Criterion], threshold: float) -> None:
        self.gate = gate
        self.threshold = threshold
        self._criteria = [c for (card, _), c in criteria.items() if card == gate.scorecard]
        self._card = Scorecard(gate.scorecard, self._criteria)

    @property
    def holds(self) -> bool:
        return bool(self._criteria)

    def of(self, signals: Iterable[SignalLike], now: datetime) -> Passing:
        """Whether whoever these signals speak of passes, judged on the spot."""
        judged = judge_all(self._criteria, Facts(signals, now))
        known = {
            c.key: Judged(0, j.value, j.observed_at, j.strong_negative)
            for c, j in judged
            if j.value is not None and j.observed_at is not None
        }
        return passing(scoring.score(self._card, known, now).value, self.threshold)
