"""What agents return. A proposal is only a proposal: the runtime validates it and decides whether it becomes a fact."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from salesops.runtime.words import Key, Refused, Resource

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Points = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Ids = tuple[int, ...]


class Proposal(BaseModel):
    """Base of all proposals: frozen, no unknown fields, one key it writes and one resource it needs."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=False)

    writes: ClassVar[Key]
    resource: ClassVar[Resource]
    # Fields whose values are this database's row ids: left out of the digest, where their rows' stable names stand in.
    identities: ClassVar[frozenset[str]] = frozenset()

    def contest(self) -> tuple[str, ...] | None:
        """What only one proposal of a cycle may claim for a prospect; None when many can live side by side."""
        return None


class SignalProposal(Proposal):
    """A typed signal: derived from another signal of the same prospect, or read in a document handed to the agent.

    ``source_ref`` says where in the world a document's fact stands, where that is not the document's own place;
    ``rests_on`` names other signals of the prospect that speak for it.
    """

    writes: ClassVar[Key] = Key.SIGNALS
    resource: ClassVar[Resource] = Resource.ACTIVITY
    identities: ClassVar[frozenset[str]] = frozenset({"derived_from", "document", "rests_on"})

    type: Literal["signal"] = "signal"
    kind: Annotated[str, Field(min_length=1, max_length=60)]
    observed_at: AwareDatetime
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    text: Annotated[str, Field(max_length=2000)] = ""
    data: dict[str, Any] = Field(default_factory=dict)
    derived_from: int | None = None
    document: int | None = None
    rests_on: Ids = ()
    source_ref: Annotated[str, Field(max_length=300)] = ""
    attribute: Annotated[str, Field(max_length=60)] = ""
    confidence: Share = 0.9
    quote: str = ""

    @model_validator(mode="after")
    def _one_origin(self) -> SignalProposal:
        if (self.derived_from is None) == (self.document is None):
            raise ValueError("cite either a signal or a document")
        return self

    def contest(self) -> tuple[str, ...] | None:
        origin = f"s{self.derived_from}" if self.document is None else f"d{self.document}.{self.source_ref}"
        return ("signal", self.kind, self.attribute, origin, self.observed_at.isoformat())


class EvidenceProposal(Proposal):
    """One judgement under one criterion, with the signals it was drawn from."""

    writes: ClassVar[Key] = Key.HYPOTHESES
    resource: ClassVar[Resource] = Resource.ICP_EVIDENCE
    identities: ClassVar[frozenset[str]] = frozenset({"signal_ids"})

    type: Literal["evidence"] = "evidence"
    scorecard: str
    criterion: Annotated[str, Field(min_length=1, max_length=60)]
    layer: str
    category: str
    value: Points
    confidence: Share
    strong_negative: bool = False
    rationale: Annotated[str, Field(min_length=1, max_length=500)]
    quote: Annotated[str, Field(max_length=2000)] = ""
    signal_ids: Annotated[Ids, Field(min_length=1)]
    fact_ref: Annotated[str, Field(min_length=1, max_length=160)]
    source: Annotated[str, Field(max_length=255)]
    observed_at: AwareDatetime

    def contest(self) -> tuple[str, ...] | None:
        return ("evidence", self.scorecard, self.criterion)


class Claim(BaseModel):
    """One sentence of a message and what it rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sentence: str
    evidence_ids: Ids = ()
    source: str = ""
    kind: Literal["fact", "proof"] = "fact"
    terms: tuple[str, ...] = ()


class MessageProposal(Proposal):
    """One angle: complete words for one channel, and the evidence each sentence rests on."""

    writes: ClassVar[Key] = Key.STRATEGIES
    resource: ClassVar[Resource] = Resource.ACTIVITY
    identities: ClassVar[frozenset[str]] = frozenset({"evidence_ids", "claims", "why_now_evidence", "contact_id"})

    type: Literal["message"] = "message"
    contact_id: int
    channel: str
    angle: str
    template_key: str
    sender: str
    recipient: str
    subject: Annotated[str, Field(max_length=300)] = ""
    body: Annotated[str, Field(min_length=1, max_length=20_000)]
    attachments: tuple[str, ...] = ()
    rule_version: str
    claims: tuple[Claim, ...] = ()
    evidence_ids: Ids = ()
    why_now: Annotated[str, Field(max_length=500)] = ""
    why_now_at: AwareDatetime | None = None
    why_now_evidence: Ids = ()
    rationale: Annotated[str, Field(max_length=1000)] = ""
    confidence: Share
    confidence_low: Share
    confidence_high: Share

    def contest(self) -> tuple[str, ...] | None:
        return ("message", self.channel, self.template_key)


class VerdictProposal(Proposal):
    """The grade and the compliance verdict of one message."""

    writes: ClassVar[Key] = Key.STRATEGIES
    resource: ClassVar[Resource] = Resource.ACTIVITY
    identities: ClassVar[frozenset[str]] = frozenset({"message_id"})

    type: Literal["verdict"] = "verdict"
    message_id: int
    grade: Literal["A", "B+", "B", "C", "D", "F"]
    points: Points
    quality: dict[str, Any]
    compliance: Literal["PASS", "REVIEW", "BLOCK"]
    compliance_detail: dict[str, Any]

    def contest(self) -> tuple[str, ...] | None:
        return ("verdict", str(self.message_id))


class EvaluationProposal(Proposal):
    """Expected value against cost of one channel, beside what else could be done."""

    writes: ClassVar[Key] = Key.EVALUATIONS
    resource: ClassVar[Resource] = Resource.ACTIVITY
    identities: ClassVar[frozenset[str]] = frozenset({"message_id"})

    type: Literal["evaluation"] = "evaluation"
    message_id: int | None
    channel: str
    probability: Share
    probability_low: Share
    probability_high: Share
    value: Annotated[Decimal, Field(ge=0)]
    cost: Annotated[Decimal, Field(ge=0)]
    expected_value: Decimal
    chosen: bool
    rationale: Annotated[str, Field(min_length=1, max_length=500)]
    alternatives: tuple[dict[str, Any], ...] = ()

    def contest(self) -> tuple[str, ...] | None:
        return ("evaluation", self.channel)


class RequestProposal(Proposal):
    """A frozen dossier that waits for a person: one exact action, this person, this channel, these words."""

    writes: ClassVar[Key] = Key.PROPOSALS
    resource: ClassVar[Resource] = Resource.ACTIVITY
    identities: ClassVar[frozenset[str]] = frozenset({"message_id", "contact_id", "dossier", "content_hash"})

    type: Literal["request"] = "request"
    message_id: int
    contact_id: int
    channel: str
    content_hash: str
    grade: str
    dossier: dict[str, Any]
    expires_at: AwareDatetime

    def contest(self) -> tuple[str, ...] | None:
        return ("request",)


class TaskProposal(Proposal):
    """Work for a person: what an agent whose implementation is ``human`` asks for. ``asks`` is what the form shows."""

    writes: ClassVar[Key] = Key.PROPOSALS
    resource: ClassVar[Resource] = Resource.ACTIVITY

    type: Literal["task"] = "task"
    form: Literal["signal", "evidence", "message", "channel"]
    title: Annotated[str, Field(min_length=1, max_length=200)]
    detail: Annotated[str, Field(max_length=2000)] = ""
    asks: tuple[dict[str, Any], ...] = ()


class Compared(BaseModel):
    """One thing that two records were compared by. ``weight`` in bits: above 0 it speaks for one identity."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Annotated[str, Field(min_length=1, max_length=60)]
    words: Annotated[str, Field(max_length=120)]
    weight: Annotated[float, Field(ge=-60, le=60, allow_inf_nan=False)]


class MergeProposal(Proposal):
    """Two records may be one: which would be kept, how sure that is, and why. Who decides depends on the score.

    The keys name the records in every database; the ids are this one's.
    """

    writes: ClassVar[Key] = Key.SIGNALS
    resource: ClassVar[Resource] = Resource.CONTACT
    identities: ClassVar[frozenset[str]] = frozenset({"kept", "merged"})

    type: Literal["merge"] = "merge"
    kind: Literal["company", "contact"]
    kept: int
    merged: int
    kept_key: Annotated[str, Field(min_length=1, max_length=300)]
    merged_key: Annotated[str, Field(min_length=1, max_length=300)]
    score: Share
    reasons: Annotated[tuple[Compared, ...], Field(min_length=1)]

    def contest(self) -> tuple[str, ...] | None:
        return ("merge", self.kind, *map(str, sorted((self.kept, self.merged))))


class Part(BaseModel):
    """One part of a priority: from which scores it was taken, and what it adds. Points of 100."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["fit", "intent"]
    source: Annotated[str, Field(max_length=60)]
    share: Share
    value: Points | None
    coverage: Share


class PriorityProposal(Proposal):
    """How soon a prospect deserves attention, and the sequence of touches that its tier picks."""

    writes: ClassVar[Key] = Key.HYPOTHESES
    resource: ClassVar[Resource] = Resource.ICP_EVIDENCE
    identities: ClassVar[frozenset[str]] = frozenset({"evidence_ids"})

    type: Literal["priority"] = "priority"
    value: Points
    coverage: Share
    tier: Literal["TIER_1", "TIER_2", "TIER_3", "TIER_4"]
    sequence: Annotated[str, Field(max_length=8)] = ""
    touches: Annotated[int, Field(ge=0)] = 0
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]
    evidence_ids: Annotated[Ids, Field(min_length=1)]

    def contest(self) -> tuple[str, ...] | None:
        return ("priority",)


class Outcomes(BaseModel):
    """What earlier touches of one kind came to: ``positive`` of ``n`` cases, the rate drawn towards ``prior``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channel: str
    angle: str = ""
    n: Annotated[int, Field(ge=1)]
    positive: Annotated[int, Field(ge=0)]
    prior: Share
    rate: Share
    low: Share
    high: Share


class HistoryProposal(Proposal):
    """What worked with similar prospects before, by channel and angle. ``alike`` names what they have in common."""

    writes: ClassVar[Key] = Key.STRATEGIES
    resource: ClassVar[Resource] = Resource.ACTIVITY

    type: Literal["history"] = "history"
    alike: tuple[str, ...] = ()
    channels: tuple[Outcomes, ...] = ()
    angles: tuple[Outcomes, ...] = ()
    words: Annotated[str, Field(min_length=1, max_length=500)]

    def contest(self) -> tuple[str, ...] | None:
        return ("history",)


class TimingProposal(Proposal):
    """When to act on a channel, in the recipient's own time. No window: nobody can say, and the words say why."""

    writes: ClassVar[Key] = Key.EVALUATIONS
    resource: ClassVar[Resource] = Resource.ACTIVITY

    type: Literal["timing"] = "timing"
    channel: str
    not_before: AwareDatetime | None
    until: AwareDatetime | None
    zone: Annotated[str, Field(max_length=60)] = ""
    words: Annotated[str, Field(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _whole_window(self) -> TimingProposal:
        if (self.not_before is None) != (self.until is None):
            raise ValueError("give both ends of the window or neither")
        if self.not_before is not None and self.until is not None and self.until <= self.not_before:
            raise ValueError("a window ends after it begins")
        return self

    def contest(self) -> tuple[str, ...] | None:
        return ("timing", self.channel)


class SaturationProposal(Proposal):
    """Whether this person and company may hear from us again now, and what that was judged by."""

    writes: ClassVar[Key] = Key.EVALUATIONS
    resource: ClassVar[Resource] = Resource.ACTIVITY

    type: Literal["saturation"] = "saturation"
    allowed: bool
    until: AwareDatetime | None = None
    words: Annotated[str, Field(min_length=1, max_length=500)]
    saw: dict[str, Any] = Field(default_factory=dict)

    def contest(self) -> tuple[str, ...] | None:
        return ("saturation",)


class ContactProposal(Proposal):
    """A person in the buying team and how good it would be to write to them: found in a document, or known before.

    ``person`` tells people apart without naming them. ``choose`` asks to make this the prospect's contact.
    """

    writes: ClassVar[Key] = Key.SIGNALS
    resource: ClassVar[Resource] = Resource.CONTACT
    identities: ClassVar[frozenset[str]] = frozenset({"document", "contact_id"})

    type: Literal["contact"] = "contact"
    person: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    document: int | None = None
    contact_id: int | None = None
    name: Annotated[str, Field(min_length=1, max_length=200)]
    first_name: Annotated[str, Field(max_length=100)] = ""
    last_name: Annotated[str, Field(max_length=100)] = ""
    title: Annotated[str, Field(max_length=200)] = ""
    level: Annotated[str, Field(max_length=40)] = ""
    email: Annotated[str, Field(max_length=254)] = ""
    email_status: Annotated[str, Field(pattern=r"^(unknown|syntax_ok|verified|invalid)$")] = "unknown"
    phone: Annotated[str, Field(max_length=40)] = ""
    linkedin_url: Annotated[str, Field(max_length=300)] = ""
    country: Annotated[str, Field(max_length=2)] = ""
    time_zone: Annotated[str, Field(max_length=64)] = ""
    external_id: Annotated[str, Field(max_length=120)] = ""
    role_match: Share
    seniority: Annotated[int, Field(ge=1, le=10)]
    authority: Annotated[int, Field(ge=1, le=10)]
    channel: Annotated[str, Field(pattern=r"^(email|call|linkedin|none)$")]
    value: Points
    choose: bool = False
    rationale: Annotated[str, Field(min_length=1, max_length=300)]
    observed_at: AwareDatetime
    confidence: Share = 0.8

    @model_validator(mode="after")
    def _one_origin(self) -> ContactProposal:
        if (self.document is None) == (self.contact_id is None):
            raise ValueError("cite either a document or a contact on file")
        return self

    def contest(self) -> tuple[str, ...] | None:
        return ("contact", self.person)


class NoteProposal(Proposal):
    """Something a person should know: why nothing could be done here. Becomes a Diagnostic, never a fact.

    ``again_in`` seconds: the work is unfinished, and the same facts are worth another run then. With ``again_at_most``
    the agent is given so many more runs, each after twice the wait of the one before; then the run counts as done.
    """

    writes: ClassVar[Key] = Key.DIAGNOSTIC
    resource: ClassVar[Resource] = Resource.ACTIVITY

    type: Literal["note"] = "note"
    kind: Refused
    message: Annotated[str, Field(min_length=1, max_length=500)]
    detail: dict[str, Any] = Field(default_factory=dict)
    again_in: Annotated[int, Field(ge=60, le=31 * 86_400)] | None = None
    again_at_most: Annotated[int, Field(ge=1, le=100)] | None = None


AnyProposal = Annotated[
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
PROPOSAL: TypeAdapter[Any] = TypeAdapter(AnyProposal)


def moment(value: datetime) -> str:
    """ISO 8601 text of an aware time; one spelling everywhere so that digests compare."""
    return value.isoformat()
