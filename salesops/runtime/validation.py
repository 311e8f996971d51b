"""What a proposal must satisfy before it may become a fact: schema, permission, provenance, ranges, conflicts.

Pure functions over the context. The answer is None, or what was wrong in words a person can act on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from salesops.runtime.context import Context
from salesops.runtime.contract import Agent
from salesops.runtime.outreach_proposals import (
    EvaluationProposal,
    HistoryProposal,
    MessageProposal,
    RequestProposal,
    SaturationProposal,
    TimingProposal,
    VerdictProposal,
)
from salesops.runtime.ports import Scope
from salesops.runtime.proposals import (
    ContactProposal,
    EvidenceProposal,
    MergeProposal,
    NoteProposal,
    PriorityProposal,
    Proposal,
    SignalProposal,
    TaskProposal,
)
from salesops.runtime.toolbox import Document
from salesops.runtime.views import ContactView, MessageView, SignalView
from salesops.runtime.words import CONTACTED_STAGES, OUTREACH_STAGES, Refused, Team

_AnyProposal = Annotated[
    SignalProposal
    | EvidenceProposal
    | MessageProposal
    | VerdictProposal
    | EvaluationProposal
    | RequestProposal
    | MergeProposal
    | ContactProposal
    | TaskProposal
    | PriorityProposal
    | HistoryProposal
    | TimingProposal
    | SaturationProposal
    | NoteProposal,
    Field(discriminator="type"),
]
_PROPOSAL: TypeAdapter[Any] = TypeAdapter(_AnyProposal)
_RANGE_ERRORS = {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"}
_CLOCK_SKEW = timedelta(days=1)  # sources stamp days in their own zone
_CENT = Decimal("0.01")
_HAIR = 0.01


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a proposal was refused."""

    kind: Refused
    message: str
    detail: Mapping[str, Any] = field(default_factory=dict)


def parse(raw: Proposal | Mapping[str, Any]) -> Proposal | Objection:
    """A typed proposal, or the schema or range objection with the fields at fault."""
    if isinstance(raw, Proposal):
        return raw
    try:
        parsed: Proposal = _PROPOSAL.validate_python(raw)
    except ValidationError as error:
        problems = [{"field": ".".join(map(str, p["loc"])), "problem": p["msg"]} for p in error.errors()[:10]]
        ranged = all(p["type"] in _RANGE_ERRORS for p in error.errors())
        first = problems[0]
        return Objection(
            Refused.RANGE if ranged else Refused.SCHEMA,
            f"{first['field'] or 'proposal'}: {first['problem']}",
            {"problems": problems},
        )
    return parsed


def check(agent: Agent, scope: Scope, context: Context, proposal: Proposal) -> Objection | None:
    """The first objection against a typed proposal, permission first."""
    objection = _permission(agent, scope, context, proposal)
    if objection is not None:
        return objection
    checker = _CHECKS.get(type(proposal))
    return checker(scope, context, proposal) if checker is not None else None


def _permission(agent: Agent, scope: Scope, context: Context, proposal: Proposal) -> Objection | None:
    if isinstance(proposal, NoteProposal | TaskProposal):
        return None  # telling or asking a person changes nothing
    if proposal.writes not in agent.writes:
        return Objection(
            Refused.PERMISSION,
            f"{agent.name} declares no right to write {proposal.writes}.",
            {"writes": proposal.writes, "declared": sorted(agent.writes)},
        )
    if (agent.team, proposal.resource) not in scope.permissions:
        return Objection(
            Refused.PERMISSION,
            f"Team {agent.team} may not write {proposal.resource} for this client.",
            {"team": agent.team, "resource": proposal.resource},
        )
    outreach = isinstance(proposal, RequestProposal | MessageProposal)
    if outreach and agent.team is Team.LEAD_GEN and context.stage not in OUTREACH_STAGES:
        return Objection(
            Refused.PREEMPTED,
            f"Qualification has this prospect (stage {context.stage}): no outreach until it is qualified.",
            {"winner": Team.QUALIFICATION, "stage": context.stage},
        )
    return None


def _quoted(quote: str, origins: Iterable[SignalView | Document]) -> bool:
    return any(quote in origin.quotable for origin in origins)


def _signal(scope: Scope, context: Context, proposal: SignalProposal) -> Objection | None:
    origin: SignalView | Document | None
    if proposal.document is not None:
        origin = context.documents.get(proposal.document)
        cited: dict[str, int | None] = {"document": proposal.document}
    else:
        origin = next((s for s in context.signals if s.id == proposal.derived_from), None)
        cited = {"signal": proposal.derived_from}
    if origin is None:
        return Objection(Refused.PROVENANCE, "Cites something that was not seen about this prospect.", cited)
    strangers = set(proposal.rests_on).difference(s.id for s in context.signals) if proposal.rests_on else ()
    if strangers:
        detail = {"signals": sorted(strangers)}
        return Objection(Refused.PROVENANCE, "Rests on signals that are not this prospect's.", detail)
    if isinstance(origin, Document) and proposal.text and proposal.text not in origin.quotable:
        return Objection(Refused.PROVENANCE, "The words do not stand in the document they are taken from.", cited)
    if proposal.quote and not _quoted(proposal.quote, [origin]):
        return Objection(
            Refused.PROVENANCE, "The quote does not stand in the signal it cites.", {"quote": proposal.quote[:200]}
        )
    if proposal.observed_at > scope.now + _CLOCK_SKEW:
        return Objection(Refused.RANGE, "Observed in the future.", {"observed_at": proposal.observed_at.isoformat()})
    return None


def _evidence(scope: Scope, context: Context, proposal: EvidenceProposal) -> Objection | None:
    own = {s.id: s for s in context.signals}
    strangers = [i for i in proposal.signal_ids if i not in own]
    if strangers:
        return Objection(Refused.PROVENANCE, "Cites signals that are not this prospect's.", {"signals": strangers})
    if proposal.quote and not _quoted(proposal.quote, [own[i] for i in proposal.signal_ids]):
        return Objection(
            Refused.PROVENANCE, "The quote does not stand in the signals it cites.", {"quote": proposal.quote[:200]}
        )
    if proposal.observed_at > scope.now + _CLOCK_SKEW:
        return Objection(Refused.RANGE, "Observed in the future.", {"observed_at": proposal.observed_at.isoformat()})
    known = scope.memory.get("criteria_keys")
    if known is None:
        known = scope.memory["criteria_keys"] = {(c.scorecard, c.key) for c in scope.playbook.criteria}
    if (proposal.scorecard, proposal.criterion) not in known:
        return Objection(Refused.PROVENANCE, "The playbook has no such criterion.", {"criterion": proposal.criterion})
    return None


def _priority(scope: Scope, context: Context, proposal: PriorityProposal) -> Objection | None:
    """The parts are its sum, the tier is what the playbook's thresholds make of it, and it rests on own evidence."""
    own = {e.id for e in context.evidence.values()}
    if not own.issuperset(proposal.evidence_ids):
        return Objection(Refused.PROVENANCE, "Rests on evidence this prospect does not have.")
    added = sum(part.share * (part.value or 0.0) for part in proposal.parts)
    tier = f"TIER_{sum(proposal.value < 100 * least for least in scope.playbook.tier_thresholds) + 1}"
    if abs(added - proposal.value) > _HAIR or abs(sum(p.share for p in proposal.parts) - 1) > _HAIR:
        return Objection(Refused.RANGE, "The priority is not the sum of its parts.", {"computed": added})
    if proposal.tier != tier:
        return Objection(Refused.RANGE, "The playbook's thresholds put this priority in another tier.", {"tier": tier})
    return None


def _timing(scope: Scope, _context: Context, proposal: TimingProposal) -> Objection | None:
    if proposal.until is not None and proposal.until <= scope.now:
        return Objection(Refused.RANGE, "The window it names is over.", {"until": proposal.until.isoformat()})
    return None


def _address(context: Context, channel: str) -> str | None:
    if context.contact is None:
        return None
    return {
        "email": context.contact.email,
        "call": context.contact.phone,
        "sms": context.contact.phone,
        "linkedin": context.contact.linkedin_url,
    }.get(channel)


def _message(_scope: Scope, context: Context, proposal: MessageProposal) -> Objection | None:
    if not proposal.recipient or proposal.recipient != _address(context, proposal.channel):
        return Objection(
            Refused.PROVENANCE, "The recipient is not this contact's address on file.", {"channel": proposal.channel}
        )
    own = {e.id for e in context.evidence.values()}
    cited = set(proposal.evidence_ids) | set(proposal.why_now_evidence)
    cited.update(i for claim in proposal.claims for i in claim.evidence_ids)
    if not cited <= own:
        return Objection(
            Refused.PROVENANCE, "Rests on evidence this prospect does not have.", {"evidence": sorted(cited - own)}
        )
    absent = [
        c.sentence for c in proposal.claims if c.sentence not in proposal.body and c.sentence not in proposal.subject
    ]
    if absent:
        return Objection(
            Refused.PROVENANCE, "Accounts for a sentence that is not in the message.", {"sentence": absent[0][:200]}
        )
    if not proposal.confidence_low <= proposal.confidence <= proposal.confidence_high:
        return Objection(Refused.RANGE, "Confidence lies outside its own bounds.")
    return None


def _own_message(context: Context, message_id: int | None) -> MessageView | None:
    return next((m for m in context.messages if m.id == message_id), None)


def _verdict(_scope: Scope, context: Context, proposal: VerdictProposal) -> Objection | None:
    if _own_message(context, proposal.message_id) is None:
        return Objection(
            Refused.PROVENANCE, "Judges a message that is not this prospect's.", {"message": proposal.message_id}
        )
    return None


def _evaluation(_scope: Scope, context: Context, proposal: EvaluationProposal) -> Objection | None:
    if proposal.message_id is not None and _own_message(context, proposal.message_id) is None:
        return Objection(
            Refused.PROVENANCE, "Evaluates a message that is not this prospect's.", {"message": proposal.message_id}
        )
    if not proposal.probability_low <= proposal.probability <= proposal.probability_high:
        return Objection(Refused.RANGE, "The probability lies outside its own bounds.")
    expected = Decimal(str(proposal.probability)) * proposal.value - proposal.cost
    if abs(expected - proposal.expected_value) > _CENT:
        return Objection(
            Refused.RANGE,
            "The expected value is not probability times value minus cost.",
            {"stated": str(proposal.expected_value), "computed": str(expected)},
        )
    return None


def _request(_scope: Scope, context: Context, proposal: RequestProposal) -> Objection | None:
    message = _own_message(context, proposal.message_id)
    if message is None or message.channel != proposal.channel or message.content_hash != proposal.content_hash:
        return Objection(Refused.PROVENANCE, "Asks for approval of other words than the message it names.")
    if not message.grade or not message.compliance:
        return Objection(Refused.CONFLICT, "The message has not been graded and checked.", {"message": message.id})
    if message.grade == "F":
        return Objection(Refused.CONFLICT, "The message is graded F.", {"message": message.id})
    if message.compliance == "BLOCK":
        return Objection(Refused.CONFLICT, "Compliance blocks this message.", {"message": message.id})
    if any(r.status == "waiting" for r in context.requests):
        return Objection(Refused.CONFLICT, "A request for this prospect is already waiting.")
    return None


def _merge(_scope: Scope, context: Context, proposal: MergeProposal) -> Objection | None:
    """One of the two is this prospect's own record, the other one that was handed over as a likely twin of it."""
    own, twins = context.extras.get("identities", {}).get(proposal.kind, (frozenset(), frozenset()))
    pair = {proposal.kept, proposal.merged}
    if len(pair) != 2 or not (pair & own) or not pair <= own | twins:
        return Objection(
            Refused.PROVENANCE, "Would merge records that are not this prospect's and its twin's.",
            {"kind": proposal.kind, "records": sorted(pair)},
        )  # fmt: skip
    return None


def _replaces(current: ContactView | None, proposal: ContactProposal) -> bool:
    """Whether somebody else would become the contact."""
    if current is None or not proposal.choose or proposal.contact_id == current.id:
        return False
    same_address = proposal.email != "" and proposal.email == current.email.casefold()
    same = same_address or proposal.name.casefold() == current.name.casefold()
    return proposal.contact_id is not None or not same


def _contact(scope: Scope, context: Context, proposal: ContactProposal) -> Objection | None:
    """Everything said about a person stands where it was found; nobody is replaced once they were written to."""
    if proposal.contact_id is not None:
        known = {p.id for p in (*context.people, context.contact) if p is not None}
        if proposal.contact_id not in known:
            cited = {"contact": proposal.contact_id}
            return Objection(Refused.PROVENANCE, "Speaks of somebody who is not on file at this company.", cited)
    else:
        document = context.documents.get(proposal.document or 0)
        if document is None:
            cited = {"document": proposal.document or 0}
            return Objection(Refused.PROVENANCE, "Cites something that was not seen about this prospect.", cited)
        said = document.quotable.casefold()
        given = (proposal.title, proposal.email, proposal.phone, proposal.linkedin_url, proposal.external_id)
        names = f"{proposal.name} {proposal.first_name} {proposal.last_name}".split()
        made_up = [text for text in (*names, *given) if text and text.casefold() not in said]
        if made_up:
            words = "Says something about a person that does not stand where they were found."
            return Objection(Refused.PROVENANCE, words, {"words": made_up[0][:200]})
    if proposal.observed_at > scope.now + _CLOCK_SKEW:
        return Objection(Refused.RANGE, "Observed in the future.", {"observed_at": proposal.observed_at.isoformat()})
    if _replaces(context.contact, proposal) and (
        context.stage in CONTACTED_STAGES or any(r.status == "waiting" for r in context.requests)
    ):
        return Objection(Refused.CONFLICT, "Somebody else of this company is being spoken to.")
    return None


_CHECKS: dict[type[Proposal], Callable[[Scope, Context, Any], Objection | None]] = {
    SignalProposal: _signal,
    EvidenceProposal: _evidence,
    MessageProposal: _message,
    VerdictProposal: _verdict,
    EvaluationProposal: _evaluation,
    RequestProposal: _request,
    MergeProposal: _merge,
    ContactProposal: _contact,
    PriorityProposal: _priority,
    TimingProposal: _timing,
}
