"""An in-memory host, so that the engine's rules are tested without a database: it keeps facts in dictionaries."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from salesops.runtime.context import Context
from salesops.runtime.contract import Agent, Answers, Batch, Implementation, Tools
from salesops.runtime.playbook_views import ClientView, CriterionView, PlaybookView
from salesops.runtime.ports import Finding, Grant, Halt, Run, Scope
from salesops.runtime.proposals import EvidenceProposal, Proposal, SignalProposal
from salesops.runtime.views import ContactView, EvidenceView, MessageView, SignalView
from salesops.runtime.words import Depth, ImplementationKind, Key, Phase, Resource, Team

NOW = datetime(2026, 6, 1, 9, tzinfo=UTC)
SEEN = datetime(2026, 5, 4, 9, tzinfo=UTC)


def playbook(**fields: Any) -> PlaybookView:
    client = ClientView(1, "Acme", True, "Robin Fields", "robin@acme.example", "1 Harbour Street", "", "UTC")
    criterion = CriterionView("icp", "firmographic", "fit", "size", "Size", "in_range", 10, {}, None, "unknown", 0)
    defaults: dict[str, Any] = {
        "id": 7, "playbook_id": 1, "number": 1, "kind": "b2b", "client": client, "root_intent": "",
        "icp_industries": (), "icp_roles": (), "layer_weights": {}, "hot_threshold": 70.0, "warm_threshold": 40.0,
        "min_confidence": 0.6, "min_categories": 3, "min_quality": 85.0, "min_contact_confidence": 0.6,
        "tier_thresholds": (0.8, 0.6, 0.4), "request_hours": 72, "currency": "USD", "deal_value": Decimal(1000),
        "countries": ("US",), "criteria": (criterion,), "templates": (), "channels": (), "propositions": (),
        "stage_rules": (), "brand_rules": (),
    }  # fmt: skip
    return PlaybookView(**{**defaults, **fields})


ALL = frozenset((team, resource) for team in Team for resource in Resource)


def scope(**fields: Any) -> Scope:
    defaults: dict[str, Any] = {
        "client_id": 1, "playbook": playbook(), "depth": Depth.PRIMARY, "seed": 0, "now": NOW, "trace_id": "t" * 32,
        "convergence_id": 1, "permissions": ALL,
    }  # fmt: skip
    return Scope(**{**defaults, **fields})


def signal(number: int = 1, **fields: Any) -> SignalView:
    defaults: dict[str, Any] = {
        "id": number, "kind": "profile", "observed_at": SEEN, "value": None, "text": "",
        "data": {"employees": 24}, "source": "companies.csv", "source_ref": f"row {number}",
        "dedup_key": f"key-{number}", "fact_no": number,
    }  # fmt: skip
    return SignalView(**{**defaults, **fields})


def evidence(about: int, **fields: Any) -> EvidenceProposal:
    defaults: dict[str, Any] = {
        "scorecard": "icp", "criterion": "size", "layer": "firmographic", "category": "fit", "value": 100.0,
        "confidence": 0.9, "rationale": "Team of 24, inside the 10–80 you asked for.", "signal_ids": (about,),
        "fact_ref": "employees", "source": "companies.csv", "observed_at": SEEN,
    }  # fmt: skip
    return EvidenceProposal(**{**defaults, **fields})


def contact(**fields: Any) -> ContactView:
    defaults: dict[str, Any] = {
        "id": 5, "name": "Dana Lee", "first_name": "Dana", "last_name": "Lee", "title": "VP Sales", "seniority": "",
        "email": "dana@globex.example", "email_status": "unknown", "phone": "", "linkedin_url": "", "country": "US",
        "time_zone": "", "synthetic": True, "source": "contacts.csv", "entity_type": "company",
    }  # fmt: skip
    return ContactView(**{**defaults, **fields})


def message(number: int = 3, **fields: Any) -> MessageView:
    defaults: dict[str, Any] = {
        "id": number, "channel": "email", "angle": "direct", "sender": "robin@acme.example",
        "recipient": "dana@globex.example", "subject": "Hello", "body": "Hi Dana.\n", "attachments": (),
        "rule_version": "1", "content_hash": "h" * 64, "template_key": "direct", "claims": (), "evidence_ids": (),
        "why_now": "", "rationale": "", "confidence": 0.8, "confidence_low": 0.5, "confidence_high": 0.9, "grade": "A",
        "quality": {}, "compliance": "PASS", "compliance_detail": {}, "contact_id": 5, "quality_points": 95.0,
        "fact_no": 50,
    }  # fmt: skip
    return MessageView(**{**defaults, **fields})


def context(number: int = 1, **fields: Any) -> Context:
    made = Context(id=number, key=f"p{number}", stage="sourced", facts_no=number)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def agent(
    name: str,
    run: Callable[[Batch, Tools], Answers],
    *,
    team: Team = Team.QUALIFICATION,
    phase: Phase = Phase.QUALIFICATION,
    reads: Collection[Key] = (Key.SIGNALS,),
    writes: Collection[Key] = (Key.HYPOTHESES,),
    **fields: Any,
) -> Agent:
    ways = fields.pop("implementations", {ImplementationKind.RULES: Implementation(run)})
    return Agent(name, team, phase, frozenset(reads), frozenset(writes), ways, **fields)


class Counting:
    """Numbers that count up."""

    def __init__(self, start: int) -> None:
        self._facts = itertools.count(start)
        self._rows = itertools.count(1000)

    def fact(self) -> int:
        return next(self._facts)

    def row(self, table: str) -> int:
        return next(self._rows)

    def renew(self) -> None:
        self._facts = itertools.count(10_000)


@dataclass
class Stored:
    """One prospect as the memory host keeps it."""

    signals: list[SignalView] = field(default_factory=list)
    evidence: list[EvidenceView] = field(default_factory=list)
    stage: str = "sourced"
    facts_no: int = 0
    converged_no: int = 0
    verdict: str = ""


class MemoryHost:
    """Signals, evidence and runs in memory, with the same promises as the real one."""

    accepts: frozenset[type[Proposal]] = frozenset({SignalProposal, EvidenceProposal})

    def __init__(self, *prospects: list[SignalView]) -> None:
        self.stored = {
            number: Stored(signals=list(signals), facts_no=max((s.fact_no for s in signals), default=0))
            for number, signals in enumerate(prospects, start=1)
        }
        self.runs: list[Run] = []
        self.findings: list[Finding] = []
        self.interfere: Callable[[], None] | None = None
        self.moves: Callable[[Context], str | None] = lambda context: None
        self.contact: ContactView | None = None
        self.halt: Callable[[], Halt] = Halt
        self.left = 10**9  # acts any budget still allows
        self._held: list[tuple[int, Any]] = []
        self._numbers = Counting(100)

    def numbers(self) -> Counting:
        return self._numbers

    def open(self, scope: Scope, numbers: Any) -> MemoryHost:
        self._held.clear()
        return self

    def contexts(self, scope: Scope, ids: Sequence[int]) -> dict[int, Context]:
        made = {}
        for number in ids:
            row = self.stored[number]
            made[number] = context(number, stage=row.stage, facts_no=row.facts_no, contact=self.contact)
            for run in self.runs:
                if run.prospect_id == number and run.status == "ok":
                    made[number].runs[(run.agent, run.version)] = run.watermark
        return made

    def load(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        for number, loaded in contexts.items():
            for seen in self.stored[number].signals:
                loaded.add_signal(seen)
            for judged in self.stored[number].evidence:
                loaded.add_evidence(judged)

    def prepare(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        for prepared in contexts.values():
            prepared.extras["prepared"] = prepared.extras.get("prepared", 0) + 1

    def promote(self, context: Context, run: Run, proposal: Proposal) -> bool:
        if isinstance(proposal, SignalProposal):
            key = f"{run.agent}:{proposal.kind}"  # no row id: it is the name of the signal in digests
            if any(s.dedup_key == key for s in context.signals):
                return False
            made = signal(
                self._numbers.row("signal"), kind=proposal.kind, dedup_key=key, fact_no=self._numbers.fact(),
                agent=run.agent, text=proposal.text,
            )  # fmt: skip
            context.add_signal(made)
            self._held.append((context.id, made))
            return True
        assert isinstance(proposal, EvidenceProposal)
        current = context.evidence.get((proposal.scorecard, proposal.criterion))
        if current is not None and current.value == proposal.value:
            return False
        fields = proposal.model_dump(exclude={"type"})
        judged = EvidenceView(**fields, id=self._numbers.row("evidence"), fact_no=self._numbers.fact(), agent=run.agent)
        context.add_evidence(judged)
        self._held.append((context.id, judged))
        return True

    def write(self, prospects: Collection[int]) -> None:
        for number, row in self._held:
            if number in prospects:
                kept = self.stored[number]
                (kept.signals if isinstance(row, SignalView) else kept.evidence).append(row)
        self._held.clear()

    def halted(self, scope: Scope) -> Halt:
        return self.halt()

    def reserve(self, scope: Scope, bucket: str, unit: Decimal, wanted: int) -> Grant:
        granted = min(wanted, self.left)
        self.left -= granted
        return Grant(granted, NOW if granted < wanted else None)

    @contextmanager
    def atomic(self) -> Iterator[None]:
        if self.interfere is not None:
            interfere, self.interfere = self.interfere, None
            interfere()
        yield

    def guard(self, contexts: Mapping[int, Context]) -> set[int]:
        return {n for n, c in contexts.items() if self.stored[n].facts_no != c.facts_no}

    def record(self, scope: Scope, runs: Sequence[Run], findings: Sequence[Finding]) -> None:
        self.runs.extend(replace(run) for run in runs)
        self.findings.extend(findings)

    def settle(self, scope: Scope, contexts: Mapping[int, Context], numbers: Any) -> None:
        for settled in contexts.values():
            settled.stage = self.moves(settled) or settled.stage

    def conclude(self, scope: Scope, contexts: Mapping[int, Context]) -> Counter[str]:
        for concluded in contexts.values():
            concluded.verdict = "qualified" if concluded.evidence else "stalled"
        return Counter(c.verdict for c in contexts.values())

    def save(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        for number, saved in contexts.items():
            row = self.stored[number]
            row.stage, row.verdict = saved.stage, saved.verdict
            row.facts_no = max(saved.facts_no, saved.newest_no)
