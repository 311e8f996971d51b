"""What the finding and judging agents ask a person, and how the answer becomes proposals. Not an agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from playbooks.rules.criteria import Criterion
from salesops.runtime.contract import Implementation, Tools
from salesops.runtime.human import Raw, asking
from salesops.runtime.proposals import TaskProposal
from salesops.runtime.views import ProspectView, SignalView

#: Where a person's own observation says it comes from; the task and its trace name the person.
SOURCE = "person"


def observation_key(task_id: int, key: str) -> str:
    """The dedup key of what a person observed under ``key`` while doing a task."""
    return f"task:{task_id}:{key}"


def signals_by_hand(what: str) -> Implementation:
    """Asks a person to look around and note ``what`` they find; what they note is a signal already."""

    def ask(prospect: ProspectView, tools: Tools) -> TaskProposal:
        del tools
        return TaskProposal(form="signal", title=f"{what}: {prospect.name}"[:200])

    def heard(prospect: ProspectView, tools: Tools, filled_in: Mapping[str, Any]) -> Sequence[Raw]:
        del prospect, tools, filled_in
        return []

    return asking(ask, heard)


def evidence_by_hand(what: str, criteria_of: Callable[[Tools], Mapping[Any, Criterion]]) -> Implementation:
    """Asks a person to judge some of the playbook's criteria; ``what`` names them all."""

    def ask(prospect: ProspectView, tools: Tools) -> TaskProposal | None:
        asks = tuple(
            {"key": f"{c.scorecard}.{c.key}", "label": c.label, "layer": c.layer} for c in criteria_of(tools).values()
        )
        title = f"Judge {what}: {prospect.name}"[:200]
        return TaskProposal(form="evidence", title=title, asks=asks) if asks else None

    def heard(prospect: ProspectView, tools: Tools, filled_in: Mapping[str, Any]) -> Sequence[Raw]:
        criteria = {f"{c.scorecard}.{c.key}": c for c in criteria_of(tools).values()}
        seen = {signal.dedup_key: signal for signal in prospect.signals}
        judged = []
        for given in filled_in.get("judgements", ()):
            signal = seen[observation_key(filled_in["task"], given["key"])]
            judged.append(_evidence(criteria[given["key"]], signal, given))
        return judged

    return asking(ask, heard)


def _evidence(criterion: Criterion, signal: SignalView, given: Mapping[str, Any]) -> dict[str, Any]:
    """Untyped on purpose: what a person fills in is parsed like any input, and refused in words."""
    return {
        "type": "evidence",
        "scorecard": criterion.scorecard,
        "criterion": criterion.key,
        "layer": criterion.layer,
        "category": criterion.category,
        "value": given["value"],
        "confidence": given["confidence"],
        "rationale": signal.text[:500],
        "quote": signal.text[:2000],
        "signal_ids": (signal.id,),
        "fact_ref": f"judgement.{criterion.key}"[:160],
        "source": SOURCE,
        "observed_at": signal.observed_at,
    }
