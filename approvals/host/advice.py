"""Advice about reaching prospects: the facts it is drawn from, read in sets, and the rows it becomes.

Every function here takes a constant number of queries, however many prospects a batch holds.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from approvals.agents.historical_outcome import CELLS
from approvals.agents.saturation import HEARD
from approvals.models import Dispatch
from approvals.rules.frequency import REPLY_KINDS
from approvals.rules.history import MATURE_DAYS, SIZE_EDGES, Cell, Kind
from approvals.rules.saturation import Heard
from playbooks.models import PlaybookVersion
from playbooks.services import budgets
from prospects.duplicates.same import companies_like, people_like
from salesops.runtime.bulk import copy_rows
from salesops.runtime.context import Context
from salesops.runtime.outreach_proposals import HistoryProposal, SaturationProposal, TimingProposal
from salesops.runtime.ports import Numbers, Run, Scope
from salesops.runtime.views import AdviceView
from salesops.sql import fetch

#: Signals that are a success by themselves; a reply is one when it was labelled so.
SUCCESS_KINDS = ("positive_reply", "meeting_booked", "meeting_held", "call_accepted")
_GOOD_LABELS = ("positive", "meeting")
#: What reached somebody, or may have.
TOUCHED = (Dispatch.Status.ACCEPTED, Dispatch.Status.UNKNOWN, Dispatch.Status.SENDING)
GATE = "approval_gate"
Advising = HistoryProposal | TimingProposal | SaturationProposal

_COLUMNS = (
    "client_id", "prospect_id", "playbook_version_id", "aspect", "channel", "words", "data", "not_before", "until",
    "blocked", "run_id", "fact_no", "created_at",
)  # fmt: skip
_ADVICE = """
SELECT DISTINCT ON (a.prospect_id, a.aspect, a.channel)
       a.prospect_id, a.aspect, a.channel, a.words, a.data, a.not_before, a.until, a.blocked, a.fact_no,
       coalesce(r.agent, '')
FROM approvals_advice a LEFT JOIN prospects_agentrun r ON r.id = a.run_id
WHERE a.prospect_id = ANY(%s) AND a.playbook_version_id = %s
ORDER BY a.prospect_id, a.aspect, a.channel, a.fact_no DESC
"""
# Finished touches of a playbook, counted. A touch in the sandbox reached nobody and proves nothing.
_OUTCOMES = """
SELECT p.segment, coalesce(c.industry, ''), width_bucket(coalesce(c.employees_max, c.employees_min), %(edges)s),
       p.route, d.channel, m.angle, count(*), count(good.at)
FROM approvals_dispatch d
JOIN approvals_message m ON m.id = d.message_id
JOIN prospects_prospect p ON p.id = d.prospect_id
LEFT JOIN prospects_company c ON c.id = p.company_id
LEFT JOIN LATERAL (
    SELECT min(s.observed_at) AS at FROM prospects_signal s
    WHERE s.prospect_id = p.id AND s.observed_at > d.claimed_at
      AND s.observed_at <= least(d.claimed_at + %(mature)s, %(now)s)
      AND (s.kind = ANY(%(success)s) OR (s.kind = ANY(%(replies)s) AND s.data->>'label' = ANY(%(labels)s)))
) good ON true
WHERE d.client_id = %(client)s AND d.status = 'accepted' AND d.mode = 'live' AND p.playbook_id = %(playbook)s
  AND d.claimed_at <= %(now)s AND (good.at IS NOT NULL OR d.claimed_at <= %(now)s - %(mature)s)
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
"""
_COMPANY_TOUCHES = """
SELECT k.company_id, d.contact_id, max(d.claimed_at) FROM approvals_dispatch d
JOIN prospects_contact k ON k.id = d.contact_id JOIN playbooks_client c ON c.id = d.client_id
WHERE d.client_id = %s AND k.company_id = ANY(%s) AND d.status = ANY(%s) AND d.claimed_at > %s
  AND (d.mode = 'live' OR c.sandbox) GROUP BY 1, 2
"""
_REPLIED = """
SELECT DISTINCT p.company_id FROM prospects_prospect p JOIN prospects_signal s ON s.prospect_id = p.id
WHERE p.company_id = ANY(%s) AND s.kind = ANY(%s)
"""


class AdviceRows:
    """Advice promoted in one batch, until its cycle is written. Only news is kept."""

    def __init__(self, scope: Scope, numbers: Numbers) -> None:
        self._scope = scope
        self._numbers = numbers
        self._rows: list[tuple[Any, ...]] = []

    def add(self, context: Context, run: Run, proposal: Advising) -> bool:
        advice = _view(proposal, run.agent, self._numbers.fact())
        if advice.blocked:
            context.notes.append(advice.words)
            _keep_gate_away(context, advice, self._scope.now)
        current = context.advice.get((advice.aspect, advice.channel))
        if current is not None and _said(current) == _said(advice):
            return False
        context.add_advice(advice)
        self._rows.append(
            (
                self._scope.client_id, context.id, self._scope.playbook.id, advice.aspect, advice.channel,
                advice.words, json.dumps(advice.data, default=str), advice.not_before, advice.until, advice.blocked,
                run.id, advice.fact_no, self._scope.now,
            )
        )  # fmt: skip
        return True

    def write(self, prospects: Collection[int]) -> None:
        kept = [row for row in self._rows if row[1] in prospects]
        if kept:
            copy_rows("approvals_advice", _COLUMNS, kept)
        self._rows.clear()


def _view(proposal: Advising, agent: str, fact_no: int) -> AdviceView:
    if isinstance(proposal, HistoryProposal):
        data = proposal.model_dump(mode="json", include={"alike", "channels", "angles"})
        return AdviceView("history", "", proposal.words, data, None, None, blocked=False, fact_no=fact_no, agent=agent)
    if isinstance(proposal, TimingProposal):
        return AdviceView(
            "timing", proposal.channel, proposal.words, {"zone": proposal.zone}, proposal.not_before, proposal.until,
            blocked=False, fact_no=fact_no, agent=agent,
        )  # fmt: skip
    until = None if proposal.allowed else proposal.until
    return AdviceView(
        "saturation", "", proposal.words, proposal.saw, until, None, blocked=not proposal.allowed, fact_no=fact_no,
        agent=agent,
    )  # fmt: skip


def _said(advice: AdviceView) -> tuple[Any, ...]:
    return advice.words, advice.data, advice.not_before, advice.until, advice.blocked


def load_advice(scope: Scope, contexts: Mapping[int, Context]) -> None:
    """The advice in force under this version: one query."""
    for prospect_id, aspect, channel, words, data, *rest in fetch(_ADVICE, [list(contexts), scope.playbook.id]):
        advice = AdviceView(aspect, channel, words, json.loads(data), *rest)
        contexts[prospect_id].add_advice(advice)
        _keep_gate_away(contexts[prospect_id], advice, scope.now)


def _keep_gate_away(context: Context, advice: AdviceView, now: datetime) -> None:
    """Nobody is asked before a rest is over; the prospect is due again when it is."""
    if advice.blocked and advice.not_before is not None and advice.not_before > now:
        context.away[GATE] = advice.not_before


def load_outcomes(scope: Scope, contexts: Mapping[int, Context]) -> None:
    """What finished touches of this playbook came to, counted once for the whole batch."""
    rows = fetch(
        _OUTCOMES,
        {
            "edges": list(SIZE_EDGES), "mature": timedelta(days=MATURE_DAYS), "now": scope.now,
            "success": list(SUCCESS_KINDS), "replies": list(REPLY_KINDS), "labels": list(_GOOD_LABELS),
            "client": scope.client_id, "playbook": scope.playbook.playbook_id,
        },
    )  # fmt: skip
    cells = tuple(Cell(Kind(*row[:4]), *row[4:]) for row in rows)
    for context in contexts.values():
        context.extras[CELLS] = cells


def load_heard(scope: Scope, contexts: Mapping[int, Context]) -> None:
    """What each person and company have had from this client, whoever of their records had it."""
    persons = people_like({c.contact.id for c in contexts.values() if c.contact is not None})
    homes = companies_like({c.company.id for c in contexts.values() if c.company is not None})
    touches = _touches(scope, {record for circle in persons.values() for record in circle})
    companies = sorted({record for circle in homes.values() for record in circle})
    week_ago = scope.now - timedelta(days=7)
    people: dict[int, dict[int, datetime]] = {}
    statuses = [str(status) for status in TOUCHED]
    for company_id, contact_id, last in fetch(_COMPANY_TOUCHES, [scope.client_id, companies, statuses, week_ago]):
        people.setdefault(company_id, {})[contact_id] = last
    replied = {row[0] for row in fetch(_REPLIED, [companies, list(REPLY_KINDS)])}
    left = _left_today(scope)
    for context in contexts.values():
        if context.contact is None:
            continue
        me = context.contact.id
        circle = persons[me]
        home = homes[context.company.id] if context.company is not None else set()
        own_reply = any(signal.kind in REPLY_KINDS for signal in context.signals)
        context.extras[HEARD] = Heard(
            person=me,
            touches=tuple(sorted(at for record in circle for at in touches.get(record, ()))),
            people=_latest((me if who in circle else who, at) for h in home for who, at in people.get(h, {}).items()),
            company_replied=own_reply or bool(home & replied),
            left_today=left,
        )


def _latest(pairs: Iterable[tuple[int, datetime]]) -> dict[int, datetime]:
    latest: dict[int, datetime] = {}
    for person, at in pairs:
        latest[person] = max(at, latest.get(person, at))
    return latest


def _touches(scope: Scope, records: Collection[int]) -> dict[int, list[datetime]]:
    found: dict[int, list[datetime]] = {}
    rows = Dispatch.objects.felt(scope.client_id).filter(
        contact__in=records, status__in=TOUCHED, claimed_at__isnull=False
    )
    for contact_id, at in rows.values_list("contact_id", "claimed_at"):
        if at is not None:
            found.setdefault(contact_id, []).append(at)
    return found


def _left_today(scope: Scope) -> dict[str, int]:
    """Acts left today, by the name of the limit; limits of 0 are left out."""
    version = PlaybookVersion.objects.select_related("playbook__client").get(pk=scope.playbook.id)
    rows = budgets.usage(version, client=version.playbook.client, at=scope.now)
    daily = {budgets.Bucket.CALLS, budgets.Bucket.EMAILS, budgets.Bucket.LINKEDIN, budgets.Bucket.SMS}
    return {row.label: int(row.left) for row in rows if row.name in daily and row.limit}
