"""The numbers that a playbook's triggers can watch. Other apps register theirs under the names of ``METRICS``."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from playbooks.rules.triggers import METRICS
from prospects.models import Convergence, Prospect

#: (playbook id, time, how far counting has to go) → the number; None when there is nothing to count yet.
Metric = Callable[[int, datetime, int], float | None]
_metrics: dict[str, Metric] = {}


def register(name: str, metric: Metric) -> None:
    """Called once per metric, in ``AppConfig.ready()``. Raises KeyError for a name that no playbook can use."""
    if name not in METRICS:
        raise KeyError(f"playbooks know no metric {name!r}")
    _metrics[name] = metric


def read(name: str, playbook_id: int, *, at: datetime, enough: int) -> float | None:
    """The metric now. Counting may stop at ``enough``, so that its cost does not grow with the table."""
    return _metrics[name](playbook_id, at, enough)


def registered() -> frozenset[str]:
    return frozenset(_metrics)


def due_prospects(playbook_id: int, at: datetime, enough: int) -> float:
    """Prospects with facts that no agent has seen, counted through their partial index up to ``enough``."""
    del at
    due = Prospect.objects.filter(playbook=playbook_id).due()
    return float(due.order_by()[:enough].count())


def stalled_share(playbook_id: int, at: datetime, enough: int) -> float | None:
    """Of the prospects that the last finished convergence judged, the share that stalled."""
    del at, enough
    last = _rested(playbook_id)
    judged = last.qualified + last.rejected + last.stalled if last is not None else 0
    return last.stalled / judged if last is not None and judged else None


def days_since_convergence(playbook_id: int, at: datetime, enough: int) -> float | None:
    """Days since agents last came to rest for the playbook."""
    del enough
    last = _rested(playbook_id)
    return (at - last.finished_at) / timedelta(days=1) if last is not None and last.finished_at else None


def _rested(playbook_id: int) -> Convergence | None:
    """The newest convergence that came to rest by itself."""
    return Convergence.objects.filter(playbook=playbook_id, status=Convergence.Status.DONE).order_by("-id").first()


for _metric in (due_prospects, stalled_share, days_since_convergence):
    register(_metric.__name__, _metric)
