"""Read-only views of one playbook version: what agents go by. Plain frozen dataclasses, no ORM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True)
class CriterionView:
    """One criterion row of a playbook version, parameters as stored."""

    scorecard: str
    layer: str
    category: str
    key: str
    label: str
    kind: str
    weight: float
    params: Mapping[str, Any]
    half_life_days: float | None
    missing: str
    position: int
    missing_value: float | None = None


@dataclass(frozen=True, slots=True)
class TemplateView:
    """A message template with its placeholders."""

    key: str
    channel: str
    angle: str
    segment: str
    requires: tuple[str, ...]
    subject: str
    body: str
    position: int
    addresses: str = "none"


@dataclass(frozen=True, slots=True)
class ChannelPolicyView:
    """What a channel may do and costs under this playbook."""

    channel: str
    enabled: bool
    daily_cap: int
    unit_cost: Decimal
    min_confidence: float
    reply_rate: float


@dataclass(frozen=True, slots=True)
class PropositionView:
    """A promise the client makes to one segment, with its proof."""

    id: int
    segment: str
    pain: str
    promise: str
    proof: str


@dataclass(frozen=True, slots=True)
class StepView:
    """One planned touch of a tier: on which day, by which slot, for what purpose."""

    tier: str
    day: int
    slot: str
    purpose: str


@dataclass(frozen=True, slots=True)
class StageRuleView:
    """What must hold before a prospect moves from one stage to another."""

    id: int
    pipeline: str
    from_stage: str
    to_stage: str
    required_categories: tuple[str, ...]
    required_layers: tuple[str, ...]
    min_categories: int
    min_score: float | None
    min_coverage: float | None
    needs_person: bool
    team: str
    scorecard: str = "icp"
    route: str = "any"
    confirm_from_value: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ClientView:
    """The business we sell for, as far as a message has to name it."""

    id: int
    name: str
    sandbox: bool
    sender_name: str
    sender_email: str
    postal_address: str
    privacy_url: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class BrandRuleView:
    """A phrase that a message may never (block), or only after a second look (review), contain."""

    phrase: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class PlaybookView:
    """One playbook version: seeds and constraints in one frozen value."""

    id: int
    playbook_id: int
    number: int
    kind: str
    client: ClientView
    root_intent: str
    icp_industries: tuple[str, ...]
    icp_roles: tuple[str, ...]
    layer_weights: Mapping[str, int]
    hot_threshold: float
    warm_threshold: float
    min_confidence: float
    min_categories: int
    min_quality: float
    min_contact_confidence: float
    tier_thresholds: tuple[float, float, float]
    request_hours: int
    currency: str
    deal_value: Decimal
    countries: tuple[str, ...]
    criteria: tuple[CriterionView, ...]
    templates: tuple[TemplateView, ...]
    channels: tuple[ChannelPolicyView, ...]
    propositions: tuple[PropositionView, ...]
    stage_rules: tuple[StageRuleView, ...]
    brand_rules: tuple[BrandRuleView, ...]
    sequences: tuple[StepView, ...] = ()
    delivers: frozenset[str] = frozenset()  # the kinds of document that its sources give
    keep_threshold: float = 0.7
    enrich_threshold: float = 0.75
    crm_threshold: float = 0.7
    merge_threshold: float = 0.99
    twin_threshold: float = 0.5
