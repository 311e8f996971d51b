"""One move of anything that moves through a pipeline: the transition fired on the row, and its log row to be written.

The stage and deal services build on it. The log row and the stage columns are saved by them, in one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django_fsm import TransitionNotAllowed

from playbooks.models import User
from playbooks.ruling import rulings_of, version_for
from prospects.models import Customer, Deal, Prospect, StageTransition
from salesops.dbtypes import new_trace_id
from salesops.errors import Refusal

WORDS = 500  # characters of StageTransition.reason
COLUMNS = ["stage", "stage_seq", "stage_since"]
Moved = Prospect | Deal | Customer


class IllegalMove(Refusal):
    """The stage asked for cannot be reached from where the prospect, deal or customer stands."""


@dataclass(frozen=True, slots=True)
class Word:
    """On whose word a move is made, when and why. Nobody named means the system."""

    at: datetime
    actor: User | None
    reason: str = ""
    agent: str = ""
    run_id: int | None = None
    trace_id: str = field(default_factory=new_trace_id)


@dataclass(frozen=True, slots=True)
class Ground:
    """What a move rests on: the ruling version, the evidence that satisfied its rule and the score it asked for."""

    version_id: int
    evidence_ids: Sequence[int] = ()
    score_id: int | None = None


def ruling_versions(prospects: Iterable[Prospect]) -> dict[int, int]:
    """By prospect, the version that rules it; nobody whose playbook has none. Two queries, however many."""
    rows = list(prospects)
    held = rulings_of({row.playbook_id for row in rows})
    return {row.pk: version_for(held[row.playbook_id], row.created_at) for row in rows if row.playbook_id in held}


def pipeline_of(row: Moved) -> str:
    """The pipeline that a row moves through."""
    return "prospect" if isinstance(row, Prospect) else row.pipeline


def log_move(row: Moved, to_stage: str, word: Word, ground: Ground) -> StageTransition:
    """Fire the transition on the locked row and return the log row, both unsaved. Raises ``IllegalMove``."""
    from_stage, pipeline = row.stage, pipeline_of(row)
    when = max(word.at, row.stage_since)
    seconds = (when - row.stage_since).total_seconds()
    try:
        row.move_to(to_stage)
    except (TransitionNotAllowed, KeyError) as error:
        raise IllegalMove(f"A {pipeline} cannot go from {from_stage} to {to_stage}.") from error
    row.stage_seq += 1
    row.stage_since = when
    return StageTransition(
        client_id=row.client_id, prospect_id=row.pk if isinstance(row, Prospect) else row.prospect_id,
        deal=row if isinstance(row, Deal) else None, customer=row if isinstance(row, Customer) else None,
        pipeline=pipeline, playbook_version_id=ground.version_id, seq=row.stage_seq, from_stage=from_stage,
        to_stage=to_stage, at=when, seconds=seconds, actor=word.actor, agent=word.agent, run_id=word.run_id,
        reason=word.reason[:WORDS], evidence_ids=list(ground.evidence_ids), score_id=ground.score_id,
        trace_id=word.trace_id,
    )  # fmt: skip
