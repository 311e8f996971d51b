"""The runtime's vocabulary: keys of a prospect's context, teams, phases, depths and kinds of diagnostics."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Key(StrEnum):
    """One part of a prospect's shared context; a view over typed append-only rows."""

    SEEDS = "seeds"
    CONSTRAINTS = "constraints"
    SIGNALS = "signals"
    HYPOTHESES = "hypotheses"
    STRATEGIES = "strategies"
    EVALUATIONS = "evaluations"
    PROPOSALS = "proposals"
    DIAGNOSTIC = "diagnostic"


class Team(StrEnum):
    """Who an agent works for: the subject of permissions and of priority."""

    LEAD_GEN = "lead_gen"
    QUALIFICATION = "qualification"
    CONVERSION = "conversion"
    LIFECYCLE = "lifecycle"


# Who wins when two proposals of one cycle want the same thing. Lifecycle acts on customers only: it never meets them.
TEAM_PRIORITY = {Team.CONVERSION: 3, Team.QUALIFICATION: 2, Team.LEAD_GEN: 1, Team.LIFECYCLE: 0}


class Phase(IntEnum):
    """The order in which agents run within one cycle."""

    DISCOVERY = 1
    QUALIFICATION = 2
    STRATEGY = 3
    CHANNEL = 4
    APPROVAL = 5
    EXECUTION = 6
    LEARNING = 7
    CONVERSION = 8
    LIFECYCLE = 9


# Phases that prepare or make contact: closed until a prospect is qualified (no outreach while mid-qualification).
OUTREACH_PHASES = frozenset({Phase.STRATEGY, Phase.CHANNEL, Phase.APPROVAL, Phase.EXECUTION})
OUTREACH_STAGES = frozenset({"qualified", "contacted", "engaged"})
CONTACTED_STAGES = frozenset({"contacted", "engaged", "converted"})
RESEARCH_STAGES = frozenset(
    {"sourced", "researched", "qualifying", "qualified", "nurture", "stalled", "rejected", "contacted", "engaged"}
)
CONVERSION_STAGES = frozenset({"engaged", "converted"})
LIFECYCLE_STAGES = frozenset({"converted"})


class Depth(StrEnum):
    """How far a convergence goes: the same code, another set of agents."""

    EARLY = "early"
    PRIMARY = "primary"
    EXTENDED = "extended"


class ImplementationKind(StrEnum):
    """What does an agent's work under one playbook version."""

    RULES = "rules"
    LLM = "llm"
    HUMAN = "human"
    OFF = "off"


class Resource(StrEnum):
    """What the permission matrix speaks about. Every proposal type maps to exactly one."""

    CONTACT = "contact"
    DEAL_STAGE = "deal_stage"
    ACTIVITY = "activity"
    ICP_EVIDENCE = "icp_evidence"
    DEAL_VALUE = "deal_value"
    CHURN_RISK = "churn_risk"


# What a team must be allowed to read before an agent of it is shown what lies under a key.
READ_RESOURCES = {Key.SIGNALS: Resource.ACTIVITY, Key.HYPOTHESES: Resource.ICP_EVIDENCE}


class Refused(StrEnum):
    """Why a proposal did not become a fact, or a prospect did not get on: the kinds of a Diagnostic."""

    SCHEMA = "schema"
    PERMISSION = "permission_denied"
    PROVENANCE = "provenance"
    RANGE = "range"
    CONFLICT = "conflict"
    PREEMPTED = "preempted"
    BUDGET = "budget"
    COMPLIANCE = "compliance"
    QUALITY = "quality"
    STALLED = "stalled"
    STOPPED = "stopped"
    FAILED = "failed"
    SOURCE = "source"
    MODEL = "model"
    INVARIANT = "invariant"
