"""A prospect's context while a batch runs: what is loaded, what was added, and up to where each agent has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from salesops.runtime.toolbox import Document
from salesops.runtime.views import (
    AdviceView,
    CompanyView,
    ContactView,
    EvaluationView,
    EvidenceView,
    MessageView,
    ProspectView,
    RequestView,
    ScoreView,
    SignalView,
    TouchView,
)
from salesops.runtime.words import Key, Team

EvidenceKey = tuple[str, str]
# What was learned from the past belongs to the strategies; when and how often to act, to the evaluations.
ADVICE_KEYS = {"history": Key.STRATEGIES, "timing": Key.EVALUATIONS, "saturation": Key.EVALUATIONS}


@dataclass(slots=True)
class Context:
    """Owned by the engine and the ports; agents only ever see :meth:`view`.

    ``marks[key][producer]`` is the newest fact number that producer put under a key ("" for facts from outside).
    ``runs[(agent, version)]`` is the watermark of that agent's last finished run here. ``away`` are agents kept from
    acting here for now (a stop, a budget, a failure), with the time from which it is worth looking again, if any.
    """

    id: int
    key: str
    stage: str
    facts_no: int
    newest_no: int = 0  # the newest fact held but not yet written; ``facts_no`` is what the database knows
    route: str = ""
    tier: str = ""
    segment: str = ""
    verdict: str = ""
    composite: float | None = None
    coverage: float = 0.0
    provisional: bool = False
    priority: float = 0.0
    company: CompanyView | None = None
    contact: ContactView | None = None
    people: list[ContactView] = field(default_factory=list)  # on file at the company, where an agent asks for them
    signals: list[SignalView] = field(default_factory=list)
    evidence: dict[EvidenceKey, EvidenceView] = field(default_factory=dict)
    scores: dict[str, ScoreView] = field(default_factory=dict)
    messages: list[MessageView] = field(default_factory=list)
    evaluations: dict[str, EvaluationView] = field(default_factory=dict)
    advice: dict[tuple[str, str], AdviceView] = field(default_factory=dict)
    requests: list[RequestView] = field(default_factory=list)
    touches: list[TouchView] = field(default_factory=list)
    extras: dict[str, Any] = field(default_factory=dict)
    marks: dict[Key, dict[str, int]] = field(default_factory=dict)
    runs: dict[tuple[str, str], int] = field(default_factory=dict)
    tries: dict[tuple[str, str], int] = field(default_factory=dict)  # runs since then that left work undone
    away: dict[str, datetime | None] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)  # of those away, the ones that broke
    barred: set[str] = field(default_factory=set)  # of those away, the ones whose team may not read here
    hands: list[tuple[Team, int, str]] = field(default_factory=list)  # this cycle's finished runs: team, run, agent
    documents: Mapping[int, Document] = field(default_factory=dict)  # handed to the agent now heard
    new_evidence: bool = False
    gone: bool = False  # it turned out to be another prospect, and is worked as that one from here on
    prepared: bool = False  # what only outreach needs has been loaded
    notes: list[str] = field(default_factory=list)
    row: Any = None  # the host's own object for this prospect; nobody else looks inside
    _view: ProspectView | None = None

    def mark(self, key: Key, producer: str, fact_no: int) -> None:
        """Note that ``producer`` has a fact with this number under ``key``."""
        known = self.marks.setdefault(key, {})
        if fact_no > known.get(producer, 0):
            known[producer] = fact_no
        if fact_no > self.newest_no:
            self.newest_no = fact_no

    def changed(self) -> None:
        """The next view has to be built again."""
        self._view = None

    def add_signal(self, signal: SignalView) -> None:
        """Take a signal in, whether loaded or just promoted."""
        self.signals.append(signal)
        self.mark(Key.SIGNALS, signal.agent, signal.fact_no)
        self._view = None

    def add_evidence(self, evidence: EvidenceView) -> None:
        """Take evidence in; the later observation counts, then the later row."""
        key = (evidence.scorecard, evidence.criterion)
        current = self.evidence.get(key)
        if current is None or (evidence.observed_at, evidence.id) >= (current.observed_at, current.id):
            self.evidence[key] = evidence
        self.mark(Key.HYPOTHESES, evidence.agent, evidence.fact_no)
        self._view = None

    def add_message(self, message: MessageView, graded_by: str = "") -> None:
        """Take a message in. A graded one also counts as news from the agent that graded it."""
        self.messages.append(message)
        self.mark(Key.STRATEGIES, message.agent, message.fact_no)
        if graded_by:
            self.mark(Key.STRATEGIES, graded_by, message.fact_no)
        self._view = None

    def add_evaluation(self, evaluation: EvaluationView) -> None:
        """Take a channel's evaluation in; the newest per channel counts."""
        current = self.evaluations.get(evaluation.channel)
        if current is None or evaluation.fact_no >= current.fact_no:
            self.evaluations[evaluation.channel] = evaluation
        self.mark(Key.EVALUATIONS, evaluation.agent, evaluation.fact_no)
        self._view = None

    def add_advice(self, advice: AdviceView) -> None:
        """Take advice in; the newest per aspect and channel counts."""
        known = (advice.aspect, advice.channel)
        current = self.advice.get(known)
        if current is None or advice.fact_no >= current.fact_no:
            self.advice[known] = advice
        self.mark(ADVICE_KEYS[advice.aspect], advice.agent, advice.fact_no)
        self._view = None

    def view(self) -> ProspectView:
        """The read-only picture handed to agents; rebuilt only after something changed."""
        if self._view is None:
            self._view = ProspectView(
                id=self.id,
                key=self.key,
                stage=self.stage,
                route=self.route,
                tier=self.tier,
                segment=self.segment,
                verdict=self.verdict,
                composite=self.composite,
                coverage=self.coverage,
                provisional=self.provisional,
                priority=self.priority,
                facts_no=self.facts_no,
                company=self.company,
                contact=self.contact,
                signals=tuple(self.signals),
                evidence=tuple(self.evidence.values()),
                scores=dict(self.scores),
                messages=tuple(self.messages),
                evaluations=tuple(self.evaluations.values()),
                requests=tuple(self.requests),
                touches=tuple(self.touches),
                extras=self.extras,
                advice=dict(self.advice),
                people=tuple(self.people),
            )
        return self._view

    def stable_names(self) -> Mapping[str, Mapping[int, str]]:
        """Names that mean the same in every database, for the row ids that proposals cite."""
        return {
            "signal": {s.id: s.dedup_key for s in self.signals},
            "evidence": {e.id: f"{e.scorecard}.{e.criterion}" for e in self.evidence.values()},
            "message": {m.id: f"{m.channel}.{m.template_key}" for m in self.messages},
        }

    def literals(self) -> Mapping[str, str]:
        """Texts that only this installation writes so, and what stands for them where runs are compared."""
        link = self.contact.unsubscribe_url if self.contact is not None else ""
        return {link: "{unsubscribe}"} if link else {}
