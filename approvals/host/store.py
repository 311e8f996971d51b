"""Approvals' port to the runtime: messages with their verdicts, evaluations, approval requests; whom we may write to.

A message is one final row, so a draft is held back until its quality and compliance are known, and then written whole.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Case, OuterRef, Subquery, TextField, Value, When

from approvals.agents.drafting import answered, round_began
from approvals.host.advice import AdviceRows, load_advice, load_heard, load_outcomes
from approvals.models import ApprovalRequest, ConsentBasis, Decision, Dispatch, Task
from approvals.rules.content import Content, content_hash
from approvals.services.gate import details_collected_on, details_source
from approvals.services.request import RequestProposal as Ask
from approvals.services.request import create_requests
from approvals.services.suppress import suppressed, unsubscribe_url
from playbooks.models import Client
from prospects.duplicates.same import people_like
from prospects.host.loading import owners_of
from prospects.models import Contact
from salesops.runtime.bulk import copy_rows
from salesops.runtime.context import Context
from salesops.runtime.outreach_proposals import (
    EvaluationProposal,
    HistoryProposal,
    MessageProposal,
    RequestProposal,
    SaturationProposal,
    TimingProposal,
    VerdictProposal,
)
from salesops.runtime.ports import Ledger, Numbers, Run, Scope
from salesops.runtime.proposals import Proposal, TaskProposal
from salesops.runtime.views import EvaluationView, MessageView, RequestView, TouchView
from salesops.sql import fetch

ASKED = "asked"  # extras: the agents whose work here waits for a person
GRADER = "compliance"  # the agent whose verdict is part of a stored message
_MESSAGE_COLUMNS = (
    "id", "client_id", "prospect_id", "contact_id", "playbook_version_id", "channel", "sender", "recipient", "subject",
    "body", "attachments", "rule_version", "content_hash", "template_key", "angle", "claims", "evidence_ids", "why_now",
    "rationale", "confidence", "confidence_low", "confidence_high", "quality_points", "grade", "quality", "compliance",
    "compliance_detail", "run_id", "fact_no", "created_at", "trace_id",
)  # fmt: skip
_EVALUATION_COLUMNS = (
    "id", "client_id", "prospect_id", "message_id", "channel", "probability", "value", "cost", "expected_value",
    "chosen", "rationale", "alternatives", "run_id", "fact_no", "created_at",
)  # fmt: skip
_MESSAGES = """
SELECT m.prospect_id, m.id, m.channel, m.angle, m.sender, m.recipient, m.subject, m.body, m.attachments,
       m.rule_version, m.content_hash, m.template_key, m.claims, m.evidence_ids, m.why_now, m.rationale, m.confidence,
       m.confidence_low, m.confidence_high, m.grade, m.quality, m.compliance, m.compliance_detail, m.contact_id,
       m.quality_points, m.fact_no, coalesce(r.agent, ''), m.run_id
FROM approvals_message m LEFT JOIN prospects_agentrun r ON r.id = m.run_id
WHERE m.prospect_id = ANY(%s) AND m.playbook_version_id = %s AND m.parent_id IS NULL ORDER BY m.fact_no
"""
_EVALUATIONS = """
SELECT DISTINCT ON (e.prospect_id, e.channel)
       e.prospect_id, e.id, e.message_id, e.channel, e.probability, e.value, e.cost, e.expected_value, e.chosen,
       e.rationale, e.alternatives, e.fact_no, coalesce(r.agent, '')
FROM approvals_evaluation e LEFT JOIN prospects_agentrun r ON r.id = e.run_id
WHERE e.prospect_id = ANY(%s) ORDER BY e.prospect_id, e.channel, e.fact_no DESC
"""
_TOUCHES = """
SELECT d.prospect_id, d.claimed_at, d.channel, m.subject, coalesce(
    (SELECT v.kind FROM approvals_deliveryevent v WHERE v.dispatch_id = d.id ORDER BY v.id DESC LIMIT 1), d.status)
FROM approvals_dispatch d JOIN approvals_message m ON m.id = d.message_id JOIN playbooks_client c ON c.id = d.client_id
WHERE d.prospect_id = ANY(%s) AND d.status IN ('accepted', 'unknown') AND d.claimed_at IS NOT NULL
  AND (d.mode = 'live' OR c.sandbox)
ORDER BY d.prospect_id, d.claimed_at
"""


class MessageLedger(Ledger):
    """Messages, evaluations and requests promoted in one batch, until their cycle is written."""

    def __init__(self, scope: Scope, numbers: Numbers) -> None:
        self._scope = scope
        self._numbers = numbers
        self._drafts: dict[int, tuple[Context, Run, MessageProposal, MessageView]] = {}
        self._evaluations: list[tuple[Any, ...]] = []
        self._requests: list[tuple[Context, RequestProposal]] = []
        self._tasks: list[tuple[Context, Run, TaskProposal]] = []
        self._advice = AdviceRows(scope, numbers)

    def promote(self, context: Context, run: Run, proposal: Proposal) -> bool:
        if isinstance(proposal, MessageProposal):
            return self._message(context, run, proposal)
        if isinstance(proposal, VerdictProposal):
            return self._verdict(context, proposal)
        if isinstance(proposal, EvaluationProposal):
            return self._evaluation(context, run, proposal)
        if isinstance(proposal, HistoryProposal | TimingProposal | SaturationProposal):
            return self._advice.add(context, run, proposal)
        if isinstance(proposal, RequestProposal):
            return self._request(context, proposal)
        if isinstance(proposal, TaskProposal):
            return self._task(context, run, proposal)
        raise TypeError(f"approvals keep no {type(proposal).__name__}")

    def _message(self, context: Context, run: Run, proposal: MessageProposal) -> bool:
        content = Content(
            channel=proposal.channel, recipient=proposal.recipient, sender=proposal.sender, subject=proposal.subject,
            body=proposal.body, rule_version=proposal.rule_version, attachments=proposal.attachments,
        )  # fmt: skip
        fingerprint = content_hash(content)
        # Words left over from an earlier round are news once more; those that a person answered about never.
        asked, since = answered(context.requests), round_began(context.signals, context.requests)
        if any(m.content_hash == fingerprint and (m.fact_no > since or m.id in asked) for m in context.messages):
            return False
        message = dataclasses.replace(
            unsent_view(proposal), id=self._numbers.row("message"), content_hash=fingerprint,
            fact_no=self._numbers.fact(), agent=run.agent, run_id=run.id,
        )  # fmt: skip
        context.add_message(message)
        self._drafts[message.id] = (context, run, proposal, message)
        return True

    def _verdict(self, context: Context, proposal: VerdictProposal) -> bool:
        held = self._drafts.get(proposal.message_id)
        if held is None:
            return False  # already written, with the verdict it was written with
        _, run, drafted, message = held
        graded = dataclasses.replace(
            message, grade=proposal.grade, quality_points=proposal.points, quality=proposal.quality,
            compliance=proposal.compliance, compliance_detail=proposal.compliance_detail,
        )  # fmt: skip
        context.messages.remove(message)
        context.add_message(graded, graded_by=GRADER)
        self._drafts[message.id] = (context, run, drafted, graded)
        return True

    def _evaluation(self, context: Context, run: Run, proposal: EvaluationProposal) -> bool:
        current = context.evaluations.get(proposal.channel)
        if current is not None and (
            (current.message_id, current.expected_value, current.chosen, current.rationale)
            == (proposal.message_id, proposal.expected_value, proposal.chosen, proposal.rationale)
        ):
            return False
        evaluation = EvaluationView(
            id=self._numbers.row("evaluation"), message_id=proposal.message_id, channel=proposal.channel,
            probability=proposal.probability, value=proposal.value, cost=proposal.cost,
            expected_value=proposal.expected_value, chosen=proposal.chosen, rationale=proposal.rationale,
            alternatives=proposal.alternatives, fact_no=self._numbers.fact(), agent=run.agent,
        )  # fmt: skip
        context.add_evaluation(evaluation)
        self._evaluations.append(
            (
                evaluation.id, self._scope.client_id, context.id, evaluation.message_id, evaluation.channel,
                evaluation.probability, evaluation.value, evaluation.cost, evaluation.expected_value,
                evaluation.chosen, evaluation.rationale, json.dumps(evaluation.alternatives, default=str), run.id,
                evaluation.fact_no, self._scope.now,
            )
        )  # fmt: skip
        return True

    def _request(self, context: Context, proposal: RequestProposal) -> bool:
        context.requests.append(RequestView(0, proposal.channel, "waiting", proposal.message_id, proposal.content_hash))
        context.changed()
        self._requests.append((context, proposal))
        return True

    def _task(self, context: Context, run: Run, proposal: TaskProposal) -> bool:
        """One open task per agent and prospect: what is asked already is not asked again."""
        context.notes.append(f"A person has to answer: {proposal.title}.")
        asked: set[str] = context.extras.setdefault(ASKED, set())
        if run.agent in asked:
            return False
        asked.add(run.agent)
        self._tasks.append((context, run, proposal))
        return True

    def write(self, prospects: Collection[int]) -> None:
        """Drafts that nobody graded are not written: the runs that made them keep them."""
        drafts = [d for d in self._drafts.values() if d[0].id in prospects and d[3].compliance]
        if drafts:
            copy_rows("approvals_message", _MESSAGE_COLUMNS, (self._message_row(run, m, c) for c, run, _, m in drafts))
        evaluations = [row for row in self._evaluations if row[2] in prospects]
        if evaluations:
            copy_rows("approvals_evaluation", _EVALUATION_COLUMNS, evaluations)
        self._advice.write(prospects)
        asked = [self._ask(c, p) for c, p in self._requests if c.id in prospects]
        if asked:
            create_requests(asked, client=Client(pk=self._scope.client_id), actor=None, at=self._scope.now)
        Task.objects.bulk_create(
            [self._task_row(c, run, p) for c, run, p in self._tasks if c.id in prospects], ignore_conflicts=True
        )
        self._tasks.clear()
        self._drafts.clear()
        self._evaluations.clear()
        self._requests.clear()

    def _task_row(self, context: Context, run: Run, proposal: TaskProposal) -> Task:
        return Task(
            client_id=self._scope.client_id, kind=Task.Kind.AGENT_WORK, prospect_id=context.id, title=proposal.title,
            detail=proposal.detail, agent=run.agent, form=proposal.form, asks=list(proposal.asks),
            playbook_version_id=self._scope.playbook.id, created_at=self._scope.now, trace_id=self._scope.trace_id,
        )  # fmt: skip

    def _message_row(self, run: Run, m: MessageView, context: Context) -> tuple[Any, ...]:
        return (
            m.id, self._scope.client_id, context.id, m.contact_id, self._scope.playbook.id, m.channel, m.sender,
            m.recipient, m.subject, m.body, list(m.attachments), m.rule_version, m.content_hash, m.template_key,
            m.angle, json.dumps(m.claims), list(m.evidence_ids), m.why_now, m.rationale, m.confidence,
            m.confidence_low, m.confidence_high, m.quality_points, m.grade, json.dumps(m.quality), m.compliance,
            json.dumps(m.compliance_detail), run.id, m.fact_no, self._scope.now, self._scope.trace_id,
        )  # fmt: skip

    def _ask(self, context: Context, proposal: RequestProposal) -> Ask:
        # The facts of this very cycle belong to what the person decides on.
        newest = max(context.facts_no, context.newest_no)
        return Ask(
            prospect_id=context.id,
            contact_id=proposal.contact_id,
            message_id=proposal.message_id,
            playbook_version_id=self._scope.playbook.id,
            channel=proposal.channel,
            content_hash=proposal.content_hash,
            dossier={**proposal.dossier, "facts_no": newest},
            grade=proposal.grade,
            composite=context.composite,
            priority=context.priority,
            facts_no=newest,
            trace_id=self._scope.trace_id,
            expires_at=proposal.expires_at,
        )


class ApprovalsPort:
    """See :class:`salesops.runtime.ports.Port`."""

    accepts: frozenset[type[Proposal]] = frozenset(
        {
            MessageProposal, VerdictProposal, EvaluationProposal, HistoryProposal, TimingProposal, SaturationProposal,
            RequestProposal, TaskProposal,
        }
    )  # fmt: skip

    def open(self, scope: Scope, numbers: Numbers) -> MessageLedger:
        return MessageLedger(scope, numbers)

    def load(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        ids = list(contexts)
        for row in fetch(_MESSAGES, [ids, scope.playbook.id]):
            contexts[row[0]].add_message(_message_view(row), graded_by=GRADER)
        for row in fetch(_EVALUATIONS, [ids]):
            contexts[row[0]].add_evaluation(EvaluationView(*(*row[1:10], tuple(json.loads(row[10])), *row[11:])))
        load_advice(scope, contexts)
        wish = Decision.objects.filter(request=OuterRef("pk"), kind=Decision.Kind.REDRAFT).values("words")[:1]
        is_redraft = When(status=ApprovalRequest.Status.REDRAFT, then=Subquery(wish))
        wished = Case(is_redraft, default=Value(""), output_field=TextField())
        requests = ApprovalRequest.objects.filter(prospect__in=ids).annotate(wish=wished).order_by("pk")
        fields = ("prospect_id", "pk", "channel", "status", "message_id", "content_hash", "facts_no", "wish")
        for prospect_id, *rest in requests.values_list(*fields):
            contexts[prospect_id].requests.append(RequestView(*rest))
        open_tasks = Task.objects.filter(prospect__in=ids, status=Task.Status.OPEN).exclude(agent="")
        for prospect_id, agent in open_tasks.values_list("prospect_id", "agent"):
            contexts[prospect_id].extras.setdefault(ASKED, set()).add(agent)
        owners = owners_of(contexts)  # what a prospect merged into this one heard, this one heard
        for prospect_id, *touch in fetch(_TOUCHES, [list(owners)]):
            contexts[owners[prospect_id]].touches.append(TouchView(*touch))

    def prepare(self, scope: Scope, contexts: Mapping[int, Context]) -> None:
        load_people(scope.client_id, contexts)
        load_outcomes(scope, contexts)
        load_heard(scope, contexts)


def _message_view(row: tuple[Any, ...]) -> MessageView:
    claims, quality, detail = tuple(json.loads(row[12])), json.loads(row[20]), json.loads(row[22])
    values = (*row[1:8], tuple(row[8]), *row[9:12], claims, tuple(row[13]), *row[14:20], quality, row[21], detail)
    return MessageView(*(*values, *row[23:]))


def unsent_view(proposal: MessageProposal) -> MessageView:
    """A draft as agents see messages, before it has a number, a hash and a grade."""
    return MessageView(
        id=0, channel=proposal.channel, angle=proposal.angle, sender=proposal.sender, recipient=proposal.recipient,
        subject=proposal.subject, body=proposal.body, attachments=proposal.attachments,
        rule_version=proposal.rule_version, content_hash="", template_key=proposal.template_key,
        claims=tuple(claim.model_dump() for claim in proposal.claims), evidence_ids=proposal.evidence_ids,
        why_now=proposal.why_now, rationale=proposal.rationale, confidence=proposal.confidence,
        confidence_low=proposal.confidence_low, confidence_high=proposal.confidence_high, grade="", quality={},
        compliance="", compliance_detail={}, contact_id=proposal.contact_id, quality_points=0.0, fact_no=0,
    )  # fmt: skip


def load_people(client_id: int, contexts: Mapping[int, Context]) -> None:
    """What the rules of outreach ask about a person: suppression, consent, touches, where the details come from."""
    owners: dict[int, list[Context]] = {}
    for context in contexts.values():
        if context.contact is not None:
            owners.setdefault(context.contact.id, []).append(context)
    contacts = list(Contact.objects.filter(pk__in=list(owners)))
    stopped = suppressed(client_id, contacts)
    consents = {
        basis.contact_id: basis
        for basis in ConsentBasis.objects.filter(contact__in=list(owners)).order_by("contact_id", "pk")
    }
    alike = people_like(list(owners))
    everybody = {record for circle in alike.values() for record in circle}
    accepted = Dispatch.objects.felt(client_id).filter(contact__in=everybody, status=Dispatch.Status.ACCEPTED)
    heard = Counter(accepted.values_list("contact_id", flat=True))
    for contact in contacts:
        basis = consents.get(contact.pk)
        known = {
            "details_source": details_source(contact),
            "collected_on": details_collected_on(contact),
            "guessed_address": bool(contact.attributes.get("guessed_address")),
            "do_not_call": bool(contact.attributes.get("do_not_call")),
            "touches": sum(heard[record] for record in alike[contact.pk]),
            "consent": None if basis is None else _consent(basis),
        }
        link = unsubscribe_url(client_id, contact.pk)
        for context in owners[contact.pk]:
            assert context.contact is not None  # noqa: S101 — owners are those with a contact
            context.contact = dataclasses.replace(
                context.contact, unsubscribe_url=link, suppressed=contact.pk in stopped, attributes=known
            )


def _consent(basis: ConsentBasis) -> dict[str, Any]:
    return {
        "type": basis.type,
        "url": basis.url,
        "snapshot_hash": basis.snapshot_hash,
        "captured_at": basis.captured_at,
        "role_relevant": basis.role_relevant,
    }


PORT = ApprovalsPort()
