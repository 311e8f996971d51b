"""What a playbook's draft would make of a prospect, judged by its rules on the facts there are. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from django.utils import timezone

from playbooks.models import PlaybookVersion
from playbooks.previews import Cited, Judged, Question, Row
from playbooks.rules.criteria import Criterion
from prospects.host.loading import load_facts, new_contexts
from prospects.models import Prospect
from prospects.reading.explain import find
from prospects.rules.criteria import Judgement, judge
from prospects.rules.facts import Facts
from prospects.rules.scoring import EvidenceItem, Scorecard, score
from salesops.runtime.context import Context

_SHOWN = 20
_COLUMNS = frozenset(field.name for field in fields(Criterion)) - {"kind", "params"}


def people(version: PlaybookVersion) -> Sequence[tuple[str, str]]:
    """The newest prospects of the playbook, by id."""
    rows = Prospect.objects.filter(playbook=version.playbook_id).select_related("company", "contact")
    return [(str(row.pk), str(row)) for row in rows.order_by("-pk")[:_SHOWN]]


def context_of(question: Question) -> tuple[Prospect, Context]:
    """The prospect asked about with its facts. Raises ``NoSuchProspect``."""
    prospect = find(question.who, client=question.client)
    context = new_contexts([prospect.pk], question.version.pk)[prospect.pk]
    load_facts({prospect.pk: context}, question.version.pk)
    return prospect, context


def built(row: Row) -> Criterion:
    """A criterion from a row of the page, whose parameters fit."""
    values = {name: row[name] for name in _COLUMNS if row.get(name) is not None}
    return Criterion.build(kind=row["kind"], params=row["params"], **values)


def evidence_item(number: int, criterion: Criterion, judgement: Judgement) -> EvidenceItem:
    """A judgement as scoring reads it, under a number of its own."""
    assert judgement.value is not None  # noqa: S101 — the caller keeps what is known
    assert judgement.observed_at is not None  # noqa: S101
    return EvidenceItem(
        id=number, criterion=criterion.key, layer=criterion.layer, category=criterion.category, value=judgement.value,
        confidence=judgement.confidence, strong_negative=judgement.strong_negative, observed_at=judgement.observed_at,
        signal_ids=judgement.signal_ids, fact_ref=judgement.fact_ref, rationale=judgement.rationale,
        origins=judgement.origins,
    )  # fmt: skip


def judged(question: Question) -> Judged:
    """What one criterion says, and what it adds to its scorecard beside the page's other criteria."""
    prospect, context = context_of(question)
    now = timezone.now()
    facts = Facts(context.signals, now)
    mine = built(question.row)
    said = judge(mine, facts)
    if said.value is None:
        return Judged(who=str(prospect), value=None, scorecard=mine.scorecard)
    line, total = _part(mine, question.criteria, facts, now)
    signals = {signal.id: signal for signal in context.signals}
    return Judged(
        who=str(prospect),
        value=said.value,
        words=said.rationale,
        quote=said.quote.strip(),
        confidence=said.confidence,
        rules_out=said.strong_negative,
        fresh=line.fresh if line else None,
        contribution=line.contribution if line else None,
        score=total.value,
        coverage=total.coverage,
        scorecard=mine.scorecard,
        cited=tuple(
            Cited(s.kind, s.source, s.observed_at, s.text) for i in said.signal_ids if (s := signals.get(i)) is not None
        ),
    )


def _part(mine: Criterion, rows: Sequence[Row], facts: Facts, now: datetime) -> tuple[Any, Any]:
    """The line of ``mine`` in the score of its scorecard, and that score."""
    card = [mine, *(built(r) for r in rows if r["scorecard"] == mine.scorecard and r["key"] != mine.key)]
    found = [(criterion, judge(criterion, facts)) for criterion in card]
    items = {c.key: evidence_item(n, c, j) for n, (c, j) in enumerate(found, 1) if j.value is not None}
    total = score(Scorecard(mine.scorecard, card), items, now)
    return next((line for line in total.breakdown if line.criterion == mine.key), None), total
