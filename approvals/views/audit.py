"""The audit log as people read it: search by what happened, who did it, to what, and when."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.http import HttpResponse
from django.views.decorators.http import require_GET

from approvals.reading.audit import AuditFilter, audit_actors, audit_entries
from playbooks.events import AuditEvent
from playbooks.models import AuditEntry, Client
from salesops.access import ClientRequest, require_role
from salesops.paging import keyset_page
from salesops.partials import render_page

WORDS = dict(AuditEvent.choices)
LONGEST = 40


class AuditSearch(forms.Form):
    """What to look for; empty fields narrow nothing."""

    event = forms.ChoiceField(label="What happened", required=False)
    actor = forms.ChoiceField(label="Who", required=False)
    subject = forms.CharField(
        label="To what",
        required=False,
        max_length=80,
        widget=forms.TextInput(attrs={"placeholder": "approvals.decision:12"}),
    )
    trace = forms.CharField(label="Trace", required=False, max_length=32)
    day = forms.DateField(label="Day", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: object, client: Client, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        people = [(str(user.pk), str(user)) for user in audit_actors(client)]
        self.fields["event"].choices = [("", "Anything"), *AuditEvent.choices]  # type: ignore[attr-defined]
        self.fields["actor"].choices = [("", "Anyone"), ("system", "The system"), *people]  # type: ignore[attr-defined]


@require_GET
@require_role()
def audit(request: ClientRequest) -> HttpResponse:
    """The client's chain, newest first."""
    form = AuditSearch(request.GET or None, client=request.client)
    wanted = AuditFilter()
    if form.is_bound and form.is_valid():
        found = form.cleaned_data
        wanted = AuditFilter(
            event=found["event"],
            actor=found["actor"],
            subject=found["subject"],
            trace=found["trace"],
            day=found["day"].isoformat() if found["day"] else "",
        )
    entries = audit_entries(request.client, wanted)
    page = keyset_page(entries, keys=("-seq",), request=request, size=100)
    rows = [_row(entry) for entry in page.items]
    context = {"form": form, "page": page, "rows": rows, "narrowed": wanted != AuditFilter()}
    return render_page(request, "approvals/audit.html", context, partial="rows")


def _row(entry: AuditEntry) -> dict[str, object]:
    return {
        "entry": entry,
        "words": WORDS.get(entry.event, entry.event),
        "subject": f"{entry.subject_type}:{entry.subject_id}",
        "detail": " · ".join(f"{name.replace('_', ' ')} {_short(said)}" for name, said in _news(entry.detail)),
    }


def _news(detail: dict[str, Any]) -> list[tuple[str, Any]]:
    """What says something: nothing at all, and nothing in a list, does not; nought and no do."""
    return [(name, said) for name, said in detail.items() if said is not None and said not in ("", [], {})]


def _short(value: object) -> str:
    """A value of the detail in a few characters: hashes by their head, lists and objects as JSON."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:12]}…"
