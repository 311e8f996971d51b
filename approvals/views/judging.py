"""What is known about each thing that a person is asked to judge, beside the fields they judge it in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from approvals.models import Task
from approvals.views.answer_forms import AnswerForm, EvidenceForm, EvidenceRow
from playbooks.rules.describe import describe
from prospects.host.loading import load_facts, new_contexts
from prospects.reading.why import criteria_of
from prospects.rules.criteria import judge
from prospects.rules.facts import Facts


@dataclass(frozen=True)
class Known:
    """One criterion: what it asks, the newest fact that speaks of it (empty words: none does), and its fields."""

    row: EvidenceRow
    asks: str
    words: str = ""
    source: str = ""
    at: datetime | None = None


def rows_of(task: Task, form: AnswerForm) -> list[Known]:
    """The rows of a form that asks for evidence, each with what is known; no rows for other forms.

    The facts are shown, not what rules would make of them: the judgement is the person's.
    """
    version = task.playbook_version
    if not isinstance(form, EvidenceForm) or version is None or task.prospect_id is None:
        return []
    context = new_contexts([task.prospect_id], version.pk)
    load_facts(context, version.pk)
    facts = Facts(context[task.prospect_id].signals, timezone.now())
    criteria = {f"{c.scorecard}.{c.key}": c for c in criteria_of(version).values()}
    asked = {f"{c.scorecard}.{c.key}": describe(c.kind, c.params) for c in version.criteria.all()}
    known = []
    for row in form.rows():
        criterion = criteria.get(row.key)
        found = judge(criterion, facts) if criterion is not None else None
        if found is None or found.value is None:
            known.append(Known(row, asked.get(row.key, "")))
        else:
            words = found.quote or found.rationale
            known.append(Known(row, asked[row.key], words, found.source, found.observed_at))
    return known
