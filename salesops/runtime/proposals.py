"""What agents return. A proposal is only a proposal: the runtime validates it and decides whether it becomes a fact."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

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


def moment(value: datetime) -> str:
    """ISO 8601 text of an aware time; one spelling everywhere so that digests compare."""
    return value.isoformat()
