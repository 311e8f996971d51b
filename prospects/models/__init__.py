from prospects.models.accounts import Company, Contact, ImportBatch
from prospects.models.answers import ModelAnswer
from prospects.models.facts import Diagnostic, Evidence, Score, Signal, StageTransition
from prospects.models.funnel import Basis, FunnelCell, FunnelChange, FunnelMark, Grain, Outcome, Span
from prospects.models.prospect import Prospect, Stage, Verdict, WorkLevel
from prospects.models.runs import AgentRun, Convergence
from prospects.models.sources import SourceAnswer, SourceState

__all__ = [
    "AgentRun",
    "Basis",
    "Company",
    "Contact",
    "Convergence",
    "Diagnostic",
    "Evidence",
    "FunnelCell",
    "FunnelChange",
    "FunnelMark",
    "Grain",
    "ImportBatch",
    "ModelAnswer",
    "Outcome",
    "Prospect",
    "Score",
    "Signal",
    "SourceAnswer",
    "SourceState",
    "Span",
    "Stage",
    "StageTransition",
    "Verdict",
    "WorkLevel",
]
