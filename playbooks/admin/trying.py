"""Trying a criterion or a template of a draft on a prospect, with the page as it stands and nothing saved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django import forms as django_forms
from django.http import HttpRequest, QueryDict

from playbooks import previews
from playbooks.admin import fields, forms, row_forms
from playbooks.models import Criterion, MessageTemplate, PlaybookVersion
from playbooks.rules import templating
from playbooks.rules.document import ROWS
from salesops.errors import Refusal

TRY_ON = "try_on"  # the field, and where the session keeps the last name given
_ASKED = re.compile(r"try:(criteria|templates)-(\d+)")
_FORMS: Mapping[str, tuple[Any, type[forms.RowForm]]] = {
    "criteria": (Criterion, row_forms.CriterionForm),
    "templates": (MessageTemplate, row_forms.TemplateForm),
}
#: What stands for a value where no prospect was named.
_SAMPLE = {
    "first_name": "Dana", "last_name": "Lee", "name": "Dana Lee", "title": "Head of Sales", "company": "Acme",
    "industry": "software", "city": "Springfield", "country": "US",
}  # fmt: skip


def answer(request: HttpRequest, version: PlaybookVersion) -> dict[str, Any]:
    """The context of the answer: what the row asked about would say of the prospect named."""
    asked = next(filter(None, map(_ASKED.fullmatch, request.POST)), None)
    if asked is None:
        return {"refused": ["Choose a criterion or a template to try."]}
    section, number = asked[1], asked[2]
    who = request.POST.get(TRY_ON, "").strip()
    request.session[TRY_ON] = who
    form = _form(section, number, request.POST, version)
    if not form.is_valid():
        return {"refused": [f"{form.fields[at].label if at in form.fields else at}: {words[0]}"
                            for at, words in form.errors.items()]}  # fmt: skip
    question = previews.Question(
        version=version, client=version.playbook.client, who=who, row=_row(section, form),
        criteria=_criteria(request.POST, version),
    )  # fmt: skip
    try:
        return _of_criterion(question) if section == "criteria" else _of_template(question)
    except Refusal as refusal:
        return {"refused": [refusal.message]}


def _of_criterion(question: previews.Question) -> dict[str, Any]:
    if not question.who:
        return {"refused": ["Name a prospect to try it on: its id, domain or e-mail address."]}
    judged = previews.judged(question)
    return {"judged": judged, "label": question.row["label"]}


def _of_template(question: previews.Question) -> dict[str, Any]:
    worded = previews.worded(question) if question.who else None
    values = dict(worded.values) if worded else _sample(question)
    return {
        "worded": worded,
        "label": question.row["key"],
        "subject": templating.pieces(question.row["subject"], values),
        "body": templating.pieces(question.row["body"], values),
        "missing": sorted(
            {p.name for text in ("subject", "body") for p in templating.pieces(question.row[text], values)
             if p.state == "missing"}
        ),
    }  # fmt: skip


def _sample(question: previews.Question) -> dict[str, str]:
    """Made-up values for everything a template may name, so that its length and flow can be read."""
    client = question.client
    own = {"client": client.name, "sender_name": client.sender_name,
           "sender_first_name": client.sender_name.split(" ")[0]}  # fmt: skip
    offer = question.version.value_propositions.first()
    offered = {"pain": offer.pain, "promise": offer.promise, "proof": offer.proof} if offer else {}
    facts = {f"fact.{row['key']}": f"‹{row['label']}›" for row in question.criteria}
    months = {f"month.{row['key']}": "May" for row in question.criteria}
    return {**_SAMPLE, **own, **offered, **facts, **months}


def _criteria(data: QueryDict, version: PlaybookVersion) -> list[dict[str, Any]]:
    """The page's criteria that are right as they stand."""
    total = data.get("criteria-TOTAL_FORMS", "0")
    rows = []
    for number in range(min(int(total), 1000) if total.isdecimal() else 0):
        if not data.get(f"criteria-{number}-DELETE"):
            form = _form("criteria", str(number), data, version)
            if form.is_valid():
                rows.append(_row("criteria", form))
    return rows


def _form(section: str, number: str, data: QueryDict, version: PlaybookVersion) -> forms.RowForm:
    model, base = _FORMS[section]
    columns = forms.columns_of(model)
    made: Any = django_forms.modelform_factory(model, form=base, fields=columns, formfield_callback=_field)
    form: forms.RowForm = made(data, prefix=f"{section}-{number}", instance=model(version=version))
    return form


def _field(column: Any, **kwargs: Any) -> Any:
    """As the admin's page makes it."""
    return column.formfield(**{**fields.PLAIN_FIELDS.get(type(column), {}), **kwargs})


def _row(section: str, form: forms.RowForm) -> dict[str, Any]:
    return {slot.at: form.cleaned_data.get(slot.at) for slot in ROWS[section].slots} | {
        "position": form.cleaned_data["position"]
    }
