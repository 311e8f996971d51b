"""The stage service: the only writer of a prospect's stage.

Every move fires the model's transition in memory, writes one StageTransition row and then the prospect's stage columns,
in one transaction. PostgreSQL refuses anything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from django.db import transaction
from django_fsm import TransitionNotAllowed

from playbooks import audit
from playbooks.events import AuditEvent
from playbooks.models import Client
from playbooks.rules import stages
from prospects.host.loading import Place
from prospects.models import Prospect, StageTransition
from prospects.rules import progress
from prospects.rules.qualification import Rule, Standing, rule_of
from prospects.services.moving import deals, handoffs
from prospects.services.moving.ledger import COLUMNS, WORDS, Ground, IllegalMove, Word, log_move, ruling_versions
from prospects.services.scores import Scored, scoring_model
from salesops.runtime.bulk import copy_rows
from salesops.runtime.context import Context
from salesops.runtime.ports import Numbers, Scope

_COLUMNS = (
    "id", "client_id", "prospect_id", "playbook_version_id", "pipeline", "seq", "from_stage", "to_stage", "at",
    "seconds", "actor_id", "agent", "run_id", "reason", "evidence_ids", "score_id", "transaction", "trace_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict kept beside a context until the prospect is concluded."""

    verdict: str
    reason: str
    missing: tuple[str, ...]


def rules_of(scope: Scope) -> dict[tuple[str, str], Rule]:
    """The version's stage rules of the prospect pipeline by (from, to); prepared once per scope.

    The playbook's own minimum of categories holds for *qualified* even where its rule asks for fewer.
    """
    rules: dict[tuple[str, str], Rule] | None = scope.memory.get("stage_rules")
    if rules is None:
        rules = {}
        for r in scope.playbook.stage_rules:
            if r.pipeline != "prospect":
                continue
            least = scope.playbook.min_categories if r.to_stage == "qualified" else 0
            rule = rule_of(r)
            rules[(r.from_stage, r.to_stage)] = replace(rule, min_categories=max(rule.min_categories, least))
        scope.memory["stage_rules"] = rules
    return rules


def advance(
    scope: Scope, contexts: Mapping[int, Context], scored: Mapping[int, Scored], numbers: Numbers
) -> dict[int, Judged]:
    """Judge these prospects and fire the moves whose rules now hold; the host saves the stage columns.

    Inside the cycle's transaction. Returns everyone's verdict.
    """
    rules = rules_of(scope)
    model = scoring_model(scope)
    rows: list[tuple[Any, ...]] = []
    passed = handoffs.Writer(scope, numbers)
    judged: dict[int, Judged] = {}
    for context in contexts.values():
        mine = scored[context.id]
        standing = Standing(mine.items, mine.composite, model.icp.criteria, scope.playbook.min_confidence)
        plan = progress.plan(context.stage, standing, rules, warm=model.icp.warm, new_evidence=context.new_evidence)
        judged[context.id] = Judged(plan.verdict.verdict, plan.verdict.reason, tuple(plan.verdict.missing))
        for move in plan.moves:
            rows.append(_move_context(scope, context, move, numbers))
            passed.note(context, move, rows[-1][0], plan.verdict.missing)
    if rows:
        copy_rows("prospects_stagetransition", _COLUMNS, rows)
        passed.write()
    return judged


def _move_context(scope: Scope, context: Context, move: progress.Move, numbers: Numbers) -> tuple[Any, ...]:
    """Fire one move on a context and return its log row."""
    place: Place = context.row
    at = max(scope.now, place.stage_since)
    fire(move.from_stage, move.to_stage)
    seconds = (at - place.stage_since).total_seconds()
    place.stage_seq += 1
    place.stage_since = at
    context.stage = move.to_stage
    context.changed()
    return (
        numbers.row("transition"), scope.client_id, context.id, scope.playbook.id, "prospect", place.stage_seq,
        move.from_stage, move.to_stage, at, seconds, None, "runtime", None, move.reason[:WORDS],
        list(move.evidence_ids), place.score_id if move.by_rule else None, 0, scope.trace_id,
    )  # fmt: skip


@lru_cache(maxsize=256)
def fire(from_stage: str, to_stage: str) -> None:
    """Fire the model's transition on a bare instance: stages alone decide, so once per pair is enough.

    Raises ``IllegalMove``.
    """
    prospect = Prospect(stage=from_stage)
    try:
        prospect.move_to(to_stage)
    except (TransitionNotAllowed, KeyError) as error:
        raise IllegalMove(f"A prospect cannot go from {from_stage} to {to_stage}.") from error


def move(
    prospects: Iterable[Prospect],
    to_stage: str,
    *,
    client: Client,
    word: Word,
    evidence_ids: Mapping[int, Sequence[int]] | None = None,
    score_ids: Mapping[int, int] | None = None,
) -> list[StageTransition]:
    """Move these prospects of one client to ``to_stage``, under the versions that rule them.

    ``evidence_ids`` and ``score_ids`` give, per prospect id, what the stage rule rests on. A constant number of
    queries. Whoever converts gets a deal in the same transaction. Raises ``IllegalMove``; PostgreSQL refuses a move
    whose stage rule does not hold. A person's move is audited.
    """
    wanted = sorted({prospect.pk for prospect in prospects})
    with transaction.atomic():
        rows = list(
            Prospect.objects.for_client(client).filter(pk__in=wanted).order_by("pk").select_for_update(no_key=True)
        )
        versions = ruling_versions(rows)
        made = []
        for row in rows:
            version_id = versions.get(row.pk)
            if version_id is None:
                raise IllegalMove("Its playbook has no active version, so there is no rule to move it by.")
            ground = Ground(version_id, (evidence_ids or {}).get(row.pk, ()), (score_ids or {}).get(row.pk))
            made.append(log_move(row, to_stage, word, ground))
        StageTransition.objects.bulk_create(made)
        handoffs.write_for_moves(rows, made, actor=word.actor, run_id=word.run_id)
        Prospect.objects.bulk_update(rows, COLUMNS)
        if to_stage == stages.CONVERTED:
            deals.open_deals(rows, versions, word)
        if word.actor is not None:
            audit.record_many(client=client, entries=_audited(rows, made), actor=word.actor)
    return made


def _audited(rows: Sequence[Prospect], made: Sequence[StageTransition]) -> list[audit.Entry]:
    return [
        audit.Entry(
            event=AuditEvent.STAGE_CHANGED, subject=row, trace_id=log.trace_id,
            detail={"from": log.from_stage, "to": log.to_stage},
        )
        for row, log in zip(rows, made, strict=True)
    ]  # fmt: skip
