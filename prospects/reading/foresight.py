"""What a version of a playbook would make of prospects as they are today. Reads, judges, adds up; writes nothing.

Goes the way a convergence goes: the evidence that counts under the version, what the agents that work by rules see in
the stored signals, the scores, the verdict. What only a person or a language model can judge stays what it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from playbooks.models import PlaybookVersion
from playbooks.rules.criteria import Criterion
from prospects.host.fact_ledger import says_more
from prospects.host.loading import load_facts, new_contexts
from prospects.host.store import open_scope
from prospects.models import Prospect
from prospects.rules import progress, rescoring
from prospects.rules.criteria import judge_all
from prospects.rules.facts import Facts, origin_of
from prospects.rules.frameworks import FRAMEWORKS
from prospects.rules.qualification import Standing
from prospects.rules.rescoring import ICP, Rescored
from prospects.rules.scoring import EvidenceItem
from prospects.services.moving import stages
from prospects.services.scores import PRIORITIZER, items_of
from salesops.all_agents import registry
from salesops.runtime.context import Context
from salesops.runtime.contract import Agent, Tools
from salesops.runtime.eligibility import implementation_of, may_run, stages_for, unreadable
from salesops.runtime.proposals import EvidenceProposal
from salesops.runtime.validation import check, parse
from salesops.runtime.views import EvidenceView
from salesops.runtime.words import RESEARCH_STAGES, ImplementationKind

#: The stages at which prospects are judged; for the others work has ended, or goes on elsewhere.
OPEN_STAGES = RESEARCH_STAGES
LETTERS = "framework_qualification"
_EVIDENCE = "_evidence"
_AHEAD = timedelta(days=1)  # as far ahead of the clock as an observation is believed
_NOT_FOR_MODELS = frozenset({"flag", "answer"})
_NEWER_THAN_ANY = 1 << 62  # ids of evidence that exists in thought only

Cards = dict[str, dict[str, EvidenceItem]]


@dataclass(slots=True)
class Foreseen:
    """Where one prospect would stand. ``weights`` are its layers', ``evidence`` what its scores would rest on."""

    prospect_id: int
    verdict: str
    reason: str
    missing: tuple[str, ...]
    rescored: Rescored
    weights: Mapping[str, float] = field(repr=False)
    evidence: Cards = field(repr=False)

    @property
    def standing(self) -> tuple[str, str, str, float | None, float, float]:
        """Route, tier, verdict, composite, coverage and priority, as a real re-score leaves them on the prospect."""
        made, composite = self.rescored, self.rescored.composite
        priority = made.priority.value if made.priority is not None else 0.0
        return made.route, made.tier, self.verdict, composite.value, composite.coverage, priority


@dataclass(frozen=True, slots=True)
class _Judge:
    """One agent's part: criteria judged straight from the facts, or (with ``tools``) whatever the agent itself says."""

    agent: Agent
    criteria: tuple[Criterion, ...] = ()
    tools: Tools | None = None


class Foresight:
    """A version, prepared for any number of prospects. ``unasked`` are criteria that nobody can judge without asking.

    Raises ParamsError for a draft whose parameters do not fit their kinds.
    """

    def __init__(self, version: PlaybookVersion, *, now: datetime) -> None:
        self.now = now
        self.version = version
        self.scope = open_scope(version.playbook.client, version.playbook, now=now, version=version)
        self.model = rescoring.model_of(self.scope.playbook)
        self.rules = stages.rules_of(self.scope)
        self.unasked: list[Criterion] = []
        agents = registry()
        self.judges = [judge for agent in agents if (judge := self._judge(agent)) is not None]
        self.ranks = may_run(agents.by_name[PRIORITIZER], self.scope)

    def _judge(self, agent: Agent) -> _Judge | None:
        """The agent's part in this; None when it judges nothing here, or may not."""
        mine = self._criteria_of(agent)
        if not mine or not may_run(agent, self.scope) or unreadable(agent, self.scope):
            return None
        resource = EvidenceProposal.resource
        if (agent.team, resource) not in self.scope.permissions:
            return None
        kind = implementation_of(agent, self.scope)
        asked = [c for c in mine if _takes_asking(c, kind)]
        self.unasked += asked
        by_rules = tuple(c for c in mine if c not in asked)
        if not by_rules or agent.name != LETTERS:
            return _Judge(agent, by_rules) if by_rules else None
        scope = self.scope
        return _Judge(agent, tools=Tools(agent.name, scope.now, scope.seed, scope.playbook, scope.memory, None, None))

    def _criteria_of(self, agent: Agent) -> list[Criterion]:
        criteria = self.model.criteria.values()
        if agent.name == LETTERS:
            return [c for c in criteria if c.scorecard in FRAMEWORKS]
        if not agent.name.endswith(_EVIDENCE):
            return []
        category = agent.name.removesuffix(_EVIDENCE)
        return [c for c in criteria if c.category == category and c.scorecard not in FRAMEWORKS]

    def look(self, ids: Sequence[int]) -> Iterator[tuple[Context, Foreseen]]:
        """Each of these prospects as it is, and as it would be. A constant number of queries, however many."""
        contexts = new_contexts(ids, self.version.pk)
        load_facts(contexts, self.version.pk)
        for context in contexts.values():
            yield context, self._foresee(context)

    def _foresee(self, context: Context) -> Foreseen:
        cards = items_of(context)
        numbers = itertools.count(_NEWER_THAN_ANY)
        facts = Facts(context.signals, self.now)
        for judge in self.judges:
            if context.stage not in stages_for(judge.agent):
                continue
            found = self._said(judge, context, cards) if judge.tools is not None else self._seen(judge, facts)
            for scorecard, item in found:
                _keep(cards, scorecard, item, numbers)
        (made,) = rescoring.rescore(self.model, [(context.id, cards)], self.now)
        if not self.ranks:
            made.priority = None
        least = self.scope.playbook.min_confidence
        standing = Standing(cards.get(ICP, {}), made.composite, self.model.icp.criteria, least)
        plan = progress.plan(context.stage, standing, self.rules, warm=self.model.icp.warm, new_evidence=True)
        verdict = plan.verdict
        return Foreseen(
            context.id,
            verdict.verdict,
            verdict.reason,
            tuple(verdict.missing),
            made,
            self.model.icp.layer_weights,
            cards,
        )

    def _seen(self, judge: _Judge, facts: Facts) -> Iterator[tuple[str, EvidenceItem]]:
        for criterion, seen in judge_all(judge.criteria, facts):
            if seen.value is None or seen.observed_at is None or seen.observed_at > self.now + _AHEAD:
                continue
            yield criterion.scorecard, EvidenceItem(
                id=0, criterion=criterion.key, layer=criterion.layer, category=criterion.category, value=seen.value,
                confidence=seen.confidence, strong_negative=seen.strong_negative, observed_at=seen.observed_at,
                signal_ids=seen.signal_ids, fact_ref=seen.fact_ref, rationale=seen.rationale[:500],
                origins=seen.origins,
            )  # fmt: skip

    def _said(self, judge: _Judge, context: Context, cards: Cards) -> list[tuple[str, EvidenceItem]]:
        """The agent's own words, on the prospect with the evidence found so far."""
        assert judge.tools is not None  # noqa: S101 — the caller has checked; this is for the type checker
        thought = Context(id=context.id, key=context.key, stage=context.stage, facts_no=context.facts_no)
        thought.company, thought.contact, thought.signals = context.company, context.contact, context.signals
        for scorecard, items in cards.items():
            for item in items.values():
                thought.add_evidence(_view(scorecard, item))
        answers = judge.agent.implementations[ImplementationKind.RULES].run([thought.view()], judge.tools)
        proposals = (parse(raw) for raw in answers.get(context.id, ()))
        signals = {signal.id: signal for signal in context.signals}
        return [
            (p.scorecard, EvidenceItem(
                id=0, criterion=p.criterion, layer=p.layer, category=p.category, value=p.value,
                confidence=p.confidence, strong_negative=p.strong_negative, observed_at=p.observed_at,
                signal_ids=tuple(p.signal_ids), fact_ref=p.fact_ref, rationale=p.rationale,
                origins=tuple(origin_of(signals[i], p.fact_ref) for i in p.signal_ids if i in signals),
            ))
            for p in proposals
            if isinstance(p, EvidenceProposal) and check(judge.agent, self.scope, thought, p) is None
        ]  # fmt: skip


def _takes_asking(criterion: Criterion, kind: ImplementationKind) -> bool:
    """A model leaves answers and what rules out to the rules; a person judges all of it."""
    if kind is ImplementationKind.RULES:
        return False
    return kind is not ImplementationKind.LLM or criterion.kind not in _NOT_FOR_MODELS


def _keep(cards: Cards, scorecard: str, item: EvidenceItem, numbers: Iterator[int]) -> None:
    """Take a judgement in where it supersedes the one in force and says something else, as the ledger does."""
    by_key = cards.setdefault(scorecard, {})
    current = by_key.get(item.criterion)
    if current is None or says_more(current, item):
        item.id = next(numbers)
        by_key[item.criterion] = item


def _view(scorecard: str, item: EvidenceItem) -> EvidenceView:
    return EvidenceView(
        id=item.id, scorecard=scorecard, criterion=item.criterion, layer=item.layer, category=item.category,
        value=item.value, confidence=item.confidence, strong_negative=item.strong_negative, rationale=item.rationale,
        quote="", signal_ids=item.signal_ids, fact_ref=item.fact_ref, source="", observed_at=item.observed_at,
        fact_no=0,
    )  # fmt: skip


def open_ids(playbook_id: int, *, after: int, up_to: int, size: int) -> list[int]:
    """The next prospects of a playbook that are being judged, by id."""
    rows = Prospect.objects.filter(playbook=playbook_id, pk__gt=after, pk__lte=up_to, stage__in=OPEN_STAGES)
    ids: Iterable[int] = rows.going_on().order_by("pk").values_list("pk", flat=True)[:size]
    return list(ids)
