"""A hash over proposals that is the same in every database: row ids are replaced by the stable names of their rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from salesops.runtime.proposals import Proposal

Names = Mapping[str, Mapping[int, str]]
# Which table the ids in an identity field belong to. Fields not listed (contact, hash of words) add nothing.
_TABLES = {
    "derived_from": "signal",
    "rests_on": "signal",
    "signal_ids": "signal",
    "evidence_ids": "evidence",
    "why_now_evidence": "evidence",
    "message_id": "message",
}
_ROW_BOUND = {"id", "evidence_ids", "signal_ids", "facts_no", "content_hash", "evidence_id", "message_id"}


def canonical(proposal: Proposal, names: Names, literals: Mapping[str, str]) -> bytes:
    """The proposal as bytes without this database's ids. Key order is that of the type, so it never varies.

    ``literals`` are texts of this installation alone (a signed link), with what stands for them.
    """
    parts = [proposal.model_dump_json(exclude=set(proposal.identities) or None)]
    for name in sorted(proposal.identities):
        value = getattr(proposal, name)
        if name in _TABLES:
            parts.append(f"{name}={_named(value, names.get(_TABLES[name], {}))}")
        elif name == "claims":
            parts.extend(f"{c.kind}:{c.sentence}={_named(c.evidence_ids, names.get('evidence', {}))}" for c in value)
        elif name == "dossier":
            parts.append(json.dumps(_without_rows(value), sort_keys=True, default=str))
    text = "\n".join(parts)
    for literal, stand_in in literals.items():
        text = text.replace(literal, stand_in)
    return text.encode()


def _named(ids: int | Sequence[int] | None, names: Mapping[int, str]) -> str:
    if ids is None:
        return "-"
    listed = [ids] if isinstance(ids, int) else ids
    return ",".join(names.get(i, "?") for i in listed)


def _without_rows(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_rows(v) for k, v in value.items() if k not in _ROW_BOUND}
    if isinstance(value, list | tuple):
        return [_without_rows(v) for v in value]
    return value


def of_run(proposals: Iterable[bytes]) -> str:
    """Digest of one run's proposals in the order given."""
    digest = hashlib.sha256()
    for proposal in proposals:
        digest.update(len(proposal).to_bytes(8, "big"))
        digest.update(proposal)
    return digest.hexdigest()


def of_convergence(runs: Iterable[tuple[str, str, str]]) -> str:
    """Digest over (prospect key, agent, run digest) triples, which must come in a stable order."""
    digest = hashlib.sha256()
    for triple in runs:
        digest.update("\x1f".join(triple).encode() + b"\x1e")
    return digest.hexdigest()
