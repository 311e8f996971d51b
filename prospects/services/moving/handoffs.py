"""Handoffs: when a move changes which team is responsible, that team is told what is known, in the same transaction.

Who is responsible at a stage is the team whose stage rule leads onwards from it. The receiving team's first run on the
prospect takes the work up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Protocol

from django.db import connection

from playbooks.models import Criterion, StageRule, User
from playbooks.rules import stages
from prospects.host.loading import ICP, Place
from prospects.host.score_loading import evidence_under
from prospects.models import Evidence, Handoff, Prospect, StageTransition
from prospects.rules.progress import Move
from salesops.runtime.bulk import copy_rows
from salesops.runtime.context import Context
from salesops.runtime.ports import Numbers, Scope
from salesops.runtime.views import EvidenceView
from salesops.runtime.words import Team
from salesops.sql import fetch

_COLUMNS = (
    "id", "client_id", "prospect_id", "transition_id", "from_team", "to_team", "stage", "summary", "evidence_ids",
    "run_id", "actor_id", "at", "trace_id",
)  # fmt: skip
_OPEN = """
SELECT h.prospect_id, h.id, h.to_team, h.at FROM prospects_handoff h WHERE h.prospect_id = ANY(%s)
AND NOT EXISTS (SELECT 1 FROM prospects_handoffacceptance a WHERE a.handoff_id = h.id) ORDER BY h.id
"""
# Somebody who works without holding the prospect, such as a person answering a task, may have taken it up meanwhile.
_ACCEPT = """
INSERT INTO prospects_handoffacceptance (handoff_id, client_id, agent, run_id, at)
SELECT handoff, %s, agent, run, at FROM unnest(%s::bigint[], %s::varchar[], %s::bigint[], %s::timestamptz[])
       AS new (handoff, agent, run, at) ORDER BY handoff
ON CONFLICT (handoff_id) DO NOTHING
"""
TOUCHES = 3
NEXT = {
    stages.RESEARCHED: "Judge fit, timing, need and risk from the evidence.",
    stages.QUALIFYING: "Judge fit, timing, need and risk from the evidence.",
    stages.QUALIFIED: "Draft a message and choose the channel.",
    stages.CONTACTED: "Wait for an answer, and follow up as the sequence says.",
    stages.ENGAGED: "Agree on a time to talk.",
    stages.CONVERTED: "Work the deal: what they need, who decides and when.",
    stages.DISCOVERY: "Find out what they need, who decides and when.",
    stages.PROPOSAL: "Make the offer and agree on the steps to a decision.",
    stages.NEGOTIATION: "Agree on terms and on a day to sign.",
    stages.WON: "Welcome them and plan the first weeks.",
    stages.HEALTHY: "Keep an eye on use, and ask what else would help.",
    stages.EXPANSION: "Talk about what they may need next.",
    stages.AT_RISK: "Find out what went wrong and put it right.",
}


class RuleOfTeam(Protocol):
    """What a stage rule says about who is responsible."""

    @property
    def pipeline(self) -> str: ...
    @property
    def from_stage(self) -> str: ...
    @property
    def to_stage(self) -> str: ...
    @property
    def team(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Open:
    """A handoff that nobody has taken up. ``after``: only a run later than this one can, or any when 0."""

    id: int
    to_team: str
    at: datetime
    after: int = 0


Touches = Callable[[Collection[int]], Mapping[int, Sequence[Mapping[str, Any]]]]
_touches: list[Touches] = []


def register_touches(reader: Touches) -> None:
    """Called once by the app that knows what was said to prospects: newest first, a few for each."""
    if reader not in _touches:
        _touches.append(reader)


def teams_of(rules: Iterable[RuleOfTeam], pipeline: str = "prospect") -> dict[str, str]:
    """Stage → the team responsible there. Stages from which no rule leads on belong to whoever had them.

    Who works the deal has the prospect once it converts; lifecycle has it from the start where there are no deals.
    """
    rules = list(rules)
    line = stages.ONWARDS[pipeline]
    onwards = dict(pairwise(line))
    lifecycle = Team.LIFECYCLE.value
    working = (rule.team for rule in rules if (rule.pipeline, rule.from_stage) == ("deal", stages.DISCOVERY))
    teams: dict[str, str] = {
        "prospect": {stages.CONVERTED: next(working, lifecycle)},
        "deal": {stages.WON: lifecycle},
        "customer": dict.fromkeys(stages.CUSTOMER_STAGES, lifecycle),
    }[pipeline]
    led = set()
    for rule in rules:
        if rule.pipeline != pipeline:
            continue
        if onwards.get(rule.from_stage) == rule.to_stage or rule.from_stage not in led:
            teams[rule.from_stage] = rule.team
            led.add(rule.from_stage)
    return teams


def _passes(teams: Mapping[str, str], from_stage: str, to_stage: str) -> tuple[str, str] | None:
    giver, taker = teams.get(from_stage), teams.get(to_stage)
    return (giver, taker) if giver and taker and giver != taker else None


class Writer:
    """Collects the handoffs of one cycle's moves, then writes them at once. One per set of contexts."""

    def __init__(self, scope: Scope, numbers: Numbers) -> None:
        teams: dict[str, str] | None = scope.memory.get("stage_teams")
        if teams is None:
            teams = scope.memory["stage_teams"] = teams_of(scope.playbook.stage_rules)
        self._teams = teams
        self._flags = scope.memory.setdefault(
            "icp_flags", frozenset(c.key for c in scope.playbook.criteria if c.scorecard == ICP and c.kind == "flag")
        )
        self._scope = scope
        self._numbers = numbers
        self._rows: list[tuple[Any, ...]] = []

    def note(self, context: Context, move: Move, transition_id: int, missing: Sequence[str]) -> None:
        """Called for every move, after it was fired; most change nobody's responsibility."""
        passed = _passes(self._teams, move.from_stage, move.to_stage)
        if passed is None:
            return
        giver, taker = passed
        place: Place = context.row
        given = max((run for team, run, _ in context.hands if team == giver), default=None)
        handoff = self._numbers.row("handoff")
        self._rows.append(
            (
                handoff, self._scope.client_id, context.id, transition_id, giver, taker, move.to_stage,
                json.dumps(self._summary_of(context, move.to_stage, missing)),
                sorted(e.id for e in context.evidence.values()), given, None, place.stage_since, self._scope.trace_id,
            )
        )  # fmt: skip
        place.handoffs.append(Open(handoff, taker, place.stage_since, given or 0))

    def _summary_of(self, context: Context, stage: str, missing: Sequence[str]) -> dict[str, Any]:
        return {
            "known": _by_layer(context.evidence.values(), self._flags),
            "open": list(missing),
            "touches": [
                {"at": t.at.isoformat(), "channel": t.channel, "subject": t.subject, "outcome": t.outcome}
                for t in reversed(context.touches[-TOUCHES:])
            ],
            "next": _next(stage, has_person=context.contact is not None),
        }

    def write(self) -> None:
        """Inside the transaction of the moves, after them."""
        if self._rows:
            copy_rows("prospects_handoff", _COLUMNS, self._rows)


def _next(stage: str, *, has_person: bool) -> str:
    if stage == stages.QUALIFIED and not has_person:
        return "Find a person to write to."
    return NEXT.get(stage, "")


def load_open(contexts: Mapping[int, Context]) -> None:
    """What waits to be taken up on these prospects; one query."""
    for prospect_id, *rest in fetch(_OPEN, [list(contexts)]):
        contexts[prospect_id].row.handoffs.append(Open(*rest))


def accept(scope: Scope, contexts: Iterable[Context]) -> None:
    """The receiving teams' runs of this cycle take up what waited for them. Inside the cycle's transaction."""
    taken: list[tuple[int, str, int, datetime]] = []
    for context in contexts:
        place: Place = context.row
        if place.handoffs:
            place.handoffs = [one for one in place.handoffs if not _taken_up(one, context, scope.now, taken)]
        context.hands.clear()
    if taken:
        columns = [list(column) for column in zip(*taken, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(_ACCEPT, [scope.client_id, *columns])


def _taken_up(one: Open, context: Context, now: datetime, taken: list[tuple[int, str, int, datetime]]) -> bool:
    for team, run, agent in context.hands:
        if team == one.to_team and run > one.after:
            taken.append((one.id, agent, run, max(now, one.at)))
            return True
    return False


def write_for_moves(
    rows: Sequence[Prospect], logs: Sequence[StageTransition], *, actor: User | None, run_id: int | None
) -> list[Handoff]:
    """The handoffs that these moves mean, whoever made them. In their transaction; a constant number of queries.

    ``rows`` are the prospects that moved, or whose deals or customers did, beside the log of each, all of one pipeline.
    """
    if not logs:
        return []
    versions: dict[int, list[StageRule]] = {}
    for rule in StageRule.objects.filter(version__in={log.playbook_version_id for log in logs}).order_by("pk"):
        versions.setdefault(rule.version_id, []).append(rule)
    teams = {version: teams_of(rules, logs[0].pipeline) for version, rules in versions.items()}
    passed = [
        (row, log, pair)
        for row, log in zip(rows, logs, strict=True)
        if (pair := _passes(teams.get(log.playbook_version_id, {}), log.from_stage, log.to_stage)) is not None
    ]
    if not passed:
        return []
    ids = [row.pk for row, _, _ in passed]
    known, heard = _known(passed), _heard(ids)
    flags = Criterion.objects.filter(version__in=versions, scorecard=ICP, kind="flag").values_list("key", flat=True)
    flagged = frozenset(flags)
    return Handoff.objects.bulk_create(
        Handoff(
            client_id=row.client_id, prospect=row, transition=log, from_team=giver, to_team=taker, stage=log.to_stage,
            summary={
                "known": _by_layer(known.get(row.pk, ()), flagged), "open": row.verdict_missing,
                "touches": list(heard.get(row.pk, ()))[:TOUCHES],
                "next": _next(log.to_stage, has_person=row.contact_id is not None),
            },
            evidence_ids=sorted(e.pk for e in known.get(row.pk, ())), run_id=run_id, actor=actor, at=log.at,
            trace_id=log.trace_id,
        )
        for row, log, (giver, taker) in passed
    )  # fmt: skip


def _known(passed: Sequence[tuple[Prospect, StageTransition, tuple[str, str]]]) -> dict[int, list[Evidence]]:
    """The evidence in force by prospect, under the version that judged it last."""
    versions = {row.pk: row.converged_version_id or log.playbook_version_id for row, log, _ in passed}
    found: dict[int, list[Evidence]] = {}
    for version in sorted(set(versions.values())):
        rows = evidence_under(version).filter(prospect__in=[i for i, mine in versions.items() if mine == version])
        newest = rows.order_by("prospect_id", "scorecard", "criterion", "-observed_at", "-pk")
        for e in newest.distinct("prospect_id", "scorecard", "criterion"):
            found.setdefault(e.prospect_id, []).append(e)
    return found


def _by_layer(evidence: Iterable[Evidence | EvidenceView], flags: Collection[str]) -> dict[str, list[list[Any]]]:
    """What was found, by layer. A flag that was looked for and not found is nothing to tell."""
    known: dict[str, list[list[Any]]] = {}
    for e in evidence:
        if e.scorecard == ICP and (e.strong_negative or (e.value and e.criterion not in flags)):
            known.setdefault(e.layer, []).append([e.criterion, e.value])
    return {layer: sorted(facts) for layer, facts in sorted(known.items())}


def _heard(ids: Collection[int]) -> dict[int, list[Mapping[str, Any]]]:
    heard: dict[int, list[Mapping[str, Any]]] = {}
    for reader in _touches:
        for prospect_id, touches in reader(ids).items():
            heard.setdefault(prospect_id, []).extend(touches)
    return heard
