"""``converge``: run whichever agents have something new to read, in cycles, until nothing new appears.

One batch of prospects at a time, a constant number of queries a batch. Agents run outside any transaction; each
cycle's facts are written in one, guarded against facts that arrived meanwhile. A crash loses at most the cycle that was
running, and the runs' keys make the next attempt go on exactly there.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded

from salesops.runtime import digest
from salesops.runtime.context import Context
from salesops.runtime.contract import Agent, Answers, Batch, Tools
from salesops.runtime.eligibility import eligible, implementation_of, may_run, run_version, unreadable, watermark
from salesops.runtime.faults import Fault, fault_of
from salesops.runtime.invariants import InvariantBroken, semantic
from salesops.runtime.outcome import Outcome
from salesops.runtime.permissions import hide
from salesops.runtime.ports import Finding, Halt, Host, Ledger, Port, Run, Scope
from salesops.runtime.proposals import NoteProposal, Proposal
from salesops.runtime.registry import Registry
from salesops.runtime.validation import Objection, check, parse
from salesops.runtime.words import OUTREACH_PHASES, ImplementationKind, Refused

log = structlog.get_logger(__name__)
#: What may be wrong with one prospect alone; any other failure meets whoever comes next, too.
_ONE_RECORDS_DOING = frozenset({Fault.BUG, Fault.BAD_RECORD})


@dataclass(frozen=True, slots=True)
class _Player:
    """An agent that takes part in this convergence, with the implementation it was assigned."""

    agent: Agent
    kind: ImplementationKind
    version: str
    tools: Tools


class Engine:
    """Runs batches under one scope. Holds nothing between batches but the scope, so memory stays flat."""

    def __init__(self, scope: Scope, host: Host, ports: Sequence[Port], agents: Registry) -> None:
        self.scope = scope
        self.host = host
        self.ports: tuple[Port, ...] = (host, *ports)
        self.keeper = {accepted: port for port in self.ports for accepted in port.accepts}
        self.players = [self._player(agent) for agent in agents if may_run(agent, scope)]

    def _player(self, agent: Agent) -> _Player:
        scope = self.scope
        kind = implementation_of(agent, scope)
        model = sources = None
        if scope.toolbox is not None:
            model = scope.toolbox.model(agent.name) if kind is ImplementationKind.LLM else None
            sources = scope.toolbox.sources(agent.name)
        tools = Tools(agent.name, scope.now, scope.seed, scope.playbook, scope.memory, model, sources)
        return _Player(agent, kind, run_version(agent, kind, scope), tools)

    def run(self, ids: Sequence[int]) -> Outcome:
        """Converge these prospects, which the caller holds. Raises what the database raises, with nothing half done."""
        return _BatchRun(self, ids).run()


class _BatchRun:
    """One batch on its way through the cycles."""

    def __init__(self, engine: Engine, ids: Sequence[int]) -> None:
        self.engine = engine
        self.scope = engine.scope
        self.numbers = engine.host.numbers()
        self.ledgers: dict[int, Ledger] = {id(p): p.open(self.scope, self.numbers) for p in engine.ports}
        self.contexts = self._load(ids)
        self.outcome = Outcome(prospects=len(self.contexts))
        self.runs: list[Run] = []
        self.findings: list[Finding] = []
        self.claims: dict[tuple[int, tuple[str, ...]], Agent] = {}
        self.halted: set[int] = set()

    def _load(self, ids: Sequence[int]) -> dict[int, Context]:
        contexts = self.engine.host.contexts(self.scope, ids)
        for port in self.engine.ports:
            port.load(self.scope, contexts)
        return contexts

    def run(self) -> Outcome:
        active = dict(self.contexts)
        cycle = 0
        while active and cycle < self.scope.cycle_limit:
            cycle += 1
            self._agents(active, cycle)
            active = self._close(active, last=cycle == self.scope.cycle_limit)
        self.outcome.cycles = cycle
        return self.outcome

    def _agents(self, active: Mapping[int, Context], cycle: int) -> None:
        """Every agent that has something to do, in order. Later agents see what earlier ones just found."""
        self.claims.clear()
        for player in self.engine.players:
            due = self._admitted(player, [c for c in active.values() if self._eligible(player, c)])
            if not due:
                continue
            if player.agent.phase in OUTREACH_PHASES:
                self._prepare(due)
            runs = [self._open_run(player, context, cycle) for context in due]
            answers = self._execute(player, due, runs)
            for context, run in zip(due, runs, strict=True):
                context.runs[(player.agent.name, player.version)] = run.watermark
                context.documents = player.tools.handed(context.id)
                self._take(player.agent, context, run, answers.get(context.id, ()))
                context.documents = {}
                if run.status == "ok":
                    context.hands.append((player.agent.team, run.id, run.agent))
            player.tools.put_away()
            self.runs.extend(runs)

    def _eligible(self, player: _Player, context: Context) -> bool:
        return context.id not in self.halted and eligible(player.agent, context, player.version)

    def _admitted(self, player: _Player, due: list[Context]) -> list[Context]:
        """Those of ``due`` that permissions, stops and budgets let this agent work on now."""
        if not due:
            return due
        agent = player.agent
        barred = unreadable(agent, self.scope)
        if barred is not None:
            for context in due:
                context.barred.add(agent.name)
            words = f"Team {agent.team} may not read {barred} for this client."
            return self._keep_away(agent, due, None, Objection(Refused.PERMISSION, words, {"resource": barred}))
        halt = self.engine.host.halted(self.scope)
        if agent.name in halt.agents:
            return self._keep_away(agent, due, halt.agents[agent.name], None)
        due = self._not_halted(halt, due)
        return self._within_budget(agent, due) if agent.bucket and agent.unit_cost and due else due

    def _not_halted(self, halt: Halt, due: list[Context]) -> list[Context]:
        """A stop came while the batch was running: what is done so far is kept, and these stay due."""
        if halt.everything:
            self.halted.update(self.contexts)
            return []
        self.halted.update(c.id for c in due if c.id in halt.prospects)
        return [c for c in due if c.id not in self.halted]

    def _within_budget(self, agent: Agent, due: list[Context]) -> list[Context]:
        grant = self.engine.host.reserve(self.scope, agent.bucket, agent.unit_cost, len(due))
        late = due[grant.count :]
        words = f"The {agent.bucket} budget is used up; {agent.name} goes on when it opens again."
        self._keep_away(agent, late, grant.again_at, Objection(Refused.BUDGET, words, {"bucket": agent.bucket}))
        for context in late:
            context.notes.append(words)
        return due[: grant.count]

    def _keep_away(
        self, agent: Agent, contexts: Iterable[Context], again_at: datetime | None, objection: Objection | None
    ) -> list[Context]:
        """Nobody of ``contexts`` sees this agent again in this convergence."""
        for context in contexts:
            context.away[agent.name] = again_at
            if objection is not None:
                self._note(agent, context.id, None, objection)
        return []

    def _prepare(self, due: Sequence[Context]) -> None:
        """Load what only outreach needs, for those of ``due`` that get that far for the first time."""
        fresh = {context.id: context for context in due if not context.prepared}
        if not fresh:
            return
        for port in self.engine.ports:
            port.prepare(self.scope, fresh)
        for context in fresh.values():
            context.prepared = True
            context.changed()

    def _open_run(self, player: _Player, context: Context, cycle: int) -> Run:
        return Run(
            id=self.numbers.row("run"),
            prospect_id=context.id,
            agent=player.agent.name,
            implementation=player.kind,
            version=player.version,
            watermark=watermark(player.agent, context),
            cycle=cycle,
        )

    def _execute(self, player: _Player, due: Sequence[Context], runs: Sequence[Run]) -> Answers:
        """The batch's answers. An implementation that breaks fails its own runs and nobody else's."""
        barred = {what for team, what in self.scope.unreadable if team is player.agent.team}
        views = [hide(context.view(), barred) for context in due]
        started = time.perf_counter_ns()
        broken: dict[int, Exception] = {}
        answers = self._answers(player, views, broken)
        if broken:
            self._fail(player, due, runs, broken)
        each = (time.perf_counter_ns() - started) // 1000 // max(len(due), 1)
        usage = player.tools.usage()
        for run in runs:
            run.duration_us = each
            used = usage.get(run.prospect_id)
            if used is not None:
                run.tokens, run.cost, run.answers = used.tokens, used.cost, used.answers
        return answers

    def _answers(self, player: _Player, views: Batch, broken: dict[int, Exception]) -> Answers:
        """Halved when the agent breaks on somebody, until they stand alone in ``broken``: the others get theirs."""
        try:
            return player.agent.implementations[player.kind].run(views, player.tools)
        except SoftTimeLimitExceeded:
            raise  # the worker's time is over, which is not this agent's doing: the next worker begins the cycle again
        except Exception as error:
            if len(views) == 1 or fault_of(error) not in _ONE_RECORDS_DOING:
                broken.update((view.id, error) for view in views)
                return {}
        middle = len(views) // 2
        return {**self._answers(player, views[:middle], broken), **self._answers(player, views[middle:], broken)}

    def _fail(
        self, player: _Player, due: Sequence[Context], runs: Sequence[Run], broken: Mapping[int, Exception]
    ) -> None:
        agent, first = player.agent, next(iter(broken.values()))
        log.error("agent_failed", agent=agent.name, prospects=len(broken), trace_id=self.scope.trace_id, exc_info=first)
        for context, run in zip(due, runs, strict=True):
            error = broken.get(context.id)
            if error is None:
                continue
            run.status, run.error, run.fault = "failed", type(error).__name__, fault_of(error)
            context.failed.add(agent.name)
            context.away[agent.name] = None
            words = f"{agent.name} broke ({type(error).__name__}). Trace {self.scope.trace_id}."
            self._find(agent, run, Objection(Refused.FAILED, words))

    def _take(self, agent: Agent, context: Context, run: Run, raw: Sequence[Proposal | Mapping[str, Any]]) -> None:
        """Validate and promote one prospect's proposals."""
        kept: list[str] = []
        canonical: list[bytes] = []
        names, literals = (context.stable_names(), context.literals()) if raw else ({}, {})
        for item in raw:
            proposal = parse(item)
            if isinstance(proposal, Objection):
                self._refuse(agent, run, proposal)
                continue
            kept.append(proposal.model_dump_json())
            canonical.append(digest.canonical(proposal, names, literals))
            if isinstance(proposal, NoteProposal):
                self._find(agent, run, Objection(proposal.kind, proposal.message, proposal.detail))
                if proposal.again_in is not None:
                    self._come_back(agent, context, run, proposal.again_in, proposal.again_at_most)
                continue
            objection = self._object(agent, context, proposal)
            if objection is not None:
                self._refuse(agent, run, objection, place=len(kept) - 1)
            elif self._ledger(proposal).promote(context, run, proposal):
                run.promoted += 1
                run.kinds.append(type(proposal).__name__)
        run.proposed = len(raw)
        run.proposals = "[" + ",".join(kept) + "]"
        run.digest = digest.of_run(canonical)

    def _come_back(self, agent: Agent, context: Context, run: Run, seconds: int, most: int | None) -> None:
        """The agent left work undone: it rests here for this convergence, and its run does not count as done.

        Where it may be tried only so often, each wait is twice the one before, and after the last the run is done.
        """
        if most is not None:
            tries = context.tries.get((agent.name, run.version), 0)
            if tries >= most:
                return
            seconds *= 2**tries
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        known = context.away.get(agent.name)
        context.away[agent.name] = at if known is None else min(at, known)
        run.status = "again"

    def _ledger(self, proposal: Proposal) -> Ledger:
        return self.ledgers[id(self.engine.keeper[type(proposal)])]

    def _object(self, agent: Agent, context: Context, proposal: Proposal) -> Objection | None:
        if type(proposal) not in self.engine.keeper:
            return Objection(Refused.SCHEMA, f"No app keeps proposals of type {type(proposal).__name__}.")
        objection = check(agent, self.scope, context, proposal)
        contest = proposal.contest()
        if objection is not None or contest is None:
            return objection
        winner = self.claims.get((context.id, contest))
        if winner is None:
            self.claims[(context.id, contest)] = agent
            return None
        kind = Refused.CONFLICT if winner.team is agent.team else Refused.PREEMPTED
        return Objection(kind, f"{winner.name} ({winner.team}) already spoke for this.", {"winner": winner.name})

    def _refuse(self, agent: Agent, run: Run, objection: Objection, place: int | None = None) -> None:
        """``place`` says which of the run's stored proposals it was; one that could not be read is not stored."""
        run.refused += 1
        if place is not None:
            objection = Objection(objection.kind, objection.message, {**objection.detail, "proposal": place})
        self._find(agent, run, objection)

    def _find(self, agent: Agent, run: Run, objection: Objection) -> None:
        self._note(agent, run.prospect_id, run.id, objection)

    def _note(self, agent: Agent, prospect_id: int, run_id: int | None, objection: Objection) -> None:
        self.findings.append(
            Finding(prospect_id, run_id, agent.name, agent.team, objection.kind, objection.message, objection.detail)
        )

    def _close(self, active: Mapping[int, Context], *, last: bool) -> dict[int, Context]:
        """End of cycle, in one transaction: write, rescore, move, and conclude whoever has come to rest.

        Returns who has to be looked at again.
        """
        host = self.engine.host
        with host.atomic():
            stale = host.guard(active)
            current = {i: c for i, c in active.items() if i not in stale}
            self._write(current)
            host.settle(self.scope, current, self.numbers)
            self._hold_true(current)
            again = {i: c for i, c in current.items() if self._has_more(c)}
            if last:
                self._stop_there(again.values())
                again = {}
            rested = {i: c for i, c in current.items() if i not in again and i not in self.halted}
            self.outcome.verdicts.update(host.conclude(self.scope, rested))
            host.save(self.scope, current)
        self._forget()
        for context in current.values():
            context.facts_no = max(context.facts_no, context.newest_no)
        if stale:
            again.update(self._reload(stale))
        return again

    def _has_more(self, context: Context) -> bool:
        """Whether any agent would find something new here."""
        return any(self._eligible(player, context) for player in self.engine.players)

    def _hold_true(self, contexts: Mapping[int, Context]) -> None:
        """Raises ``InvariantBroken``, which takes the whole cycle back, when facts contradict each other."""
        broken = {i: words for i, c in contexts.items() if (words := semantic(self.scope.playbook, c))}
        if broken:
            raise InvariantBroken(broken)

    def _stop_there(self, contexts: Iterable[Context]) -> None:
        """The cycle limit ends it: whoever is still changing is told so, and concluded as they stand."""
        words = f"Still changing after {self.scope.cycle_limit} cycles; stopped there."
        for context in contexts:
            context.notes.append(words)
            self.findings.append(Finding(context.id, None, "runtime", "", Refused.STALLED, words, {}))
        self._record([], self.findings)

    def _reload(self, stale: Collection[int]) -> dict[int, Context]:
        """Facts arrived while this cycle ran: what it found for these prospects is dropped, and they start afresh."""
        log.info("facts_arrived_meanwhile", prospects=len(stale), trace_id=self.scope.trace_id)
        self.numbers.renew()
        fresh = self._load(sorted(stale))
        self.contexts.update(fresh)
        return fresh

    def _write(self, current: Mapping[int, Context]) -> None:
        """The cycle's rows, of the prospects whose cycle counts."""
        runs = [run for run in self.runs if run.prospect_id in current]
        self._record(runs, [finding for finding in self.findings if finding.prospect_id in current])
        for ledger in self.ledgers.values():
            ledger.write(current.keys())
        self.outcome.runs += len(runs)
        for run in runs:
            self.outcome.proposed += run.proposed
            self.outcome.promoted += run.promoted
            self.outcome.refused += run.refused
            self.outcome.kinds.update(run.kinds)

    def _record(self, runs: Sequence[Run], findings: Sequence[Finding]) -> None:
        self.engine.host.record(self.scope, runs, findings)
        self.outcome.refusals.update(finding.kind for finding in findings)
        self.findings.clear()

    def _forget(self) -> None:
        self.runs.clear()
        self.findings.clear()
