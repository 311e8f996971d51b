"""How far a convergence is: the bar, the rate, the time left, and each level of work beside it."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from prospects.models import Convergence, WorkLevel

LEVEL_WORDS = {
    WorkLevel.FIRST: "Hot or in the first tier",
    WorkLevel.NORMAL: "Not judged yet, or in between",
    WorkLevel.LATER: "Cold or rejected",
}


@dataclass(frozen=True, slots=True)
class LevelProgress:
    """One level: the first is worked before the second, the second before the third."""

    words: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a convergence is, for a live bar. ``total`` grows with what came due while it ran."""

    status: str
    done: int
    total: int
    seconds: float
    rate_per_second: float
    seconds_left: float | None
    levels: tuple[LevelProgress, ...]

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.done / self.total if self.total else 0.0


def progress(convergence: Convergence) -> Progress:
    """How far it is, with the rate so far and the time left at that rate."""
    end = convergence.finished_at or timezone.now()
    seconds = max((end - convergence.created_at).total_seconds(), 0.001)
    rate = convergence.done / seconds
    total = max(convergence.total, convergence.done)
    is_open = convergence.finished_at is None
    return Progress(
        status=convergence.status,
        done=convergence.done,
        total=total,
        seconds=seconds,
        rate_per_second=rate,
        seconds_left=(total - convergence.done) / rate if is_open and rate > 0 else (None if is_open else 0.0),
        levels=tuple(
            LevelProgress(LEVEL_WORDS[level], done, max(due, done))
            for level, due, done in zip(WorkLevel, convergence.level_totals, convergence.level_done, strict=False)
            if due or done
        ),
    )
