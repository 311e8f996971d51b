"""From a number of the funnel to exactly the prospects behind it.

The same definitions as the cells (``prospects.services.funnel_cells``), asked prospect by prospect: a prospect counts
once per stage, at its first entry, and its outcome is what became of it after that entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Exists, F, IntegerField, OuterRef, Q, QuerySet, Value

from playbooks.models import Client, StageRule
from playbooks.rules import stages
from playbooks.services.budgets import zone_of
from prospects.funnel.filters import read_day
from prospects.funnel.sql import onward_stages
from prospects.models import Basis, Outcome, Prospect, Stage, StageTransition
from prospects.rules.statistics import WINDOWS
from salesops.ids import id_in

_LOG = StageTransition.objects.filter(pipeline=StageRule.Pipeline.PROSPECT)


@dataclass(frozen=True, slots=True)
class FunnelSlice:
    """One number of the funnel. Days are in the client's time zone, both included; None is unbounded."""

    basis: str
    stage: str
    outcome: str = ""
    first: date | None = None
    last: date | None = None
    within: int | None = None
    version: str = ""

    def as_query(self) -> dict[str, str]:
        """The URL parameters of the prospect list that ask for this slice."""
        given = {
            "funnel": self.basis,
            "at": self.stage,
            "outcome": self.outcome,
            "from": self.first.isoformat() if self.first else "",
            "to": self.last.isoformat() if self.last else "",
            "within": str(self.within or ""),
            "version": self.version,
        }
        return {name: value for name, value in given.items() if value}

    @property
    def words(self) -> str:
        """What these prospects have in common, for people."""
        stage = str(Stage(self.stage).label)
        if self.basis == Basis.REACHED:
            return f"Came in {self._days}, ever {stage.lower()}"
        became = f"{str(Outcome(self.outcome).label).lower()}" if self.outcome else ""
        if self.basis == Basis.LEFT:
            return f"{stage}: {became} {self._days}"
        window = f" within {self.within} days" if self.within else ""
        return f"Entered {stage} {self._days}" + (f", {became}{window}" if became else "")

    @property
    def _days(self) -> str:
        if self.first and self.last:
            return f"{self.first:%d %b %Y} – {self.last:%d %b %Y}"
        if self.last:
            return f"until {self.last:%d %b %Y}"
        return f"since {self.first:%d %b %Y}" if self.first else "at any time"


def read_slice(params: Mapping[str, str]) -> FunnelSlice | None:
    """The slice that URL parameters name, or None when they name none."""
    basis, stage, outcome = params.get("funnel", ""), params.get("at", ""), params.get("outcome", "")
    if basis not in Basis.values or stage not in Stage.values:
        return None
    if outcome not in ("", *Outcome.values) or (basis == Basis.LEFT and not outcome):
        return None
    within, version = params.get("within", ""), params.get("version", "")
    return FunnelSlice(
        basis=basis,
        stage=stage,
        outcome=outcome if basis != Basis.REACHED else "",
        first=read_day(params.get("from", "")),
        last=read_day(params.get("to", "")),
        within=int(within) if within in map(str, WINDOWS) else None,
        version=version if id_in(version) is not None else "",
    )


def in_slice(prospects: QuerySet[Prospect], piece: FunnelSlice, *, client: Client) -> QuerySet[Prospect]:
    """The prospects among ``prospects`` that the slice counts."""
    days = _Days.of(piece, client)
    if piece.basis == Basis.REACHED:
        return _reached(prospects, piece, days)
    entry = _BORN if piece.stage == stages.SOURCED else _ENTRY
    if piece.stage == stages.SOURCED:
        rows: QuerySet[Any] = Prospect.objects.for_client(client).alias(entry_seq=Value(0, output_field=IntegerField()))
        if piece.version:
            rows = rows.filter(_first_version(piece.version, OuterRef("pk")))
    else:
        earlier = _LOG.filter(
            prospect=OuterRef("prospect"), to_stage=piece.stage, seq__lt=OuterRef("seq"), pipeline=OuterRef("pipeline")
        )
        rows = _LOG.for_client(client).filter(~Exists(earlier), to_stage=piece.stage)
        if piece.version:
            rows = rows.filter(playbook_version_id=int(piece.version))
    if piece.basis == Basis.ENTERED:
        rows = rows.filter(days.bound(entry.at))
    rows = rows.filter(_became(piece, entry, days))
    return prospects.filter(pk__in=rows.values(entry.prospect))


def _reached(prospects: QuerySet[Prospect], piece: FunnelSlice, days: _Days) -> QuerySet[Prospect]:
    prospects = prospects.filter(days.bound("created_at"))
    if piece.stage != stages.SOURCED:
        prospects = prospects.filter(Exists(_LOG.filter(prospect=OuterRef("pk"), to_stage=piece.stage)))
    if piece.version:
        prospects = prospects.filter(_first_version(piece.version, OuterRef("pk")))
    return prospects


def _first_version(version: str, prospect: OuterRef) -> Exists:
    return Exists(_LOG.filter(prospect=prospect, seq=1, playbook_version_id=int(version)))


@dataclass(frozen=True, slots=True)
class _Days:
    """The slice's days as moments: from ``start`` on, before ``end``."""

    start: datetime | None
    end: datetime | None

    @classmethod
    def of(cls, piece: FunnelSlice, client: Client) -> _Days:
        zone = zone_of(client)

        def midnight(day: date) -> datetime:
            return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)

        return cls(
            midnight(piece.first) if piece.first else None,
            midnight(piece.last + timedelta(days=1)) if piece.last else None,
        )

    def bound(self, column: str) -> Q:
        bounds = Q()
        if self.start:
            bounds &= Q(**{f"{column}__gte": self.start})
        if self.end:
            bounds &= Q(**{f"{column}__lt": self.end})
        return bounds


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where a first entry's facts stand: on a transition row, or on the prospect itself for its birth."""

    prospect: str
    seq: str
    at: str
    stage: str
    since: str


_ENTRY = _Columns("prospect", "seq", "at", "prospect__stage", "prospect__stage_since")
_BORN = _Columns("pk", "entry_seq", "created_at", "stage", "stage_since")


def _became(piece: FunnelSlice, entry: _Columns, days: _Days) -> Q:
    """The condition on the outcome, with its time inside the window (cohort) or the days (period)."""
    if not piece.outcome:
        return Q()
    if piece.outcome == Outcome.OPEN and piece.within:
        known = (Outcome.ON, Outcome.LOST, Outcome.ASIDE)
        return ~_any(_became(replace(piece, outcome=each), entry, days) for each in known)
    onward = _LOG.filter(
        prospect=OuterRef(entry.prospect), seq__gt=OuterRef(entry.seq), to_stage__in=onward_stages(piece.stage)
    )
    if piece.outcome == Outcome.ON:
        return _first_in_time(onward, piece, entry, days)
    stayed = ~Q(Exists(onward))
    if piece.outcome == Outcome.OPEN:
        return stayed & Q(**{entry.stage: piece.stage})
    elsewhere = stayed & ~Q(**{entry.stage: piece.stage})
    if piece.outcome == Outcome.LOST:
        return elsewhere & Q(**{f"{entry.stage}__in": stages.LOST}) & _since_in_time(piece, entry, days)
    exits = _LOG.filter(prospect=OuterRef(entry.prospect), from_stage=piece.stage)
    return elsewhere & ~Q(**{f"{entry.stage}__in": stages.LOST}) & _last_in_time(exits, piece, entry, days)


def _any(conditions: Any) -> Q:
    either = Q()
    for condition in conditions:
        either |= condition
    return either


def _deadline(piece: FunnelSlice, column: Any) -> Any:
    return column + timedelta(days=piece.within or 0)


def _first_in_time(moves: QuerySet[StageTransition], piece: FunnelSlice, entry: _Columns, days: _Days) -> Q:
    """The earliest of ``moves`` exists and lies inside the window or the days."""
    if piece.basis == Basis.LEFT:
        before = ~Q(Exists(moves.filter(at__lt=days.start))) if days.start else Q()
        return Q(Exists(moves.filter(days.bound("at")))) & before
    if piece.within:
        return Q(Exists(moves.filter(at__lt=_deadline(piece, OuterRef(entry.at)))))
    return Q(Exists(moves))


def _last_in_time(moves: QuerySet[StageTransition], piece: FunnelSlice, entry: _Columns, days: _Days) -> Q:
    """The latest of ``moves`` lies inside the window or the days."""
    if piece.basis == Basis.LEFT:
        after = ~Q(Exists(moves.filter(at__gte=days.end))) if days.end else Q()
        return Q(Exists(moves.filter(days.bound("at")))) & after
    if piece.within:
        return ~Q(Exists(moves.filter(at__gte=_deadline(piece, OuterRef(entry.at)))))
    return Q()


def _since_in_time(piece: FunnelSlice, entry: _Columns, days: _Days) -> Q:
    """The present stage began inside the window or the days."""
    if piece.basis == Basis.LEFT:
        return days.bound(entry.since)
    if piece.within:
        return Q(**{f"{entry.since}__lt": _deadline(piece, F(entry.at))})
    return Q()
