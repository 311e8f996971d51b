"""What was promoted in one batch until its cycle is written: signals, evidence, found duplicates. Only news is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from prospects.host.contact_ledger import ContactRows
from prospects.host.duplicate_ledger import DuplicateRows
from prospects.rules.priority import PartOf, Priority
from prospects.rules.scoring import EvidenceItem
from prospects.services import scores
from salesops.runtime.bulk import copy_rows
from salesops.runtime.context import Context
from salesops.runtime.ports import Ledger, Numbers, Run, Scope
from salesops.runtime.proposals import (
    ContactProposal,
    EvidenceProposal,
    MergeProposal,
    PriorityProposal,
    Proposal,
    SignalProposal,
)
from salesops.runtime.toolbox import Document
from salesops.runtime.views import EvidenceView, SignalView

_SIGNAL_COLUMNS = (
    "id", "client_id", "prospect_id", "kind", "observed_at", "value", "text", "data", "source", "source_ref",
    "dedup_key", "run_id", "fact_no", "created_at", "trace_id",
)  # fmt: skip
_EVIDENCE_COLUMNS = (
    "id", "client_id", "prospect_id", "playbook_version_id", "scorecard", "layer", "category", "criterion", "value",
    "confidence", "strong_negative", "rationale", "quote", "signal_ids", "fact_ref", "source", "observed_at", "run_id",
    "fact_no", "created_at",
)  # fmt: skip


class FactLedger(Ledger):
    """Signals and evidence promoted in one batch, until their cycle is written."""

    def __init__(self, scope: Scope, numbers: Numbers) -> None:
        self._scope = scope
        self._numbers = numbers
        self._signals: list[tuple[Any, ...]] = []
        self._evidence: list[tuple[Any, ...]] = []
        self._scores: list[tuple[Any, ...]] = []
        self._duplicates = DuplicateRows(scope)
        self._contacts = ContactRows(scope, numbers, self._hold)

    def promote(self, context: Context, run: Run, proposal: Proposal) -> bool:
        if isinstance(proposal, SignalProposal):
            return self._signal(context, run, proposal)
        if isinstance(proposal, EvidenceProposal):
            return self._judgement(context, run, proposal)
        if isinstance(proposal, PriorityProposal):
            return self._priority(context, run, proposal)
        if isinstance(proposal, MergeProposal):
            return self._duplicates.add(context, run, proposal)
        if isinstance(proposal, ContactProposal):
            return self._contacts.add(context, run, proposal)
        raise TypeError(f"prospects keep no {type(proposal).__name__}")

    def _signal(self, context: Context, run: Run, proposal: SignalProposal) -> bool:
        origin = _origin(context, proposal)
        key = derived_key(run.agent, proposal, origin)
        if any(s.dedup_key == key for s in context.signals):
            return False
        data = {**proposal.data, **_whence(proposal), "confidence": proposal.confidence}
        self._hold(
            context, run, kind=proposal.kind, observed_at=proposal.observed_at, value=proposal.value,
            text=proposal.text, data=data, source=origin.source, source_ref=_ref(proposal, origin), key=key,
        )  # fmt: skip
        return True

    def _hold(
        self, context: Context, run: Run, *, kind: str, observed_at: datetime, value: float | None, text: str,
        data: dict[str, Any], source: str, source_ref: str, key: str,
    ) -> None:  # fmt: skip
        """Take a signal into the context, and hold its row."""
        signal = SignalView(
            id=self._numbers.row("signal"), kind=kind, observed_at=observed_at, value=value, text=text, data=data,
            source=source, source_ref=source_ref, dedup_key=key, fact_no=self._numbers.fact(), agent=run.agent,
        )  # fmt: skip
        context.add_signal(signal)
        self._signals.append(
            (
                signal.id, self._scope.client_id, context.id, signal.kind, signal.observed_at, signal.value,
                signal.text, json.dumps(data), signal.source, signal.source_ref, key, run.id, signal.fact_no,
                self._scope.now, self._scope.trace_id,
            )
        )  # fmt: skip

    def _judgement(self, context: Context, run: Run, proposal: EvidenceProposal) -> bool:
        current = context.evidence.get((proposal.scorecard, proposal.criterion))
        if current is not None and not says_more(current, proposal):
            return False
        evidence = EvidenceView(
            id=self._numbers.row("evidence"), scorecard=proposal.scorecard, criterion=proposal.criterion,
            layer=proposal.layer, category=proposal.category, value=proposal.value, confidence=proposal.confidence,
            strong_negative=proposal.strong_negative, rationale=proposal.rationale, quote=proposal.quote,
            signal_ids=proposal.signal_ids, fact_ref=proposal.fact_ref, source=proposal.source,
            observed_at=proposal.observed_at, fact_no=self._numbers.fact(), agent=run.agent,
        )  # fmt: skip
        context.add_evidence(evidence)
        context.new_evidence = True
        self._evidence.append(
            (
                evidence.id, self._scope.client_id, context.id, self._scope.playbook.id, evidence.scorecard,
                evidence.layer, evidence.category, evidence.criterion, evidence.value, evidence.confidence,
                evidence.strong_negative, evidence.rationale, evidence.quote, list(evidence.signal_ids),
                evidence.fact_ref, evidence.source, evidence.observed_at, run.id, evidence.fact_no, self._scope.now,
            )
        )  # fmt: skip
        return True

    def _priority(self, context: Context, run: Run, proposal: PriorityProposal) -> bool:
        parts = tuple(PartOf(p.name, p.source, p.share, p.value, p.coverage) for p in proposal.parts)
        found = Priority(
            proposal.value, proposal.coverage, proposal.tier, proposal.sequence, proposal.touches, parts,
            proposal.evidence_ids,
        )  # fmt: skip
        row = scores.priority_row(self._scope, context, found, self._numbers, run.id)
        if row is None:
            return False
        self._scores.append(row)
        return True

    def write(self, prospects: Collection[int]) -> None:
        self._contacts.write(prospects)  # first: it adds signals
        for table, columns, rows in (
            ("prospects_signal", _SIGNAL_COLUMNS, self._signals),
            ("prospects_evidence", _EVIDENCE_COLUMNS, self._evidence),
            ("prospects_score", scores.COLUMNS, self._scores),
        ):
            kept = [row for row in rows if row[2] in prospects]
            if kept:
                copy_rows(table, columns, kept)
            rows.clear()
        self._duplicates.write(prospects)


def _origin(context: Context, proposal: SignalProposal) -> SignalView | Document:
    """What a valid signal proposal cites."""
    if proposal.document is not None:
        return context.documents[proposal.document]
    return next(s for s in context.signals if s.id == proposal.derived_from)


def _whence(proposal: SignalProposal) -> dict[str, Any]:
    if proposal.document is not None:
        return {"document": proposal.document}
    supports = {"supports": list(proposal.rests_on)} if proposal.rests_on else {}
    return {**supports, "derived_from": {"signal_id": proposal.derived_from, "attribute": proposal.attribute}}


def _ref(proposal: SignalProposal, origin: SignalView | Document) -> str:
    return proposal.source_ref or (origin.ref if isinstance(origin, Document) else origin.source_ref)


def derived_key(agent: str, proposal: SignalProposal, origin: SignalView | Document) -> str:
    """The name of an observation: the same finding in the same place has the same key in every database."""
    if isinstance(origin, Document):
        # The same words from the same place are one observation, however often they are fetched.
        content = hashlib.sha256(
            f"{proposal.text}\x1f{json.dumps(proposal.data, sort_keys=True, default=str)}".encode()
        )
        place = "\x1f".join((origin.source, _ref(proposal, origin), content.hexdigest()))
        parts: tuple[str, ...] = (agent, proposal.kind, proposal.attribute, place)
    else:
        parts = (agent, proposal.kind, proposal.attribute, proposal.observed_at.isoformat(), origin.dedup_key)
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:40]


def says_more(current: EvidenceView | EvidenceItem, proposal: EvidenceProposal | EvidenceItem) -> bool:
    """Whether a judgement would supersede the one in force and say something else."""
    if proposal.observed_at < current.observed_at:
        return False
    return (
        current.value, current.confidence, current.strong_negative, current.rationale, current.signal_ids,
        current.fact_ref,
    ) != (
        proposal.value, proposal.confidence, proposal.strong_negative, proposal.rationale, proposal.signal_ids,
        proposal.fact_ref,
    )  # fmt: skip
