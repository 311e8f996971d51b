"""Read-only views of one prospect: everything an agent may know about it. Plain frozen dataclasses, no ORM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from salesops.numerals import plain_number


@dataclass(frozen=True)
class SignalView:
    """A raw observation. ``agent`` is the agent that derived it, empty when it was imported or received."""

    id: int
    kind: str
    observed_at: datetime
    value: float | None
    text: str
    data: Mapping[str, Any]
    source: str
    source_ref: str
    dedup_key: str
    fact_no: int
    agent: str = ""

    @cached_property
    def quotable(self) -> str:
        """Every text a quote may be taken from, one to a line: the signal's words and the values it carries."""
        return quotable(self.text, self.value, self.data)


def quotable(text: str, value: float | None, data: Mapping[str, Any]) -> str:
    """An observation's words and the values it carries, one to a line."""
    lines = [text] if text else []
    if value is not None:
        lines.append(plain_number(value))
    _collect(data, lines)
    return "\n".join(lines)


def _collect(value: Any, lines: list[str]) -> None:
    if isinstance(value, str):
        lines.append(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            _collect(inner, lines)
    elif isinstance(value, list | tuple):
        lines.append(", ".join(map(str, value)))
    elif value is not None:
        lines.append(str(value))


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """A judged fragment under one criterion. ``value`` 0–100, ``confidence`` 0–1; the newest per criterion counts."""

    id: int
    scorecard: str
    criterion: str
    layer: str
    category: str
    value: float
    confidence: float
    strong_negative: bool
    rationale: str
    quote: str
    signal_ids: tuple[int, ...]
    fact_ref: str
    source: str
    observed_at: datetime
    fact_no: int
    agent: str = ""


@dataclass(frozen=True, slots=True)
class ScoreView:
    """The current score of one scorecard, 0–100, with the share of its weight that is known."""

    scorecard: str
    value: float | None
    coverage: float
    provisional: bool
    breakdown: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MessageView:
    """One drafted message, exactly as it would leave."""

    id: int
    channel: str
    angle: str
    sender: str
    recipient: str
    subject: str
    body: str
    attachments: tuple[str, ...]
    rule_version: str
    content_hash: str
    template_key: str
    claims: tuple[Mapping[str, Any], ...]
    evidence_ids: tuple[int, ...]
    why_now: str
    rationale: str
    confidence: float
    confidence_low: float
    confidence_high: float
    grade: str
    quality: Mapping[str, Any]
    compliance: str
    compliance_detail: Mapping[str, Any]
    contact_id: int
    quality_points: float
    fact_no: int
    agent: str = ""
    run_id: int | None = None


@dataclass(frozen=True, slots=True)
class EvaluationView:
    """What one channel (or doing nothing) is expected to bring and to cost. Money in the playbook's currency."""

    id: int
    message_id: int | None
    channel: str
    probability: float
    value: Decimal
    cost: Decimal
    expected_value: Decimal
    chosen: bool
    rationale: str
    alternatives: tuple[Mapping[str, Any], ...]
    fact_no: int
    agent: str = ""


@dataclass(frozen=True, slots=True)
class AdviceView:
    """What was found about how to reach a prospect: what worked before, when to act, whether it is too much already.

    ``channel`` is empty where it holds for all of them. ``not_before`` and ``until`` bound the time it speaks of;
    ``blocked`` means that nothing may be asked for until ``not_before`` (None: not by waiting).
    """

    aspect: str
    channel: str
    words: str
    data: Mapping[str, Any]
    not_before: datetime | None
    until: datetime | None
    blocked: bool
    fact_no: int
    agent: str = ""


@dataclass(frozen=True, slots=True)
class RequestView:
    """An approval request that already exists for this prospect.

    ``facts_no``: the newest fact when it was put together; ``wish``: what the person who handed it back asked for.
    """

    id: int
    channel: str
    status: str
    message_id: int
    content_hash: str
    facts_no: int = 0
    wish: str = ""


@dataclass(frozen=True, slots=True)
class TouchView:
    """One thing that was said to this prospect before, and what came of it."""

    at: datetime
    channel: str
    subject: str
    outcome: str


@dataclass(frozen=True, slots=True)
class CompanyView:
    """The account, as imported."""

    id: int
    name: str
    domain: str
    industry: str
    subindustry: str
    employees_min: int | None
    employees_max: int | None
    country: str
    region: str
    city: str
    location: str
    tags: tuple[str, ...]
    status: str
    hiring: bool | None
    founded_year: int | None = None


@dataclass(frozen=True, slots=True)
class ContactView:
    """The person. ``synthetic`` people are made up for a demo and live on reserved domains."""

    id: int
    name: str
    first_name: str
    last_name: str
    title: str
    seniority: str
    email: str
    email_status: str
    phone: str
    linkedin_url: str
    country: str
    time_zone: str
    synthetic: bool
    source: str
    entity_type: str
    unsubscribe_url: str = ""
    suppressed: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProspectView:
    """One prospect's whole context. ``key`` is stable between databases; ``id`` is this database's."""

    id: int
    key: str
    stage: str
    route: str
    tier: str
    segment: str
    verdict: str
    composite: float | None
    coverage: float
    provisional: bool
    priority: float
    facts_no: int
    company: CompanyView | None
    contact: ContactView | None
    signals: tuple[SignalView, ...]
    evidence: tuple[EvidenceView, ...]
    scores: Mapping[str, ScoreView]
    messages: tuple[MessageView, ...]
    evaluations: tuple[EvaluationView, ...]
    requests: tuple[RequestView, ...]
    touches: tuple[TouchView, ...]
    extras: Mapping[str, Any]
    advice: Mapping[tuple[str, str], AdviceView] = field(default_factory=dict)  # by (aspect, channel)
    people: tuple[ContactView, ...] = ()  # on file at the company

    @property
    def name(self) -> str:
        """What people call this prospect: the company, else the person."""
        if self.company is not None:
            return self.company.name
        return self.contact.name if self.contact is not None else self.key
