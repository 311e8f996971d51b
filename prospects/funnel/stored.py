"""The funnel from stored cells: an answer whose cost follows the days asked for, never the number of prospects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from playbooks.models import Playbook
from playbooks.rules import stages
from prospects.funnel.filters import COHORT, FunnelFilters
from prospects.models import Grain
from prospects.rules.statistics import DURATION_EDGES, bucket_of_window
from salesops.sql import fetch


@dataclass(frozen=True, slots=True)
class Counted:
    """``n`` first entries of one stage that share an outcome and a duration bucket; ``seconds`` is their summed time.

    ``entered``: they count as entered. ``became``: their outcome and time count. ``reached``: they only say that the
    prospects ever got to this stage.
    """

    stage: str
    outcome: str
    n: int
    seconds: int = 0
    bucket: int = 0
    ended: bool = False
    in_time: bool = False
    entered: bool = False
    became: bool = False
    reached: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """Everything counted for one funnel. Segments: (segment, stage, prospects ever there; in a period, come there)."""

    stages: list[Counted]
    segments: list[tuple[str, str, int]]
    as_of: datetime


def stored_counts(playbook: Playbook, filters: FunnelFilters, as_of: datetime) -> Counts:
    """The answer from cells, in one query; for filters that narrow one dimension at most."""
    arguments = {
        "playbook": playbook.pk,
        "now": int(as_of.timestamp()),
        "limit": outcome_limit(filters),
        "edges": list(DURATION_EDGES),
        "main_line": list(stages.MAIN_LINE),
        **_grains(filters),
        **_days(filters),
    }
    rows = fetch(_STORED_COHORT if filters.mode == COHORT else _STORED_PERIOD, arguments)
    counts, segments = [], []
    for part, segment, stage, outcome, in_time, ended, bucket, n, seconds in rows:
        if part == "segment":
            segments.append((segment, stage, n))
        else:
            counts.append(Counted(stage, outcome, n, int(seconds), bucket, ended, in_time, **_PARTS[part]))
    return Counts(counts, segments, as_of)


_PARTS: dict[str, dict[str, bool]] = {
    "cohort": {"entered": True, "became": True},
    "reached": {"reached": True},
    "entered": {"entered": True},
    "became": {"became": True},
}


def _grains(filters: FunnelFilters) -> dict[str, str | None]:
    """Which cells tell of the stages, and which of the segments; None is any value."""
    grain, value = next(iter(filters.dimensions.items()), (Grain.ALL.value, ""))
    if grain == Grain.ALL:
        return {"grain": grain, "value": value, "segments": Grain.SEGMENT.value, "of": None}
    segments = grain if grain == Grain.SEGMENT else f"segment+{grain}"
    return {"grain": grain, "value": value, "segments": segments, "of": value}


def _days(filters: FunnelFilters) -> dict[str, date]:
    """Whole months by their sums, the days around them one by one. Nothing lies behind today, so its month is whole."""
    first, last = filters.first or date.min, filters.last or date.max
    behind = min(last, date.max - timedelta(days=1)) + timedelta(days=1)
    months_from = first if first.day == 1 else (first.replace(day=1) + timedelta(days=32)).replace(day=1)
    months_to = behind if last >= filters.today else behind.replace(day=1)
    if months_from >= months_to:
        months_from = months_to = behind
    return {"first": first, "last": last, "months_from": months_from, "months_to": months_to}


def outcome_limit(filters: FunnelFilters) -> int:
    """The first duration bucket that comes too late for the filters' window."""
    return bucket_of_window(filters.within) if filters.within else len(DURATION_EDGES) + 1


_IN_DAYS = """(span = 'month' AND day >= %(months_from)s AND day < %(months_to)s
    OR span = 'day' AND (day >= %(first)s AND day < %(months_from)s OR day >= %(months_to)s AND day <= %(last)s))"""

#: Cells summed per stage, outcome and duration; open stays under the bucket and the sum of their ages.
_BY_DURATION = """
    SELECT '{part}', '', stage, outcome, outcome_bucket >= 0 AND outcome_bucket < %(limit)s, stay_bucket >= 0,
        CASE WHEN stay_bucket >= 0 THEN stay_bucket
             ELSE width_bucket(%(now)s::bigint - entered_sum / n, %(edges)s::bigint[]) END,
        sum(n), sum(CASE WHEN stay_bucket >= 0 THEN stay_sum ELSE %(now)s::bigint * n - entered_sum END)
    FROM prospects_funnelcell
    WHERE playbook_id = %(playbook)s AND grain = %(grain)s AND value = %(value)s AND {where}
    GROUP BY 1, 2, 3, 4, 5, 6, 7"""

_BY_STAGE = """
    SELECT '{part}', '', stage, '', false, false, 0, sum(n), 0 FROM prospects_funnelcell
    WHERE playbook_id = %(playbook)s AND grain = %(grain)s AND value = %(value)s AND {where} GROUP BY stage"""

_BY_SEGMENT = """
    SELECT 'segment', CASE WHEN grain = 'segment' THEN value ELSE segment END, stage, '', false, false, 0, sum(n), 0
    FROM prospects_funnelcell
    WHERE playbook_id = %(playbook)s AND grain = %(segments)s AND (%(of)s::text IS NULL OR value = %(of)s)
      AND stage = ANY(%(main_line)s) AND {where} GROUP BY 2, 3"""

_STORED_COHORT = " UNION ALL ".join(
    (
        _BY_DURATION.format(part="cohort", where=f"basis = 'entered' AND {_IN_DAYS}"),
        _BY_STAGE.format(part="reached", where=f"basis = 'reached' AND {_IN_DAYS}"),
        _BY_SEGMENT.format(where=f"basis = 'reached' AND {_IN_DAYS}"),
    )
)
_STORED_PERIOD = " UNION ALL ".join(
    (
        _BY_STAGE.format(part="entered", where=f"basis = 'entered' AND {_IN_DAYS}"),
        _BY_DURATION.format(part="became", where=f"basis = 'left' AND {_IN_DAYS}"),
        _BY_DURATION.format(part="became", where="basis = 'entered' AND outcome = 'open' AND span = 'month'"),
        _BY_SEGMENT.format(where=f"basis = 'entered' AND {_IN_DAYS}"),
    )
)
