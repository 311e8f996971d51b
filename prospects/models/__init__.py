from prospects.models.accounts import Company, Contact, ImportBatch
from prospects.models.agent_days import AgentDay
from prospects.models.answers import ModelAnswer
from prospects.models.deals import Customer, CustomerStage, Deal, DealStage
from prospects.models.erasures import ErasedKey, Erasure
from prospects.models.facts import Diagnostic, Evidence, Score, Signal, StageTransition
from prospects.models.funnel import Basis, FunnelCell, FunnelChange, FunnelMark, Grain, Outcome, Span
from prospects.models.handoffs import Handoff, HandoffAcceptance
from prospects.models.lists import BulkAction, BulkItem, ListPreference, RouteOverride, SavedFilter
from prospects.models.merges import Alias, BlockingKey, BlockingMark, Duplicate, Merge, RecordKind
from prospects.models.prospect import Prospect, Stage, Verdict, WorkLevel
from prospects.models.runs import AgentRun, Convergence
from prospects.models.scans import MarketScan
from prospects.models.sources import SourceAnswer, SourceState
from prospects.models.suggestions import Suggestion
from prospects.models.triggers import TriggerFiring, TriggerWatch
from prospects.models.what_if import WhatIf, WhatIfChange

__all__ = [
    "AgentDay",
    "AgentRun",
    "Alias",
    "Basis",
    "BlockingKey",
    "BlockingMark",
    "BulkAction",
    "BulkItem",
    "Company",
    "Contact",
    "Convergence",
    "Customer",
    "CustomerStage",
    "Deal",
    "DealStage",
    "Diagnostic",
    "Duplicate",
    "ErasedKey",
    "Erasure",
    "Evidence",
    "FunnelCell",
    "FunnelChange",
    "FunnelMark",
    "Grain",
    "Handoff",
    "HandoffAcceptance",
    "ImportBatch",
    "ListPreference",
    "MarketScan",
    "Merge",
    "ModelAnswer",
    "Outcome",
    "Prospect",
    "RecordKind",
    "RouteOverride",
    "SavedFilter",
    "Score",
    "Signal",
    "SourceAnswer",
    "SourceState",
    "Span",
    "Stage",
    "StageTransition",
    "Suggestion",
    "TriggerFiring",
    "TriggerWatch",
    "Verdict",
    "WhatIf",
    "WhatIfChange",
    "WorkLevel",
]
