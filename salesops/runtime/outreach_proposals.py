"""What agents return about reaching a prospect: words, verdicts, channels, times, requests."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from salesops.runtime.proposals import Ids, Points, Proposal, Share
from salesops.runtime.words import Key, Resource


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
