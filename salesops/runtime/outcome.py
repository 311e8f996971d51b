"""What converging a batch, or many, came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Outcome:
    """What one batch came to."""

    prospects: int = 0
    cycles: int = 0
    runs: int = 0
    proposed: int = 0
    promoted: int = 0
    refused: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, other: Outcome) -> None:
        """Take another batch's counts in; cycles is the most any batch needed."""
        self.prospects += other.prospects
        self.cycles = max(self.cycles, other.cycles)
        self.runs += other.runs
        self.proposed += other.proposed
        self.promoted += other.promoted
        self.refused += other.refused
        self.verdicts.update(other.verdicts)
        self.refusals.update(other.refusals)
        self.kinds.update(other.kinds)
