"""How a template of a playbook's draft would read for a prospect, and the grade it would get. Nothing is written."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from django.utils import timezone

from approvals.agents.compliance import quality_draft
from approvals.agents.drafting import evidence_words, offers_for
from approvals.agents.message_hypothesis import draft_from, names_of
from approvals.host.store import load_people, unsent_view
from approvals.rules import quality
from playbooks.previews import Question, Row, Worded
from prospects.host.loading import playbook_view
from prospects.reading.previews import built, context_of, evidence_item
from prospects.rules.criteria import judge
from prospects.rules.facts import Facts
from prospects.rules.wording import template_values
from salesops.runtime.context import Context
from salesops.runtime.contract import Tools
from salesops.runtime.playbook_views import CriterionView, TemplateView
from salesops.runtime.views import EvidenceView

_CARD = "icp"


def worded(question: Question) -> Worded:
    """The placeholders' values for the prospect; the grade when none is missing. Raises ``NoSuchProspect``."""
    prospect, context = context_of(question)
    load_people(question.client.pk, {prospect.pk: context})
    tools = _tools(question)
    _judge(context, question, tools)
    view = context.view()
    if view.contact is None:
        return Worded(who=f"{prospect} (no person to write to yet)", values={})
    words = evidence_words(view, tools)
    offer = next(iter(offers_for(view, tools)), None)
    values = {**names_of(view, view.contact, tools, offer), **template_values(words)}
    template = TemplateView(**_columns(TemplateView, question.row))
    lacking = tuple(key for key in template.requires if key not in words)
    drafted = None if lacking else draft_from(view, view.contact, tools, template, values, words, offer)
    if drafted is None:
        return Worded(who=str(prospect), values=values, lacking=lacking)
    graded = quality.grade_message(quality_draft(view, view.contact, unsent_view(drafted), tools))
    return Worded(
        who=str(prospect),
        values=values,
        grade=graded.grade,
        points=graded.score,
        checks=tuple((check.label, check.points, check.possible, check.saw) for check in graded.checks),
        hard=tuple(failure.saw for failure in graded.hard),
    )


def _tools(question: Question) -> Tools:
    """An agent's tools, with the page's criteria in place of the stored ones."""
    rows = tuple(CriterionView(**_columns(CriterionView, row)) for row in question.criteria)
    playbook = replace(playbook_view(question.version), criteria=rows)
    return Tools(agent="preview", now=timezone.now(), seed=0, playbook=playbook)


def _columns(view: type[Any], row: Row) -> dict[str, Any]:
    """The row's values that a view has a place for."""
    wanted = {field.name: row[field.name] for field in fields(view) if field.name in row}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in wanted.items()}


def _judge(context: Context, question: Question, tools: Tools) -> None:
    """Put what the page's criteria make of the facts in place of the stored evidence."""
    context.evidence.clear()
    facts = Facts(context.signals, tools.now)
    for number, row in enumerate(question.criteria, 1):
        criterion = built(row)
        said = judge(criterion, facts)
        if criterion.scorecard != _CARD or said.value is None:
            continue
        item = evidence_item(number, criterion, said)
        context.add_evidence(
            EvidenceView(
                id=item.id, scorecard=_CARD, criterion=item.criterion, layer=item.layer, category=item.category,
                value=item.value, confidence=item.confidence, strong_negative=item.strong_negative,
                rationale=item.rationale, quote=said.quote, signal_ids=item.signal_ids, fact_ref=item.fact_ref,
                source=said.source, observed_at=item.observed_at, fact_no=item.id,
            )
        )  # fmt: skip
